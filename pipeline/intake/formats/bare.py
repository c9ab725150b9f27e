"""Bare lists of turns: objects with a text and a speaker or a time, under whatever usual names.

No page describes them; scripts, chat tools and test data write them. The names accepted are below.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from pipeline.conversation import Turn
from pipeline.intake import metadata, pieces, times
from pipeline.intake.formats import labels
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, first, objects

# fmt: off
LISTS = ("turns", "segments", "utterances", "messages", "conversation", "transcript", "transcripts",
         "dialogue", "dialog", "phrases", "sentences")
TEXTS = ("text", "message", "transcript", "content", "body", "utterance", "sentence")
SPEAKERS = ("speaker", "speaker_id", "speakerId", "speaker_label", "participant", "participant_id",
            "participantId", "sender", "from", "author", "user", "name", "party", "role", "channel")
STARTS = ("start", "start_s", "start_time", "startTime", "begin", "time", "timestamp", "sent_at",
          "created_at", "createdAt", "date", "datetime", "ts")
ENDS = ("end", "end_s", "end_time", "endTime")
MILLISECONDS = (("start_ms", "startMs", "start_time_ms", "startMillis"),
                ("end_ms", "endMs", "end_time_ms", "endMillis"))
# fmt: on
SLOWEST_S_A_WORD = 20.0
"""Whole numbers that would mean slower speech than this are milliseconds."""
MOST_SPEAKERS = 8
LOOKED_AT = 500
"""What a list is, is told by its first members."""
Time = float | dt.datetime | None


def _pieces(document: Json) -> list[Json]:
    """The list of turns; empty where no list looks like one."""
    for name in LISTS:
        found = objects(document.get(name))
        looked_at = found[:LOOKED_AT]
        told = [one for one in looked_at if _text(one) and (_speaker(one) or _has_time(one))]
        if told and 2 * len(told) >= len(looked_at) and _is_talk(told):
            return found
    return []


def _is_talk(told: list[Json]) -> bool:
    """Whether few speak often: in a list of documents each has a name of its own."""
    named = {_speaker(one) for one in told}
    return all(map(_has_time, told)) or len(named) <= min(MOST_SPEAKERS, max(3, len(told) // 2 + 1))


def _text(piece: Json) -> str:
    return pieces.text(*(piece[name] for name in TEXTS if name in piece))


def _speaker(piece: Json) -> str | None:
    """Who speaks; a label that names a role says more than a number or a name beside it."""
    given = [found for name in SPEAKERS if name in piece and (found := pieces.label(piece[name]))]
    return next((one for one in given if pieces.role_of(one) != "unknown"), given[0] if given else None)


def _has_time(piece: Json) -> bool:
    return first(piece, (*STARTS, *MILLISECONDS[0])) is not None


def _turns(document: Json) -> Iterator[Turn]:
    found = _pieces(document)
    times_of = [_span(one) for one in found]
    per_s = 1000.0 if _in_milliseconds(found, times_of) else 1.0
    moments = [start for start, _ in times_of if isinstance(start, dt.datetime)]
    began = min(moments, default=None)
    for one, (start, end) in zip(found, times_of, strict=True):
        yield pieces.turn(
            _text(one),
            _since(start, began, per_s),
            _since(end, began, per_s),
            speaker=_speaker(one),
            on=pieces.channel(one.get("channel")) if isinstance(one.get("channel"), int) else None,
            confidence=pieces.share(one.get("confidence")),
            words=pieces.words(one.get("words"), per_s),
        )


def _span(piece: Json) -> tuple[Time, Time]:
    in_ms = [pieces.seconds(first(piece, names), 1000) for names in MILLISECONDS]
    if in_ms[0] is not None:
        return in_ms[0], in_ms[1]
    return _time(first(piece, STARTS)), _time(first(piece, ENDS))


def _time(given: object) -> Time:
    """Seconds, a clock, or a moment."""
    found = pieces.seconds(given)
    if found is None:
        found = pieces.clock(given)
    if found is not None or isinstance(given, bool) or not isinstance(given, str | int | float):
        return found
    try:
        return times.parse(str(given), "UTC")
    except ValueError:
        return None


def _in_milliseconds(found: list[Json], spans: list[tuple[Time, Time]]) -> bool:
    given = [first(one, ENDS) for one in found]
    if not given or not all(isinstance(one, int) for one in given):
        return False
    ends = [end for _, end in spans if isinstance(end, float)]
    words = sum(len(_text(one).split()) for one in found)
    return bool(ends) and max(ends) > SLOWEST_S_A_WORD * max(words, 1)


def _since(time: Time, began: dt.datetime | None, per_s: float) -> float | None:
    """Seconds of the recording, or since the first message."""
    if isinstance(time, dt.datetime):
        return None if began is None else (time - began).total_seconds()
    return None if time is None or began is not None else time / per_s


def _about(document: Json) -> Mapping[str, object]:
    """What stands beside the list under a name that is ours; anything else might be the words again."""
    known = {alias for aliases in metadata.ALIASES.values() for alias in aliases}
    beside = {
        k: v for k, v in document.items() if metadata.field_name(k) in known and isinstance(v, str | int)
    }
    messages = any(isinstance(_span(one)[0], dt.datetime) for one in _pieces(document)[:3])
    found: dict[str, object] = {"duration_s": first(document, ("duration_s", "duration"))}
    return {"medium": "chat" if messages else None} | beside | found


def spoken_lines(body: str) -> Iterator[Turn]:
    """Plain text: a turn a line where speakers stand before the lines, else one turn of nobody known."""
    lines = [line for line in body.splitlines() if line.strip()]
    named = labels.split(lines)
    if not any(label for label, _ in named):
        yield pieces.turn(body, None, None)
        return
    for speaker, said in labels.carried(named):
        yield pieces.turn(said, None, None, speaker=speaker)


FORMS = (Form("a list of turns", lambda document: bool(_pieces(document)), _turns, _about),)
