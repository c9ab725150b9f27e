"""Scores a conversation by a rubric; a pure function of these and of the matcher and judge it is given.

``score`` answers every criterion with evidence; ``scorecard`` computes the scores of a set of answers, which
may also be a person's. Only ``conversation`` and ``rubric`` are needed; no engine is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import (
    NO_SPEECH,
    CallMetadata,
    Conversation,
    CriterionAnswer,
    Evidence,
    Outcome,
    Scorecard,
)
from pipeline.rubric.checks import Anchor, PhraseCheck, WordCheck, parts
from pipeline.rubric.judging import Judge
from pipeline.rubric.model import Rubric
from pipeline.rubric.queries import Matcher, Query
from pipeline.score.arithmetic import scorecard
from pipeline.score.call import Call, RubricPlan, plan_of
from pipeline.score.criteria import answer, recorded
from pipeline.score.decisive import words_that_decide
from pipeline.score.phrase_checks import find_words, too_weak
from pipeline.score.timeline import TimelineSpan
from pipeline.score.verdict import Verdict

__all__ = [
    "Answered",
    "Asked",
    "Verdict",
    "answer_calls",
    "find_matches",
    "fingerprint",
    "recorded",
    "score",
    "scorecard",
    "words_that_decide",
]

REVISION = "callqa.score/8"
"""Incremented with every change that can give another answer to the same criterion."""
VOICEMAIL = "voicemail: somebody spoke to a machine, which is no conversation to score"
Asked = tuple[CallMetadata, Conversation, Mapping[str, CriterionAnswer]]


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers of a call by criterion id, warnings, and the fingerprint of what answered.

    ``withheld`` says why the call gets no score, or is ""; ``outcome`` is the outcome of a call without one.
    """

    call_id: str
    answers: Mapping[str, CriterionAnswer]
    warnings: tuple[str, ...]
    scorer: str
    withheld: str = ""
    outcome: Outcome = "not_scored"

    def card(self, rubric: Rubric) -> Scorecard:
        """The scorecard of these answers, without scores where they are withheld."""
        card = scorecard(self.call_id, rubric, self.answers, self.warnings, self.scorer)
        if not self.withheld:
            return card
        return replace(
            card,
            raw_score=None,
            final_score=None,
            critical_score=None,
            outcome=self.outcome,
            sections=tuple(replace(section, score=None) for section in card.sections),
            autofail_reasons=(),
            review_reasons=(self.withheld,),
        )


def score(
    conversation: Conversation,
    rubric: Rubric,
    metadata: CallMetadata,
    *,
    min_confidence: float,
    matcher: Matcher,
    judge: Judge | None = None,
) -> Scorecard:
    """Answer every criterion of a rubric for one call.

    Args:
        conversation: The annotated call; any part may be missing.
        rubric: The rubric.
        metadata: Metadata of the call, for conditions.
        min_confidence: Word confidence, 0..1, below which a miss is undetermined.
        matcher: Finds phrases in turns (``pipeline.matching.load_matcher``).
        judge: Asks a language model (``pipeline.judge.load``); None where none is configured.

    Returns:
        The scorecard; always the same for the same input.

    Raises:
        RubricError: A check plugin is missing.
    """
    asked: list[Asked] = [(metadata, conversation, {})]
    (answered,) = answer_calls(asked, rubric, min_confidence=min_confidence, matcher=matcher, judge=judge)
    return answered.card(rubric)


def find_matches(
    conversation: Conversation, rubric: Rubric, check: PhraseCheck, *, matcher: Matcher
) -> tuple[tuple[Evidence, ...], Evidence | None]:
    """What a check of words finds in a call, independent of the rest of its criterion.

    The criteria on which its window is anchored are answered first.

    Returns:
        The matches that count, in order of time, and the nearest candidate that does not.
    """
    metadata, plan = CallMetadata(conversation.transcript.call_id), plan_of(rubric)
    call = Call(conversation, metadata, matcher, 0.0, plan, {})
    for name in plan.needed(anchor.criterion for anchor in parts(check, Anchor)):
        call.answers[name] = answer(call, plan.criteria[name])
    found = find_words(call, check)
    return tuple(hit.evidence for hit in found.hits), found.nearest


def answer_calls(
    asked: Sequence[Asked],
    rubric: Rubric,
    *,
    min_confidence: float,
    matcher: Matcher,
    judge: Judge | None = None,
) -> list[Answered]:
    """Answer a batch of calls as ``score`` does, faster than one by one: the matcher works on all at once.

    Each call comes with the answers that are known already, by criterion id.
    """
    plan = plan_of(rubric)
    calls = [
        Call(conversation, metadata, matcher, min_confidence, plan, dict(known), judge)
        for metadata, conversation, known in asked
    ]
    prepare = getattr(matcher, "prepare", None)
    if prepare is not None:
        prepare(_searches(calls, plan))
    for call in calls:
        _answer_ready(call)
    while judge is not None and (waiting := [call for call in calls if call.open_questions]):
        judged = iter(judge.ask([question for call in waiting for question in call.open_questions.values()]))
        for call in waiting:
            call.receive({key: next(judged) for key in call.open_questions})
            _answer_ready(call)
    return [_answered(call) for call in calls]


def _answer_ready(call: Call) -> None:
    """Answer every criterion that does not wait for another one or for a language model."""
    for name in call.plan.order:
        if name not in call.answers and call.plan.needs[name] <= call.answers.keys():
            call.is_waiting = False
            given = answer(call, call.plan.criteria[name])
            if not call.is_waiting:
                call.answers[name] = given


def _searches(calls: Sequence[Call], plan: RubricPlan) -> list[tuple[Query, tuple[str, ...]]]:
    """The queries that the calls will need, with their texts; one that is missing only takes more time."""
    searches: dict[str, tuple[Query, dict[str, None]]] = {}
    for call in calls:
        asked = (criterion for name, criterion in plan.criteria.items() if name not in call.answers)
        for check in (part for criterion in asked for part in criterion.checks()):
            if not isinstance(check, WordCheck):
                continue
            speech = call.timeline.speech(check.role, call.timeline.span(check.window))
            for query in plan.queries(check):
                searches.setdefault(query.key, (query, {}))[1].update(dict.fromkeys(speech.texts))
    return [(query, tuple(texts)) for query, texts in searches.values()]


def _answered(call: Call) -> Answered:
    warnings = (*call.timeline.warnings, *call.matcher.notes)
    scorer = fingerprint(call.matcher, call.min_confidence, call.judge if call.plan.rubric.judged() else None)
    withheld, outcome = _withheld(call)
    return Answered(call.conversation.transcript.call_id, call.answers, warnings, scorer, withheld, outcome)


def _withheld(call: Call) -> tuple[str, Outcome]:
    """Why a call gets no score, or "", and its outcome in that case."""
    transcript = call.conversation.transcript
    if not call.has_words:
        return (NO_SPEECH if transcript.medium == "voice" else "nothing was written"), "not_scored"
    if any((f.kind, f.label) == ("call_kind", "voicemail") for f in call.conversation.findings):
        return VOICEMAIL, "not_scored"
    for role in ("any", "agent"):
        unsure = too_weak(call.timeline.speech(role, TimelineSpan()), call.min_confidence)
        if unsure:
            return "; ".join([unsure, *transcript.said_of("recognised_weakly")]), "needs_review"
    return "", "not_scored"


def fingerprint(matcher: Matcher, min_confidence: float, judge: Judge | None = None) -> str:
    """Identifies what answers: it changes when the answer of a criterion for a call could change."""
    by_judge = f"+{judge.fingerprint}" if judge is not None else ""
    return f"{REVISION}+{matcher.fingerprint}+{min_confidence:g}{by_judge}"
