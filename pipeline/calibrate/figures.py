"""The records of a calibration: a pair of answers, and what many pairs amount to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pipeline.calibrate.agreement import Coefficient
from pipeline.conversation import Review
from pipeline.intervals import Interval

LABELS = ("yes", "no", "na")


@dataclass(frozen=True, slots=True)
class Pair:
    """One answer of the machine beside one person's; ``quote`` is what the machine rested on or missed by."""

    review: Review
    rubric: str
    criterion: str
    machine: str
    human: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Machine against people on one criterion, or against one reviewer on all.

    Attributes:
        rubric: "" for a reviewer's row.
        name: Criterion id, or the reviewer.
        n: Pairs with an answer on both sides.
        abstained: Answers the machine left undetermined; in none of the figures.
        counts: (machine, human) to how often.
        warnings: How far the figures can be trusted.
        advice: What to do, in plain words.
    """

    rubric: str
    name: str
    n: int
    abstained: int
    agreement: Interval
    kappa: Coefficient
    ac1: Coefficient
    pabak: float | None
    counts: Counter[tuple[str, str]]
    disagreements: Sequence[Pair] = ()
    warnings: Sequence[str] = field(default_factory=tuple)
    advice: str = ""

    @property
    def false_yes(self) -> int:
        """The machine says yes, the person no."""
        return self.counts["yes", "no"]

    @property
    def false_no(self) -> int:
        """The machine says no, the person yes."""
        return self.counts["no", "yes"]

    @property
    def commonest(self) -> float:
        """Share of the answer people give most, 0..1: how skewed the criterion is."""
        by_human: Counter[str] = Counter()
        for (_, human), count in self.counts.items():
            by_human[human] += count
        return max(by_human.values(), default=0) / max(self.n, 1)

    def with_words(self, warnings: Sequence[str], advice: str) -> Agreement:
        """The same figures with what they mean."""
        return replace(self, warnings=tuple(warnings), advice=advice)


@dataclass(frozen=True, slots=True)
class Drift:
    """Agreement in one week of reviewing; ``left`` when it differs from all weeks before beyond chance."""

    week: str
    agreement: Interval
    left: bool
