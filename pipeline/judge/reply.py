"""What a model wrote, read and checked against the call: an answer, or why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
    model_config = ConfigDict(extra="ignore")
    turn: int = -1
    words: str = Field(max_length=4000)


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore")
    answer: str = Field(max_length=40)
    quotes: list[_Quote] = Field(default_factory=list, max_length=MAX_QUOTES)
    why: str = Field("", max_length=4000)


def read(content: str, check: JudgeCheck, sent: Sequence[Sent]) -> Judged:
    """The answer in what a model wrote; quotes are places in the text as sent.

    An answer counts when every quote it gives stands in the call, and one of them in the words of the role
    that was asked for; "na" may do without.
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
    found: list[Quoted] = []
    for quote in reply.quotes:
        if any(char.isalnum() for char in quote.words):  # "..." copied from the form is no quote
            places = quotes.find(quote.words, quote.turn, sent)
            if not places:
                return undecided("invented", "the judge quotes words that nobody said there")
            found += places
    role_of = {one.turn.turn: one.turn.role for one in sent}
    own = tuple(dict.fromkeys(q for q in found if check.role in ("any", role_of[q.turn])))
    if not own and answer != "na":
        whose = f"; it quotes others, not the {check.role}" if found else ""
        return undecided("unquoted", f"the judge says {answer} and quotes nothing that shows it{whose}")
    return Judged(answer, "answered", why=_line(reply.why), quotes=own)


def undecided(result: Any, reason: str, why: str = "") -> Judged:
    """No answer, and why."""
    return Judged("undetermined", result, reason, why)


def _replies(content: str) -> Iterator[_Reply]:
    """Objects of the right form in a text, whatever stands around them."""
    text = THOUGHT.sub("", content[:MAX_CHARACTERS])
    decoder = json.JSONDecoder()
    for at in (m.start() for m in re.finditer(r"\{", text)):
        try:
            body, _ = decoder.raw_decode(text, at)
            yield _Reply.model_validate(body)
        except (ValueError, ValidationError, RecursionError):
            continue


def _line(why: str) -> str:
    """A model's sentence as one line of printable characters."""
    return SPACE.sub(" ", "".join(c if c.isprintable() else " " for c in why)).strip()
