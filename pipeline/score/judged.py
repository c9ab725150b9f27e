"""A check that asks a language model: what is sent, and what its answer is worth here.

The model is handed in (``rubric.judging.Judge``). Questions of many calls are asked together: a check notes
what it wants to know (``Call.judged``), and is evaluated again once that is known.
"""

from __future__ import annotations

from pipeline.conversation import Awaited, Evidence, Searched
from pipeline.rubric.checks import JudgeCheck
from pipeline.rubric.judging import NOT_ASKED, Judged, Question, Quoted
from pipeline.score.call import Call
from pipeline.score.phrase_checks import QUOTE_CHARACTERS, bounds, role_missing, roles_unsure, too_weak
from pipeline.score.timeline import Span, Stretch
from pipeline.score.verdict import Verdict

NO_JUDGE = "no judge is configured: name an endpoint under [judge] in the settings"
WAITING = Verdict("undetermined", reason="not asked yet")
SUGGESTED = "a suggestion that does not count"
WHY_CHARACTERS = 300


def judged(call: Call, check: JudgeCheck) -> Verdict:
    """The verdict of a language model, where its quotes hold."""
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
    found = call.judged(check, question)
    return WAITING if found is None else _verdict(call, found, searched)


def _question(call: Call, check: JudgeCheck, span: Span) -> Question:
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


def _verdict(call: Call, found: Judged, searched: Searched) -> Verdict:
    if found.answer == "undetermined":
        awaits: Awaited | None = "judge" if found.result in NOT_ASKED else None
        return Verdict("undetermined", searched=searched, reason=found.reason, awaits=awaits)
    assert call.judge is not None
    standing = call.judge.standing(call.plan.rubric.id, call.criterion_id)
    said = {"yes": "", "no": "the judge says no", "na": "the judge says that it does not apply"}[found.answer]
    return Verdict(
        found.answer,
        evidence=tuple(_evidence(call, quote, found) for quote in found.quotes),
        searched=searched,
        reason=f"{SUGGESTED}: {standing}" if standing else said,
        awaits="people" if standing else None,
    )


def _evidence(call: Call, quote: Quoted, found: Judged) -> Evidence:
    """The transcript's own words, with the model's reason as the rule."""
    assert call.judge is not None
    turn = call.turn(quote.turn)
    start_s, end_s = call.timeline.when(Stretch(turn.text, ((0, turn),)), quote.start, quote.end)
    how = "quoted" if quote.exact else "quoted nearly"
    rule = f"judge {call.judge.model} ({how})" + (f": {found.why[:WHY_CHARACTERS]}" if found.why else "")
    words = turn.text[quote.start : quote.end][:QUOTE_CHARACTERS]
    return Evidence(turn.turn, turn.role, start_s, end_s, words, rule)
