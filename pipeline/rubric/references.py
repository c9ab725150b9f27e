"""What one part of a rubric says about another: ids that exist once, no circles, usable patterns.

Part of checking a rubric (``load``); pydantic has already checked each part on its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipeline.conversation import CallMetadata
from pipeline.known_names import did_you_mean
from pipeline.metrics import METRICS
from pipeline.rubric.checks import (
    SLOTS,
    JudgeCheck,
    MetricCheck,
    PhraseCheck,
    Place,
    PluginCheck,
    RegexCheck,
    placed,
)
from pipeline.rubric.model import Criterion, Rubric, Section

Found = tuple[Place, str, str]
METADATA_FIELDS = sorted(
    set(CallMetadata.__dataclass_fields__) - {"extra", "hold_spans", "started_at", "agent_channel"}
)
ANSWERS = ("yes", "no", "na", "undetermined")


def reference_faults(rubric: Rubric) -> Iterator[Found]:
    """Every fault that needs the whole rubric to see: its place, what is wrong, a hint."""
    yield from _repeated(rubric)
    known = [criterion.id for criterion in rubric.criteria()]
    for at, section in enumerate(rubric.sections):
        if section.when is not None:
            yield from _condition(section.when, ("sections", at, "when"), known)
            yield from _checks(section.when.checks(), ("sections", at, "when", "said"), known)
        for which, criterion in enumerate(section.criteria):
            place: Place = ("sections", at, "criteria", which)
            yield from _criterion(criterion, place, known)
            yield from _slots_of(criterion, place, rubric.company)
    yield from _circles(rubric)
    for at, case in enumerate(rubric.tests):
        for name in case.expect:
            if name not in known:
                yield ("tests", at, "expect", name), f"no criterion {name!r}", did_you_mean(name, known)
    if not any(c.counts == "score" for c in rubric.criteria()):
        yield ("sections",), "no criterion counts towards the score", "give one `counts: score`"
    elif not _weighs(rubric):
        yield ("sections",), "all weights that count in this mode are 0", "give one a weight above 0"


def _weighs(rubric: Rubric) -> bool:
    scored = [(s, c) for s in rubric.sections for c in s.criteria if c.counts == "score"]
    if rubric.mode == "points":
        return any(s.weight > 0 for s, _ in scored)
    if rubric.mode == "question":
        return any(c.weight > 0 for _, c in scored)
    return any(s.weight > 0 and c.weight > 0 for s, c in scored)


def _repeated(rubric: Rubric) -> Iterator[Found]:
    sections = Counter(s.id for s in rubric.sections)
    criteria = Counter(c.id for c in rubric.criteria())
    for at, section in enumerate(rubric.sections):
        if sections[section.id] > 1:
            yield ("sections", at, "id"), f"section id {section.id!r} is used twice", "ids are unique"
        for which, criterion in enumerate(section.criteria):
            if criteria[criterion.id] > 1:
                place = ("sections", at, "criteria", which, "id")
                yield place, f"criterion id {criterion.id!r} is used twice", "ids are unique in the rubric"


def _criterion(criterion: Criterion, place: Place, known: list[str]) -> Iterator[Found]:
    if criterion.when is not None:
        yield from _condition(criterion.when, (*place, "when"), known)
    yield from _checks(criterion.checks(), (*place, "check"), known)


def _checks(checks: list[Any], place: Place, known: list[str]) -> Iterator[Found]:
    for check in checks:
        if isinstance(check, MetricCheck) and check.metric not in METRICS:
            hint = did_you_mean(check.metric, sorted(METRICS))
            yield (*place, "metric"), f"no metric {check.metric!r}", hint
        if isinstance(check, RegexCheck):
            yield from _regexes(check, place)
        window = getattr(check, "window", None)
        for anchor in (window.after, window.before) if window is not None else ():
            if anchor is not None and anchor.criterion is not None and anchor.criterion not in known:
                yield place, f"no criterion {anchor.criterion!r}", did_you_mean(anchor.criterion, known)


def _slots_of(criterion: Criterion, place: Place, company: tuple[str, ...]) -> Iterator[Found]:
    """Slots that there are not, and a company that nobody named."""
    said = [
        (check, (*place, "when", "said")) for check in (criterion.when.checks() if criterion.when else ())
    ]
    own = [(criterion.check, (*place, "check"))] if criterion.check is not None else []
    levels = [(level.check, (*place, "levels", at, "check")) for at, level in enumerate(criterion.levels)]
    for outer, where in (*own, *levels, *said):
        for check, spot in placed(outer, where):
            for name in ("any", "all", "unless") if isinstance(check, PhraseCheck) else ():
                for at, phrase in enumerate(getattr(check, name)):
                    for slot in re.findall(r"\{([^}]*)\}", phrase):
                        if slot not in SLOTS:
                            hint = f"there are {', '.join(f'{{{s}}}' for s in SLOTS)}"
                            yield (*spot, name, at), f"no slot {{{slot}}}", hint
                        elif slot == "company" and not company:
                            hint = "say `company: [Northwind Telecom]` at the top of the rubric"
                            yield (*spot, name, at), "{company} stands for nothing", hint


def _regexes(check: RegexCheck, place: Place) -> Iterator[Found]:
    import regex

    for pattern in check.any:
        try:
            regex.compile(pattern)
        except (regex.error, RecursionError, OverflowError) as error:
            yield (*place, "any"), f"{pattern!r} is not a regular expression: {error}", ""


def _condition(condition: Any, place: Place, known: list[str]) -> Iterator[Found]:
    for part in condition.all():
        for name, answers in part.answers.items():
            if name not in known:
                yield (*place, "answers", name), f"no criterion {name!r}", did_you_mean(name, known)
            for answer in answers:
                if answer not in ANSWERS:
                    yield (*place, "answers", name), f"no answer {answer!r}", f"one of {', '.join(ANSWERS)}"
        for name in part.metadata:
            if not name.startswith("extra.") and name not in METADATA_FIELDS:
                hint = did_you_mean(name, METADATA_FIELDS) + "; other columns are extra.<column>"
                yield (*place, "metadata", name), f"no metadata field {name!r}", hint


def _circles(rubric: Rubric) -> Iterator[Found]:
    """Criteria that wait for one another would never be answered."""
    try:
        evaluation_order(rubric)
    except CycleError as error:
        circle = error.args[1]
        for at, section in enumerate(rubric.sections):
            for which, criterion in enumerate(section.criteria):
                if criterion.id == circle[0]:
                    yield (
                        ("sections", at, "criteria", which),
                        f"criteria depend on each other in a circle: {' -> '.join(circle)}",
                        "remove one of the conditions or windows",
                    )


def evaluation_order(rubric: Rubric) -> tuple[str, ...]:
    """Ids of criteria, each after those it depends on, otherwise in the order of the form.

    Raises:
        CycleError: Criteria depend on each other in a circle.
    """
    known = {criterion.id for criterion in rubric.criteria()}
    graph = {
        c.id: [n for n in sorted(needs(s, c)) if n in known] for s in rubric.sections for c in s.criteria
    }
    return tuple(TopologicalSorter(graph).static_order())


def same_criteria(old: Rubric, new: Rubric) -> frozenset[str]:
    """Ids of criteria that two texts of a rubric ask in the same way: a call's answers are the same.

    Weights, words for people and what a miss does to the score may differ; what it waits for may not.
    A check of another package is never taken to be the same, nor one that asks a language model, which keeps
    its own answers.
    """
    before = {c.id: _asks(old, s, c) for s in old.sections for c in s.criteria}
    now = {c.id: (s, c) for s in new.sections for c in s.criteria}
    same: set[str] = set()
    for name in evaluation_order(new):  # after all it waits for
        section, criterion = now[name]
        plain = not any(isinstance(check, PluginCheck | JudgeCheck) for check in criterion.checks())
        if plain and before.get(name) == _asks(new, section, criterion) and needs(section, criterion) <= same:
            same.add(name)
    return frozenset(same)


def _asks(rubric: Rubric, section: Section, criterion: Criterion) -> object:
    """Everything an answer and its points depend on, the call aside."""
    aside = {"question", "guidance", "weight", "critical", "auto_fail"}
    return criterion.model_dump(exclude=aside), section.when, rubric.not_applicable


def needs(section: Section, criterion: Criterion) -> set[str]:
    """Ids of criteria that must be answered before one of this section."""
    return criterion.depends_on() | (section.when.depends_on() if section.when else set())
