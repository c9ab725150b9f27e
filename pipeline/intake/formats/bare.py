"""Plain lists of turns: objects with a text and a speaker or a time, under any of the usual keys.

Scripts, chat tools and test data write them; no specification describes them. The keys accepted are below.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from operator import itemgetter

from pipeline.conversation import Turn
from pipeline.intake import metadata, pieces, times
from pipeline.intake.pieces import ENDS, STARTS, Json, Said, first, objects, text_of

NAME = "a list of turns"
# fmt: off
LISTS = ("turns", "segments", "utterances", "messages", "conversation", "transcript", "transcripts",
         "dialogue", "dialog", "phrases", "sentences")
SPEAKERS = ("speaker", "speaker_id", "speakerId", "speaker_label", "participant", "participant_id",
            "participantId", "sender", "from", "author", "user", "name", "party", "role", "channel")
MILLISECONDS = (("start_ms", "startMs", "start_time_ms", "startMillis"),
                ("end_ms", "endMs", "end_time_ms", "endMillis"))
# fmt: on
DAY_S = 86_400.0
LATEST_START_S = 3600.0
"""Clocks that all show more are times of day, not of the recording: no talk begins an hour into it."""
MOST_SPEAKERS = 8
SAMPLE_SIZE = 500
"""Number of members at the start of a list by which it is judged."""
Time = float | dt.datetime | None
Span = tuple[Time, Time]


def _turn_objects(document: Json) -> list[Json]:
    """The first list in the document that looks like turns; empty when there is none."""
    for name in LISTS:
        members = objects(document.get(name))
        sample = members[:SAMPLE_SIZE]
        turns = [one for one in sample if text_of(one) and (_speaker(one) or _has_time(one))]
        if turns and 2 * len(turns) >= len(sample) and _is_talk(turns):
            return members
    return []


def _is_talk(turns: list[Json]) -> bool:
    """Whether all have times, or few speakers speak often; in a list of documents each has its own name."""
    speakers = {_speaker(one) for one in turns}
    return all(map(_has_time, turns)) or len(speakers) <= min(MOST_SPEAKERS, max(3, len(turns) // 2 + 1))


def _speaker(piece: Json) -> str | None:
    """The speaker's label: one that names a role, else the first."""
    given = [label for name in SPEAKERS if name in piece and (label := pieces.label(piece[name]))]
    return next((label for label in given if pieces.role_of(label) != "unknown"), given[0] if given else None)


def _has_time(piece: Json) -> bool:
    return first(piece, (*STARTS, *MILLISECONDS[0])) is not None


def read(document: Json) -> Said | None:
    """The turns and, of the values beside them, those under known names: others may repeat the words."""
    members = _turn_objects(document)
    if not members:
        return None
    known = {alias for aliases in metadata.ALIASES.values() for alias in aliases}
    beside = {
        k: v for k, v in document.items() if metadata.field_name(k) in known and isinstance(v, str | int)
    }
    spans, per_s = _spans(members), _units_per_s(members)
    sent = [
        (start, first(one, STARTS))
        for one, (start, _) in zip(members, spans, strict=True)
        if isinstance(start, dt.datetime)
    ]
    first_sent, as_written = min(sent, key=itemgetter(0), default=(None, None))
    has_start = any(metadata.field_name(name) in metadata.ALIASES["started_at"] for name in beside)
    stated_per_s = 1.0 if "duration_s" in document else per_s
    about = {
        "medium": "chat" if sent else None,
        "started_at": None if has_start else as_written,
        **beside,
        "duration_s": pieces.seconds(first(document, ("duration_s", "duration")), stated_per_s),
    }
    return Said(lambda: _turns(members, spans, first_sent, per_s), about)


def _turns(
    members: list[Json], spans: list[Span], first_sent: dt.datetime | None, per_s: float
) -> Iterator[Turn]:
    for one, (start, end) in zip(members, spans, strict=True):
        yield pieces.turn(
            text_of(one),
            _in_seconds(start, first_sent, per_s),
            _in_seconds(end, first_sent, per_s),
            speaker=_speaker(one),
            on=pieces.channel(one.get("channel")) if isinstance(one.get("channel"), int) else None,
            confidence=pieces.share(one.get("confidence")),
            words=pieces.words(one.get("words"), per_s),
        )


def _span(piece: Json) -> Span:
    in_ms = [pieces.seconds(first(piece, names), 1000) for names in MILLISECONDS]
    if in_ms[0] is not None:
        return in_ms[0], in_ms[1]
    return _time(first(piece, STARTS)), _time(first(piece, ENDS))


def _time(given: object) -> Time:
    """A time given as a number, as ``mm:ss``, or as a date and time."""
    time_s = pieces.seconds(given)
    if time_s is None:
        time_s = pieces.clock(given)
    if time_s is not None or isinstance(given, bool) or not isinstance(given, str | int | float):
        return time_s
    try:
        return times.parse(str(given), "UTC")
    except ValueError:
        return None


def _spans(members: list[Json]) -> list[Span]:
    """Start and end of each turn. Times of day become seconds since the first one, past midnight too."""
    spans = [_span(one) for one in members]
    if any(_has_time(one) and pieces.clock(first(one, STARTS)) is None for one in members):
        return spans
    clocks = _past_midnight(spans)
    first_s = min((start for start, _ in clocks if start is not None), default=0.0)
    if clocks == spans and first_s < LATEST_START_S:
        return spans
    return [(_minus(start, first_s), _minus(end, first_s)) for start, end in clocks]


def _past_midnight(spans: list[Span]) -> list[tuple[float | None, float | None]]:
    """Clock times with days added or taken, so that each is less than half a day from the one before."""
    before: float | None = None

    def moved(time: Time) -> float | None:
        nonlocal before
        if not isinstance(time, float):
            return None
        before = time + DAY_S * round(((time if before is None else before) - time) / DAY_S)
        return before

    return [(moved(start), moved(end)) for start, end in spans]


def _minus(time: float | None, first_s: float) -> float | None:
    return None if time is None else time - first_s


def _units_per_s(members: list[Json]) -> float:
    """1000 when times are numbers of milliseconds, else 1; dates and clocks are no numbers."""
    if any(first(one, MILLISECONDS[0]) is not None for one in members):
        return 1.0
    return pieces.units_per_s(members)


def _in_seconds(time: Time, first_sent: dt.datetime | None, per_s: float) -> float | None:
    """Seconds since the first message when messages have dates, else since the start of the recording."""
    if isinstance(time, dt.datetime):
        return None if first_sent is None else (time - first_sent).total_seconds()
    return None if time is None or first_sent is not None else time / per_s
