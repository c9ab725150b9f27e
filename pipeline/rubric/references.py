"""Checks that need a whole rubric: ids are unique and exist, nothing is circular, patterns are usable.

``load`` runs them after pydantic has checked each part by itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from pipeline.conversation import CallMetadata
from pipeline.known_names import did_you_mean
from pipeline.metrics import METRICS
from pipeline.rubric import checks as kinds
from pipeline.rubric.checks import SLOTS, Anchor, JudgeCheck, Place, PluginCheck, Strict, parts, placed
from pipeline.rubric.model import Case, Condition, Criterion, Rubric, Section

RubricFault = tuple[Place, str, str]  # its place in the YAML, what is wrong, and a hint
METADATA_FIELDS = sorted(
    set(CallMetadata.__dataclass_fields__) - {"extra", "hold_spans", "started_at", "agent_channel"}
)
ANSWERS = ("yes", "no", "na", "undetermined")


def reference_faults(rubric: Rubric) -> Iterator[RubricFault]:
    """All errors that need the whole rubric to be found."""
    known = [criterion.id for criterion in rubric.criteria()]
    used = {Section: Counter(section.id for section in rubric.sections), Criterion: Counter(known)}
    for part, place in placed(rubric):
        if isinstance(part, Section | Criterion) and used[type(part)][part.id] > 1:
            what = type(part).__name__.lower()
            yield (*place, "id"), f"{what} id {part.id!r} is used twice", "ids are unique in the rubric"
        yield from _faults_of(part, place, known, rubric.company)
    yield from _cycles(rubric)
    scored = [(s, c) for s in rubric.sections for c in s.criteria if c.counts == "score"]
    if not scored:
        yield ("sections",), "no criterion counts towards the score", "give one `counts: score`"
    elif not any(
        (rubric.mode == "question" or s.weight > 0) and (rubric.mode == "points" or c.weight > 0)
        for s, c in scored
    ):
        yield ("sections",), "all weights that count in this mode are 0", "give one a weight above 0"


def _faults_of(
    part: Strict, place: Place, known: list[str], company: tuple[str, ...]
) -> Iterator[RubricFault]:
    """Errors of one part; ``known`` are the ids of the rubric's criteria."""
    match part:
        case kinds.MetricCheck() if part.metric not in METRICS:
            hint = did_you_mean(part.metric, sorted(METRICS))
            yield (*place, "metric"), f"no metric {part.metric!r}", hint
        case kinds.RegexCheck():
            yield from _regexes(part, place)
        case kinds.PhraseCheck():
            yield from _slots(part, place, company)
        case Anchor() if part.criterion is not None:
            yield from _unknown(part.criterion, (*place, "criterion"), known)
        case Condition():
            for name in part.answers:
                yield from _unknown(name, (*place, "answers", name), known)
            yield from _condition(part, place)
        case Case():
            for name in part.expect:
                yield from _unknown(name, (*place, "expect", name), known)


def _slots(check: kinds.PhraseCheck, place: Place, company: tuple[str, ...]) -> Iterator[RubricFault]:
    """Unknown slots, and ``{company}`` in a rubric that names no company."""
    phrases = [
        ((name, at), text)
        for name in ("any", "all", "unless")
        for at, text in enumerate(getattr(check, name))
    ]
    for where, phrase in (*phrases, (("meaning",), check.meaning or "")):
        for slot in re.findall(r"\{([^}]*)\}", phrase):
            if slot not in SLOTS:
                hint = f"there are {', '.join(f'{{{s}}}' for s in SLOTS)}"
                yield (*place, *where), f"no slot {{{slot}}}", hint
            elif slot == "company" and not company:
                hint = "say `company: [Northwind Telecom]` at the top of the rubric"
                yield (*place, *where), "{company} stands for nothing", hint


def _unknown(name: str, place: Place, known: list[str]) -> Iterator[RubricFault]:
    if name not in known:
        yield place, f"no criterion {name!r}", did_you_mean(name, known)


def _regexes(check: kinds.RegexCheck, place: Place) -> Iterator[RubricFault]:
    import regex

    for pattern in check.any:
        try:
            regex.compile(pattern)
        except (regex.error, RecursionError, OverflowError) as error:
            yield (*place, "any"), f"{pattern!r} is not a regular expression: {error}", ""


def _condition(condition: Condition, place: Place) -> Iterator[RubricFault]:
    for name, answers in condition.answers.items():
        for answer in answers:
            if answer not in ANSWERS:
                yield (*place, "answers", name), f"no answer {answer!r}", f"one of {', '.join(ANSWERS)}"
    for name in condition.metadata:
        if not name.startswith("extra.") and name not in METADATA_FIELDS:
            hint = did_you_mean(name, METADATA_FIELDS) + "; other columns are extra.<column>"
            yield (*place, "metadata", name), f"no metadata field {name!r}", hint


def _cycles(rubric: Rubric) -> Iterator[RubricFault]:
    """Criteria that depend on each other in a circle, which could never be answered."""
    try:
        evaluation_order(rubric)
    except CycleError as error:
        circle = error.args[1]
        message = f"criteria depend on each other in a circle: {' -> '.join(circle)}"
        for part, place in placed(rubric):
            if isinstance(part, Criterion) and part.id == circle[0]:
                yield place, message, "remove one of the conditions or windows"


def evaluation_order(rubric: Rubric) -> tuple[str, ...]:
    """Ids of the criteria, each after those it depends on, otherwise in the order of the form.

    Raises:
        CycleError: Criteria depend on each other in a circle.
    """
    known = {criterion.id for criterion in rubric.criteria()}
    graph = {
        c.id: [n for n in sorted(needs(s, c)) if n in known] for s in rubric.sections for c in s.criteria
    }
    return tuple(TopologicalSorter(graph).static_order())


def same_criteria(old: Rubric, new: Rubric) -> frozenset[str]:
    """Ids of criteria for which two versions of a rubric must give any call the same answer.

    Weights, auto-fails and texts for people may differ (the question of a manual criterion may not), the
    criteria that it depends on may not. Checks of plugins and of language models are never taken to be the
    same; ``judge`` caches the latter itself.
    """
    before = {c.id: _asks(old, s, c) for s in old.sections for c in s.criteria}
    now = {c.id: (s, c) for s in new.sections for c in s.criteria}
    same: set[str] = set()
    for name in evaluation_order(new):  # so that the criteria it depends on come first
        section, criterion = now[name]
        comparable = not any(isinstance(check, PluginCheck | JudgeCheck) for check in criterion.checks())
        unchanged = before.get(name) == _asks(new, section, criterion)
        if comparable and unchanged and needs(section, criterion) <= same:
            same.add(name)
    return frozenset(same)


def _asks(rubric: Rubric, section: Section, criterion: Criterion) -> object:
    """Everything in the rubric that an answer and its points depend on."""
    irrelevant = {"guidance", "weight", "critical", "auto_fail"}
    if not isinstance(criterion.check, kinds.ManualCheck):
        irrelevant.add("question")
    return criterion.model_dump(exclude=irrelevant), section.when, rubric.not_applicable


def needs(section: Section, criterion: Criterion) -> set[str]:
    """Ids of the criteria that must be answered before a criterion of this section."""
    dependent = [criterion, section.when] if section.when else [criterion]
    in_conditions = {name for part in dependent for c in parts(part, Condition) for name in c.answers}
    return in_conditions | {a.criterion for part in dependent for a in parts(part, Anchor) if a.criterion}
