"""Checks of the kind ``judge``: what is sent to the language model, and what verdict its answer gives.

``score`` is given the judge (``rubric.judging.Judge``). The questions of many calls are asked together: a
check records its question (``Call.judged``) and is evaluated again when the answer is known.
"""

from __future__ import annotations

from pipeline.conversation import Awaited, Evidence, Searched
from pipeline.rubric.checks import JudgeCheck
from pipeline.rubric.judging import NOT_ASKED, Judged, Question, Quoted
from pipeline.score.call import Call
from pipeline.score.phrase_checks import QUOTE_CHARACTERS, bounds, role_missing, roles_unsure, too_weak
from pipeline.score.timeline import Stretch, TimelineSpan
from pipeline.score.verdict import Verdict

NO_JUDGE = "no judge is configured: name an endpoint under [judge] in the settings"
WAITING = Verdict("undetermined", reason="not asked yet")
SUGGESTED = "a suggestion that does not count"
WHY_CHARACTERS = 300


def judged(call: Call, check: JudgeCheck) -> Verdict:
    """The verdict of a check by a language model; undetermined while its question is open."""
    span, absent, unsure = bounds(call, check.window)
    heard = call.timeline.speech("any", span)
    searched = Searched(check.question[:QUOTE_CHARACTERS], check.role, turns=heard.turns)
    if absent:
        return Verdict("undetermined" if unsure else "na", searched=searched, reason=absent)
    weak = (
        role_missing(call, check.role)
        or roles_unsure(call, check.role)
        or too_weak(call.timeline.speech(check.role, span), call.min_confidence)
    )
    if weak:
        return Verdict("undetermined", searched=searched, reason=weak)
    question = _question(call, check, span)
    if not any(turn.role == check.role or check.role == "any" for turn in question.turns):
        return Verdict("undetermined", searched=searched, reason=f"the {check.role} says nothing there")
    if call.judge is None:
        return Verdict("undetermined", searched=searched, reason=NO_JUDGE)
    reply = call.judged(check, question)
    return WAITING if reply is None else _verdict(call, reply, searched)


def _question(call: Call, check: JudgeCheck, span: TimelineSpan) -> Question:
    about = call.metadata
    return Question(
        about.call_id,
        call.plan.rubric.id,
        call.criterion_id,
        check,
        call.timeline.within(span),
        people=tuple(filter(None, (about.agent_name,))),
        references=tuple(filter(None, (about.agent_id, about.customer_ref))),
        companies=tuple(filter(None, (about.client, *call.plan.rubric.company))),
    )


def _verdict(call: Call, reply: Judged, searched: Searched) -> Verdict:
    if reply.answer == "undetermined":
        awaits: Awaited | None = "judge" if reply.result in NOT_ASKED else None
        return Verdict("undetermined", searched=searched, reason=reply.reason, awaits=awaits)
    assert call.judge is not None
    standing = call.judge.standing(call.plan.rubric.id, call.criterion_id)
    reasons = {"yes": "", "no": "the judge says no", "na": "the judge says that it does not apply"}
    return Verdict(
        reply.answer,
        evidence=tuple(_evidence(call, quote, reply) for quote in reply.quotes),
        searched=searched,
        reason=f"{SUGGESTED}: {standing}" if standing else reasons[reply.answer],
        awaits="people" if standing else None,
    )


def _evidence(call: Call, quote: Quoted, reply: Judged) -> Evidence:
    """A quote in the transcript's own words, with the model's reason as the rule."""
    assert call.judge is not None
    turn = call.turns[quote.turn]
    start_s, end_s = call.timeline.when(Stretch(turn.text, ((0, turn),)), quote.start, quote.end)
    how = "quoted" if quote.exact else "quoted nearly"
    rule = f"judge {call.judge.model} ({how})" + (f": {reply.why[:WHY_CHARACTERS]}" if reply.why else "")
    words = turn.text[quote.start : quote.end][:QUOTE_CHARACTERS]
    return Evidence(turn.turn, turn.role, start_s, end_s, words, rule)
