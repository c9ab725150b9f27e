"""What people's answers do to the score: the same arithmetic, the human's answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from pipeline.conversation import Answer, CriterionAnswer, Review, Scorecard
from pipeline.errors import RubricError
from pipeline.rubric import Rubric, parse
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
    said: dict[tuple[str, str], dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for review in reviews:
        if review.criterion_id and review.human_answer:
            said[review.rubric_hash, review.call_id][review.reviewer][review.criterion_id] = (
                review.human_answer
            )
    found = []
    for rubric_hash, rubric in _rubrics(store, {key for key, _ in said}).items():
        calls = tuple(call_id for key, call_id in said if key == rubric_hash)
        for card in store.scorecards(CallFilter(rubric=rubric_hash, call_ids=calls)):
            for reviewer, answers in said[rubric_hash, card.call_id].items():
                found.append(_deviation(card, rubric, reviewer, answers))
    return sorted(found, key=lambda d: -abs(d.deviation or 0.0))


def _rubrics(store: Store, hashes: set[str]) -> dict[str, Rubric]:
    rows = store.query(
        "SELECT rubric_hash, source FROM rubrics "
        "WHERE source IS NOT NULL AND rubric_hash IN (SELECT unnest(?::VARCHAR[]))",
        [list(hashes)],
    )
    rubrics = {}
    for row in rows:
        try:
            rubrics[row["rubric_hash"]] = parse(row["source"])
        except RubricError:  # written by another version
            continue
    return rubrics


def _deviation(card: Scorecard, rubric: Rubric, reviewer: str, said: Mapping[str, str]) -> ScoreDeviation:
    machine = {answer.id: answer for section in card.sections for answer in section.criteria}
    human = {name: _overridden(answer, said.get(name)) for name, answer in machine.items()}
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


def _overridden(answer: CriterionAnswer, said: str | None) -> CriterionAnswer:
    if said is None or said == answer.answer:
        return answer
    points = {"yes": answer.max_points, "no": 0.0}.get(said)
    return replace(answer, answer=cast(Answer, said), points=points, evidence=(), nearest=None)
