"""Cuts speech into words, for every module that reads it.

    spaced        words with the punctuation at them           pieces of long turns, subtitles
    count_words   the number of words                          metrics, weights, lengths of replies
    tokens        words as written, with their places          sentiment, e-mail addresses, numbers, quotes
    unpunctuated  one string of words for regular expressions  who talks like an agent, dialogue acts
    words         normalised words, with their places          matching phrases

``words`` gives speech and phrases the same form: contractions in full, numbers as digits, and without the
fillers ("um") and immediate repeats ("can you can you hold") of spontaneous speech. Quotes are cut from the
original text by the places of the words, so they are complete. Three cut in another way: spaCy's tokenizer,
which ``annotate`` and ``matching`` need for token patterns, the encoder's own (``encoder.wordpiece``), and
``store.search``, as DuckDB's full text search does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

MARKS = "".join(
    sign
    for sign in map(chr, (*range(0x0300, 0x0370), *range(0x0900, 0x0E00)))
    if unicodedata.category(sign).startswith("M")
)
"""Accents written apart, and the vowel signs of Indic scripts, which Python does not count as letters."""
_LETTERS = rf"[^\W\d_]+(?:[{MARKS}][^\W\d_]*)*"
_SIGNS = rf"[^\W_]+(?:[{MARKS}][^\W_]*)*"
_WORD = rf"{_SIGNS}(?:['’]{_SIGNS})*"
WRITTEN = re.compile(_WORD)
"""Letters and digits, with apostrophes only between them: quotation marks are not part of a word."""
MARKS_TOO = re.compile(rf"{_WORD}|[^\w\s]|_")
"""Words, and each punctuation mark by itself, such as the dots of an e-mail address."""
DIGITS_APART = re.compile(rf"\d+|{_LETTERS}(?:['’]{_LETTERS})*|[^\w\s]")
"""The same, with digits separate from letters, to find the numbers in "4b" and "F-8"."""
UNSPACED_TOO = re.compile(rf"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|{_WORD}")
"""Words, but single letters in scripts without spaces between words: a quote may begin at any letter."""
COMPARED = re.compile(rf"[$£€₹]|\d+(?:[.,]\d+)*|{_LETTERS}(?:['’`-]{_LETTERS})*")
"""For ``words``: numbers like 1,250.50 and words with hyphens are one word."""
CLITICS_TOO = re.compile(rf"[\w{MARKS}']+")
"""For ``unpunctuated``: a word may begin with an apostrophe, since recognisers also write "I 've"."""


class Token(NamedTuple):
    """A word or punctuation mark of a text.

    Attributes:
        text: In lower case, with straight apostrophes.
        start, end: Character offsets in the text.
        kind: Name of the group of the pattern that matched it, None where there is none.
    """

    text: str
    start: int
    end: int
    kind: str | None


def tokens(text: str, cut: re.Pattern[str] = WRITTEN) -> list[Token]:
    """The words of a text as written, or whatever else the pattern ``cut`` matches."""
    return [
        Token(m.group().lower().replace("’", "'"), m.start(), m.end(), m.lastgroup)
        for m in cut.finditer(text)
    ]


def spaced(text: str) -> list[str]:
    """The words with the punctuation at them: what stands between white space."""
    return text.split()


def count_words(text: str) -> int:
    """Number of words, counted by the white space between them, as word processors do."""
    return len(spaced(text))


def unpunctuated(text: str) -> str:
    """The words in lower case, with one space between them and no punctuation, for regular expressions."""
    return " ".join(CLITICS_TOO.findall(text.lower().replace("’", "'")))


def word_set(text: str) -> frozenset[str]:
    """The words of a string, separated by white space, as a set."""
    return frozenset(text.split())


def one_of(words: Iterable[str]) -> str:
    """A regular expression for any one of these words, to be put in a group."""
    return "|".join(sorted(words))


CLEAR_FILLERS = word_set("uh um uhm erm hmm mhm")
"""Those of ``FILLERS`` that are no names, initials or letters: nothing private is taken for one of them."""
FILLERS = CLEAR_FILLERS | word_set("er ah hm mm mmm eh")
"""Sounds of hesitation, which no stage counts as words."""
NEGATIONS = word_set("not never nahi nahin نہیں نہ")
"""Words that negate; stages add those that occur in the way they cut words ("don't")."""
SPOKEN = {
    "cannot": "can not", "can't": "can not", "cant": "can not", "won't": "will not", "wont": "will not",
    "shan't": "shall not", "gonna": "going to", "wanna": "want to", "gotta": "got to", "i'm": "i am",
    "im": "i am", "let's": "let us", "ain't": "is not", "dont": "do not", "didnt": "did not",
    "doesnt": "does not", "isnt": "is not", "wasnt": "was not", "m": "am", "re": "are", "ve": "have",
    "ll": "will", "s": "", "youre": "you are", "thats": "that", "whats": "what", "byebye": "bye",
    "bye-bye": "bye", "good-bye": "goodbye", "o'clock": "o'clock",
}  # fmt: skip
"""Replaced in speech and phrases, so that "can't" matches "can not"."""
ENDINGS = {"n't": "not", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'m": "am"}
CURRENCIES = {"$": "dollars", "£": "pounds", "€": "euros", "₹": "rupees"}
SMALL = {word: value for value, word in enumerate([
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
])}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
    "ninety": 90,
}  # fmt: skip
LARGE = {
    "hundred": 100, "thousand": 1000, "million": 1_000_000,
    "lakh": 100_000, "lakhs": 100_000, "lac": 100_000, "crore": 10_000_000, "crores": 10_000_000,
}  # fmt: skip
UNCOUNTED = frozenset(["one", *LARGE]) - {"hundred", "thousand"}
"""No numbers by themselves: "one moment", "a million"."""
COUNTING = frozenset([*SMALL, *TENS, *LARGE, *CURRENCIES])
FIGURES = re.compile(r"\d+(?:\.\d+)?")
LONGEST_REPEAT = 4
SENTENCE_END = re.compile(r"[.?!;]")


@dataclass(frozen=True, slots=True)
class Words:
    """Normalised words of a text; ``starts`` and ``ends`` are character offsets in the original text."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def parted(self, text: str, first: int, last: int) -> bool:
        """Whether a sentence of the text ends between its words number ``first`` and ``last``."""
        return SENTENCE_END.search(text, self.ends[first], self.starts[last]) is not None


@lru_cache(maxsize=32_768)
def words(text: str) -> Words:
    """Normalised words: lower case, contractions in full, numbers as digits; no fillers, no repeats."""
    plain = [
        (word, found.start(), found.end())
        for found in COMPARED.finditer(text)
        for word in _without_fillers(found.group())
    ]
    kept = _without_repeats(_numbers(plain))
    if not kept:
        return Words((), (), ())
    return Words(*(tuple(column) for column in zip(*kept, strict=True)))


@lru_cache(maxsize=65_536)
def _without_fillers(word: str) -> tuple[str, ...]:
    """The normalised words that one written word gives; none for a filler."""
    return tuple(part for part in _normalised(word).split() if part not in FILLERS)


def _normalised(word: str) -> str:
    """The normalised form of one written word, which may be two words ("can't") or none."""
    if word in CURRENCIES:
        return word
    word = unicodedata.normalize("NFKC", word).casefold().replace("’", "'").replace("`", "'")
    if word in SPOKEN:
        return SPOKEN[word]
    if word[0].isdigit():
        return word.replace(",", "")
    for ending, full in ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return f"{word.removesuffix(ending)} {full}"
    return word.removesuffix("'s").replace("'", "").replace("-", " ") if "'" in word or "-" in word else word


def _numbers(plain: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Number words as digits ("three hundred and fifty" is "350"), "$350" as "350 dollars"."""
    if COUNTING.isdisjoint([word for word, _, _ in plain]):
        return plain
    out: list[tuple[str, int, int]] = []
    at = 0
    while at < len(plain):
        word, start, end = plain[at]
        if word in CURRENCIES:
            following = plain[at + 1] if at + 1 < len(plain) else ("", 0, 0)
            if following[0][:1].isdigit():
                size, value = _number([w for w, _, _ in plain[at + 1 : at + 3]])
                at += max(size, 1)
                end = plain[at][2]
                out += [(str(value) if size else following[0], start, end), (CURRENCIES[word], start, end)]
            at += 1
            continue
        size, value = _number([w for w, _, _ in plain[at : at + 12]])
        if size:
            out.append((str(value), start, plain[at + size - 1][2]))
            at += size
        else:
            out.append((word, start, end))
            at += 1
    return out


def _number(ahead: list[str]) -> tuple[int, int]:
    """How many words form one number, and its value; (0, 0) for none, for figures alone and ``UNCOUNTED``."""
    if FIGURES.fullmatch(ahead[0]) and ahead[1:2] and ahead[1] in LARGE:  # "1.5 million"
        return 2, round(float(ahead[0]) * LARGE[ahead[1]])
    if ahead[0] not in SMALL and ahead[0] not in TENS and ahead[0] not in LARGE:
        return 0, 0
    total = current = size = 0
    room = 1_000_000_000  # the next part must be smaller: "twenty five" is a number, "five twenty" is two
    for at, word in enumerate(ahead):
        following = ahead[at + 1] if at + 1 < len(ahead) else ""
        if word in SMALL and SMALL[word] < room:
            current, room = current + SMALL[word], 0
        elif word in TENS and room > TENS[word]:
            current, room = current + TENS[word], 10
        elif word in LARGE and (current or not at):
            if word == "hundred":
                current, room = (current or 1) * 100, 100
            else:
                total, current, room = total + (current or 1) * LARGE[word], 0, 1000
        elif word == "and" and at and ahead[at - 1] in LARGE and (following in SMALL or following in TENS):
            continue
        else:
            break
        size = at + 1
    return (0, 0) if size == 1 and ahead[0] in UNCOUNTED else (size, total + current)


def _without_repeats(plain: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Leave out immediate repeats of up to four words; digits may repeat."""
    kept: list[tuple[str, int, int]] = []
    said: list[str] = []
    for item in plain:
        kept.append(item)
        said.append(item[0])
        if item[0] not in said[-1 - LONGEST_REPEAT : -1] or item[0][0].isdigit():
            continue
        for size in range(LONGEST_REPEAT, 0, -1):
            if said[-size:] == said[-2 * size : -size]:
                kept[-2 * size :] = [
                    (word, first[1], last[2])
                    for (word, _, _), first, last in zip(
                        kept[-size:], kept[-2 * size : -size], kept[-size:], strict=True
                    )
                ]
                del said[-size:]
                break
    return kept
