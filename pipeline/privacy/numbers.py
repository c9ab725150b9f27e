"""Finds numbers as people say them: digits, number words, groups, "double four", also over several turns.

The tokens of each speaker form one stream over the whole call. A *run* is a sequence of digit tokens with
nothing but fillers, separators, corrections or changes of turn between them. Two numbers said one after the
other also form one run, whose ``breaks`` are the places where a second number may begin.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from pipeline.conversation import Turn
from pipeline.privacy import cues, languages, urdu
from pipeline.text import words
from pipeline.text.language import language_of
from pipeline.text.words import DIGITS_APART, FILLERS, SMALL, count_words, word_set

# Hyphens join spelled letters and groups ("4111-1111"), so each is a token.
# An amount ("$168", "149.99", "25,000") is one token and has no digits.
AMOUNT = (
    r"[$£€]\s?\d+(?:,\d{3})*(?:\.\d+)?|(?<![\d.])(?!0|1[0-2]\.)\d{2,6}\.\d{2}(?![\d.]|\s?-\s?\d)"
    r"|(?<![\d,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])(?:\.\d{2})?"
)
AT_CLOCK = r"(?:(?<=\bat )|(?<=\bby )|(?<=\buntil )|(?<=\bfrom ))\d{1,2}:\d\d(?![\d:])"
"""A time of day. It must follow "at", "by", "until" or "from", since recognisers write PINs like this too."""
TOKEN = re.compile(rf"(?P<amount>{AMOUNT}|{AT_CLOCK})|{DIGITS_APART.pattern}")
MEANT = {"amount": "$", "correction": "sorry", "between": "and"}
"""What stands for tokens of these kinds, whatever they say."""
O_IS_ZERO = frozenset({"", "en", "ur", "xx"})
"""Languages of which "o" is no word."""
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
JOINTS = frozenset("-–—/ ()")  # marks within one number; a comma or a full stop may separate two
NUMBER_TALK = BETWEEN | CORRECTIONS | {*UNITS, *TEENS, *TENS, *REPEATS, *HUNDREDS}
MAX_CORRECTED_DIGITS = 60  # a longer run is more than one number
MAX_GAP_WORDS = 4  # most words between two groups of one number: "no sorry i mean"
SHORT_REPLY_WORDS = 6  # a reply of at most this many words ("okay go ahead") does not end a number
WHOLE_DIGITS = 7  # a token written with this many digits may be a number by itself
MAX_BEFORE = 160  # characters before a number, in its turn, in which cues are looked for
MAX_ASKED = 240  # the same for the turns before
ASKED_TURNS = 2  # turns before a number that may say what it is, short replies not counted
MAX_ASKED_TURNS = 8  # turns before a number in which these two are looked for


@dataclass(frozen=True, slots=True)
class TurnToken:
    """A token of a turn: its place, its text in lower case, and its digits if it says any."""

    turn: int
    start: int
    end: int
    text: str
    digits: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A number read out.

    Attributes:
        tokens: Its tokens, fillers included.
        before: The text before it in lower case, one line per turn.
        after: The text after it in its last turn, in lower case.
        breaks: Indices of ``tokens`` at which another number may begin.
        ends: Indices of ``tokens`` before which the other side mentioned a kind of number.
    """

    tokens: tuple[TurnToken, ...]
    digits: str
    before: str
    after: str
    breaks: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()

    @property
    def is_corrected(self) -> bool:
        """Whether the speaker corrected the number while saying it."""
        return any(token.text in CORRECTIONS for token in self.tokens)

    def corrected(self) -> Iterator[str]:
        """What the speaker may have meant: the digits without the last one to eight before a correction."""
        before = ""
        for token in self.tokens if len(self.digits) <= MAX_CORRECTED_DIGITS else ():
            before += token.digits
            if token.text in CORRECTIONS:
                for wrong in range(1, min(8, len(before)) + 1):
                    yield before[:-wrong] + self.digits[len(before) :]


def written(tokens: Sequence[TurnToken]) -> str:
    """The digits and marks of tokens, without marks at the end."""
    text = "".join(t.digits or (t.text if t.text in MARKS else "") for t in tokens)
    return text.rstrip("".join(MARKS))


@cache
def _token(language: str) -> re.Pattern[str]:
    """The pattern of the tokens of a language."""
    if language not in languages.TABLES:
        return TOKEN
    own = languages.groups(language)
    return re.compile(rf"(?P<amount>{AMOUNT}|{AT_CLOCK})|{own}|{DIGITS_APART.pattern}", re.IGNORECASE)


def tokenise(turn: int, text: str, language: str = "en") -> list[TurnToken]:
    """The tokens of a turn, with the digits of number words."""
    raw = [
        t._replace(text=languages.digits(language, t.text))
        if t.kind == "spoken"
        else t._replace(text=MEANT.get(t.kind or "", t.text))
        for t in words.tokens(text, _token(language))
    ]
    tokens: list[TurnToken] = []
    at = 0
    while at < len(raw):
        used, digits = _number(raw, at, language)
        if digits and _is_count(raw, at, at + used):
            digits = ""
        used = max(used, 1)
        tokens.append(TurnToken(turn, raw[at].start, raw[at + used - 1].end, raw[at].text, digits))
        at += used
    return tokens


def _is_count(raw: Sequence[words.Token], at: int, end: int) -> bool:
    """Whether a number is a count: "the last four", "three digits", "one moment"."""
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


def _number(raw: Sequence[words.Token], at: int, language: str) -> tuple[int, str]:
    """How many tokens from ``at`` on say a number, and its digits; (0, "") if there is none."""
    word = raw[at].text
    if word[0].isdigit():
        return 1, "".join(str(unicodedata.digit(c, 0)) for c in word)
    unit = UNITS.get(word) or (URDU.get(word) if language == "ur" else None)
    if word in ("o", "oh") and language not in O_IS_ZERO:
        return 0, ""
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
        digit = UNITS.get(following) or (URDU.get(following) if language == "ur" else None) or following
        if len(digit) == 1 and digit.isdigit():
            return 2, digit * REPEATS[word]
    return 0, ""


def _of_thousand(raw: Sequence[words.Token], at: int, unit: str) -> tuple[int, str]:
    """``_number`` of "... thousand"; "two thousand (and) nineteen" is the year 2019."""
    rest = at + 2
    if rest < len(raw) and raw[rest].text == "and":
        rest += 1
    word = raw[rest].text if rest < len(raw) else ""
    if word in TEENS or word in TENS or word in UNITS:
        used, digits = _number(raw, rest, "en")
        is_last = rest + used == len(raw) or not _number(raw, rest + used, "en")[0]
        if len(digits) == 2 or (len(digits) == 1 and is_last):
            return rest + used - at, f"{unit}{digits:0>3}"
    return 2, f"{unit}000"


def runs(turns: Sequence[Turn], language: str | None) -> Iterator[Run]:
    """The runs of a call, speaker by speaker."""
    for role in sorted({turn.role for turn in turns}):
        yield from _runs_of(_stream(turns, role, language), turns)


def _stream(turns: Sequence[Turn], role: str, language: str | None) -> list[TurnToken]:
    """The tokens of a speaker, with an empty one wherever others say more than a few words or digits."""
    stream: list[TurnToken] = []
    for position, turn in enumerate(turns):
        if turn.role == role:
            stream.extend(tokenise(position, turn.text, language_of(turn, language)))
        elif count_words(turn.text) > SHORT_REPLY_WORDS and not _is_number_talk(turn, language):
            stream.append(TurnToken(position, 0, 0, ""))
    return stream


def _is_number_talk(turn: Turn, language: str | None) -> bool:
    """Whether more than half of a turn's tokens are digits, as in a reply that reads a number back."""
    tokens = tokenise(0, turn.text, language_of(turn, language))
    return sum(bool(t.digits) for t in tokens) > len(tokens) / 2


def _runs_of(stream: Sequence[TurnToken], turns: Sequence[Turn]) -> Iterator[Run]:
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


def _run(stream: Sequence[TurnToken], start: int, last: int, turns: Sequence[Turn]) -> Run:
    """The run from one token of a stream to another (inclusive), with its breaks and ends."""
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
    return _with_context(tokens, turns, tuple(breaks), tuple(ends))


def last_number(tokens: Sequence[TurnToken]) -> int:
    """Index of the token with which the last number begins, if a unit follows: in "7194, 20", that of 20."""
    digits = [at for at, token in enumerate(tokens) if token.digits]
    pairs = reversed([*pairwise(digits)])
    return next((at for before, at in pairs if not _is_one_quantity(tokens, before, at)), 0)


def _is_one_quantity(tokens: Sequence[TurnToken], before: int, at: int) -> bool:
    """Whether two successive digit tokens may be of one quantity: "nine oh one", "two hundred and fifty"."""
    first, last, between = tokens[before], tokens[at], [token.text for token in tokens[before + 1 : at]]
    in_figures = [token.text[0].isdigit() for token in (first, last)]
    if first.turn != last.turn:
        return False
    if not between:
        return len(last.digits) == 3 if all(in_figures) else not any(in_figures)
    if set(between) <= MARKS and last.start - first.end == len(between):  # "12.5", "300-400"
        return True
    is_round = not in_figures[0] and first.digits.endswith("00")
    return is_round and len(last.digits) < len(first.digits) and set(between) <= {"and", ","}


def parts(run: Run, places: Sequence[int], turns: Sequence[Turn]) -> list[Run]:
    """The parts of a run that is cut before the tokens at ``places``."""
    return [part(run, start, end, turns) for start, end in pairwise([0, *places, len(run.tokens)])]


def part(run: Run, start: int, end: int, turns: Sequence[Turn]) -> Run:
    """The part of a run from token ``start``, which has digits, to ``end`` (exclusive)."""
    tokens = run.tokens[start:end]
    while not tokens[-1].digits:
        tokens = tokens[:-1]
    breaks = tuple(at - start for at in run.breaks if start < at < end)
    ends = tuple(at - start for at in run.ends if start < at < end)
    return _with_context(tokens, turns, breaks, ends)


def _with_context(
    tokens: tuple[TurnToken, ...], turns: Sequence[Turn], breaks: tuple[int, ...], ends: tuple[int, ...]
) -> Run:
    first, last = tokens[0], tokens[-1]
    earlier = "\n".join(turn.text.replace("\n", " ") for turn in _asked(turns, first.turn))
    same_turn = turns[first.turn].text[: first.start].replace("\n", " ")
    before = f"{earlier[-MAX_ASKED:]}\n{same_turn[-MAX_BEFORE:]}".lower()
    after = turns[last.turn].text[last.end : last.end + 60].lower()
    return Run(tokens, "".join(token.digits for token in tokens), before, after, breaks, ends)


def _asked(turns: Sequence[Turn], position: int) -> list[Turn]:
    """The turns before one that may ask for what it says: "the code?", "um", "no hurry", "okay", "482"."""
    asked, counted = [], 0
    for distance, turn in enumerate(reversed(turns[max(0, position - MAX_ASKED_TURNS) : position]), 1):
        is_reply = count_words(turn.text) <= SHORT_REPLY_WORDS and not cues.names_a_kind(turn.text)
        if distance <= ASKED_TURNS or not is_reply:
            asked.append(turn)
        counted += not is_reply
        if distance >= ASKED_TURNS <= counted:
            break
    return asked[::-1]


def _may_part(tokens: Sequence[TurnToken], before: int, at: int) -> bool:
    """Whether a word, mark or change of turn separates two digit tokens, or one is long enough by itself."""
    if any(token.text in CORRECTIONS for token in tokens[before + 1 : at]):
        return False
    if tokens[before].turn != tokens[at].turn or any(t.text not in JOINTS for t in tokens[before + 1 : at]):
        return True
    written = (t for t in (tokens[before], tokens[at]) if t.text[0].isdigit())
    return any(len(t.digits) >= WHOLE_DIGITS for t in written)


def _asked_between(before: TurnToken, token: TurnToken, turns: Sequence[Turn]) -> bool:
    """Whether the other side mentioned a kind of number between two tokens of a speaker."""
    between = range(before.turn + 1, token.turn)
    return any(
        cues.names_a_kind(turns[at].text) for at in between if turns[at].role != turns[token.turn].role
    )
