"""Computes scores from answers: weights, criteria that do not apply, floors, auto-fails, outcome.

Modes, with their published sources (docs/rubrics.md has the worked examples):
``points``: Σ earned x section weight / Σ possible x section weight (Genesys).
``question``: Σ w·p / Σ w over the form, p the share of the points earned (Zendesk, AWS question weights).
``section``: the same within each section, then over the sections by weight (AWS section weights, Kore).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.conversation import CriterionAnswer, Outcome, Scorecard, SectionScore
from pipeline.rubric.model import AutoFail, Criterion, Rubric, Section
from pipeline.score.measures import MANUAL

DECIMALS = 4
FORM = ""  # in place of the id of a section
NO_LIMITS: Mapping[str, float] = {}


def scorecard(
    call_id: str,
    rubric: Rubric,
    answers: Mapping[str, CriterionAnswer],
    warnings: Iterable[str] = (),
    scorer: str = "",
) -> Scorecard:
    """The scorecard of a full set of answers, by criterion id, which may include a person's overrides.

    ``warnings`` say what was degraded; ``scorer`` is the fingerprint of what answered, "" for a person.
    """
    fired = _auto_fails(rubric, answers)
    limits = _limits(fired)
    raw = _form_score(rubric, answers)
    final = raw
    if raw is not None:
        final = min(raw, _form_score(rubric, answers, limits) or 0.0, limits.get(FORM, 100.0))
    reviews = _reviews(rubric, answers)
    return Scorecard(
        call_id=call_id,
        rubric=rubric.ref,
        raw_score=raw,
        final_score=final,
        outcome=_outcome(rubric, final, fired, reviews),
        sections=tuple(_section(rubric, s, answers, fired, limits) for s in rubric.sections),
        autofail_reasons=tuple(f.reason for f in fired),
        review_reasons=reviews,
        critical_score=_form_score(rubric, {k: a for k, a in answers.items() if a.critical}),
        pass_mark=rubric.pass_mark,
        warnings=tuple(warnings),
        scorer=scorer,
    )


def _form_score(
    rubric: Rubric, answers: Mapping[str, CriterionAnswer], limits: Mapping[str, float] = NO_LIMITS
) -> float | None:
    """The score of the form, 0..100; None if no criterion that counts was answered.

    ``limits`` has the highest scores of failed sections, which may lie below their floors.
    """
    by_points = rubric.mode == "points"
    total = weight = extra = 0.0
    for section in rubric.sections:
        share, size = _share(rubric, section, answers)
        if share is not None:
            floor = 0.0 if section.id in limits else section.floor
            counted = size if rubric.mode == "question" else section.weight * (size if by_points else 1)
            total += counted * min(max(share, floor / 100), limits.get(section.id, 100.0) / 100)
            weight += counted
        extra += (section.weight if by_points else 1) * sum(_extra(c, answers) for c in section.criteria)
    if not weight:
        return None
    # By points, bonus and penalty are points like others; with weights they are percent of the form.
    score = 100 * (total + extra) / weight if by_points else 100 * total / weight + extra
    return _rounded(max(score, rubric.floor))


def _share(
    rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer]
) -> tuple[float | None, float]:
    """Share, 0..1, of what is possible that a section earned, and what is possible: points, or weights."""
    total = size = 0.0
    for criterion in section.criteria:
        points = answers[criterion.id].points if criterion.id in answers else None
        if criterion.counts == "score" and points is not None:
            worth = criterion.points if rubric.mode == "points" else criterion.weight
            total += worth * points / criterion.points
            size += worth
    return (total / size if size else None), size


def _extra(criterion: Criterion, answers: Mapping[str, CriterionAnswer]) -> float:
    """Points that a bonus adds, or that a penalty takes away (negative)."""
    answer = answers.get(criterion.id)
    if answer is None or answer.points is None or answer.answer == "na":
        return 0.0
    if criterion.counts == "bonus":
        return answer.points
    return answer.points - criterion.points if criterion.counts == "penalty" else 0.0


def _rounded(score: float) -> float:
    return round(min(100.0, max(0.0, score)), DECIMALS)


@dataclass(frozen=True, slots=True)
class _Failure:
    """An auto-fail criterion that failed: the id of its section, what follows, and why."""

    section: str
    policy: AutoFail
    reason: str


def _auto_fails(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> list[_Failure]:
    """The auto-fail criteria that failed; those that do not apply or are undetermined never fail."""
    fired = []
    for section in rubric.sections:
        for criterion in section.criteria:
            policy = rubric.auto_fail_of(criterion)
            answer = answers[criterion.id]
            if policy is None or answer.points is None or answer.answer not in ("yes", "no"):
                continue
            earned = answer.points / criterion.points
            if earned < policy.below if criterion.levels else answer.answer == "no":
                why = f" ({answer.reason})" if answer.reason else ""
                fired.append(_Failure(section.id, policy, f"{criterion.id}: {criterion.question}{why}"))
    return fired


def _limits(fired: Sequence[_Failure]) -> dict[str, float]:
    """The highest score of each failed section, by its id, and of the form: the lowest of its auto-fails."""
    limits: dict[str, float] = {}
    for one in fired:
        limit = {"zero": 0.0, "cap": one.policy.cap, "flag": None}[one.policy.policy]
        if limit is not None:
            what = FORM if one.policy.scope == "form" else one.section
            limits[what] = min(limit, limits.get(what, limit))
    return limits


def _section(
    rubric: Rubric,
    section: Section,
    answers: Mapping[str, CriterionAnswer],
    fired: list[_Failure],
    limits: Mapping[str, float],
) -> SectionScore:
    share, _ = _share(rubric, section, answers)
    highest = limits.get(section.id, 100.0)
    return SectionScore(
        id=section.id,
        score=None if share is None else _rounded(min(max(share * 100, section.floor), highest)),
        criteria=tuple(answers[c.id] for c in section.criteria),
        weight=section.weight,
        auto_failed=any(one.section == section.id for one in fired),
    )


def _reviews(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> tuple[str, ...]:
    """Why a person must review the call: undetermined answers, and required checks left to a person."""
    reasons = []
    for criterion in rubric.criteria():
        answer = answers[criterion.id]
        if answer.answer != "undetermined" or criterion.counts == "info":
            continue
        is_manual = answer.reason == MANUAL
        if not is_manual or bool(getattr(criterion.check, "required", False)):
            reasons.append(f"{criterion.id}: {answer.reason}")
    return tuple(reasons)


def _outcome(rubric: Rubric, final: float | None, fired: list[_Failure], reviews: tuple[str, ...]) -> Outcome:
    if any(f.policy.scope == "form" for f in fired):
        return "fail"
    if reviews:
        return "needs_review"
    if final is None:
        return "not_scored"
    return "pass" if rubric.pass_mark is None or final >= rubric.pass_mark else "fail"
