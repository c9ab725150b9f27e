"""Sentences about a criterion's agreement figures: how far to trust them, and what to change.

Sources of the thresholds: QA practitioners expect 90 % agreement on objective and 80 % on subjective items,
and take persistent disagreement as a sign of bad wording. Krippendorff asks for α of at least 0.667 before
even tentative conclusions.
"""

from __future__ import annotations

from pipeline.calibrate.agreement import Coefficient
from pipeline.calibrate.figures import Agreement

FEW_ANSWERS = 30
SKEWED_SHARE = 0.9
GOOD_AGREEMENT = 0.8
GOOD_KAPPA = 0.6
LEAST_ALPHA = 0.667


def warnings_for(figures: Agreement) -> list[str]:
    """Reasons not to trust the figures too far."""
    warnings = []
    low, high = figures.agreement.low, figures.agreement.high
    if figures.n and figures.n < FEW_ANSWERS and low is not None and high is not None:
        answers = "answer" if figures.n == 1 else "answers"
        warnings.append(f"only {figures.n} {answers}: agreement may be anything from {low:.0%} to {high:.0%}")
    if figures.n and figures.commonest == 1.0:
        warnings.append("people gave one and the same answer throughout: κ says nothing here")
    elif figures.commonest >= SKEWED_SHARE:
        warnings.append("nearly all answers are the same: read AC1, not κ")
    if figures.abstained:
        share = figures.abstained / (figures.n + figures.abstained)
        warnings.append(f"the machine left {share:.0%} undetermined; those are not counted")
    return warnings


def advise(figures: Agreement, alpha: Coefficient | None = None) -> str:
    """What the rubric's author should do; ``alpha`` is the reviewers' agreement with one another."""
    if not figures.n:
        return "Nothing to compare yet."
    if alpha is not None and alpha.value is not None and alpha.value < LEAST_ALPHA:
        return (
            f"People disagree among themselves (α {alpha.value:.2f}): settle the question's wording and "
            "guidance before changing any phrase."
        )
    if _is_good(figures):
        enough = figures.n >= FEW_ANSWERS
        return "Agrees well." if enough else "Agrees so far; review more before relying on it."
    if figures.strict > 2 * figures.lenient:
        quotes = _quotes(figures, leniency=-1)
        return f"The machine misses what people hear: add phrasings or widen the window.{quotes}"
    if figures.lenient > 2 * figures.strict:
        quotes = _quotes(figures, leniency=1)
        return f"The machine accepts what people do not: make the phrases stricter.{quotes}"
    wrong_scope = sum(1 for pair in figures.disagreements if "na" in (pair.machine, pair.human))
    if 2 * wrong_scope > len(figures.disagreements):
        return "They disagree on when the question applies: mend its `when` condition."
    return f"Disagreement goes both ways: reword the question, then its phrases.{_quotes(figures)}"


def _is_good(figures: Agreement) -> bool:
    if figures.weighted_kappa.value is not None:  # plain agreement would count a neighbouring grade as wrong
        return figures.weighted_kappa.value >= GOOD_KAPPA
    skewed = figures.commonest >= SKEWED_SHARE
    coefficient = figures.ac1 if skewed or figures.kappa.value is None else figures.kappa
    agreement = figures.agreement.estimate or 0.0
    return agreement >= GOOD_AGREEMENT and (coefficient.value is None or coefficient.value >= GOOD_KAPPA)


def _quotes(figures: Agreement, leniency: int = 0) -> str:
    """A sentence with up to three quotes from disagreements: all, or those with this ``Pair.leniency``."""
    pairs = [p for p in figures.disagreements if p.quote and leniency in (0, p.leniency)]
    quotes = list(dict.fromkeys(p.quote for p in pairs))[:3]
    return " Look at: " + "; ".join(f"“{quote[:120]}”" for quote in quotes) + "." if quotes else ""
