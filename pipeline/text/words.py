"""How text is cut into words; the only place where it is.

    count_words   how many there are                             metrics, weights, lengths of replies
    tokens        words as they are written, with their places   sentiment, e-mail addresses, numbers, quotes
    unpunctuated  one string of words for patterns               who talks like an agent, dialogue acts
    words         words as phrases are compared with them        matching

``words`` brings speech and phrases into one form: contractions in full, numbers as digits, and, since speech
is broken, no fillers ("um") and no immediate repeats ("can you can you hold"). Quotes are cut from the text
itself by the places kept, so nothing is missing from them. spaCy's tokenizer has a fifth way in ``annotate``,
where token patterns of rubrics and lists need it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_WORD = r"[^\W_]+(?:['’][^\W_]+)*"
WRITTEN = re.compile(_WORD)
"""Letters and digits, with apostrophes between them only: 'no' in quotation marks is the word."""
MARKS_TOO = re.compile(rf"{_WORD}|[^\w\s]|_")
"""And every mark by itself: the dots of an e-mail address."""
DIGITS_APART = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\w\s]")
"""And digits apart from letters: the numbers in "4b" and "F-8"."""
UNSPACED_TOO = re.compile(rf"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|{_WORD}")
"""A letter a word in scripts that put no space between words: a quote may begin at any."""
COMPARED = re.compile(r"[$£€₹]|\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’`-][^\W\d_]+)*")
"""For ``words``: figures and hyphened words whole, since what is compared is what they mean."""
CLITICS_TOO = re.compile(r"[\w']+")
"""For ``unpunctuated``: an apostrophe anywhere, since recognisers write "I 've" too, and cues read "'ve"."""


class Token(NamedTuple):
    """A word or mark of a text.

    Attributes:
        text: In lower case, apostrophes straight.
        start, end: Its characters in the text.
        kind: The named group of the pattern that found it, None where it has none.
    """

    text: str
    start: int
    end: int
    kind: str | None


def tokens(text: str, cut: re.Pattern[str] = WRITTEN) -> list[Token]:
    """The words of a text as they are written, and what else ``cut`` finds."""
    return [
        Token(m.group().lower().replace("’", "'"), m.start(), m.end(), m.lastgroup)
        for m in cut.finditer(text)
    ]


def count_words(text: str) -> int:
    """How many words there are, as people and word processors count: by the spaces."""
    return len(text.split())


def unpunctuated(text: str) -> str:
    """Text in lower case with one space between its words, none of them changed: what cue patterns read."""
    return " ".join(CLITICS_TOO.findall(text.lower().replace("’", "'")))


def word_set(text: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(text.split())


FILLERS = word_set("uh um uhm er erm ah hmm hm mm mhm mmm eh")
"""Sounds of hesitation: no words of a sentence, in any stage."""
NEGATIONS = word_set("not never nahi nahin نہیں نہ")
"""Words that deny in any stage; each adds those that deny in its own form of the words."""
SPOKEN = {
    "cannot": "can not", "can't": "can not", "cant": "can not", "won't": "will not", "wont": "will not",
    "shan't": "shall not", "gonna": "going to", "wanna": "want to", "gotta": "got to", "i'm": "i am",
    "im": "i am", "let's": "let us", "ain't": "is not", "dont": "do not", "didnt": "did not",
    "doesnt": "does not", "isnt": "is not", "wasnt": "was not", "m": "am", "re": "are", "ve": "have",
    "ll": "will", "s": "", "youre": "you are", "thats": "that", "whats": "what", "byebye": "bye",
    "bye-bye": "bye", "good-bye": "goodbye", "o'clock": "o'clock",
}  # fmt: skip
"""Written out as the longer form, since phrases and speech may each have either."""
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
LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
COUNTING = frozenset([*SMALL, *TENS, *LARGE, *CURRENCIES])
LONGEST_REPEAT = 4
SENTENCE_END = re.compile(r"[.?!;]")


@dataclass(frozen=True, slots=True)
class Words:
    """Normalised words of a text; ``starts`` and ``ends`` are their character offsets in it."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def parted(self, text: str, first: int, last: int) -> bool:
        """Whether a sentence of the text ends between two of its words, given by number in their order."""
        return SENTENCE_END.search(text, self.ends[first], self.starts[last]) is not None


@lru_cache(maxsize=32_768)
def words(text: str) -> Words:
    """Lower case, contractions and numbers written one way; punctuation, fillers and repeats left out."""
    plain = [
        (word, found.start(), found.end())
        for found in COMPARED.finditer(text)
        for word in _counted(found.group())
    ]
    kept = _without_repeats(_numbers(plain))
    if not kept:
        return Words((), (), ())
    return Words(*(tuple(column) for column in zip(*kept, strict=True)))


@lru_cache(maxsize=65_536)
def _counted(word: str) -> tuple[str, ...]:
    """One word normalised, one or more or, of what is only a filler, none."""
    return tuple(part for part in spelled(word).split() if part not in FILLERS)


def spelled(word: str) -> str:
    """One word normalised; a contraction becomes two."""
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
                out += [(following[0], start, following[2]), (CURRENCIES[word], start, following[2])]
                at += 1
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
    """How many of the words ahead say one number, and which; a lone "one" is left a word ("one moment")."""
    if ahead[0] not in SMALL and ahead[0] not in TENS and ahead[0] not in LARGE:
        return 0, 0
    total = current = size = 0
    room = 1_000_000_000  # what the next part must stay below: "twenty five", not "five twenty"
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
    return (0, 0) if size == 1 and ahead[0] in ("one", "million") else (size, total + current)


def _without_repeats(plain: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """What is said twice on end, said once: a word or up to four; digits may repeat."""
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
