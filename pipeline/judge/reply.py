"""Reads what a model wrote and checks it against the call: an answer, or the reason why there is none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from rapidfuzz import fuzz

from pipeline.conversation import Answer
from pipeline.judge.standins import Sent
from pipeline.rubric.checks import JudgeCheck
from pipeline.rubric.judging import Judged, Quoted
from pipeline.text.words import UNSPACED_TOO, tokens, word_set

MAX_QUOTES = 10
MAX_CHARACTERS = 20_000
THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
SPACE = re.compile(r"[^\S ]+| {2,}")
NEARLY = 90.0
"""Least similarity of letters, 0 to 100, of a quote that is nearly found."""
NEARLY_WORDS = 4
"""Least number of words of a quote that is looked for in this way."""
ANYWHERE_WORDS = 3
"""A quote of fewer words must be in the turn it names, since "thank you" is in every call."""
DENIED_WITHIN = 2
"""Number of words before a quote in which a denial belongs to it."""
DENIALS = word_set(
    "no not never none nothing nobody neither nor without cannot cant wont dont didnt doesnt isnt arent "
    "wasnt werent havent hasnt hadnt couldnt wouldnt shouldnt aint unable nahi nahin nein nicht kein keine "
    "nunca jamais pas ne non نہیں مت नहीं"
)
SPEAKER = re.compile(r"^\s*(?:\[\d+\]\s*)?(?:(?:AGENT|CUSTOMER|SYSTEM|SPEAKER)\s*:)?\s*")
ELLIPSIS = re.compile(r"\.{3,}|…|\[\.\.\.\]")


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
            places = find_quote(quote.words, quote.turn, sent)
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


@dataclass(frozen=True, slots=True)
class _PlacedWord:
    """A word as it is compared, and its place: characters of the text of turn number ``at`` of the run."""

    word: str
    at: int
    start: int
    end: int


def find_quote(words: str, turn: int, sent: Sequence[Sent]) -> tuple[Quoted, ...]:
    """The places of a quote, in characters of the text as sent; empty if it is not found.

    The parts between ellipses ("…") are looked for one by one, first in ``turn``, the number that the model
    gives. A part is found word for word or, with ``NEARLY_WORDS`` or more, where letters are alike to
    ``NEARLY`` (rapidfuzz's partial ratio) and denials and numbers are the same: by letters, "I did not cancel
    it" is very close to "I did cancel it".
    """
    parts = [[token.word for token in _tokens(part, 0)] for part in ELLIPSIS.split(SPEAKER.sub("", words))]
    # Consecutive turns of one speaker are one run, because recognisers cut sentences in two.
    runs = [list(run) for _, run in groupby(sent, key=lambda one: one.turn.role)]
    runs.sort(key=lambda run: all(one.turn.turn != turn for one in run))
    quotes: list[Quoted] = []
    for part in filter(None, parts):
        places = next(filter(None, (_in_run(part, turn, run) for run in runs)), ())
        if not places:
            return ()
        quotes += places
    return tuple(dict.fromkeys(quotes))


def _in_run(part: list[str], turn: int, run: Sequence[Sent]) -> tuple[Quoted, ...]:
    """The first place of a part of a quote in a run, word for word or else nearly."""
    said = [token for at, one in enumerate(run) for token in _tokens(one.text, at)]
    if len(part) < ANYWHERE_WORDS:
        said = [token for token in said if run[token.at].turn.turn == turn]
    for start in range(len(said) - len(part) + 1):
        if all(said[start + i].word == word for i, word in enumerate(part)):
            return _places(_with_denial(said, start, start + len(part)), run, exact=True)
    return _nearly(part, said, run)


def _with_denial(said: Sequence[_PlacedWord], start: int, end: int) -> Sequence[_PlacedWord]:
    """Tokens from ``start``, or a denial shortly before, to ``end``: "cancel it" is quoted with its "not"."""
    before = range(max(0, start - DENIED_WITHIN), start)
    return said[next((at for at in before if said[at].word in DENIALS), start) : end]


def _nearly(part: list[str], said: Sequence[_PlacedWord], run: Sequence[Sent]) -> tuple[Quoted, ...]:
    """The place of a part of a quote whose letters are nearly those of the run."""
    if len(part) < NEARLY_WORDS or not said:
        return ()
    starts = accumulate((len(token.word) for token in said), initial=0)
    text, quote = "".join(token.word for token in said), "".join(part)
    if len(quote) > 1.1 * len(text):
        return ()
    near = fuzz.partial_ratio_alignment(quote, text, score_cutoff=NEARLY)
    if near is None:
        return ()
    stretch = [
        token
        for token, start in zip(said, starts, strict=False)
        if start + len(token.word) > near.dest_start and start < near.dest_end
    ]
    heard = "".join(token.word for token in stretch)
    missing, first = max(0, len(part) - len(stretch)), said.index(stretch[0])
    around = said[max(0, first - missing - 1) : first + len(stretch) + missing]  # the quote may omit a denial
    if fuzz.ratio(quote, heard) < NEARLY or _decisive(token.word for token in around) != _decisive(part):
        return ()
    return _places(stretch, run, exact=False)


def _decisive(words: Iterable[str]) -> list[str]:
    """The words that must be the same in both: denials, and words with a digit."""
    return sorted(w for w in words if w in DENIALS or any(c.isdigit() for c in w))


def _places(tokens: Sequence[_PlacedWord], run: Sequence[Sent], *, exact: bool) -> tuple[Quoted, ...]:
    """Tokens as places, one per turn."""
    turns = [list(group) for _, group in groupby(tokens, key=lambda token: token.at)]
    return tuple(Quoted(run[t[0].at].turn.turn, t[0].start, t[-1].end, exact) for t in turns)


def _tokens(text: str, at: int) -> list[_PlacedWord]:
    return [
        _PlacedWord(token.text.casefold().replace("'", ""), at, token.start, token.end)
        for token in tokens(text, UNSPACED_TOO)
    ]
