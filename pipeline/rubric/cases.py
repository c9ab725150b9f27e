"""Runs the tests that are written inside a rubric: short dialogues with the expected answers.

``run_cases`` scores each dialogue with the scorer it is given and compares. ``callqa rubric test`` and the
project's own tests of the shipped rubrics use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from pipeline.conversation import CallMetadata, Conversation, Evidence, Scorecard, Transcript, Turn
from pipeline.rubric.model import Case, Rubric
from pipeline.text.words import count_words

SECONDS_A_WORD = 0.4  # 150 words a minute
PAUSE_S = 0.5
SCORE_TOLERANCE = 0.5
Score = Callable[[Conversation, Rubric, CallMetadata], Scorecard]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one test of a rubric; ``faults`` is empty when it passed."""

    name: str
    faults: tuple[str, ...]


def run_cases(rubric: Rubric, score: Score) -> Iterator[CaseResult]:
    """Score every test dialogue of a rubric and compare the answers with those expected."""
    for case in rubric.tests:
        conversation, metadata = as_call(case, "en" if "en" in rubric.spoken else min(rubric.spoken))
        card = score(conversation, rubric, metadata)
        yield CaseResult(case.name, tuple(_differences(case, card)))


def as_call(case: Case, language: str) -> tuple[Conversation, CallMetadata]:
    """A test dialogue as a conversation with times, and the metadata of the call.

    It is in ``language`` unless its metadata name another.
    """
    turns, clock = [], 0.0
    for at, line in enumerate(case.turns):
        ((role, text),) = line.items()
        length = SECONDS_A_WORD * max(1, count_words(text))
        turns.append(Turn(at, role, text, round(clock, 2), round(clock + length, 2), channel=None))
        clock += length + PAUSE_S
    stated: dict[str, Any] = dict(case.metadata)
    duration = float(stated.pop("duration_s", clock))
    known = {f.name for f in fields(CallMetadata)}
    standard = {k: v for k, v in stated.items() if k in known}
    extra = {k.removeprefix("extra."): str(v) for k, v in stated.items() if k not in known}
    metadata = CallMetadata(**{"call_id": case.name, **standard}, extra=extra)
    transcript = Transcript(
        case.name, tuple(turns), metadata.language or language, duration, channels=2, medium=metadata.medium
    )
    return Conversation(transcript, metrics=dict(case.metrics)), metadata


def _differences(case: Case, card: Scorecard) -> Iterator[str]:
    answers = {a.id: a for a in card.answers}
    for name, wanted in case.expect.items():
        given = answers[name]
        if given.answer != wanted:
            why = f" ({given.reason})" if given.reason else ""
            heard = f"; heard {_shown(given.evidence[0])}" if given.evidence else ""
            near = f"; nearest {_shown(given.nearest)}" if given.nearest else ""
            yield f"{name}: expected {wanted}, got {given.answer}{why}{heard}{near}"
    if case.outcome is not None and card.outcome != case.outcome:
        yield f"outcome: expected {case.outcome}, got {card.outcome}"
    if case.score is not None and (
        card.final_score is None or abs(card.final_score - case.score) > SCORE_TOLERANCE
    ):
        yield f"score: expected {case.score:g}, got {card.final_score}"


def _shown(evidence: Evidence) -> str:
    """A quote with the phrase it was compared with and what came of it."""
    return f"“{evidence.quote}”, {evidence.rule}"
