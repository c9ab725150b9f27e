"""Values out of strangers' JSON, each checked: what is not as it should be counts as not given."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from pipeline.conversation import Role, Turn, Word
from pipeline.turns import TimedWord

Json = dict[str, Any]
MAX_LABEL_CHARS = 64
MOST_S = 1e9
# fmt: off
_ROLE_WORDS: tuple[tuple[Role, frozenset[str]], ...] = (
    ("system", frozenset({"system", "ivr", "bot", "automated", "virtual", "recording", "announcement"})),
    ("agent", frozenset({"agent", "advisor", "adviser", "representative", "rep", "operator", "csr", "support",
                         "service", "assistant", "associate", "specialist", "staff", "care", "helpdesk"})),
    ("customer", frozenset({"customer", "caller", "client", "user", "consumer", "guest", "visitor", "member",
                            "patient", "borrower"})),
)
# fmt: on
"""Words of a speaker's label that tell a role; the first kind found wins, so that "customer service" and
"client advisor" are the agent and a "virtual agent" is no person."""


def objects(value: object) -> list[Json]:
    """The objects of a list; none where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def record(value: object) -> Json:
    """An object, empty where it is none."""
    return value if isinstance(value, dict) else {}


def first(given: Json, names: Iterable[str]) -> Any:
    """The value of the first of several names that has one; None where none has."""
    return next((given[name] for name in names if given.get(name) is not None), None)


def stated(given: Iterable[Json], *names: str) -> Any:
    """The first value that one of several objects has under one of the names; None where none has."""
    return next(filter(None, (first(one, names) for one in given)), None)


def best(heard: Json, name: str = "alternatives") -> Json:
    """The first of a recogniser's alternatives, which is the likeliest; empty where there is none."""
    return next(iter(objects(heard.get(name))), {})


def text(*values: object) -> str:
    """The first of several values that is text with something in it, without what cannot be stored."""
    found = next((v for v in values if isinstance(v, str) and v.strip()), "")
    return found.encode("utf-8", "replace").decode().replace("\0", " ").strip()


def number(value: object) -> float | None:
    """A finite number that is not below zero, also as digits; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and found >= 0 else None


def seconds(value: object, per_s: float = 1.0) -> float | None:
    """A time in seconds, or None where it is no sane number.

    Args:
        value: A number, digits as text, or Google's ``1.300s``.
        per_s: How many of its units make a second: 1000 for milliseconds.
    """
    found = number(value.removesuffix("s") if isinstance(value, str) else value)
    return found / per_s if found is not None and found / per_s < MOST_S else None


_CLOCK = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,6}))?", re.A)


def clock(value: object) -> float | None:
    """Seconds of ``[hh:]mm:ss[.mmm]``; None where it is none."""
    found = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    return int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3]) + float(f"0.{found[4] or 0}")


def share(value: object) -> float | None:
    """A confidence 0..1, or None where it is no such number."""
    number = seconds(value)
    return number if number is not None and number <= 1 else None


def channel(value: object, base: int = 0) -> int | None:
    """A channel counted from 0, from a number counted from ``base``, also at the end of ``ch_0``."""
    if isinstance(value, str):
        found = re.fullmatch(r"(?:ch_?|channel[ _]?)?(\d{1,2})", value.strip().lower(), re.A)
        value = int(found[1]) if found else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value - base if 0 <= value - base < 64 else None


def label(value: object) -> str | None:
    """How a speaker is told from the others: a name or a number as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return text(str(value))[:MAX_LABEL_CHARS] or None
    except ValueError:  # an integer of thousands of digits
        return None


def role_of(speaker: object) -> Role:
    """The role a speaker's label names, ``unknown`` where it is only a number or a name."""
    if not isinstance(speaker, str):
        return "unknown"
    words = set(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", speaker[:MAX_LABEL_CHARS]).lower()))
    return next((role for role, told in _ROLE_WORDS if words & told), "unknown")


def turn(
    said: object,
    start_s: float | None,
    end_s: float | None,
    *,
    speaker: object = None,
    role: Role = "unknown",
    on: int | None = None,
    confidence: float | None = None,
    words: Sequence[TimedWord] = (),
) -> Turn:
    """One turn, its times both there or both absent; its role as told, else as its speaker's label names."""
    if end_s is None:
        end_s = start_s
    if start_s is None or end_s is None or end_s < start_s:
        start_s = end_s = None
    name = label(speaker)
    timed = tuple(Word(w.text.strip(), w.start_s, w.end_s, w.confidence) for w in words)
    sure = [w.confidence for w in timed if w.confidence is not None]
    return Turn(
        0,
        role if role != "unknown" else role_of(name),
        text(said),
        start_s,
        end_s,
        channel=on,
        confidence=round(sum(sure) / len(sure), 4) if confidence is None and sure else confidence,
        words=timed if start_s is not None else (),
        speaker=name,
    )


def word(
    said: object,
    start_s: float | None,
    end_s: float | None,
    confidence: object = None,
    *,
    on: int | None = None,
    speaker: object = None,
) -> TimedWord | None:
    """One timed word with its leading space; None without text or sane times."""
    spoken = text(said)
    if not spoken or start_s is None or end_s is None or end_s < start_s:
        return None
    return TimedWord(f" {spoken}", start_s, end_s, share(confidence), on, None, label(speaker))


_WORDS = ("punctuated_word", "word", "text", "value", "Text")
_STARTS = ("start", "start_s", "start_time", "ts", "StartTime")
_ENDS = ("end", "end_s", "end_time", "end_ts", "EndTime")


def words(given: object, per_s: float = 1.0, base: int = 0) -> list[TimedWord]:
    """The timed words of a list of objects, under the names that most recognisers give their parts.

    Args:
        given: The list; anything else has no words.
        per_s: How many units of its times make a second.
        base: What its channels count from.
    """
    found = (
        word(
            text(*(one.get(name) for name in _WORDS)),
            seconds(first(one, _STARTS), per_s),
            seconds(first(one, _ENDS), per_s),
            first(one, ("confidence", "Confidence", "probability", "score")),
            on=channel(one.get("channel"), base),
            speaker=first(one, ("speaker", "speaker_id")),
        )
        for one in objects(given)
    )
    return [one for one in found if one]


def items(given: Iterable[Json], speaker: Callable[[Json], object], on: int | None = None) -> list[TimedWord]:
    """The words of items with alternatives; punctuation, which has no time, belongs to the word before it.

    Args:
        given: The items.
        speaker: Who said an item.
        on: The channel of all of them, where they do not name it.
    """
    heard: list[TimedWord] = []
    for item in given:
        likeliest = best(item)
        if item.get("type") == "punctuation":
            if heard:
                heard[-1] = replace(heard[-1], text=heard[-1].text + text(likeliest.get("content")))
            continue
        found = word(
            likeliest.get("content"),
            seconds(item.get("start_time")),
            seconds(item.get("end_time")),
            likeliest.get("confidence"),
            on=channel(item.get("channel_label")) if on is None else on,
            speaker=speaker(item),
        )
        heard += [found] if found else []
    return heard


def segment(one: Json, per_s: float = 1.0, base: int = 0, words: Sequence[TimedWord] = ()) -> Turn:
    """A stretch of talk under the names that most recognisers give its parts; units as in ``words``."""
    return turn(
        text(one.get("text"), one.get("transcript")),
        seconds(first(one, _STARTS), per_s),
        seconds(first(one, _ENDS), per_s),
        speaker=first(one, ("speaker", "speaker_label")),
        on=channel(first(one, ("channel", "channel_label", "media_channel")), base),
        confidence=share(one.get("confidence")),
        words=words,
    )


def ordered(made: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns with words, numbered, in order of time where all have one, else as they came."""
    said = [turn for turn in made if turn.text]
    if all(turn.start_s is not None for turn in said):
        said.sort(key=lambda turn: turn.start_s or 0.0)
    return tuple(replace(turn, turn=number) for number, turn in enumerate(said))


def ended_s(turns: Iterable[Turn]) -> float | None:
    """When the last turn ends, in seconds; None where none has a time."""
    return max((turn.end_s for turn in turns if turn.end_s is not None), default=None)
