"""Criteria in other words, misheard, as another act: what a rubric's own phrase check makes of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline import rubric
from pipeline.matching import TextMatcher
from pipeline.rubric.queries import queries
from training.criteria import Criterion

CHECK = Path(__file__).parent / "data" / "paraphrase_check.txt"
THRESHOLD = rubric.checks.PhraseCheck(kind="phrases", any=["yes"]).threshold


@dataclass(frozen=True, slots=True)
class Scored:
    """The strength a criterion's check found in one utterance, and what it should have been."""

    strength: float
    label: int
    kind: str
    text: str


def paraphrases(criteria: dict[str, Criterion], matcher: TextMatcher) -> list[Scored]:
    """Every utterance through a rubric's own phrase check."""
    scored = []
    for one in criteria.values():
        check = rubric.checks.PhraseCheck(kind="phrases", any=one.phrases, meaning=one.meaning)
        (query,) = queries(check)
        matcher.prepare([(query, [text for text, _, _ in one.said])])
        for text, label, kind in one.said:
            found = matcher.find(query, [text])
            scored.append(Scored(max((f.strength for f in found), default=0.0), label, kind, text))
    return scored
