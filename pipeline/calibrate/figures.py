"""The records of a calibration: a pair of answers, and what many pairs amount to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.calibrate.agreement import Coefficient
from pipeline.confidence_intervals import Interval
from pipeline.conversation import Review

LABELS = ("yes", "no", "na")


def sentence(words: str) -> str:
    """Words of a warning as a sentence of their own."""
    return f"{words[:1].upper()}{words[1:]}."


@dataclass(frozen=True, slots=True)
class Pair:
    """One answer of the machine beside one person's.

    Attributes:
        machine: The machine's grade on a graded scale, else its answer.
        human: The person's.
        scale: Everything that could be said, best first: the grades or yes and no, then na.
        quote: What the machine rested on or missed by.
    """

    review: Review
    machine: str
    human: str
    scale: tuple[str, ...] = LABELS
    quote: str = ""

    @property
    def blind(self) -> bool:
        """Whether the person answered without the machine's answer in view."""
        return "blind" in self.review.extra

    @property
    def decided(self) -> bool:
        """Whether both sides gave an answer that can be compared."""
        return self.machine in self.scale and self.human in self.scale

    @property
    def leniency(self) -> int:
        """1 where the machine is more generous, -1 where it is stricter, 0 otherwise (scope, or agreed)."""
        if "na" in (self.machine, self.human):
            return 0
        machine, human = self.scale.index(self.machine), self.scale.index(self.human)
        return (machine < human) - (machine > human)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Machine against people on one criterion, or against one reviewer on all.

    Attributes:
        rubric: "" for a reviewer's row.
        name: Criterion id, or the reviewer.
        title: The question in the rubric's words, or the reviewer.
        n: Pairs with an answer on both sides.
        abstained: Answers the machine left undetermined; in none of the figures.
        weighted_kappa: κ with quadratic weights over the grades; unknown where nothing is graded.
        lenient: The machine says yes, the person no; or the machine's grade is the better one.
        strict: The machine says no, the person yes; or the machine's grade is the worse one.
        counts: (machine, human) to how often.
        warnings: How far the figures can be trusted.
        advice: What to do, in plain words.
    """

    rubric: str
    name: str
    title: str
    n: int
    abstained: int
    agreement: Interval
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
        """Share of the answer people give most, 0..1: how skewed the criterion is."""
        by_human: Counter[str] = Counter()
        for (_, human), count in self.counts.items():
            by_human[human] += count
        return max(by_human.values(), default=0) / max(self.n, 1)

    @property
    def words(self) -> str:
        """The advice, then how far the figures can be trusted, in sentences."""
        return " ".join((self.advice, *map(sentence, self.warnings)))


@dataclass(frozen=True, slots=True)
class Drift:
    """Agreement in one week of reviewing; ``left`` when it differs from all weeks before beyond chance."""

    week: str
    agreement: Interval
    left: bool
