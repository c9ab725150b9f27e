"""Whether a language model's answers to a criterion may be scored: how often people agree with them.

What people said stays when the model changes; what the model says is taken from the newest scorecards, and
only from those that the model of the settings has answered. So a new model has to earn its trust on the
calls people know, after a re-score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.calibrate.pairs import last_words, questions
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
        agreed: Answers of the model that people gave too.
        n: Answers that both gave.
        wanted: Agreement from which its answers are scored (``judge.trust``).
    """

    rubric: str
    criterion: str
    agreed: int
    n: int
    wanted: float

    @property
    def at_least(self) -> float:
        """Agreement that can be relied on, 95 % sure (Clopper and Pearson 1934)."""
        return 1 - clopper_pearson_above(self.n - self.agreed, self.n, confidence=SURE) if self.n else 0.0

    @property
    def scored(self) -> bool:
        """Whether its answers are scored."""
        return self.at_least >= self.wanted

    @property
    def told(self) -> str:
        """The figures in a sentence."""
        sure = "nobody has confirmed any of its answers yet"
        if self.n:
            figures = f"people agree with {self.agreed} of {self.n} of its answers"
            sure = f"{figures}, at least {self.at_least:.0%} (95 % sure)"
        if self.scored:
            return f"{sure}: it is scored, from {self.wanted:.0%}"
        if self.agreed == self.n and self.wanted < 1:
            more = math.ceil(math.log(1 - SURE) / math.log(self.wanted)) - self.n
            return f"{sure}, {self.wanted:.0%} is wanted (judge.trust): {more} more in agreement would do"
        return f"{sure}, {self.wanted:.0%} is wanted (judge.trust)"


def trust(store: Store, rubrics: Sequence[Rubric], settings: JudgeSettings, answers_of: str) -> list[Trust]:
    """The standing of every criterion that asks a language model, in the order of the forms.

    Args:
        store: Open for reading.
        rubrics: Whose criteria.
        settings: With what is wanted.
        answers_of: Fingerprint of the judge.
    """
    last = last_words(store.reviews())
    found = []
    for rubric in rubrics:
        judged = rubric.judged()
        asked = {q.criterion: q.pairs for q in questions(store, last, rubric.id)} if judged and last else {}
        calls = list({pair.review.call_id for name in judged for pair in asked.get(name, ())})
        rows = store.query(ANSWERED_SQL, [rubric.id, f"+{answers_of}", list(judged), calls]) if calls else []
        said = {(row["call_id"], row["criterion_id"]): row["answer"] for row in rows}
        for name in judged:
            pairs = [
                (said[pair.review.call_id, name], pair.review.human_answer)
                for pair in asked.get(name, ())
                if (pair.review.call_id, name) in said and pair.review.human_answer in ("yes", "no", "na")
            ]
            agreed = sum(machine == human for machine, human in pairs)
            found.append(Trust(rubric.id, name, agreed, len(pairs), settings.trust))
    return found
