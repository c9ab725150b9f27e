"""A conversation and a rubric to a scorecard: pure, the matcher is handed in.

``score`` answers every criterion with evidence; ``scorecard`` turns a set of answers (a person's
too) into scores. Reads ``conversation``, ``rubric``; imports no engine.
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
from pipeline.rubric.checks import PhraseCheck
from pipeline.rubric.judging import Judge
from pipeline.rubric.model import Rubric
from pipeline.rubric.queries import Matcher, Query
from pipeline.score.arithmetic import form_score, scorecard
from pipeline.score.call import Call, RubricPlan, plan_of
from pipeline.score.criteria import answer, recorded
from pipeline.score.decisive import words_that_decide
from pipeline.score.phrase_checks import find_words, too_weak
from pipeline.score.timeline import Span
from pipeline.score.verdict import Verdict

__all__ = [
    "Answered",
    "Asked",
    "Verdict",
    "answers",
    "fingerprint",
    "form_score",
    "heard",
    "recorded",
    "score",
    "scorecard",
    "words_that_decide",
]

REVISION = "callqa.score/4"
"""Raised with every change that can give another answer to the same criterion."""


VOICEMAIL = "voicemail: somebody spoke to a machine, which is no conversation to score"
Asked = tuple[CallMetadata, Conversation, Mapping[str, CriterionAnswer]]


@dataclass(frozen=True, slots=True)
class Answered:
    """A call's answers by criterion id, degradations in sentences, and the fingerprint of what answered.

    ``withheld`` says why the answers make no score ("" where they do), ``outcome`` what the call is then.
    """

    call_id: str
    answers: Mapping[str, CriterionAnswer]
    warnings: tuple[str, ...]
    scorer: str
    withheld: str = ""
    outcome: Outcome = "not_scored"

    def card(self, rubric: Rubric) -> Scorecard:
        """The scorecard of these answers; without any number where they make no score."""
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
        conversation: As annotated; any part may be missing.
        rubric: Checked.
        metadata: Of the call, for conditions.
        min_confidence: Word confidence 0..1 below which a miss is undetermined.
        matcher: Finds phrases in turns (``pipeline.matching.load_matcher``).
        judge: Answers questions to a language model (``pipeline.judge.load``); None where there is none.

    Returns:
        The scorecard, the same for the same input.

    Raises:
        RubricError: A check plugin is missing.
    """
    asked: list[Asked] = [(metadata, conversation, {})]
    (answered,) = answers(asked, rubric, min_confidence=min_confidence, matcher=matcher, judge=judge)
    return answered.card(rubric)


def heard(
    conversation: Conversation, rubric: Rubric, check: PhraseCheck, *, matcher: Matcher
) -> tuple[tuple[Evidence, ...], Evidence | None]:
    """What one check of words finds in a call, apart from the criterion it belongs to.

    Returns:
        All that counts, in order of time, and the nearest that does not.
    """
    about = CallMetadata(conversation.transcript.call_id)
    call = Call(conversation, about, matcher, 0.0, plan_of(rubric), {})
    found = find_words(call, check)
    return tuple(hit.evidence for hit in found.hits), found.nearest


def answers(
    asked: Sequence[Asked],
    rubric: Rubric,
    *,
    min_confidence: float,
    matcher: Matcher,
    judge: Judge | None = None,
) -> list[Answered]:
    """Answer a batch of calls, which is faster than one after the other: the matcher works on all at once.

    Args:
        asked: Calls, each with the answers that need not be asked again, by criterion id.
        rubric: Checked.
        min_confidence: As in ``score``.
        matcher: As in ``score``.
        judge: As in ``score``.
    """
    plan = plan_of(rubric)
    calls = [
        Call(spoken, about, matcher, min_confidence, plan, known, judge) for about, spoken, known in asked
    ]
    prepare = getattr(matcher, "prepare", None)
    if prepare is not None:
        prepare(_searches(calls, plan))
    for call in calls:
        _advance(call)
    while judge is not None and (open_ := [call for call in calls if call.wanted]):
        judged = iter(judge.ask([question for call in open_ for question in call.wanted.values()]))
        for call in open_:
            call.told({asked: next(judged) for asked in call.wanted})
            _advance(call)
    return [_answered(call) for call in calls]


def _advance(call: Call) -> None:
    """Answer every criterion that waits neither for another one nor for a language model."""
    for name in call.plan.order:
        if name not in call.answers and call.plan.needs[name] <= call.answers.keys():
            call.waits = False
            given = answer(call, call.plan.criteria[name])
            if not call.waits:
                call.answers[name] = given


def _searches(calls: Sequence[Call], plan: RubricPlan) -> list[tuple[Query, tuple[str, ...]]]:
    """What the calls will search for; a search that waits for an answer may be missed, which costs time."""
    found: dict[str, tuple[Query, dict[str, None]]] = {}
    for call in calls:
        for check in plan.spoken(call.answers):
            speech = call.timeline.speech(check.role, call.timeline.span(check.window))
            for query in plan.queries(check):
                found.setdefault(query.key, (query, {}))[1].update(dict.fromkeys(speech.texts))
    return [(query, tuple(texts)) for query, texts in found.values()]


def _answered(call: Call) -> Answered:
    warnings = (*call.timeline.warnings, *call.matcher.notes)
    scorer = fingerprint(call.matcher, call.min_confidence, call.judge if call.plan.rubric.judged() else None)
    withheld, outcome = _withheld(call)
    return Answered(call.conversation.transcript.call_id, call.answers, warnings, scorer, withheld, outcome)


def _withheld(call: Call) -> tuple[str, Outcome]:
    """Why a call's answers make no score, or "", and its outcome then."""
    transcript = call.conversation.transcript
    if not any(t.text.strip() for t in transcript.turns):
        return (NO_SPEECH if transcript.medium == "voice" else "nothing was written"), "not_scored"
    if any((f.kind, f.label) == ("call_kind", "voicemail") for f in call.conversation.findings):
        return VOICEMAIL, "not_scored"
    for role in ("any", "agent"):
        unsure = too_weak(call.timeline.speech(role, Span()), call.min_confidence)
        if unsure:
            return "; ".join([unsure, *transcript.said_of("recognised_weakly")]), "needs_review"
    return "", "not_scored"


def fingerprint(matcher: Matcher, min_confidence: float, judge: Judge | None = None) -> str:
    """Changes when the answer to a criterion could, given the call and the criterion."""
    asked = f"+{judge.fingerprint}" if judge is not None else ""
    return f"{REVISION}+{matcher.fingerprint}+{min_confidence:g}{asked}"
