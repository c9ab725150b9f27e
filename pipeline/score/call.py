"""One call on its way through a rubric: everything a check may look at, and nothing it may change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Evidence, Finding, Role, Turn
from pipeline.rubric.checks import FindingCheck, Heard, JudgeCheck, PhraseCheck, RegexCheck, TokenCheck
from pipeline.rubric.judging import Judge, Judged, Question
from pipeline.rubric.model import Rubric
from pipeline.rubric.queries import Matcher, Query, queries
from pipeline.rubric.references import evaluation_order, needs
from pipeline.score.timeline import Timeline

Asked = tuple[str, JudgeCheck, int, int]
"""A criterion, the check of it, and the first and the last turn it is asked of."""


class RubricPlan:
    """What is the same for every call under one rubric: order, queries, descriptions."""

    def __init__(self, rubric: Rubric) -> None:
        self.rubric = rubric
        self.order = evaluation_order(rubric)
        self.criteria = {c.id: c for c in rubric.criteria()}
        self.section_of = {c.id: s for s in rubric.sections for c in s.criteria}
        self.needs = {
            name: needs(self.section_of[name], c) & self.criteria.keys() for name, c in self.criteria.items()
        }
        self._queries: dict[Heard, tuple[Query, ...]] = {}

    def spoken(self, known: Collection[str]) -> list[Any]:
        """The checks that search words, of every criterion not known."""
        return [
            part
            for criterion in self.criteria.values()
            if criterion.id not in known
            for part in criterion.checks()
            if isinstance(part, PhraseCheck | RegexCheck | TokenCheck)
        ]

    def queries(self, check: PhraseCheck | RegexCheck | TokenCheck | Any) -> tuple[Query, ...]:
        """The queries of a check, built once."""
        if check not in self._queries:
            self._queries[check] = queries(check, self.rubric.company)
        return self._queries[check]

    def what(self, check: Heard) -> str:
        """A check of words in words."""
        if isinstance(check, FindingCheck):
            return f"finding {check.finding}" + (f" ({', '.join(check.labels)})" if check.labels else "")
        return " and ".join(query.what for query in self.queries(check))


@lru_cache(maxsize=32)
def plan_of(rubric: Rubric) -> RubricPlan:
    """The plan of a rubric, built once for all calls."""
    return RubricPlan(rubric)


class Call:
    """What the checks see of one call.

    Attributes:
        conversation: Turns, findings, metrics, sentiment.
        metadata: What the telephone system knows.
        matcher: Finds phrases; handed in.
        min_confidence: Word confidence below which nothing is decided.
        plan: The rubric, prepared.
        timeline: The turns with ways of looking them up.
        answers: Criteria answered so far, for conditions and windows.
        judge: Answers questions to a language model; None where there is none.
        criterion_id: What is being answered.
        wanted: Questions that wait for an answer, by what ``judged`` is asked under.
        waits: Whether what is being answered waits for one of them.
    """

    def __init__(
        self,
        conversation: Conversation,
        metadata: CallMetadata,
        matcher: Matcher,
        min_confidence: float,
        plan: RubricPlan,
        known: Mapping[str, CriterionAnswer],
        judge: Judge | None = None,
    ) -> None:
        self.conversation = conversation
        self.metadata = metadata
        self.matcher = matcher
        self.min_confidence = min_confidence
        self.plan = plan
        self.timeline = Timeline(conversation.transcript, plan.rubric.spoken)
        self.answers = dict(known)
        self.judge = judge
        self.criterion_id = ""
        self.wanted: dict[Asked, Question] = {}
        self.waits = False
        self._judged: dict[Asked, Judged] = {}
        self._by_turn = {t.turn: t for t in conversation.transcript.turns}

    def turn(self, number: int) -> Turn:
        """A turn by its number."""
        return self._by_turn[number]

    def judged(self, check: JudgeCheck, question: Question) -> Judged | None:
        """What a question came to; None where that is not known yet, and it is noted to be asked."""
        asked = self.criterion_id, check, question.turns[0].turn, question.turns[-1].turn
        if asked not in self._judged:
            self.wanted[asked] = question
            self.waits = True
        return self._judged.get(asked)

    def told(self, answers: Mapping[Asked, Judged]) -> None:
        """Take what was wanted."""
        self._judged.update(answers)
        self.wanted.clear()

    def whereabouts(self, finding: Finding) -> tuple[Role, float]:
        """Whose a finding is, and its place on the timeline."""
        turn = self._by_turn.get(finding.turn) if finding.turn is not None else None
        role: Role = turn.role if turn is not None else "unknown"
        if self.timeline.timed:
            start = finding.start_s if finding.start_s is not None else turn.start_s if turn else None
            return role, float(start) if start is not None else self.timeline.first
        return role, float(finding.turn or 0)

    def place_of(self, evidence: Evidence) -> float:
        """Where a piece of evidence lies on the timeline."""
        if self.timeline.timed:
            return float(evidence.start_s if evidence.start_s is not None else self.timeline.first)
        return float(evidence.turn or 0)

    def field(self, name: str) -> object:
        """A metadata field of a condition; ``extra.`` reaches the other columns."""
        if name.startswith("extra."):
            extra: Mapping[str, str] = self.metadata.extra
            return extra.get(name.removeprefix("extra."))
        value = getattr(self.metadata, name)
        if name == "language":
            return value or self.conversation.transcript.language
        return None if value == "unknown" else value
