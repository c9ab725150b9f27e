"""Computes scores from answers: weights, criteria that do not apply, floors, auto-fails, outcome.

Modes, with their published sources (docs/rubrics.md has the worked examples):
``points``: Σ earned x section weight / Σ possible x section weight (Genesys).
``question``: Σ w·p / Σ w over the form, p the share of the points earned (Zendesk, AWS question weights).
``section``: the same within each section, then over the sections by weight (AWS section weights, Kore).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import CriterionAnswer, Outcome, Scorecard, SectionScore
from pipeline.rubric.model import AutoFail, Criterion, Rubric, Section
from pipeline.score.measures import MANUAL

DECIMALS = 4


def scorecard(
    call_id: str,
    rubric: Rubric,
    answers: Mapping[str, CriterionAnswer],
    warnings: Iterable[str] = (),
    scorer: str = "",
) -> Scorecard:
    """The scorecard of a full set of answers, which may include a person's overrides.

    Args:
        call_id: The call.
        rubric: The rubric that the answers are for.
        answers: By criterion id, one for each criterion.
        warnings: What was degraded, to be shown in the scorecard.
        scorer: Fingerprint of what gave the answers; "" for a person.
    """
    fired = _auto_fails(rubric, answers)
    raw = form_score(rubric, answers)
    critical_answers = {k: a for k, a in answers.items() if a.critical}
    critical = form_score(rubric, critical_answers) if critical_answers else None
    final = _after_auto_fails(rubric, answers, raw, fired)
    reviews = _reviews(rubric, answers)
    return Scorecard(
        call_id=call_id,
        rubric=rubric.ref,
        raw_score=raw,
        final_score=final,
        outcome=_outcome(rubric, raw, final, fired, reviews),
        sections=tuple(_section(rubric, s, answers, fired) for s in rubric.sections),
        autofail_reasons=tuple(f.reason for f in fired),
        review_reasons=reviews,
        critical_score=critical,
        pass_mark=rubric.pass_mark,
        warnings=tuple(warnings),
        scorer=scorer,
    )


def form_score(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> float | None:
    """The score of the form, 0..100, without auto-fails; None if no criterion that counts was answered."""
    ratio = _by_points(rubric, answers) if rubric.mode == "points" else _by_weight(rubric, answers)
    if ratio is None:
        return None
    score = ratio * 100
    if rubric.mode != "points":  # with weights, bonus and penalty points are percent of the form
        score += sum(_extra(c, answers) for c in rubric.criteria())
    return _rounded(max(score, rubric.floor))


def _by_points(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> float | None:
    earned = possible = 0.0
    for section in rubric.sections:
        section_earned, section_possible = _points(section, answers)
        earned += section.weight * max(section_earned, section_possible * section.floor / 100)
        earned += section.weight * sum(_extra(c, answers) for c in section.criteria)
        possible += section.weight * section_possible
    return earned / possible if possible else None


def _by_weight(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> float | None:
    total = weight = 0.0
    for section in rubric.sections:
        mean, questions = _mean(section, answers)
        if mean is not None:
            section_weight = questions if rubric.mode == "question" else section.weight
            total += section_weight * max(mean, section.floor / 100)
            weight += section_weight
    return total / weight if weight else None


def _points(section: Section, answers: Mapping[str, CriterionAnswer]) -> tuple[float, float]:
    """Points earned in a section, and points possible."""
    scored = _scored(section, answers)
    return sum(points for _, points in scored), sum(criterion.points for criterion, _ in scored)


def _mean(section: Section, answers: Mapping[str, CriterionAnswer]) -> tuple[float | None, float]:
    """Weighted mean of the shares of points earned in a section, and the sum of the weights."""
    total = weight = 0.0
    for criterion, points in _scored(section, answers):
        total += criterion.weight * points / criterion.points
        weight += criterion.weight
    return (total / weight if weight else None), weight


def _scored(section: Section, answers: Mapping[str, CriterionAnswer]) -> list[tuple[Criterion, float]]:
    """The criteria of a section that count and were answered, with the points each earned."""
    given = ((c, answers[c.id].points) for c in section.criteria if c.counts == "score" and c.id in answers)
    return [(criterion, points) for criterion, points in given if points is not None]


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

    def limit(self, scope: str) -> float | None:
        """The highest score of what failed; None if ``scope`` did not fail or its score is kept."""
        if self.policy.scope != scope:
            return None
        return {"zero": 0.0, "cap": self.policy.cap, "flag": None}[self.policy.policy]


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


def _after_auto_fails(
    rubric: Rubric, answers: Mapping[str, CriterionAnswer], raw: float | None, fired: list[_Failure]
) -> float | None:
    """The raw score with the auto-fails applied: first those of sections, then those of the form."""
    if raw is None:
        return None
    limits = _section_limits(fired)
    score = raw
    if limits:
        lowered = dict(answers)
        for section in rubric.sections:
            if section.id in limits:
                lowered |= _limited(rubric, section, answers, limits[section.id])
        score = form_score(_without_floor(rubric, set(limits)), lowered) or 0.0
        score = min(score, raw)
    caps = [limit for f in fired if (limit := f.limit("form")) is not None]
    return min([score, *caps])


def _section_limits(fired: Sequence[_Failure]) -> dict[str, float]:
    """The highest score of each failed section that has a limit: the lowest limit of its auto-fails."""
    limits: dict[str, float] = {}
    for one in fired:
        limit = one.limit("section")
        if limit is not None:
            limits[one.section] = min(limit, limits.get(one.section, limit))
    return limits


def _share(rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer]) -> float | None:
    """Share, 0..1, of what is possible that a section earned, by the mode of the rubric."""
    if rubric.mode != "points":
        return _mean(section, answers)[0]
    earned, possible = _points(section, answers)
    return earned / possible if possible else None


def _limited(
    rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer], limit: float
) -> dict[str, CriterionAnswer]:
    """A section's answers with their points lowered in proportion, so that it scores at most ``limit``."""
    mean = _share(rubric, section, answers)
    factor = 1.0 if not mean or mean * 100 <= limit else limit / (mean * 100)
    scored = _scored(section, answers)
    return {c.id: replace(answers[c.id], points=points * factor) for c, points in scored}


def _without_floor(rubric: Rubric, sections: set[str]) -> Rubric:
    """The rubric without the floors of some sections, since an auto-fail may go below a floor."""
    changed = tuple(s.model_copy(update={"floor": 0.0}) if s.id in sections else s for s in rubric.sections)
    return rubric.model_copy(update={"sections": changed})


def _section(
    rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer], fired: list[_Failure]
) -> SectionScore:
    mean = _share(rubric, section, answers)
    score = None if mean is None else _rounded(max(mean * 100, section.floor))
    if score is not None:
        score = min(score, _section_limits(fired).get(section.id, score))
    return SectionScore(
        id=section.id,
        score=score,
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


def _outcome(
    rubric: Rubric, raw: float | None, final: float | None, fired: list[_Failure], reviews: tuple[str, ...]
) -> Outcome:
    if any(f.policy.scope == "form" for f in fired):
        return "fail"
    if reviews:
        return "needs_review"
    if raw is None or final is None:
        return "not_scored"
    return "pass" if rubric.pass_mark is None or final >= rubric.pass_mark else "fail"
