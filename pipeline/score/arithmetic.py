"""From answers to scores: weights, not applicable, floors, auto-fails, outcome. No language here.

Modes, with their published sources (docs/rubrics.md has the worked examples):
``points``: Σ earned x section weight / Σ possible x section weight (Genesys).
``question``: Σ w·p / Σ w over the form (Zendesk, AWS question weights), p the share of points earned.
``section``: the same within each section, then over section weights (AWS section weights, Kore).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.conversation import CriterionAnswer, Outcome, Scorecard, SectionScore
from pipeline.rubric.model import Criterion, Rubric, Section
from pipeline.score.measures import MANUAL

DECIMALS = 4


def scorecard(
    call_id: str,
    rubric: Rubric,
    answers: Mapping[str, CriterionAnswer],
    warnings: Iterable[str] = (),
    scorer: str = "",
) -> Scorecard:
    """The scorecard of a full set of answers; also how a person's overrides are scored again.

    Args:
        call_id: Of the call.
        rubric: They answer.
        answers: By criterion id, one for each criterion.
        warnings: Degradations to pass on.
        scorer: Fingerprint of what gave the answers; "" for a person.
    """
    fired = _auto_fails(rubric, answers)
    raw = form_score(rubric, answers)
    own = {k: a for k, a in answers.items() if a.critical}
    critical = form_score(rubric, own) if own else None
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
    """0..100, auto-fails ignored; None when nothing that counts was answered."""
    ratio = {"points": _by_points, "question": _by_question, "section": _by_section}[rubric.mode](
        rubric, answers
    )
    if ratio is None:
        return None
    score = ratio * 100
    if rubric.mode != "points":  # with weights, bonus and penalty points are percent of the form
        score += sum(_extra(c, answers) for c in rubric.criteria())
    return _rounded(max(score, rubric.floor))


def _by_points(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> float | None:
    earned = possible = 0.0
    for section in rubric.sections:
        parts = [(a.points, c.points) for c, a in _scored(section, answers) if a.points is not None]
        own, most = sum(p for p, _ in parts), sum(m for _, m in parts)
        earned += section.weight * max(own, most * section.floor / 100)
        earned += section.weight * sum(_extra(c, answers) for c in section.criteria)
        possible += section.weight * most
    return earned / possible if possible else None


def _by_question(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> float | None:
    total = weight = 0.0
    for section in rubric.sections:
        mean, own = _mean(section, answers)
        if mean is not None:
            total += own * max(mean, section.floor / 100)
            weight += own
    return total / weight if weight else None


def _by_section(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> float | None:
    total = weight = 0.0
    for section in rubric.sections:
        mean, _ = _mean(section, answers)
        if mean is not None:
            total += section.weight * max(mean, section.floor / 100)
            weight += section.weight
    return total / weight if weight else None


def _mean(section: Section, answers: Mapping[str, CriterionAnswer]) -> tuple[float | None, float]:
    """Weighted share of points earned in a section, and the sum of the weights."""
    total = weight = 0.0
    for criterion, answer in _scored(section, answers):
        if answer.points is not None:
            total += criterion.weight * answer.points / criterion.points
            weight += criterion.weight
    return (total / weight if weight else None), weight


def _scored(
    section: Section, answers: Mapping[str, CriterionAnswer]
) -> list[tuple[Criterion, CriterionAnswer]]:
    return [(c, answers[c.id]) for c in section.criteria if c.counts == "score" and c.id in answers]


def _extra(criterion: Criterion, answers: Mapping[str, CriterionAnswer]) -> float:
    """Points a bonus adds or a penalty takes away."""
    answer = answers.get(criterion.id)
    if answer is None or answer.points is None or answer.answer == "na":
        return 0.0
    if criterion.counts == "bonus":
        return answer.points
    return answer.points - criterion.points if criterion.counts == "penalty" else 0.0


def _rounded(score: float) -> float:
    return round(min(100.0, max(0.0, score)), DECIMALS)


@dataclass(frozen=True, slots=True)
class _Fired:
    criterion: Criterion
    section: Section
    reason: str


def _auto_fails(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> list[_Fired]:
    """Auto-fail criteria that failed; not applicable and undetermined never do."""
    fired = []
    for section in rubric.sections:
        for criterion in section.criteria:
            policy = rubric.auto_fail_of(criterion)
            answer = answers[criterion.id]
            if policy is None or answer.points is None or answer.answer not in ("yes", "no"):
                continue
            earned = answer.points / criterion.points
            failed = earned < policy.below if criterion.levels else answer.answer == "no"
            if failed:
                told = f"{criterion.id}: {criterion.question}" + (
                    f" ({answer.reason})" if answer.reason else ""
                )
                fired.append(_Fired(criterion, section, told))
    return fired


def _after_auto_fails(
    rubric: Rubric, answers: Mapping[str, CriterionAnswer], raw: float | None, fired: list[_Fired]
) -> float | None:
    """The raw score with each policy applied: sections first, then the form."""
    if raw is None:
        return None
    limits = {f.section.id: _limit(rubric, f, "section") for f in fired}
    limited = {s: limit for s, limit in limits.items() if limit is not None}
    score = raw
    if limited:
        held = dict(answers)
        for section in rubric.sections:
            if section.id in limited:
                held |= _held(rubric, section, answers, limited[section.id])
        score = form_score(_without_floor(rubric, set(limited)), held) or 0.0
        score = min(score, raw)
    caps = [limit for f in fired if (limit := _limit(rubric, f, "form")) is not None]
    return min([score, *caps])


def _limit(rubric: Rubric, fired: _Fired, scope: str) -> float | None:
    """The most a failed part may score, or None where the score is kept."""
    policy = rubric.auto_fail_of(fired.criterion)
    if policy is None or policy.scope != scope:
        return None
    return {"zero": 0.0, "cap": policy.cap, "flag": None}[policy.policy]


def _share(rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer]) -> float | None:
    """What a section earned of what it could, as its rubric's mode counts it, 0..1."""
    if rubric.mode != "points":
        return _mean(section, answers)[0]
    parts = [(a.points, c.points) for c, a in _scored(section, answers) if a.points is not None]
    most = sum(m for _, m in parts)
    return sum(p for p, _ in parts) / most if most else None


def _held(
    rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer], limit: float
) -> dict[str, CriterionAnswer]:
    """A section's answers with their points held to a limit, in proportion."""
    import dataclasses

    mean = _share(rubric, section, answers)
    factor = 1.0 if not mean or mean * 100 <= limit else limit / (mean * 100)
    return {
        c.id: dataclasses.replace(a, points=a.points * factor)
        for c, a in _scored(section, answers)
        if a.points is not None
    }


def _without_floor(rubric: Rubric, sections: set[str]) -> Rubric:
    """The rubric with the floors of failed sections gone: an auto-fail goes below a floor."""
    changed = tuple(s.model_copy(update={"floor": 0.0}) if s.id in sections else s for s in rubric.sections)
    return rubric.model_copy(update={"sections": changed})


def _section(
    rubric: Rubric, section: Section, answers: Mapping[str, CriterionAnswer], fired: list[_Fired]
) -> SectionScore:
    failed = [f for f in fired if f.section.id == section.id]
    mean = _share(rubric, section, answers)
    score = None if mean is None else _rounded(max(mean * 100, section.floor))
    limits = [limit for f in failed if (limit := _limit(rubric, f, "section")) is not None]
    if score is not None and limits:
        score = min(score, *limits)
    return SectionScore(
        id=section.id,
        score=score,
        criteria=tuple(answers[c.id] for c in section.criteria),
        weight=section.weight,
        auto_failed=bool(failed),
    )


def _reviews(rubric: Rubric, answers: Mapping[str, CriterionAnswer]) -> tuple[str, ...]:
    """Why a person should look: what could not be told, and what was left to a person on purpose."""
    reasons = []
    for criterion in rubric.criteria():
        answer = answers[criterion.id]
        if answer.answer != "undetermined" or criterion.counts == "info":
            continue
        asked = answer.reason == MANUAL
        if not asked or bool(getattr(criterion.check, "required", False)):
            reasons.append(f"{criterion.id}: {answer.reason}")
    return tuple(reasons)


def _outcome(
    rubric: Rubric, raw: float | None, final: float | None, fired: list[_Fired], reviews: tuple[str, ...]
) -> Outcome:
    if any((policy := rubric.auto_fail_of(f.criterion)) and policy.scope == "form" for f in fired):
        return "fail"
    if reviews:
        return "needs_review"
    if raw is None or final is None:
        return "not_scored"
    return "pass" if rubric.pass_mark is None or final >= rubric.pass_mark else "fail"
