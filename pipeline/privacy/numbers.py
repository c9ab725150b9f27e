"""Numbers as people say them: digits, number words, groups, "double four", over several turns.

A call is read as one stream of tokens per speaker. A *run* is a stretch of digit tokens with
nothing but fillers, separators, corrections or a turn change between them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.conversation import Turn
from pipeline.language import language_of
from pipeline.privacy import urdu

# Hyphens join spelled letters and groups ("4111-1111"): they are tokens of their own.
TOKEN = re.compile(r"\d+|[^\W\d_]+(?:['’][^\W\d_]+)*|[^\w\s]")


def word_set(text: str) -> frozenset[str]:
    """The words of a line, as a set."""
    return frozenset(text.split())


def _valued(line: str, first: int = 0) -> dict[str, str]:
    """Groups of words that mean first, first + 1, ...; ``/`` between words of one value."""
    return {word: str(value) for value, group in enumerate(line.split(), first) for word in group.split("/")}


UNITS = _valued("zero/oh/o/nought one two three four five six seven eight nine")
TEENS = _valued("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen", 10)
TENS = _valued("twenty thirty forty/fourty fifty sixty seventy eighty ninety", 2)
HUNDREDS = {"hundred": "00", "thousand": "000"}
REPEATS = {"double": 2, "triple": 3, "treble": 3, **urdu.REPEATS}
URDU = _valued(urdu.NUMBERS)
URDU_HUNDREDS = dict.fromkeys(urdu.HUNDRED.split(), "00")
FILLERS = word_set(
    "uh um er erm hmm mm ah and then it's its that's is okay ok yeah yes right so next followed by dash "
    "hyphen space minus slash the digits let let's see i that hang hold on aur phir ji haan jee "
    "اور پھر جی ہاں"
)
CORRECTIONS = word_set("no sorry wait actually correction oops mean scratch nahi nahin maaf نہیں معاف")
COUNTED = word_set("last final first aakhri akhri آخری")
MARKS = frozenset("-–—.…,/ ()")
MAX_CORRECTED_DIGITS = 60  # longer runs are no single number
MAX_GAP_WORDS = 4  # "no sorry i mean" between two groups still belongs to one number
SHORT_REPLY_WORDS = 6  # "okay go ahead" by the other side does not end a number being read out


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a turn: its text in lower case and its place, ``digits`` when it says some."""

    turn: int
    start: int
    end: int
    text: str
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A number read out: its tokens (fillers included), digits, and the words around it."""

    tokens: tuple[Token, ...]
    digits: str
    before: str
    after: str

    @property
    def is_corrected(self) -> bool:
        """Whether the speaker corrected themselves in the middle."""
        return any(token.text in CORRECTIONS for token in self.tokens)

    def corrected(self) -> Iterator[str]:
        """The digits less some of those said before each correction, which were said wrong."""
        said = ""
        for token in self.tokens if len(self.digits) <= MAX_CORRECTED_DIGITS else ():
            said += token.digits
            if token.text in CORRECTIONS:
                for wrong in range(1, min(8, len(said)) + 1):
                    yield said[:-wrong] + self.digits[len(said) :]

    @property
    def written(self) -> str:
        """The run's tokens joined, digits as digits, to recognise written formats."""
        return "".join(t.digits or (t.text if t.text in MARKS else "") for t in self.tokens)


def tokenise(turn: int, text: str, *, is_urdu: bool = False) -> list[Token]:
    """Tokens of one turn with number words read as digits."""
    raw = [(m.start(), m.end(), m.group().lower().replace("’", "'")) for m in TOKEN.finditer(text)]
    tokens: list[Token] = []
    at = 0
    while at < len(raw):
        used, digits = _number(raw, at, is_urdu)
        if tokens and tokens[-1].text in COUNTED:  # "the last four": how many, not which
            digits = ""
        start, end = raw[at][0], raw[at + max(used, 1) - 1][1]
        tokens.append(Token(turn, start, end, raw[at][2], digits))
        at += max(used, 1)
    return tokens


def _number(raw: Sequence[tuple[int, int, str]], at: int, is_urdu: bool) -> tuple[int, str]:
    """How many tokens from ``at`` say digits, and which; (0, "") when none do."""
    word = raw[at][2]
    if word[0].isdigit():
        return 1, "".join(str(unicodedata.digit(c, 0)) for c in word)
    unit = UNITS.get(word) or (URDU.get(word) if is_urdu else None)
    if unit is not None:
        hundreds = HUNDREDS if word in UNITS else URDU_HUNDREDS
        following = raw[at + 1][2] if at + 1 < len(raw) else ""
        if following in hundreds:
            return 2, unit + hundreds[following]
        return 1, unit
    if word in TEENS:
        return 1, TEENS[word]
    if word in TENS:
        skip = 1 if at + 2 < len(raw) and raw[at + 1][2] == "-" else 0
        unit = raw[at + 1 + skip][2] if at + 1 + skip < len(raw) else ""
        if unit in UNITS and UNITS[unit] != "0":
            return 2 + skip, TENS[word] + UNITS[unit]
        return 1, TENS[word] + "0"
    if word in REPEATS and at + 1 < len(raw):
        following = raw[at + 1][2]
        digit = UNITS.get(following) or (URDU.get(following) if is_urdu else None) or following
        if len(digit) == 1 and digit.isdigit():
            return 2, digit * REPEATS[word]
    return 0, ""


def runs(turns: Sequence[Turn], language: str | None) -> Iterator[Run]:
    """Every number read out in the call, each speaker read for themselves."""
    for role in sorted({turn.role for turn in turns}):
        yield from _runs_of(_stream(turns, role, language), turns)


def _stream(turns: Sequence[Turn], role: str, language: str | None) -> list[Token]:
    """The speaker's tokens; a stopper (empty text) where the other side spoke at length."""
    stream: list[Token] = []
    for position, turn in enumerate(turns):
        if turn.role == role:
            is_urdu = language_of(turn, language) == "ur"
            stream.extend(tokenise(position, turn.text, is_urdu=is_urdu))
        elif len(turn.text.split()) > SHORT_REPLY_WORDS and not _is_number_talk(turn.text):
            stream.append(Token(position, 0, 0, ""))
    return stream


def _is_number_talk(text: str) -> bool:
    """Whether a reply mostly repeats digits back, which does not end the number."""
    tokens = tokenise(0, text)
    return sum(bool(t.digits) for t in tokens) > len(tokens) / 2


def _runs_of(stream: Sequence[Token], turns: Sequence[Turn]) -> Iterator[Run]:
    start: int | None = None
    last = gap = 0
    for at, token in enumerate(stream):
        if token.digits:
            if start is None:
                start = at
            last, gap = at, 0
        elif start is not None and token.text not in MARKS:
            gap += 1
            if gap > MAX_GAP_WORDS or not (token.text in FILLERS or token.text in CORRECTIONS):
                yield _run(stream, start, last, turns)
                start = None
    if start is not None:
        yield _run(stream, start, last, turns)


def _run(stream: Sequence[Token], start: int, last: int, turns: Sequence[Turn]) -> Run:
    tokens = tuple(stream[start : last + 1])
    first, end = tokens[0], tokens[-1]
    earlier = " ".join(turn.text for turn in turns[max(0, first.turn - 2) : first.turn])
    before = f"{earlier} {turns[first.turn].text[: first.start]}".lower()[-160:]
    after = turns[end.turn].text[end.end : end.end + 60].lower()
    return Run(tokens, "".join(token.digits for token in tokens), before, after)
