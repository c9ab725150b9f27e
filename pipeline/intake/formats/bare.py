"""Plain lists of turns: objects with a text and a speaker or a time, under any of the usual keys.

Scripts, chat tools and test data write them; no specification describes them. The keys accepted are below.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from pipeline.conversation import Turn
from pipeline.intake import metadata, pieces, times
from pipeline.intake.pieces import Form, Json, first, objects
from pipeline.text.words import count_words

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
"""Times in whole numbers are milliseconds when, as seconds, they would mean slower speech than this."""
MOST_SPEAKERS = 8
SAMPLE_SIZE = 500
"""Number of members at the start of a list by which it is judged."""
Time = float | dt.datetime | None


def _turn_objects(document: Json) -> list[Json]:
    """The first list in the document that looks like turns; empty when there is none."""
    for name in LISTS:
        members = objects(document.get(name))
        sample = members[:SAMPLE_SIZE]
        turns = [one for one in sample if _text(one) and (_speaker(one) or _has_time(one))]
        if turns and 2 * len(turns) >= len(sample) and _is_talk(turns):
            return members
    return []


def _is_talk(turns: list[Json]) -> bool:
    """Whether all have times, or few speakers speak often; in a list of documents each has its own name."""
    speakers = {_speaker(one) for one in turns}
    return all(map(_has_time, turns)) or len(speakers) <= min(MOST_SPEAKERS, max(3, len(turns) // 2 + 1))


def _text(piece: Json) -> str:
    return pieces.text(*(piece[name] for name in TEXTS if name in piece))


def _speaker(piece: Json) -> str | None:
    """The speaker's label: one that names a role, else the first."""
    given = [label for name in SPEAKERS if name in piece and (label := pieces.label(piece[name]))]
    return next((label for label in given if pieces.role_of(label) != "unknown"), given[0] if given else None)


def _has_time(piece: Json) -> bool:
    return first(piece, (*STARTS, *MILLISECONDS[0])) is not None


def _turns(document: Json) -> Iterator[Turn]:
    members = _turn_objects(document)
    spans = [_span(one) for one in members]
    per_s = 1000.0 if _in_milliseconds(members, spans) else 1.0
    first_sent = min((start for start, _ in spans if isinstance(start, dt.datetime)), default=None)
    for one, (start, end) in zip(members, spans, strict=True):
        yield pieces.turn(
            _text(one),
            _in_seconds(start, first_sent, per_s),
            _in_seconds(end, first_sent, per_s),
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


def _in_milliseconds(members: list[Json], spans: list[tuple[Time, Time]]) -> bool:
    given = [first(one, ENDS) for one in members]
    if not given or not all(isinstance(one, int) for one in given):
        return False
    ends = [end for _, end in spans if isinstance(end, float)]
    n_words = sum(count_words(_text(one)) for one in members)
    return bool(ends) and max(ends) > SLOWEST_S_A_WORD * max(n_words, 1)


def _in_seconds(time: Time, first_sent: dt.datetime | None, per_s: float) -> float | None:
    """Seconds since the first message when messages have dates, else since the start of the recording."""
    if isinstance(time, dt.datetime):
        return None if first_sent is None else (time - first_sent).total_seconds()
    return None if time is None or first_sent is not None else time / per_s


def _about(document: Json) -> Mapping[str, object]:
    """Values beside the list under known names of metadata; other values may repeat the words."""
    known = {alias for aliases in metadata.ALIASES.values() for alias in aliases}
    beside = {
        k: v for k, v in document.items() if metadata.field_name(k) in known and isinstance(v, str | int)
    }
    messages = any(isinstance(_span(one)[0], dt.datetime) for one in _turn_objects(document)[:3])
    duration: dict[str, object] = {"duration_s": first(document, ("duration_s", "duration"))}
    return {"medium": "chat" if messages else None} | beside | duration


def spoken_lines(body: str) -> Iterator[Turn]:
    """Plain text as turns: one per line when any line has a label, else a single turn without a speaker."""
    labelled = list(pieces.labelled([line for line in body.splitlines() if line.strip()]))
    if not any(speaker for speaker, _ in labelled):
        labelled = [(None, body)]
    for speaker, text in labelled:
        yield pieces.turn(text, None, None, speaker=speaker)


FORMS = (Form("a list of turns", lambda document: bool(_turn_objects(document)), _turns, _about),)
