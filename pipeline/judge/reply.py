"""Reads what a model wrote and checks it against the call: an answer, or the reason why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from pipeline.conversation import Answer
from pipeline.judge import quotes
from pipeline.judge.standins import Sent
from pipeline.rubric.checks import JudgeCheck
from pipeline.rubric.judging import Judged, Quoted

MAX_QUOTES = 10
MAX_CHARACTERS = 20_000
THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
SPACE = re.compile(r"[^\S ]+| {2,}")


class _Quote(BaseModel):
    turn: int = -1
    words: str = Field(max_length=4000)


class _Reply(BaseModel):
    answer: str = Field(max_length=40)
    quotes: list[_Quote] = Field(default_factory=list, max_length=MAX_QUOTES)
    why: str = Field("", max_length=4000)


def read(content: str, check: JudgeCheck, sent: Sequence[Sent]) -> Judged:
    """The answer in what a model wrote, with its quotes as places in the text as sent.

    An answer counts if all its quotes are found in the call and, except for "na", at least one of them in the
    words of the role that the check asks for.
    """
    reply = next(_replies(content), None)
    if reply is None:
        return undecided("malformed", "the judge did not answer in the form asked for")
    given = reply.answer.strip().casefold()
    if given == "unsure":
        return undecided("unsure", "the judge is not sure", _line(reply.why))
    if given not in ("yes", "no", "na"):
        return undecided("malformed", "the judge gave an answer that is none of yes, no, na and unsure")
    answer: Answer = given  # type: ignore[assignment]
    quoted: list[Quoted] = []
    for quote in reply.quotes:
        if any(char.isalnum() for char in quote.words):  # not "...", copied from the prompt
            places = quotes.find(quote.words, quote.turn, sent)
            if not places:
                return undecided("invented", "the judge quotes words that nobody said there")
            quoted += places
    role_of = {one.turn.turn: one.turn.role for one in sent}
    of_role = tuple(dict.fromkeys(q for q in quoted if check.role in ("any", role_of[q.turn])))
    if not of_role and answer != "na":
        whose = f"; it quotes others, not the {check.role}" if quoted else ""
        return undecided("unquoted", f"the judge says {answer} and quotes nothing that shows it{whose}")
    return Judged(answer, "answered", why=_line(reply.why), quotes=of_role)


def undecided(result: Any, reason: str, why: str = "") -> Judged:
    """No answer, for a reason."""
    return Judged("undetermined", result, reason, why)


def _replies(content: str) -> Iterator[_Reply]:
    """The JSON objects of the right form in a text, whatever is around them."""
    text = THOUGHT.sub("", content[:MAX_CHARACTERS])
    decoder = json.JSONDecoder()
    for at in (m.start() for m in re.finditer(r"\{", text)):
        try:
            body, _ = decoder.raw_decode(text, at)
            yield _Reply.model_validate(body)
        except (ValueError, ValidationError, RecursionError):
            continue


def _line(why: str) -> str:
    """A sentence of the model as one line of printable characters."""
    return SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in why)).strip()
