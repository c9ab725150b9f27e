"""Finding what a model quotes in what was said: word for word, else nearly so.

Nearly means: of four words or more, letters alike to 90 of 100 (rapidfuzz's partial ratio), and the same
denials and numbers, since "I did not cancel it" is as near to "I did cancel it" as a slip of the pen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from rapidfuzz import fuzz

from pipeline.judge.standins import Sent
from pipeline.rubric.judging import Quoted
from pipeline.text.words import UNSPACED_TOO, tokens

NEARLY = 90.0
"""Likeness of letters, 0 to 100, from which a quote is taken for what stands in the transcript."""
NEARLY_WORDS = 4
ANYWHERE_WORDS = 3
"""A shorter quote counts only in the turn it names: "thank you" stands in every call."""
DENIED_WITHIN = 2
"""Words before a quote in which a denial of it may stand."""
DENIALS = frozenset([
    "no", "not", "never", "none", "nothing", "nobody", "neither", "nor", "without", "cannot",
    "cant", "wont", "dont", "didnt", "doesnt", "isnt", "arent", "wasnt", "werent", "havent",
    "hasnt", "hadnt", "couldnt", "wouldnt", "shouldnt", "aint", "unable", "nahi", "nahin", "nein",
    "nicht", "kein", "keine", "nunca", "jamais", "pas", "ne", "non", "نہیں", "مت", "नहीं",
])  # fmt: skip
SPEAKER = re.compile(r"^\s*(?:\[\d+\]\s*)?(?:(?:AGENT|CUSTOMER|SYSTEM|SPEAKER)\s*:)?\s*")
ELLIPSIS = re.compile(r"\.{3,}|…|\[\.\.\.\]")


@dataclass(frozen=True, slots=True)
class _Token:
    word: str
    at: int  # of the turn, in the run
    start: int
    end: int


def find(words: str, turn: int, sent: Sequence[Sent]) -> tuple[Quoted, ...]:
    """Where quoted words stand; characters are of the text as sent. Empty: nowhere.

    Args:
        words: As the model quotes them; parts left out ("…") are looked for one by one.
        turn: Number of the turn the model names; looked in first.
        sent: All turns the model was shown.
    """
    parts = [[token.word for token in _tokens(part, 0)] for part in ELLIPSIS.split(SPEAKER.sub("", words))]
    # Turns of one speaker after another are one run: recognisers cut sentences in two.
    runs = [list(run) for _, run in groupby(sent, key=lambda one: one.turn.role)]
    runs.sort(key=lambda run: all(one.turn.turn != turn for one in run))
    found: list[Quoted] = []
    for part in filter(None, parts):
        places = next((p for run in runs if (p := _in_run(part, turn, run))), ())
        if not places:
            return ()
        found += places
    return tuple(dict.fromkeys(found))


def _in_run(part: list[str], turn: int, run: Sequence[Sent]) -> tuple[Quoted, ...]:
    said = [token for at, one in enumerate(run) for token in _tokens(one.text, at)]
    if len(part) < ANYWHERE_WORDS:
        said = [token for token in said if run[token.at].turn.turn == turn]
    for start in range(len(said) - len(part) + 1):
        if all(said[start + i].word == word for i, word in enumerate(part)):
            return _places(_with_denial(said, start, start + len(part)), run, exact=True)
    return _nearly(part, said, run)


def _with_denial(said: Sequence[_Token], start: int, end: int) -> Sequence[_Token]:
    """A quote from its denial on: who quotes "cancel it" of "I did not cancel it" shows the rest too."""
    before = range(max(0, start - DENIED_WITHIN), start)
    return said[next((at for at in before if said[at].word in DENIALS), start) : end]


def _nearly(part: list[str], said: Sequence[_Token], run: Sequence[Sent]) -> tuple[Quoted, ...]:
    if len(part) < NEARLY_WORDS or not said:
        return ()
    starts, at = [], 0
    for token in said:
        starts.append(at)
        at += len(token.word)
    text, quote = "".join(token.word for token in said), "".join(part)
    if len(quote) > 1.1 * len(text):
        return ()
    near = fuzz.partial_ratio_alignment(quote, text, score_cutoff=NEARLY)
    if near is None:
        return ()
    stretch = [
        token
        for token, start in zip(said, starts, strict=True)
        if start + len(token.word) > near.dest_start and start < near.dest_end
    ]
    heard = [token.word for token in stretch]
    missing, first = max(0, len(part) - len(stretch)), said.index(stretch[0])
    around = said[max(0, first - missing - 1) : first + len(stretch) + missing]  # a denial may be left out
    if (
        _turning([token.word for token in around]) != _turning(part)
        or fuzz.ratio(quote, "".join(heard)) < NEARLY
    ):
        return ()
    return _places(stretch, run, exact=False)


def _turning(words: Sequence[str]) -> list[str]:
    """Words that change everything: denials, and whatever has a digit."""
    return sorted(w for w in words if w in DENIALS or any(c.isdigit() for c in w))


def _places(tokens: Sequence[_Token], run: Sequence[Sent], *, exact: bool) -> tuple[Quoted, ...]:
    return tuple(
        Quoted(run[at].turn.turn, same[0].start, same[-1].end, exact)
        for at, group in groupby(tokens, key=lambda token: token.at)
        if (same := list(group))
    )


def _tokens(text: str, at: int) -> list[_Token]:
    return [
        _Token(token.text.casefold().replace("'", ""), at, token.start, token.end)
        for token in tokens(text, UNSPACED_TOO)
    ]
