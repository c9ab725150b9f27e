"""The verdict of a check, and three-valued logic to combine verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import Answer, Awaited, Evidence, Searched


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check says about a call.

    Attributes:
        share: Share of the points earned, for graded checks; None for 1 with yes and 0 with no.
        evidence: Strongest first.
        nearest: The best candidate that did not count.
        awaits: ``people``: a suggestion without points, since too little is known of how often such answers
            are right; ``judge``: a language model could not be asked.
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
    """The verdict with yes and no swapped; undetermined and not applicable stay."""
    swapped: dict[Answer, Answer] = {"yes": "no", "no": "yes"}
    share = None if verdict.share is None else 1.0 - verdict.share
    return replace(verdict, answer=swapped.get(verdict.answer, verdict.answer), share=share)


def combined(parts: Sequence[Verdict], *, decides: Answer) -> Verdict:
    """The verdict of several: ``decides`` if one answers so, else undetermined if one is; "na" is ignored."""
    verdicts = [v for v in parts if v.answer != "na"]
    if not verdicts:
        return Verdict("na", reason="no part of it applies")
    deciding = [v for v in verdicts if v.answer == decides]
    deciding = [v for v in deciding if v.awaits is None] or deciding
    unsure = [v for v in verdicts if v.answer == "undetermined"]
    otherwise: Answer = "no" if decides == "yes" else "yes"
    answer = decides if deciding else "undetermined" if unsure else otherwise
    relevant = deciding or unsure or verdicts  # those that explain the answer
    evidence = sorted((e for v in relevant for e in v.evidence), key=lambda e: -e.strength)
    return Verdict(
        answer,
        evidence=tuple(evidence),
        searched=relevant[0].searched,
        nearest=max((v.nearest for v in relevant if v.nearest), key=lambda e: e.strength, default=None),
        reason="; ".join(dict.fromkeys(v.reason for v in relevant if v.reason)),
        awaits=next((v.awaits for v in relevant if v.awaits), None),
    )
