"""The figures over many pairs of answers, and sentences about them: how far to trust them, what to change.

Sources of the thresholds: QA practitioners expect 90 % agreement on objective and 80 % on subjective items,
and take persistent disagreement as a sign of bad wording. Krippendorff asks for α of at least 0.667 before
even tentative conclusions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.calibrate.agreement import Coefficient
from pipeline.calibrate.pairs import Pair
from pipeline.confidence_intervals import ConfidenceInterval

FEW_ANSWERS = 30
SKEWED_SHARE = 0.9
GOOD_AGREEMENT = 0.8
GOOD_KAPPA = 0.6
LEAST_ALPHA = 0.667


def sentence(warning: str) -> str:
    """A warning with a capital letter at the start and a full stop at the end."""
    return f"{warning[:1].upper()}{warning[1:]}."


@dataclass(frozen=True, slots=True)
class Agreement:
    """The machine against all people on one criterion, or against one reviewer on all criteria.

    Attributes:
        rubric: Rubric id; "" in a reviewer's row.
        name: Criterion id, or the reviewer.
        title: The question in the rubric's words, or the reviewer.
        n: Pairs with an answer on both sides.
        abstained: Pairs in which the machine answered undetermined; no other figure counts them.
        weighted_kappa: κ with quadratic weights over the grades; unknown where nothing is graded.
        lenient: Pairs in which the machine says yes and the person no, or the machine's grade is better.
        strict: Pairs in which the machine says no and the person yes, or the machine's grade is worse.
        counts: How often each pair of answers (machine, human) occurs.
        warnings: How far the figures can be trusted.
        advice: What to do, in plain words.
    """

    rubric: str
    name: str
    title: str
    n: int
    abstained: int
    agreement: ConfidenceInterval
    kappa: Coefficient
    weighted_kappa: Coefficient
    ac1: Coefficient
    pabak: float | None
    lenient: int
    strict: int
    counts: Counter[tuple[str, str]]
    disagreements: Sequence[Pair] = ()
    warnings: Sequence[str] = ()
    advice: str = ""

    @property
    def commonest(self) -> float:
        """Share of people's most frequent answer, 0..1; near 1 the criterion is skewed."""
        by_human: Counter[str] = Counter()
        for (_, human), count in self.counts.items():
            by_human[human] += count
        return max(by_human.values(), default=0) / max(self.n, 1)

    @property
    def words(self) -> str:
        """The advice and then the warnings, as sentences."""
        return " ".join((self.advice, *map(sentence, self.warnings)))


@dataclass(frozen=True, slots=True)
class Drift:
    """Agreement in one week of reviewing; ``shifted`` if it differs from all weeks before beyond chance."""

    week: str
    agreement: ConfidenceInterval
    shifted: bool


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
        return "They disagree on when the question applies: correct its `when` condition."
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
