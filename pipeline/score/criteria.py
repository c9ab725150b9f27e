"""Answers a criterion: evaluates its condition and its check, and computes its points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.conversation import Answer, CriterionAnswer, Evidence
from pipeline.rubric import checks as kinds
from pipeline.rubric.model import Condition, Criterion, Rubric
from pipeline.score import measures
from pipeline.score.call import Call
from pipeline.score.judged import SUGGESTED, judged
from pipeline.score.phrase_checks import PhraseHit, PhraseHits, answer_words, find_words, unlisted
from pipeline.score.timeline import TimelineSpan
from pipeline.score.verdict import Verdict, combined, opposite


def answer(call: Call, criterion: Criterion) -> CriterionAnswer:
    """The answer to a criterion; ``call.answers`` must have those of the criteria it depends on."""
    call.criterion_id = criterion.id
    applies, why = _applies(call, criterion) if call.has_words else (False, "nobody says anything")
    if applies is False:
        verdict = Verdict("na", reason=f"does not apply: {why}")
    elif applies is None:
        verdict = _if_it_applies(call, criterion, why)
    else:
        verdict = _checked(call, criterion)
        if verdict.answer == "undetermined" and not verdict.reason:
            verdict = replace(verdict, reason="cannot be told from this call")
    return recorded(criterion, verdict, call.plan.rubric)


def _checked(call: Call, criterion: Criterion) -> Verdict:
    return _graded(call, criterion) if criterion.levels else evaluate(call, criterion.check)


def _if_it_applies(call: Call, criterion: Criterion, why: str) -> Verdict:
    """The verdict where nobody can tell whether a criterion applies: yes if the act was heard.

    A no, or a yes because nothing was heard, would presume that it applies. A language model is not asked.
    """
    unknown = f"cannot tell whether it applies: {why}"
    if kinds.parts(criterion, kinds.JudgeCheck):
        return Verdict("undetermined", reason=unknown)
    verdict = _checked(call, criterion)
    if verdict.answer == "yes" and verdict.evidence:
        return verdict
    return replace(verdict, answer="undetermined", share=None, reason=unknown)


def recorded(criterion: Criterion, verdict: Verdict, rubric: Rubric) -> CriterionAnswer:
    """The answer that a verdict gives to a criterion, with its points."""
    points: float | None = None
    counts = criterion.counts != "info" and verdict.awaits != "people"
    if verdict.answer in ("yes", "no"):
        points = criterion.earned(verdict.earned)
    elif verdict.answer == "na" and rubric.not_applicable == "as_pass":
        points = criterion.points
    return CriterionAnswer(
        id=criterion.id,
        answer=verdict.answer,
        points=points if counts else None,
        max_points=criterion.points,
        weight=criterion.weight,
        critical=criterion.critical,
        scored=counts,
        evidence=verdict.evidence[:10],
        searched=verdict.searched,
        nearest=verdict.nearest if verdict.answer != "yes" else None,
        reason=verdict.reason,
        awaits=verdict.awaits,
    )


def _applies(call: Call, criterion: Criterion) -> tuple[bool | None, str]:
    """Whether a criterion and its section apply (None if that is not known), and why not."""
    asked = [c for c in (call.plan.section_of[criterion.id].when, criterion.when) if c is not None]
    results = [met(call, condition) for condition in asked]
    refused = [result for result in results if result[0] is False]
    unknown = [result for result in results if result[0] is None]
    return (refused or unknown or [(True, "")])[0]


def met(call: Call, condition: Condition) -> tuple[bool | None, str]:
    """Whether a condition holds (None if that is not known), and why not."""
    unknown = ""
    for holds, why in _clauses(call, condition):
        if holds is False:
            return False, why
        if holds is None:
            unknown = unknown or why
    return (None, unknown) if unknown else (True, "")


def _clauses(call: Call, condition: Condition) -> Iterator[tuple[bool | None, str]]:
    for name, wanted in condition.metadata.items():
        value = call.fact(name)
        holds = None if value is None else str(value).casefold() in {w.casefold() for w in wanted}
        yield holds, f"{name} is {'not known' if value is None else value}"
    for name, wanted in condition.answers.items():
        given = call.answers[name].answer
        unsure = (given == "undetermined" and given not in wanted) or call.answers[name].awaits == "people"
        yield None if unsure else given in wanted, f"{name} is {given}"
    if condition.finding is not None:
        kind, label = condition.finding.kind, condition.finding.label
        found = any(f.kind == kind and label in (None, f.label) for f in call.conversation.findings)
        missing = "" if found else unlisted(call, kind, "any", TimelineSpan())
        yield None if missing else found, missing or f"no {kind}{'/' + label if label else ''} was heard"
    if condition.said is not None:
        verdict = answer_words(call, condition.said)
        sure = {"yes": True, "no": False, "na": False}
        yield sure.get(verdict.answer), verdict.reason or "it was said"
    if condition.any:
        inner = [met(call, c) for c in condition.any]
        results = {holds for holds, _ in inner}
        yield True if True in results else None if None in results else False, inner[0][1]
    if condition.unless is not None:
        holds, why = met(call, condition.unless)
        yield None if holds is None else not holds, why or "its exception holds"


def _graded(call: Call, criterion: Criterion) -> Verdict:
    """The verdict of the first level whose check holds; undetermined if that of a better level is."""
    last = Verdict("no", 0.0)
    suggested = False  # if a better level is only a suggestion, so is the grade
    for level, share in criterion.steps():
        verdict = evaluate(call, level.check)
        suggested = suggested or verdict.awaits == "people"
        if verdict.answer == "undetermined":
            return verdict
        if verdict.answer == "yes":
            reason = f"{level.label}: {verdict.reason}" if verdict.reason else level.label
            answer: Answer = "yes" if share >= 0.5 else "no"
            return _as_suggestion(replace(verdict, answer=answer, share=share, reason=reason), suggested)
        last = verdict
    reason = last.reason or "no level was reached"
    return _as_suggestion(replace(last, answer="no", share=0.0, reason=reason), suggested)


def _as_suggestion(verdict: Verdict, suggested: bool) -> Verdict:
    """Mark a grade as a suggestion if the verdict of a better level was one."""
    if not suggested or verdict.awaits:
        return verdict
    reason = f"{verdict.reason}: {SUGGESTED}, since a judge's answer leads to it"
    return replace(verdict, reason=reason, awaits="people")


def evaluate(call: Call, check: Any) -> Verdict:
    """The verdict of a check of any kind."""
    return EVALUATORS[type(check)](call, check)


def _sequence(call: Call, check: kinds.SequenceCheck) -> Verdict:
    """Whether all steps are heard in order; each step is its earliest match after the step before."""
    evidence: list[Evidence] = []
    before: PhraseHit | None = None
    for number, step in enumerate(check.steps, 1):
        heard = find_words(call, step)
        follows = [h for h in heard.hits if before is None or _follows(call, check, before, h)]
        if not follows:
            missing = f"step {number} was not heard" + (f" after step {number - 1}" if before else "")
            nearest = heard.nearest or (heard.hits[0].evidence if heard.hits else None)
            return _missed(heard, evidence, nearest, missing)
        before = follows[0]
        evidence.append(before.evidence)
    return Verdict("yes", evidence=tuple(evidence))


def _missed(
    heard: PhraseHits, evidence: Sequence[Evidence], nearest: Evidence | None, missing: str
) -> Verdict:
    """A no, since words are missing; undetermined if they may have been said."""
    unsure = "" if heard.hits else heard.unsure
    answer: Answer = "undetermined" if unsure else "no"
    return Verdict(answer, None, tuple(evidence), heard.searched, nearest, unsure or missing)


def _follows(call: Call, check: Any, before: PhraseHit, after: PhraseHit) -> bool:
    """Whether a match comes after another, within the limits of a sequence or an obligation."""
    if (after.place, after.turn) <= (before.place, before.turn):
        return False
    if check.within_s is not None:
        start = before.place if call.timeline.timed else before.turn
        if after.place - start > call.timeline.length(check.within_s):
            return False
    return check.within_turns is None or after.turn - before.turn <= check.within_turns


def _obligation(call: Call, check: kinds.ObligationCheck) -> Verdict:
    """Whether the reply follows every trigger within the limits or, with ``must: false``, none of them."""
    triggers = find_words(call, check.trigger)
    if not triggers.hits:
        if triggers.unsure:
            return Verdict("undetermined", searched=triggers.searched, reason=triggers.unsure)
        return Verdict("na", searched=triggers.searched, reason="its trigger was not heard")
    replies = find_words(call, check.then)
    followed, unanswered = [], []
    for trigger in triggers.hits:
        reply = next((h for h in replies.hits if _follows(call, check, trigger, h)), None)
        if reply is None:
            unanswered.append(trigger.evidence)
        else:
            followed += [trigger.evidence, reply.evidence]
    if check.must:
        if not unanswered:
            return Verdict("yes", evidence=tuple(followed), searched=replies.searched)
        return _missed(replies, unanswered, replies.nearest, f"nothing followed {_place(unanswered[0])}")
    if followed:
        reason = "heard, and should not be"
        return Verdict("no", evidence=tuple(followed), searched=replies.searched, reason=reason)
    answer: Answer = "undetermined" if replies.unsure else "yes"
    return Verdict(answer, evidence=tuple(unanswered), searched=replies.searched, reason=replies.unsure)


def _place(trigger: Evidence) -> str:
    """Where a trigger was heard, without its words, because reasons also go to logs."""
    if trigger.start_s is None:
        return f"its trigger in turn {trigger.turn}"
    return f"its trigger at {int(trigger.start_s) // 60}:{int(trigger.start_s) % 60:02d}"


def _of_several(call: Call, checks: Sequence[Any], decides: Answer) -> Verdict:
    """The verdict of several checks together; those of a language model only if the others do not decide."""
    needs_judge = [bool(kinds.parts(check, kinds.JudgeCheck)) for check in checks]
    verdicts = {at: evaluate(call, check) for at, check in enumerate(checks) if not needs_judge[at]}
    if not any(verdict.answer == decides for verdict in verdicts.values()):
        verdicts |= {at: evaluate(call, check) for at, check in enumerate(checks) if needs_judge[at]}
    return combined([verdicts[at] for at in sorted(verdicts)], decides=decides)


EVALUATORS: dict[type, Callable[[Call, Any], Verdict]] = {
    kinds.PhraseCheck: answer_words,
    kinds.RegexCheck: answer_words,
    kinds.TokenCheck: answer_words,
    kinds.FindingCheck: answer_words,
    **measures.ANSWERED_BY,
    kinds.SequenceCheck: _sequence,
    kinds.ObligationCheck: _obligation,
    kinds.JudgeCheck: judged,
    kinds.AllCheck: lambda call, check: _of_several(call, check.checks, "no"),
    kinds.AnyCheck: lambda call, check: _of_several(call, check.checks, "yes"),
    kinds.NotCheck: lambda call, check: opposite(evaluate(call, check.check)),
}
