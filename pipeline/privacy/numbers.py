"""Numbers as people say them: digits, number words, groups, "double four", over several turns.

A call is read as one stream of tokens per speaker. A *run* is a stretch of digit tokens with
nothing but fillers, separators, corrections or a turn change between them. Two numbers told one
after the other are one run too: ``breaks`` are the places where it may be two.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.conversation import Turn
from pipeline.privacy import cues, urdu
from pipeline.text import words
from pipeline.text.language import language_of
from pipeline.text.words import DIGITS_APART, FILLERS, SMALL, count_words, word_set

# Hyphens join spelled letters and groups ("4111-1111"): they are tokens of their own.
# An amount is one token, and says no digits: "$168", "149.99", "25,000".
AMOUNT = (
    r"[$£€]\s?\d+(?:,\d{3})*(?:\.\d+)?|(?<![\d.])(?!0|1[0-2]\.)\d{2,6}\.\d{2}(?![\d.]|\s?-\s?\d)"
    r"|(?<![\d,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])(?:\.\d{2})?"
)
AT_CLOCK = r"(?:(?<=\bat )|(?<=\bby )|(?<=\buntil )|(?<=\bfrom ))\d{1,2}:\d\d(?![\d:])"
"""A time of day after "at", "by", "until" or "from"; by itself, recognition may have written a PIN so."""
TOKEN = re.compile(rf"(?P<amount>{AMOUNT}|{AT_CLOCK})|{DIGITS_APART.pattern}")
UNITS = {word: str(n) for word, n in SMALL.items() if n < 10} | dict.fromkeys(("oh", "o", "nought"), "0")
TEENS = {word: str(n) for word, n in SMALL.items() if n >= 10}
TENS = {word: str(n // 10) for word, n in words.TENS.items()} | {"fourty": "4"}
HUNDREDS = {"hundred": "00", "thousand": "000"}
REPEATS = {"double": 2, "triple": 3, "treble": 3, **urdu.REPEATS}
URDU = {word: str(n) for n, group in enumerate(urdu.NUMBERS.split()) for word in group.split("/")}
URDU_HUNDREDS = dict.fromkeys(urdu.HUNDRED.split(), "00")
BETWEEN = FILLERS | word_set(
    "and then it's its that's is okay ok yeah yes right so next followed by dash "
    "hyphen space minus slash the digits let let's see i that hang hold on aur phir ji haan jee "
    "اور پھر جی ہاں"
)
CORRECTIONS = word_set("no sorry wait actually correction oops mean scratch nahi nahin maaf نہیں معاف")
COUNTED = word_set("last final first aakhri akhri آخری")
OF_COUNTED = word_set("digit digits numbers figures characters letters ones")
COUNTED_AS = word_set("little small other main")
OF_ONE = word_set("moment second sec minute more thing of time day question last other to")
MARKS = frozenset("-–—.…,/ ()")
JOINTS = frozenset("-–—/ ()")  # marks inside one number; a comma or a stop may stand between two
NUMBER_TALK = BETWEEN | CORRECTIONS | {*UNITS, *TEENS, *TENS, *REPEATS, *HUNDREDS}
MAX_CORRECTED_DIGITS = 60  # longer runs are no single number
MAX_GAP_WORDS = 4  # "no sorry i mean" between two groups still belongs to one number
SHORT_REPLY_WORDS = 6  # "okay go ahead" by the other side does not end a number being read out
WHOLE_DIGITS = 7  # a figure written with so many digits stands for itself
MAX_BEFORE = 160  # characters of the same turn that may say what a number is
MAX_ASKED = 240  # and of the two turns before


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
    """A number read out: its tokens (fillers included), digits, and the words around it.

    Attributes:
        before: What was said before in lower case, a line a turn.
        breaks: Places in ``tokens`` where another number may begin.
        ends: Those of them where the other side asked for another number.
    """

    tokens: tuple[Token, ...]
    digits: str
    before: str
    after: str
    breaks: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

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


def written(tokens: Sequence[Token]) -> str:
    """Tokens joined, digits as digits, without the marks after the last."""
    said = "".join(t.digits or (t.text if t.text in MARKS else "") for t in tokens)
    return said.rstrip("".join(MARKS))


def tokenise(turn: int, text: str, *, is_urdu: bool = False) -> list[Token]:
    """Tokens of one turn with number words read as digits."""
    raw = [one._replace(text="$") if one.kind == "amount" else one for one in words.tokens(text, TOKEN)]
    tokens: list[Token] = []
    at = 0
    while at < len(raw):
        used, digits = _number(raw, at, is_urdu)
        if digits and _is_count(raw, at, at + used):
            digits = ""
        used = max(used, 1)
        tokens.append(Token(turn, raw[at].start, raw[at + used - 1].end, raw[at].text, digits))
        at += used
    return tokens


def _is_count(raw: Sequence[words.Token], at: int, end: int) -> bool:
    """Whether a number says how many, not which: "the last four", "three digits", "one moment"."""
    before = raw[at - 1].text if at else ""
    after = raw[end].text if end < len(raw) else ""
    if after == "-" and end + 1 < len(raw):  # "three-digit"
        after = raw[end + 1].text
    if after in COUNTED_AS and end + 1 < len(raw):
        after = raw[end + 1].text
    if before in COUNTED or after in OF_COUNTED:
        return True
    word = raw[at].text
    if word == "one" and after in OF_ONE:
        return True
    begins_sentence = before in {".", "?", "!"} and word in UNITS
    return begins_sentence and after.isalpha() and after not in NUMBER_TALK


def _number(raw: Sequence[words.Token], at: int, is_urdu: bool) -> tuple[int, str]:
    """How many tokens from ``at`` say digits, and which; (0, "") when none do."""
    word = raw[at].text
    if word[0].isdigit():
        return 1, "".join(str(unicodedata.digit(c, 0)) for c in word)
    unit = UNITS.get(word) or (URDU.get(word) if is_urdu else None)
    if unit is not None:
        hundreds = HUNDREDS if word in UNITS else URDU_HUNDREDS
        following = raw[at + 1].text if at + 1 < len(raw) else ""
        if following == "thousand":
            return _of_thousand(raw, at, unit)
        if following in hundreds:
            return 2, unit + hundreds[following]
        return 1, unit
    if word in TEENS:
        return 1, TEENS[word]
    if word in TENS:
        skip = 1 if at + 2 < len(raw) and raw[at + 1].text == "-" else 0
        unit = raw[at + 1 + skip].text if at + 1 + skip < len(raw) else ""
        if unit in UNITS and UNITS[unit] != "0":
            return 2 + skip, TENS[word] + UNITS[unit]
        return 1, TENS[word] + "0"
    if word in REPEATS and at + 1 < len(raw):
        following = raw[at + 1].text
        digit = UNITS.get(following) or (URDU.get(following) if is_urdu else None) or following
        if len(digit) == 1 and digit.isdigit():
            return 2, digit * REPEATS[word]
    return 0, ""


def _of_thousand(raw: Sequence[words.Token], at: int, unit: str) -> tuple[int, str]:
    """Thousands, and "two thousand (and) nineteen" as the year it is."""
    rest = at + 2
    if rest < len(raw) and raw[rest].text == "and":
        rest += 1
    word = raw[rest].text if rest < len(raw) else ""
    if word in TEENS or word in TENS or word in UNITS:
        used, digits = _number(raw, rest, False)
        is_last = rest + used == len(raw) or not _number(raw, rest + used, False)[0]
        if len(digits) == 2 or (len(digits) == 1 and is_last):
            return rest + used - at, f"{unit}{digits:0>3}"
    return 2, f"{unit}000"


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
        elif count_words(turn.text) > SHORT_REPLY_WORDS and not _is_number_talk(turn.text):
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
            if gap > MAX_GAP_WORDS or not (token.text in BETWEEN or token.text in CORRECTIONS):
                yield _run(stream, start, last, turns)
                start = None
    if start is not None:
        yield _run(stream, start, last, turns)


def _run(stream: Sequence[Token], start: int, last: int, turns: Sequence[Turn]) -> Run:
    tokens = tuple(stream[start : last + 1])
    breaks, ends = [], []
    for at in range(1, len(tokens)):
        if not tokens[at].digits:
            continue
        before = at - 1
        while not tokens[before].digits:
            before -= 1
        if _asked_between(tokens[before], tokens[at], turns):
            ends.append(at)
        if _may_part(tokens, before, at):
            breaks.append(at)
    return _cut(tokens, turns, tuple(breaks), tuple(ends))


def part(run: Run, places: Sequence[int], turns: Sequence[Turn]) -> list[Run]:
    """A run cut before each of the tokens at ``places``; every part keeps its own breaks."""
    edges = [0, *places, len(run.tokens)]
    parts = []
    for start, end in itertools.pairwise(edges):
        tokens = run.tokens[start:end]
        while tokens and not tokens[-1].digits:
            tokens = tokens[:-1]
        inner = [tuple(at - start for at in marks if start < at < end) for marks in (run.breaks, run.ends)]
        parts.append(_cut(tokens, turns, inner[0], inner[1]))
    return parts


def _cut(
    tokens: tuple[Token, ...], turns: Sequence[Turn], breaks: tuple[int, ...], ends: tuple[int, ...]
) -> Run:
    first, end = tokens[0], tokens[-1]
    earlier = "\n".join(turn.text.replace("\n", " ") for turn in turns[max(0, first.turn - 2) : first.turn])
    own = turns[first.turn].text[: first.start].replace("\n", " ")
    before = f"{earlier[-MAX_ASKED:]}\n{own[-MAX_BEFORE:]}".lower()
    after = turns[end.turn].text[end.end : end.end + 60].lower()
    return Run(tokens, "".join(token.digits for token in tokens), before, after, breaks, ends)


def _may_part(tokens: Sequence[Token], before: int, at: int) -> bool:
    """Whether two digit tokens may be of two numbers: a pause, a word, a turn or a whole figure between."""
    if any(token.text in CORRECTIONS for token in tokens[before + 1 : at]):
        return False
    if tokens[before].turn != tokens[at].turn or any(t.text not in JOINTS for t in tokens[before + 1 : at]):
        return True
    written = (t for t in (tokens[before], tokens[at]) if t.text[0].isdigit())
    return any(len(t.digits) >= WHOLE_DIGITS for t in written)


def _asked_between(before: Token, token: Token, turns: Sequence[Turn]) -> bool:
    """Whether the other side named a kind of number between two tokens of one speaker."""
    between = range(before.turn + 1, token.turn)
    return any(
        cues.names_a_kind(turns[at].text) for at in between if turns[at].role != turns[token.turn].role
    )
