"""A conversation and a rubric to a scorecard: pure, the matcher is handed in.

``score`` answers every criterion with evidence; ``scorecard`` turns a set of answers (a person's
too) into scores. Reads ``conversation``, ``rubric``; imports no engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Scorecard
from pipeline.rubric.model import Rubric
from pipeline.rubric.queries import Matcher, Query
from pipeline.score.arithmetic import form_score, scale_share, scorecard, team_mean
from pipeline.score.call import Call, Plan
from pipeline.score.criteria import answer, recorded
from pipeline.score.timeline import Timeline
from pipeline.score.verdict import Verdict

__all__ = [
    "Verdict",
    "fingerprint",
    "form_score",
    "prepare",
    "recorded",
    "scale_share",
    "score",
    "scorecard",
    "team_mean",
]

REVISION = "callqa.score/1"
"""Raised with every change that can give another answer to the same criterion."""


def score(
    conversation: Conversation,
    rubric: Rubric,
    metadata: CallMetadata,
    *,
    min_confidence: float,
    matcher: Matcher,
    known: Mapping[str, CriterionAnswer] | None = None,
) -> Scorecard:
    """Answer every criterion of a rubric for one call.

    Args:
        conversation: As annotated; any part may be missing.
        rubric: Checked.
        metadata: Of the call, for conditions.
        min_confidence: Word confidence 0..1 below which a miss is undetermined.
        matcher: Finds phrases in turns (``pipeline.matchers.load_matcher``).
        known: Answers that need not be asked again, by criterion id.

    Returns:
        The scorecard, the same for the same input.

    Raises:
        RubricError: A check plugin is missing.
    """
    plan = _plan(_Held(rubric))
    call = Call(conversation, metadata, matcher, min_confidence, plan)
    call.answers |= known or {}
    for name in plan.order:
        if name not in call.answers:
            call.answers[name] = answer(call, plan.criteria[name])
    warnings = [*call.timeline.warnings, *matcher.notes]
    wordless = not any(t.text.strip() for t in conversation.transcript.turns)
    if wordless:
        warnings.append("no words in this transcript")
    scorer = fingerprint(matcher, min_confidence)
    card = scorecard(conversation.transcript.call_id, rubric, call.answers, warnings, scorer)
    return replace(card, outcome="not_scored") if wordless else card


def fingerprint(matcher: Matcher, min_confidence: float) -> str:
    """Changes when the answer to a criterion could, given the call and the criterion."""
    return f"{REVISION}+{matcher.fingerprint}+{min_confidence:g}"


def prepare(
    conversations: Sequence[Conversation],
    rubric: Rubric,
    matcher: Matcher,
    *,
    known: Collection[str] = (),
) -> None:
    """Let the matcher find every phrase of a rubric in a batch of calls at once; scoring then looks it up.

    Only a matter of speed: ``score`` gives the same without it. Criteria in ``known`` are left out.
    """
    batch = getattr(matcher, "prepare", None)
    if batch is None:
        return
    plan = _plan(_Held(rubric))
    texts: dict[str, tuple[Query, dict[str, None]]] = {}
    for conversation in conversations:
        timeline = Timeline(conversation.transcript)
        for check in plan.spoken(known):
            said = dict.fromkeys(s.text for s in timeline.stretches(check.role, timeline.span(check.window)))
            for query in plan.queries(check):
                texts.setdefault(query.key, (query, {}))[1].update(said)
    batch([(query, list(said)) for query, said in texts.values()])


class _Held:
    """A rubric as a cache key: by content hash, so that a thousand calls share one plan."""

    def __init__(self, rubric: Rubric) -> None:
        self.rubric = rubric

    def __hash__(self) -> int:
        return hash(self.rubric.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.rubric.hash == other.rubric.hash


@lru_cache(maxsize=32)
def _plan(held: _Held) -> Plan:
    return Plan(held.rubric)
