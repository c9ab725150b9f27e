"""A call while it is scored: everything that checks may look at, and the questions they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Evidence, Finding, Role
from pipeline.rubric.checks import FindingCheck, JudgeCheck, SearchCheck, WordCheck
from pipeline.rubric.judging import Judge, Judged, Question
from pipeline.rubric.model import Rubric
from pipeline.rubric.queries import Matcher, Query, queries
from pipeline.rubric.references import evaluation_order, needs
from pipeline.score.timeline import Timeline

QuestionKey = tuple[str, JudgeCheck, int, int]
"""Identifies a question: criterion id, check, and numbers of the first and the last turn of the window."""


class RubricPlan:
    """What is computed once for a rubric: order of criteria, queries, descriptions."""

    def __init__(self, rubric: Rubric) -> None:
        self.rubric = rubric
        self.order = evaluation_order(rubric)
        self.criteria = {c.id: c for c in rubric.criteria()}
        self.section_of = {c.id: s for s in rubric.sections for c in s.criteria}
        self.needs = {name: needs(self.section_of[name], c) for name, c in self.criteria.items()}
        self._queries: dict[SearchCheck, tuple[Query, ...]] = {}

    def needed(self, names: Iterable[str | None]) -> list[str]:
        """Criteria, and all those on which they depend, in the order in which they can be answered."""
        needed = set(names)
        for name in reversed(self.order):
            if name in needed:
                needed |= self.needs[name]
        return [name for name in self.order if name in needed]

    def queries(self, check: WordCheck | Any) -> tuple[Query, ...]:
        """The queries of a check; they are built only once."""
        if check not in self._queries:
            self._queries[check] = queries(check, self.rubric.company)
        return self._queries[check]

    def what(self, check: SearchCheck) -> str:
        """A description of what a check of words searches for."""
        if isinstance(check, FindingCheck):
            return f"finding {check.finding}" + (f" ({', '.join(check.labels)})" if check.labels else "")
        return " and ".join(query.what for query in self.queries(check))


plan_of = lru_cache(maxsize=32)(RubricPlan)
"""The plan of a rubric, which is made once."""


@dataclass
class Call:
    """What the checks see of one call.

    Attributes:
        min_confidence: Word confidence below which nothing is decided.
        answers: The answers so far, by criterion id, for conditions and windows.
        judge: Asks a language model; None where none is configured.
        criterion_id: The criterion that is being answered.
        open_questions: Questions that the judge has not been asked yet.
        is_waiting: Whether the criterion that is being answered has an open question.
        has_words: Whether anybody says anything.
    """

    conversation: Conversation
    metadata: CallMetadata
    matcher: Matcher
    min_confidence: float
    plan: RubricPlan
    answers: dict[str, CriterionAnswer]
    judge: Judge | None = None
    criterion_id: str = ""
    open_questions: dict[QuestionKey, Question] = field(default_factory=dict)
    is_waiting: bool = False
    _judged: dict[QuestionKey, Judged] = field(default_factory=dict)

    def __post_init__(self) -> None:
        transcript = self.conversation.transcript
        self.timeline = Timeline(transcript, self.plan.rubric.spoken)
        self.turns = {turn.turn: turn for turn in transcript.turns}
        self.has_words = any(turn.text.strip() for turn in transcript.turns)

    def judged(self, check: JudgeCheck, question: Question) -> Judged | None:
        """The judge's answer to a question; None if it is not known, and the question becomes an open one."""
        key = self.criterion_id, check, question.turns[0].turn, question.turns[-1].turn
        if key not in self._judged:
            self.open_questions[key] = question
            self.is_waiting = True
        return self._judged.get(key)

    def receive(self, answers: Mapping[QuestionKey, Judged]) -> None:
        """Store the answers to all open questions."""
        self._judged.update(answers)
        self.open_questions.clear()

    def whereabouts(self, finding: Finding) -> tuple[Role, float]:
        """The role that a finding belongs to, and its place on the timeline."""
        role: Role = self.turns[finding.turn].role if finding.turn in self.turns else "unknown"
        return role, self.place_of(finding)

    def place_of(self, heard: Evidence | Finding) -> float:
        """The place on the timeline of something heard; the start of the call where that is not known."""
        if not self.timeline.timed:
            return float(heard.turn or 0)
        start_s = heard.start_s
        if start_s is None and heard.turn in self.turns:
            start_s = self.turns[heard.turn].start_s
        return self.timeline.first if start_s is None else float(start_s)

    def fact(self, name: str) -> object:
        """The value of a metadata field, or of another column (``extra.<column>``); None when unknown."""
        if name.startswith("extra."):
            return self.metadata.extra.get(name.removeprefix("extra."))
        value = getattr(self.metadata, name)
        if name == "language":
            return value or self.conversation.transcript.language
        return None if value == "unknown" else value
