"""The question that a check puts to a language model (the judge), and the answer.

This is the interface between ``score``, which knows windows, roles and confidence but no model, and
``judge``, which knows models and endpoints but no call.
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
"""``unsure``: the model says so; ``unquoted``: no quote supports the answer; ``invented``: it quotes words
that nobody said; ``differs``: asked again it answers otherwise; ``malformed``: not in the required form."""
NOT_ASKED: frozenset[Result] = frozenset({"away", "budget"})
"""Results where the model gave no answer; the next run asks again."""


@dataclass(frozen=True, slots=True)
class Question:
    """One check of one call, to be put to the language model.

    Attributes:
        check: What is asked, and whose words may be quoted.
        turns: The turns of the window, redacted.
        people: Names of people as written in the metadata; neither they nor parts of them may be sent.
        references: Numbers and ids of people, which may not be sent.
        companies: Names of companies, which may not be sent.
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
    """A quote: characters ``start`` to ``end`` of the text of the turn with the number ``turn``."""

    turn: int
    start: int
    end: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer to a question.

    Attributes:
        result: How the answer came about.
        reason: ``result`` as a sentence, without words of the call; "" for an answer that counts.
        why: The model's own sentence, which may repeat words of the call.
        quotes: The words that support the answer, as found in the transcript.
    """

    answer: Answer
    result: Result
    reason: str = ""
    why: str = ""
    quotes: tuple[Quoted, ...] = ()


class Judge(Protocol):
    """Answers questions; ``pipeline.judge`` implements it."""

    @property
    def fingerprint(self) -> str:
        """Changes when answers could change."""

    @property
    def model(self) -> str:
        """The model's name."""

    def ask(self, questions: Sequence[Question]) -> list[Judged]:
        """Answer each question, in order; faults of the endpoint are results, not exceptions."""

    def standing(self, rubric_id: str, criterion_id: str) -> str:
        """Why answers to a criterion are only suggestions so far; "" if they count."""

    def spent(self, call_id: str) -> tuple[StageRun, ...]:
        """What the questions of a call cost, a row for each criterion; returned only once."""
