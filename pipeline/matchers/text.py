"""Text as matchers compare it: words in lower case with the place each came from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:['’`-][^\W_]+)*", re.UNICODE)
TOKEN = re.compile(r"\S+")
FILLERS = frozenset(["uh", "um", "uhm", "er", "erm", "ah", "hmm", "mm", "mhm", "eh"])
SPOKEN = {
    "cannot": "can not", "can't": "can not", "won't": "will not", "shan't": "shall not", "gonna": "going to",
    "wanna": "want to", "gotta": "got to", "i'm": "i am", "let's": "let us", "ain't": "is not",
}  # fmt: skip
ENDINGS = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}


@dataclass(frozen=True, slots=True)
class Words:
    """Normalised words of a text; ``starts`` and ``ends`` are their character offsets in it."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def joined(self) -> str:
        """The words with single spaces between."""
        return " ".join(self.words)


@lru_cache(maxsize=16_384)
def words(text: str) -> Words:
    """Lower case, compatibility forms unified, punctuation and fillers gone, contractions written out."""
    kept: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for found in WORD.finditer(text):
        for word in _counted(found.group()).split():
            kept.append(word)
            starts.append(found.start())
            ends.append(found.end())
    return Words(tuple(kept), tuple(starts), tuple(ends))


def joined(text: str) -> str:
    """``words(text).joined`` at a fifth of the cost: most texts are never looked at more closely."""
    return " ".join(filter(None, map(_tokens.__getitem__, text.split())))


def place(text: str, first: int, last: int) -> tuple[int, int]:
    """Where the normalised words from the first to the last begin and end in a text, as ``words`` has it."""
    begin, count = 0, 0
    for token in TOKEN.finditer(text):
        more = count + len(_tokens[token.group()].split())
        if count <= first < more:
            begin = token.start() + words(token.group()).starts[first - count]
        if last < more:
            return begin, token.start() + words(token.group()).ends[last - count]
        count = more
    raise IndexError(last)


class Remembered(dict[str, str]):
    """What a function makes of a word: asked a million times, so looked up without a call."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, word: str) -> str:
        if len(self) >= 65_536:
            self.clear()
        made = self[word] = self._make(word)
        return made


def _counted_in(token: str) -> str:
    """The normalised words between two spaces."""
    if token.isascii() and token.isalnum():  # what follows would do the same
        word = token.lower()
        return SPOKEN.get(word, "" if word in FILLERS else word)
    return " ".join(filter(None, map(_counted, WORD.findall(token))))


_tokens = Remembered(_counted_in)


@lru_cache(maxsize=65_536)
def _counted(word: str) -> str:
    """One word normalised, without what is only a filler."""
    return " ".join(part for part in spelled(word).split() if part not in FILLERS)


def spelled(word: str) -> str:
    """One word normalised; a contraction becomes two."""
    word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'").replace("`", "'")
    if word in SPOKEN:
        return SPOKEN[word]
    for ending, full in ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return f"{word.removesuffix(ending)} {full}"
    return word.removesuffix("'s").replace("'", "").replace("-", " ") if "'" in word or "-" in word else word
