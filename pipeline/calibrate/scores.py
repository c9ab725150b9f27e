"""Score reviewed calls again with people's answers, by the rubric's own arithmetic."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pipeline.conversation import Answer, CriterionAnswer, Review, Scorecard
from pipeline.rubric import Criterion, Rubric
from pipeline.score import scorecard
from pipeline.store import CallFilter, Store


@dataclass(frozen=True, slots=True)
class ScoreDeviation:
    """One call's score with one person's answers, beside the machine's; None where nothing is scored."""

    call_id: str
    rubric: str
    reviewer: str
    machine_score: float | None
    human_score: float | None
    machine_outcome: str
    human_outcome: str

    @property
    def deviation(self) -> float | None:
        """The person's score minus the machine's, in points."""
        if self.machine_score is None or self.human_score is None:
            return None
        return self.human_score - self.machine_score


def deviations(store: Store, reviews: Sequence[Review]) -> list[ScoreDeviation]:
    """Score every reviewed scorecard again, once per reviewer; largest difference first.

    A reviewer's answers replace the machine's; where the reviewer gave none, the machine's answer stays.
    Scorecards whose rubric text is not in the store are left out.
    """
    corrections: dict[tuple[str, str], dict[str, dict[str, Review]]] = defaultdict(lambda: defaultdict(dict))
    for review in reviews:
        by_reviewer = corrections[review.rubric_hash, review.call_id]
        by_reviewer[review.reviewer][review.criterion_id or ""] = review
    rows = []
    for rubric_hash, rubric in store.rubrics({key for key, _ in corrections}).items():
        calls = tuple(call_id for key, call_id in corrections if key == rubric_hash)
        for card in store.scorecards(CallFilter(rubric=rubric_hash, call_ids=calls)):
            for reviewer, answers in corrections[rubric_hash, card.call_id].items():
                rows.append(_deviation(card, rubric, reviewer, answers))
    return sorted(rows, key=lambda row: -abs(row.deviation or 0.0))


def _deviation(
    card: Scorecard, rubric: Rubric, reviewer: str, reviews: Mapping[str, Review]
) -> ScoreDeviation:
    machine = {answer.id: answer for answer in card.answers}
    human = {c.id: _corrected(machine[c.id], c, rubric, reviews.get(c.id)) for c in rubric.criteria()}
    corrected = scorecard(card.call_id, rubric, human)
    return ScoreDeviation(
        card.call_id,
        card.rubric.id,
        reviewer,
        card.final_score,
        corrected.final_score,
        card.outcome,
        corrected.outcome,
    )


def _corrected(
    machine: CriterionAnswer, criterion: Criterion, rubric: Rubric, review: Review | None
) -> CriterionAnswer:
    """The person's answer and its points, where it differs from the machine's; else the machine's."""
    if review is None or review.said == review.machine_said:
        return machine
    answer = cast(Answer, review.human_answer)
    points: float | None = None
    if answer in {"yes", "no"}:
        points = criterion.earned(criterion.grades().get(review.said or "", 1.0 if answer == "yes" else 0.0))
    elif rubric.not_applicable == "as_pass":
        points = criterion.points
    if not machine.scored and machine.awaits != "people":
        points = None  # not a scored criterion; an answer that awaited people counts once a person gives it
    return replace(machine, answer=answer, points=points, evidence=(), nearest=None)
