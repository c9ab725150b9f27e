"""Finds a model's quotes in the transcript: word for word or, failing that, nearly so.

A quote of four words or more is nearly found where letters are alike to 90 of 100 (rapidfuzz's partial ratio)
and denials and numbers are the same: by letters, "I did not cancel it" is very close to "I did cancel it".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from rapidfuzz import fuzz

from pipeline.judge.standins import Sent
from pipeline.rubric.judging import Quoted
from pipeline.text.words import UNSPACED_TOO, tokens

NEARLY = 90.0
"""Least similarity of letters, 0 to 100, of a quote that is nearly found."""
NEARLY_WORDS = 4
"""Least number of words of a quote that is looked for in this way."""
ANYWHERE_WORDS = 3
"""A quote of fewer words must be in the turn it names, since "thank you" is in every call."""
DENIED_WITHIN = 2
"""Number of words before a quote in which a denial belongs to it."""
DENIALS = frozenset([
    "no", "not", "never", "none", "nothing", "nobody", "neither", "nor", "without", "cannot",
    "cant", "wont", "dont", "didnt", "doesnt", "isnt", "arent", "wasnt", "werent", "havent",
    "hasnt", "hadnt", "couldnt", "wouldnt", "shouldnt", "aint", "unable", "nahi", "nahin", "nein",
    "nicht", "kein", "keine", "nunca", "jamais", "pas", "ne", "non", "نہیں", "مت", "नहीं",
])  # fmt: skip
SPEAKER = re.compile(r"^\s*(?:\[\d+\]\s*)?(?:(?:AGENT|CUSTOMER|SYSTEM|SPEAKER)\s*:)?\s*")
ELLIPSIS = re.compile(r"\.{3,}|…|\[\.\.\.\]")


@dataclass(frozen=True, slots=True)
class _PlacedWord:
    """A word as it is compared, and its place: characters of the text of turn number ``at`` of the run."""

    word: str
    at: int
    start: int
    end: int


def find(words: str, turn: int, sent: Sequence[Sent]) -> tuple[Quoted, ...]:
    """The places of a quote, in characters of the text as sent; empty if it is not found.

    Args:
        words: The quote. The parts between ellipses ("…") are looked for one by one.
        turn: Number of the turn that the model names, in which the quote is looked for first.
        sent: All turns the model was shown.
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
