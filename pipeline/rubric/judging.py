"""What a check asks of a language model, and what comes back.

The seam between ``score`` (which knows windows, roles and confidence, and no model) and ``judge`` (which
knows models and endpoints, and no call).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pipeline.conversation import Answer, StageRun, Turn
from pipeline.rubric.checks import JudgeCheck

Result = Literal[
    "answered", "unsure", "unquoted", "invented", "differs", "malformed", "too_long", "away", "budget"
]
"""``unsure``: the model says so; ``unquoted``: no words that show it; ``invented``: words nobody said;
``differs``: asked again it answers otherwise; ``malformed``: not in the form asked for."""
NOT_ASKED: frozenset[Result] = frozenset({"away", "budget"})
"""It could not be asked: the next run tries again."""


@dataclass(frozen=True, slots=True)
class Question:
    """One check of one call.

    Attributes:
        call_id: Of the call.
        rubric_id: Of the rubric.
        criterion_id: Whose check it is.
        check: What is asked, and whose words may be quoted.
        turns: The turns of the window, redacted.
        people: Names that must not be sent, as written in the metadata, nor any part of them.
        references: Numbers and ids of people.
        companies: Names of firms.
    """

    call_id: str
    rubric_id: str
    criterion_id: str
    check: JudgeCheck
    turns: tuple[Turn, ...]
    people: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    companies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quoted:
    """Words of one turn (``turn`` is its number): characters ``start`` to ``end`` of its text."""

    turn: int
    start: int
    end: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """What a question came to.

    Attributes:
        answer: yes, no, na or undetermined.
        result: Why it is what it is.
        reason: The same in a sentence, without a word of the call; "" for an answer that counts.
        why: The model's own sentence; may repeat what was said.
        quotes: What the answer rests on, found in the transcript.
    """

    answer: Answer
    result: Result
    reason: str = ""
    why: str = ""
    quotes: tuple[Quoted, ...] = ()


class Judge(Protocol):
    """Answers questions; ``pipeline.judge`` has the real one."""

    @property
    def fingerprint(self) -> str:
        """Changes when an answer could."""

    @property
    def model(self) -> str:
        """The model's name."""

    def ask(self, questions: Sequence[Question]) -> list[Judged]:
        """One answer a question, in order; whatever happens at the endpoint."""

    def standing(self, rubric_id: str, criterion_id: str) -> str:
        """Why answers to a criterion are only suggestions so far, or "" where they count."""

    def spent(self, call_id: str) -> tuple[StageRun, ...]:
        """What the questions of a call cost, a row a criterion; told once."""
