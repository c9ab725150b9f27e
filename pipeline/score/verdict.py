"""An answer on its way to a scorecard, and three-valued logic over answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import Answer, Awaited, Evidence, Searched


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says of a call.

    Attributes:
        answer: yes, no, not applicable, or undetermined.
        share: Share of the points earned, for graded checks; None: 1 for yes, 0 for no.
        evidence: Strongest first.
        searched: Where was looked.
        nearest: The best candidate that did not count.
        reason: Why, in a sentence.
        awaits: ``people``: it is not known well enough how often answers like it are right, so it earns no
            points; ``judge``: a language model could not be asked.
    """

    answer: Answer
    share: float | None = None
    evidence: tuple[Evidence, ...] = ()
    searched: Searched | None = None
    nearest: Evidence | None = None
    reason: str = ""
    awaits: Awaited | None = None

    @property
    def earned(self) -> float:
        """Share of the points earned, 0..1."""
        return (1.0 if self.answer == "yes" else 0.0) if self.share is None else self.share


def opposite(verdict: Verdict) -> Verdict:
    """Yes for no; what cannot be told stays so."""
    swapped: dict[Answer, Answer] = {"yes": "no", "no": "yes"}
    share = None if verdict.share is None else 1.0 - verdict.share
    return replace(verdict, answer=swapped.get(verdict.answer, verdict.answer), share=share)


def joined(parts: Sequence[Verdict], *, decides: Answer) -> Verdict:
    """One part decides by its answer, else one undetermined; parts that do not apply are left out."""
    verdicts = [v for v in parts if v.answer != "na"]
    if not verdicts:
        return Verdict("na", reason="no part of it applies")
    deciding = [v for v in verdicts if v.answer == decides]
    deciding = [v for v in deciding if v.awaits is None] or deciding
    unsure = [v for v in verdicts if v.answer == "undetermined"]
    otherwise: Answer = "no" if decides == "yes" else "yes"
    answer = decides if deciding else "undetermined" if unsure else otherwise
    told = deciding or unsure or verdicts
    # Parts that fail say where they looked; parts that hold bring their quotes.
    evidence = sorted((e for v in told for e in v.evidence), key=lambda e: -e.strength)
    return Verdict(
        answer,
        evidence=tuple(evidence),
        searched=told[0].searched,
        nearest=max((v.nearest for v in told if v.nearest), key=lambda e: e.strength, default=None),
        reason="; ".join(dict.fromkeys(v.reason for v in told if v.reason)),
        awaits=next((v.awaits for v in told if v.awaits), None),
    )
