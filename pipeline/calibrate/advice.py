"""What the figures mean, in plain words: how far to trust them, and what to mend.

Thresholds: practitioners expect 90 % agreement on objective and 80 % on subjective items, and read
persistent disagreement as a fault of the item's wording; Krippendorff asks α of at least 0.667 for
tentative conclusions.
"""

from __future__ import annotations

from pipeline.calibrate.agreement import Coefficient
from pipeline.calibrate.figures import Agreement

FEW = 30
SKEWED = 0.9
GOOD_AGREEMENT = 0.8
GOOD_KAPPA = 0.6
PEOPLE_DIFFER = 0.667


def warnings_for(figures: Agreement) -> list[str]:
    """How far the figures can be trusted."""
    found = []
    low, high = figures.agreement.low, figures.agreement.high
    if figures.n and figures.n < FEW and low is not None and high is not None:
        found.append(f"only {figures.n} answers: agreement may be anything from {low:.0%} to {high:.0%}")
    if figures.n and figures.commonest == 1.0:
        found.append("people gave one and the same answer throughout: κ says nothing here")
    elif figures.commonest >= SKEWED:
        found.append("nearly all answers are the same: read AC1, not κ")
    if figures.abstained:
        share = figures.abstained / (figures.n + figures.abstained)
        found.append(f"the machine left {share:.0%} undetermined; those are not counted")
    return found


def advise(figures: Agreement, people: Coefficient | None = None) -> str:
    """What to do about it."""
    if not figures.n:
        return "Nothing to compare yet."
    if people is not None and people.value is not None and people.value < PEOPLE_DIFFER:
        return (
            f"People disagree among themselves (α {people.value:.2f}): settle the question's wording and "
            "guidance before changing any phrase."
        )
    if _is_good(figures):
        return "Agrees well." if figures.n >= FEW else "Agrees so far; review more before relying on it."
    if figures.strict > 2 * figures.lenient:
        return (
            f"The machine misses what people hear: add phrasings or widen the window.{_quoted(figures, -1)}"
        )
    if figures.lenient > 2 * figures.strict:
        return f"The machine accepts what people do not: make the phrases stricter.{_quoted(figures, 1)}"
    wrong_scope = sum(1 for pair in figures.disagreements if "na" in (pair.machine, pair.human))
    if 2 * wrong_scope > len(figures.disagreements):
        return "They disagree on when the question applies: mend its `when` condition."
    return f"Disagreement goes both ways: reword the question, then its phrases.{_quoted(figures)}"


def _is_good(figures: Agreement) -> bool:
    if figures.weighted_kappa.value is not None:  # a neighbouring grade is half agreed
        return figures.weighted_kappa.value >= GOOD_KAPPA
    chance_corrected = (
        figures.ac1 if figures.commonest >= SKEWED or figures.kappa.value is None else figures.kappa
    )
    agreement = figures.agreement.estimate or 0.0
    return agreement >= GOOD_AGREEMENT and (
        chance_corrected.value is None or chance_corrected.value >= GOOD_KAPPA
    )


def _quoted(figures: Agreement, leniency: int = 0) -> str:
    """Up to three quotes the two disagree on; only where the machine errs in one way, if asked."""
    pairs = [p for p in figures.disagreements if p.quote and leniency in (0, p.leniency)]
    quotes = list(dict.fromkeys(p.quote for p in pairs))[:3]
    return " Look at: " + "; ".join(f"“{quote[:120]}”" for quote in quotes) + "." if quotes else ""
