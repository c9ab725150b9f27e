"""The records of a calibration: one pair of answers, and the figures over many pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.calibrate.agreement import Coefficient
from pipeline.confidence_intervals import Interval
from pipeline.conversation import Review

LABELS = ("yes", "no", "na")


def sentence(warning: str) -> str:
    """A warning with a capital letter at the start and a full stop at the end."""
    return f"{warning[:1].upper()}{warning[1:]}."


@dataclass(frozen=True, slots=True)
class Pair:
    """The machine's answer to one criterion of a call, and one person's.

    Attributes:
        machine: The machine's grade on a graded scale, else its answer.
        human: The person's grade or answer.
        scale: Every possible answer, best first: the grades, or yes and no; then na.
        quote: The words the machine's answer rests on, or its nearest miss.
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
        """1 where the machine is more generous, -1 where stricter, 0 where they agree or one says na."""
        if "na" in (self.machine, self.human):
            return 0
        machine, human = self.scale.index(self.machine), self.scale.index(self.human)
        return (machine < human) - (machine > human)


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
    agreement: Interval
    shifted: bool
