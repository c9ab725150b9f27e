"""Decide whether a language model's answers to a criterion are scored, by how often people agree with them.

People's answers stay valid when the model changes. The model's answers are taken from the newest scorecards,
and only from those answered by the model in the settings. So a new model is trusted only after the calls
that people reviewed have been re-scored with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.calibrate.pairs import newest_answers, questions
from pipeline.confidence_intervals import clopper_pearson_above
from pipeline.rubric import Rubric
from pipeline.settings import JudgeSettings
from pipeline.store import Store

SURE = 0.95
ANSWERED_SQL = """
SELECT a.call_id, a.criterion_id, a.answer FROM answers AS a JOIN scorecards AS s USING (call_id, rubric_hash)
WHERE s.is_latest AND s.rubric_id = ? AND ends_with(s.scorer, ?) AND a.answer IN ('yes', 'no', 'na')
  AND a.criterion_id IN (SELECT unnest(?::VARCHAR[])) AND a.call_id IN (SELECT unnest(?::VARCHAR[]))"""


@dataclass(frozen=True, slots=True)
class Trust:
    """How far people agree with a model on one criterion.

    Attributes:
        agreed: How many of the ``n`` answers are the same.
        n: Answers given by both the model and a person.
        wanted: Agreement needed before the model's answers are scored, 0..1 (``judge.trust``).
    """

    rubric: str
    criterion: str
    agreed: int
    n: int
    wanted: float

    @property
    def at_least(self) -> float:
        """Lower limit of the agreement, 0..1, 95 % sure (Clopper and Pearson 1934)."""
        return 1 - clopper_pearson_above(self.n - self.agreed, self.n, confidence=SURE) if self.n else 0.0

    @property
    def scored(self) -> bool:
        """Whether the model's answers to the criterion are scored."""
        return self.at_least >= self.wanted

    @property
    def summary(self) -> str:
        """The figures in a sentence."""
        known = "nobody has confirmed any of its answers yet"
        if self.n:
            figures = f"people agree with {self.agreed} of {self.n} of its answers"
            known = f"{figures}, at least {math.floor(100 * self.at_least)}% (95 % sure)"
        if self.scored:
            return f"{known}: it is scored, from {self.wanted:.0%}"
        if self.agreed == self.n and self.wanted < 1:  # where all n agree, wanted**n <= 5 % is enough
            more = math.ceil(math.log(1 - SURE) / math.log(self.wanted)) - self.n
            return f"{known}, {self.wanted:.0%} is wanted (judge.trust): {more} more in agreement would do"
        return f"{known}, {self.wanted:.0%} is wanted (judge.trust)"


def trust(store: Store, rubrics: Sequence[Rubric], settings: JudgeSettings, fingerprint: str) -> list[Trust]:
    """How far people agree with the model on every criterion that asks it, in the rubrics' order.

    ``fingerprint`` is the judge's; scorecards answered by another one do not count.
    """
    reviews = newest_answers(store.reviews())
    rows = []
    for rubric in rubrics:
        judged = rubric.judged()
        asked = questions(store, reviews, rubric.id) if judged and reviews else []
        pairs = {question.criterion: question.pairs for question in asked}
        calls = list({pair.review.call_id for name in judged for pair in pairs.get(name, ())})
        values = [rubric.id, f"+{fingerprint}", list(judged), calls]
        answered = store.query(ANSWERED_SQL, values) if calls else []
        machine = {(row["call_id"], row["criterion_id"]): row["answer"] for row in answered}
        for name in judged:
            both = [
                (machine[pair.review.call_id, name], pair.review.human_answer)
                for pair in pairs.get(name, ())
                if (pair.review.call_id, name) in machine and pair.review.human_answer in ("yes", "no", "na")
            ]
            agreed = sum(answer == human for answer, human in both)
            rows.append(Trust(rubric.id, name, agreed, len(both), settings.trust))
    return rows
