"""What people's answers do to the score: the same arithmetic, the human's answers."""

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
    """One call's score under one person's answers, beside the machine's; None where nothing is scored."""

    call_id: str
    rubric: str
    reviewer: str
    machine_score: float | None
    human_score: float | None
    machine_outcome: str
    human_outcome: str

    @property
    def deviation(self) -> float | None:
        """Human less machine, in points."""
        if self.machine_score is None or self.human_score is None:
            return None
        return self.human_score - self.machine_score


def deviations(store: Store, reviews: Sequence[Review]) -> list[ScoreDeviation]:
    """Every reviewed scorecard scored again with each reviewer's answers in place of the machine's.

    Answers a reviewer left alone stay the machine's, so this is what the call would have scored had
    the corrections been made; scorecards whose rubric text the store does not have are left out.
    """
    said: dict[tuple[str, str], dict[str, dict[str, Review]]] = defaultdict(lambda: defaultdict(dict))
    for review in reviews:
        if review.criterion_id and review.human_answer:
            said[review.rubric_hash, review.call_id][review.reviewer][review.criterion_id] = review
    found = []
    for rubric_hash, rubric in store.rubrics({key for key, _ in said}).items():
        calls = tuple(call_id for key, call_id in said if key == rubric_hash)
        for card in store.scorecards(CallFilter(rubric=rubric_hash, call_ids=calls)):
            for reviewer, answers in said[rubric_hash, card.call_id].items():
                found.append(_deviation(card, rubric, reviewer, answers))
    return sorted(found, key=lambda d: -abs(d.deviation or 0.0))


def _deviation(card: Scorecard, rubric: Rubric, reviewer: str, said: Mapping[str, Review]) -> ScoreDeviation:
    machine = {answer.id: answer for answer in card.answers}
    human = {
        asked.id: _overridden(machine[asked.id], asked, rubric, said.get(asked.id))
        for asked in rubric.criteria()
    }
    again = scorecard(card.call_id, rubric, human)
    return ScoreDeviation(
        card.call_id,
        card.rubric.id,
        reviewer,
        card.final_score,
        again.final_score,
        card.outcome,
        again.outcome,
    )


def _overridden(
    answer: CriterionAnswer, asked: Criterion, rubric: Rubric, review: Review | None
) -> CriterionAnswer:
    """The person's answer with the points it earns, where it differs from the machine's."""
    if review is None or review.said == review.machine_said:
        return answer
    said = cast(Answer, review.human_answer)
    points: float | None = None
    if said in {"yes", "no"}:
        points = asked.earned(asked.grades().get(review.said or "", 1.0 if said == "yes" else 0.0))
    elif rubric.not_applicable == "as_pass":
        points = asked.points
    points = (
        points if answer.scored or answer.awaits == "people" else None
    )  # a person's answer counts at once
    return replace(answer, answer=said, points=points, evidence=(), nearest=None)
