"""Read checked values from JSON of other tools: a value of the wrong kind counts as missing."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from types import MappingProxyType
from typing import Any, NamedTuple

from pipeline.conversation import Role, Turn, Word
from pipeline.csv_safety import clean
from pipeline.text.words import count_words, word_set
from pipeline.turns import TimedWord, mean_confidence

Json = dict[str, Any]
MAX_LABEL_CHARS = 64
MOST_S = 1e9  # larger times are implausible
EPOCH_MS = 6e11  # larger numbers are times since 1970; as an offset this would be 19 years
# fmt: off
TEXTS = ("text", "message", "transcript", "content", "body", "utterance", "sentence")
STARTS = ("start", "start_s", "start_time", "startTime", "StartTime", "begin", "time", "timestamp",
          "sent_at", "created_at", "createdAt", "date", "datetime", "ts")
ENDS = ("end", "end_s", "end_time", "endTime", "EndTime", "end_ts")
# fmt: on
_ROLE_WORDS: dict[Role, frozenset[str]] = {
    "system": word_set("system ivr bot automated virtual recording announcement"),
    "agent": word_set(
        "agent advisor adviser representative rep operator csr support service assistant associate "
        "specialist staff care helpdesk"
    ),
    "customer": word_set("customer caller client user consumer guest visitor member patient borrower"),
}
"""Words in a speaker's label that indicate a role. The first role that matches wins: "customer service" and
"client advisor" are the agent, a "virtual agent" is the system."""


def objects(value: object) -> list[Json]:
    """The objects in a list; [] when the value is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def record(value: object) -> Json:
    """The value if it is an object, else {}."""
    return value if isinstance(value, dict) else {}


def first(given: Json, names: Iterable[str]) -> Any:
    """The value of the first of several names that has one; None when none has."""
    return next((given[name] for name in names if given.get(name) is not None), None)


def stated(given: Iterable[Json], *names: str) -> Any:
    """The first value that any of several objects has under one of the names; None when none has."""
    return next(filter(None, (first(one, names) for one in given)), None)


def best(result: Json, name: str = "alternatives") -> Json:
    """The first and most likely of a recogniser's alternatives; {} when there is none."""
    return next(iter(objects(result.get(name))), {})


def text(*values: object) -> str:
    """The first non-blank string among the values, or "", without characters that steer a terminal."""
    first_text = next((v for v in values if isinstance(v, str) and v.strip()), "")
    return clean(first_text.replace("\0", " ")).strip()


def text_of(turn: Json) -> str:
    """The text of a turn, under any of the usual names; "" when there is none."""
    return text(*(turn.get(name) for name in TEXTS))


def cleaned(value: Any) -> Any:
    """A JSON value without characters that steer a terminal in any of its strings."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): cleaned(item) for name, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list) else value


def number(value: object) -> float | None:
    """A finite number of at least zero, given as a number or as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) and parsed >= 0 else None


def seconds(value: object, per_s: float = 1.0) -> float | None:
    """A time in seconds; None when the value is no plausible number, number as text, or Google's ``1.300s``.

    ``per_s`` is how many units a second has: 1000 for milliseconds.
    """
    parsed = number(value.removesuffix("s") if isinstance(value, str) else value)
    return parsed / per_s if parsed is not None and parsed / per_s < MOST_S else None


SLOWEST_S_A_WORD = 120.0
"""Slower speech is none: its times are milliseconds, of which 120 a word are 500 words a minute."""


def units_per_s(turns: Sequence[Json]) -> float:
    """1000 when times are in milliseconds, else 1, by the usual length of turns for their words.

    A turn without an end lasts until the next one starts.
    """
    timed = [(text_of(one), seconds(first(one, STARTS)), seconds(first(one, ENDS))) for one in turns]
    rates = []
    for at, (spoken, start, end) in enumerate(timed):
        until = timed[at + 1][1] if end is None and at + 1 < len(timed) else end
        if start is not None and until is not None and until >= start:
            rates.append((until - start) / max(count_words(spoken), 1))
    return 1000.0 if rates and median(rates) > SLOWEST_S_A_WORD else 1.0


_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,6}))?", re.A)


def clock(value: object) -> float | None:
    """A time written as ``[hh:]mm:ss[.mmm]``, in seconds; None for anything else."""
    parts = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if parts is None:
        return None
    return int(parts[1] or 0) * 3600 + int(parts[2]) * 60 + int(parts[3]) + float(f"0.{parts[4] or 0}")


def share(value: object) -> float | None:
    """A confidence 0..1; None for anything else."""
    parsed = seconds(value)
    return parsed if parsed is not None and parsed <= 1 else None


def channel(value: object, base: int = 0) -> int | None:
    """Index from 0 of a channel numbered from ``base``, given as a number or like ``ch_0``; else None."""
    if isinstance(value, str):
        numbered = re.fullmatch(r"(?:ch_?|channel[ _]?)?(\d{1,2})", value.strip().lower(), re.A)
        value = int(numbered[1]) if numbered else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value - base if 0 <= value - base < 64 else None


def label(value: object) -> str | None:
    """The label of a speaker: its name or number as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return text(str(value))[:MAX_LABEL_CHARS] or None
    except ValueError:  # an integer of thousands of digits
        return None


def role_of(speaker: object) -> Role:
    """The role that a speaker's label names; ``unknown`` when it is only a number or a person's name."""
    if not isinstance(speaker, str):
        return "unknown"
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", speaker[:MAX_LABEL_CHARS]).lower()))
    return next((role for role, role_words in _ROLE_WORDS.items() if words & role_words), "unknown")


_LINE_TIME = r"(?:[\[(]?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?[\])]?\s+(?:-\s+)?)?"
_BEFORE_COLON = re.compile(
    rf"\s*(?:-\s*|>>\s*)?{_LINE_TIME}[\[(]?([^\W\d_][\w .'’()#-]{{0,39}})[\])]?\s*:(?:\s+(\S.*)|\s*$)", re.S
)
_IN_BRACKETS = re.compile(
    rf"\s*{_LINE_TIME}[\[(]\s*((?:speaker|spk)[ _-]?\w{{1,3}})\s*[\])]\s*:?\s*(.*)", re.S | re.I
)
_NUMBERED = re.compile(r"(?:speaker|spk|person|party|channel|participant|voice)[ _-]?\w{1,3}", re.I)
_MOST_LABEL_WORDS = 4


def labelled(lines: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """The speaker's label and the text of each line; one without a label has that of the line before.

    Labels are written ``Agent: hello``, ``[SPEAKER_00] hello`` or ``(speaker 1) hello``. One is accepted when
    it names a role, numbers a speaker, or stands before several lines, unlike "Remember: it is closed".
    """
    found = [_IN_BRACKETS.match(line) or _BEFORE_COLON.match(line) for line in lines]
    labels = [match[1].strip(" ()") if match else "" for match in found]
    counts = Counter(labels)
    speaker = None
    for line, match, name in zip(lines, found, labels, strict=True):
        if match and _is_believed(name, counts[name]):
            speaker = name
            yield name, (match[2] or "").strip()
        else:
            yield speaker, line.strip()


def _is_believed(name: str, count: int) -> bool:
    words = re.findall(r"[^\W_]+", name)
    if not words or len(words) > _MOST_LABEL_WORDS:
        return False
    if _NUMBERED.fullmatch(name):
        return True
    if len(words) > 1 and not all(w[0].isupper() or w[0].isdigit() for w in words):
        return False
    return count > 1 or role_of(name) != "unknown"


def turn(
    content: object,
    start_s: float | None,
    end_s: float | None,
    *,
    speaker: object = None,
    role: Role = "unknown",
    on: int | None = None,
    confidence: float | None = None,
    words: Sequence[TimedWord] = (),
) -> Turn:
    """Build a turn with both times or neither. An unknown ``role`` is taken from the speaker's label."""
    if end_s is None:
        end_s = start_s
    if start_s is None or end_s is None or end_s < start_s:
        start_s = end_s = None
    name = label(speaker)
    timed = tuple(Word(w.text.strip(), w.start_s, w.end_s, w.confidence) for w in words)
    return Turn(
        0,
        role if role != "unknown" else role_of(name),
        text(content),
        start_s,
        end_s,
        channel=on,
        confidence=mean_confidence(timed) if confidence is None else confidence,
        words=timed if start_s is not None else (),
        speaker=name,
    )


def word(
    content: object,
    start_s: float | None,
    end_s: float | None,
    confidence: object = None,
    *,
    on: int | None = None,
    speaker: object = None,
) -> TimedWord | None:
    """Build a timed word with a leading space; None without text or plausible times."""
    spoken = text(content)
    if not spoken or start_s is None or end_s is None or end_s < start_s:
        return None
    return TimedWord(f" {spoken}", start_s, end_s, share(confidence), on, None, label(speaker))


_WORDS = ("punctuated_word", "word", "text", "value", "Text", "content")


def words(given: object, per_s: float = 1.0, base: int = 0) -> list[TimedWord]:
    """The timed words of a list of objects, read under the names that most recognisers use.

    Their times are in units of which ``per_s`` are a second; ``base`` is the number of the first channel.
    """
    timed = (
        word(
            text(*(one.get(name) for name in _WORDS)),
            seconds(first(one, STARTS), per_s),
            seconds(first(one, ENDS), per_s),
            first(one, ("confidence", "Confidence", "probability", "score")),
            on=channel(one.get("channel"), base),
            speaker=first(one, ("speaker", "speaker_id")),
        )
        for one in objects(given)
    )
    return [one for one in timed if one]


def items(given: Iterable[Json], speaker: Callable[[Json], object], on: int | None = None) -> list[TimedWord]:
    """The words of items with alternatives; punctuation, which has no time, is added to the word before it.

    ``on`` is the channel of all items; with None each item names its own.
    """
    timed: list[TimedWord] = []
    for item in given:
        likeliest = best(item)
        if item.get("type") != "punctuation":
            where = {"channel": item.get("channel_label") if on is None else on, "speaker": speaker(item)}
            timed += words([{**item, **likeliest, **where}])
        elif timed:
            timed[-1] = replace(timed[-1], text=timed[-1].text + text(likeliest.get("content")))
    return timed


def segment(one: Json, per_s: float = 1.0, base: int = 0, words: Sequence[TimedWord] = ()) -> Turn:
    """Build a turn from an object with the names that most recognisers use; arguments as in ``words``."""
    return turn(
        text_of(one),
        seconds(first(one, STARTS), per_s),
        seconds(first(one, ENDS), per_s),
        speaker=first(one, ("speaker", "speaker_label")),
        on=channel(first(one, ("channel", "channel_label", "media_channel")), base),
        confidence=share(one.get("confidence")),
        words=words,
    )


def ordered(made: Iterable[Turn]) -> tuple[Turn, ...]:
    """The turns with text, numbered: in order of time when all have times, else in the given order."""
    spoken = [turn for turn in made if turn.text]
    if all(turn.start_s is not None for turn in spoken):
        spoken.sort(key=lambda turn: turn.start_s or 0.0)
    return tuple(replace(turn, turn=number) for number, turn in enumerate(spoken))


def ended_s(turns: Iterable[Turn]) -> float | None:
    """The end of the last turn in seconds; None when no turn has a time."""
    return max((turn.end_s for turn in turns if turn.end_s is not None), default=None)


def listed(document: Json, name: str, *keys: str) -> list[Json]:
    """The objects in the document's list ``name``; [] when none of them has all these keys."""
    found = objects(document.get(name))
    return found if any(all(key in one for key in keys) for one in found) else []


class Said(NamedTuple):
    """A transcript of another tool.

    Attributes:
        turns: Returns its turns in any order, not numbered; turns without text are ignored.
        about: Metadata of the call by the names of ``CallMetadata``, and ``duration_s``, ``channels`` and
            ``model`` of the transcript.
    """

    turns: Callable[[], Iterable[Turn]]
    about: Mapping[str, object] = MappingProxyType({})


Reader = Callable[[Json], Said | None]
"""Reads the JSON object that holds a transcript; returns None when it is in another format."""
