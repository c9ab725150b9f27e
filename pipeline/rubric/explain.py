"""Describes a rubric in plain words, for the people who are scored by it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.rubric import checks as kinds
from pipeline.rubric.model import AppliesTo, AutoFail, Condition, Criterion, Rubric
from pipeline.rubric.select import FIELDS, in_order

SHOWN = 3
"""How many phrases of a list are shown."""
MODES = {
    "points": "Points earned over points possible, each multiplied by its section's weight.",
    "question": "The weighted share of criteria met; section weights play no part.",
    "section": "Each section is the weighted share of its criteria met; sections weigh by their own weights.",
}
LIMITS = {
    "first_s": "in the first {:g} s of agent speech",
    "last_s": "in the last {:g} s",
    "from_pct": "from {:g} % of the call",
    "to_pct": "up to {:g} % of the call",
    "first_turns": "in the first {} turns",
    "last_turns": "in the last {} turns",
    "after": "after {}",
    "before": "before {}",
    "within_s": "within {:g} s",
    "within_turns": "within {} turns",
}
"""Wording of the limits of windows, sequences and obligations, by their key."""


def explain(rubric: Rubric) -> str:
    """A description of the whole rubric, with a few lines for each criterion."""
    return "\n".join(_lines(rubric))


def explain_order(rubrics: Sequence[Rubric]) -> str:
    """The order in which rubrics are applied to a call, and the calls each of them is for."""
    listed = "\n".join(
        f"  {n}. {r.id} {r.version}: {_applies(r.applies_to)}" for n, r in enumerate(in_order(rubrics), 1)
    )
    return f"Every rubric that applies scores the call, in this order:\n{listed}\n"


def _lines(rubric: Rubric) -> Iterator[str]:
    yield f"{rubric.title or rubric.id} ({rubric.id} {rubric.version}, {rubric.hash[:12]})"
    if rubric.description:
        yield rubric.description
    yield f"For: {_applies(rubric.applies_to)}; priority {rubric.priority}."
    yield f"Score: {MODES[rubric.mode]}"
    na = "count as met" if rubric.not_applicable == "as_pass" else "leave the sum"
    yield f"Criteria that do not apply {na}. What cannot be told leaves the sum, and the call needs review."
    if rubric.floor:
        yield f"A call of which anything was answered scores at least {rubric.floor:g}, unless it auto-fails."
    if rubric.pass_mark is not None:
        yield f"Passes from {rubric.pass_mark:g}."
    total = sum(s.weight for s in rubric.sections) or 1
    for section in rubric.sections:
        share = (
            "" if rubric.mode == "question" else f", weight {section.weight:g} ({section.weight / total:.0%})"
        )
        yield f"\n{section.title or section.id}{share}"
        if section.when is not None:
            yield f"  only when {_condition(section.when)}"
        if section.floor:
            yield f"  scores at least {section.floor:g} when answered, unless it auto-fails"
        for criterion in section.criteria:
            yield from (f"  {line}" for line in _criterion(rubric, criterion))


def _criterion(rubric: Rubric, criterion: Criterion) -> Iterator[str]:
    worth = f"{criterion.points:g} points" if rubric.mode == "points" else f"weight {criterion.weight:g}"
    worth = {
        "info": "not scored",
        "bonus": f"bonus {criterion.points:g}",
        "penalty": f"penalty {criterion.points:g}",
    }.get(criterion.counts, worth)
    yield f"{criterion.question} [{criterion.id}, {worth}{', critical' if criterion.critical else ''}]"
    if criterion.when is not None:
        yield f"  applies when {_condition(criterion.when)}"
    policy = rubric.auto_fail_of(criterion)
    if policy is not None:
        failed = f"less than {policy.below:.0%} of the points" if criterion.levels else "a no"
        yield f"  {failed} {_auto_fail(policy)}"
    if criterion.floor:
        yield f"  earns at least {criterion.floor:g} % of its points when answered"
    if isinstance(criterion.check, kinds.ManualCheck) and criterion.check.required:
        yield "  the call needs review until a person has answered"
    if criterion.check is not None:
        yield f"  met when {describe(criterion.check)}"
    for level, share in criterion.steps():
        yield f"  {level.label} ({share:.0%}) when {describe(level.check)}"
    if criterion.guidance:
        yield f"  {criterion.guidance}"


def _auto_fail(policy: AutoFail) -> str:
    what = "the call" if policy.scope == "form" else "its section"
    done = {
        "zero": "and its score is 0",
        "cap": f"and its score is at most {policy.cap or 0:g}",
        "flag": "and its score stays",
    }
    return f"fails {what}, {done[policy.policy]}"


def describe(check: Any) -> str:
    """A check in words."""
    if isinstance(check, kinds.SearchCheck):
        return _heard(check)
    if isinstance(check, kinds.Measure):
        return str(check)
    if isinstance(check, kinds.JudgeCheck):
        whose = "anyone" if check.role == "any" else f"the {check.role}"
        asked = f"a language model, quoting {whose}, answers yes to “{check.question}”"
        return asked + _limits(check.window)
    if isinstance(check, kinds.SequenceCheck):
        return ", then ".join(describe(step) for step in check.steps) + _limits(check)
    if isinstance(check, kinds.ObligationCheck):
        must = "follows" if check.must else "does not follow"
        return f"each time {describe(check.trigger)}, it {must} that {describe(check.then)}{_limits(check)}"
    if isinstance(check, kinds.NotCheck):
        return f"it is not so that {describe(check.check)}"
    joint = " and " if isinstance(check, kinds.AllCheck) else " or "
    return joint.join(describe(c) for c in check.checks)


def _heard(check: kinds.SearchCheck) -> str:
    who = "anyone" if check.role == "any" else f"the {check.role}"
    if isinstance(check, kinds.FindingCheck):
        what = f"{check.finding}{'/' + ', '.join(check.labels) if check.labels else ''}"
        found = "is not found" if check.negate else "is found"
        return f"{what} {found} ({who}){_limits(check.window)}{_often(check)}"
    if isinstance(check, kinds.PhraseCheck):
        how = {
            "exact": "in these words",
            "lemma": "in any inflection",
            "fuzzy": "even misheard",
            "meaning": "in these or like words",
        }
        most = len(check.any) if check.negate else SHOWN  # an agent must see every forbidden phrase
        said = " and ".join(filter(None, [_some(check.any, most), *(f"“{p}”" for p in check.all)]))
        act = f": {check.meaning.rstrip('.')}" if check.meaning else ""
        what = f"{said} ({how[check.match]}{act})"
        if check.unless:
            what += f", but not {_some(check.unless)}"
    elif isinstance(check, kinds.RegexCheck):
        what = f"something that fits {' or '.join(check.any[:3])}"
    else:
        what = "a token pattern"
    verb = "does not say" if check.negate else "says"
    return f"{who} {verb} {what}{_limits(check.window)}{_often(check)}"


def _some(texts: Sequence[str], most: int = SHOWN) -> str:
    more = f" or {len(texts) - most} more" if texts[most:] else ""
    return " or ".join(f"“{text}”" for text in texts[:most]) + more


def _often(check: kinds.SearchCheck) -> str:
    if check.at_most == 0:
        return ", never"
    is_told = check.at_least > 1 or (check.at_least == 1 and check.at_most is not None)
    least = f", at least {_times(check.at_least)}" if is_told else ""
    return least + (f", at most {_times(check.at_most)}" if check.at_most is not None else "")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _limits(part: kinds.Strict | None) -> str:
    """The limits that a window or a check sets, in words."""
    given = ((wording, getattr(part, name, None)) for name, wording in LIMITS.items())
    return "".join(f" {wording.format(value)}" for wording, value in given if value is not None)


def _condition(condition: Condition) -> str:
    clauses = [f"{name} is {' or '.join(values)}" for name, values in condition.metadata.items()]
    clauses += [f"{name} is answered {' or '.join(values)}" for name, values in condition.answers.items()]
    if condition.finding is not None:
        label = f"/{condition.finding.label}" if condition.finding.label else ""
        clauses.append(f"{condition.finding.kind}{label} is found")
    if condition.said is not None:
        clauses.append(_heard(condition.said))
    if condition.any:
        clauses.append("(" + " or ".join(_condition(c) for c in condition.any) + ")")
    if condition.unless is not None:
        clauses.append(f"not ({_condition(condition.unless)})")
    return " and ".join(clauses)


def _applies(asks: AppliesTo) -> str:
    limits = [f"{name} {' or '.join(getattr(asks, name))}" for name in FIELDS if getattr(asks, name)]
    limits += [f"{name} {' or '.join(values)}" for name, values in asks.extra.items()]
    if asks.min_duration_s is not None:
        limits.append(f"from {asks.min_duration_s:g} s")
    if asks.max_duration_s is not None:
        limits.append(f"up to {asks.max_duration_s:g} s")
    return ", ".join(limits) or "every call"
