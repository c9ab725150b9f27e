"""Amazon Transcribe's job output and Post Call Analytics' own results.

https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html (words of all speakers),
https://docs.aws.amazon.com/transcribe/latest/dg/channel-id.html (words by channel), and
https://github.com/aws-samples/amazon-transcribe-post-call-analytics/blob/develop/docs/output_json_structure.md
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces, times
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, record, seconds
from pipeline.turns import TimedWord, build_turns

_NOW_S = 60.0
"""Post Call Analytics dates a call whose name it cannot read by the moment it works on it."""


def _is_transcribe(document: Json) -> bool:
    results = record(document.get("results"))
    spoken = any(item.get("type") in ("pronunciation", "punctuation") for item in _items(results))
    return spoken or isinstance(results.get("audio_segments"), list)


def _transcribe(document: Json) -> Iterable[Turn]:
    results = record(document["results"])
    by_channel = objects(record(results.get("channel_labels")).get("channels"))
    if by_channel:
        heard = [
            w
            for at, one in enumerate(by_channel)
            for w in _words(objects(one.get("items")), {}, _channel_of(one, at))
        ]
    else:
        heard = list(_words(_items(results), _speakers(results), None))
    if heard:
        return build_turns(heard)
    segments = objects(results.get("audio_segments"))
    return [
        pieces.turn(
            s.get("transcript"),
            seconds(s.get("start_time")),
            seconds(s.get("end_time")),
            speaker=s.get("speaker_label"),
            on=pieces.channel(s.get("channel_label")),
        )
        for s in segments
    ]


def _items(results: Json) -> list[Json]:
    found = objects(results.get("items"))
    if found:
        return found
    return [
        i
        for one in objects(record(results.get("channel_labels")).get("channels"))
        for i in objects(one.get("items"))
    ]


def _channel_of(one: Json, at: int) -> int:
    named = pieces.channel(one.get("channel_label"))
    return at if named is None else named


def _speakers(results: Json) -> dict[object, object]:
    """Speaker by the start of a word, for outputs whose words do not name it themselves."""
    segments = objects(record(results.get("speaker_labels")).get("segments"))
    return {
        str(item.get("start_time")): item.get("speaker_label", segment.get("speaker_label"))
        for segment in segments
        for item in objects(segment.get("items"))
    }


def _words(items: Iterable[Json], speakers: Mapping[object, object], on: int | None) -> Iterator[TimedWord]:
    """Words in order; a mark of punctuation, which has no time, belongs to the word before it."""
    before: TimedWord | None = None
    for item in items:
        best = next(iter(objects(item.get("alternatives"))), {})
        if item.get("type") == "punctuation":
            if before is not None:
                before = replace(before, text=before.text + pieces.text(best.get("content")))
            continue
        if before is not None:
            yield before
        start_s = seconds(item.get("start_time"))
        before = pieces.word(
            best.get("content"),
            start_s,
            seconds(item.get("end_time")),
            best.get("confidence"),
            on=pieces.channel(item.get("channel_label")) if on is None else on,
            speaker=item.get("speaker_label", speakers.get(str(item.get("start_time")))),
        )
    if before is not None:
        yield before


def _about_transcribe(document: Json) -> Mapping[str, object]:
    return {"language": pieces.text(record(document["results"]).get("language_code")) or None}


def _is_pca(document: Json) -> bool:
    return isinstance(document.get("SpeechSegments"), list) and isinstance(
        document.get("ConversationAnalytics"), dict
    )


def _pca(document: Json) -> Iterator[Turn]:
    shown = {
        str(one.get("Speaker")): one.get("DisplayText")
        for one in objects(document["ConversationAnalytics"].get("SpeakerLabels"))
    }
    for segment in objects(document["SpeechSegments"]):
        named = segment.get("SegmentSpeaker")
        role: Role = "system" if segment.get("IVRSegment") is True else pieces.role_of(shown.get(str(named)))
        words = [
            pieces.word(
                w.get("Text"), seconds(w.get("StartTime")), seconds(w.get("EndTime")), w.get("Confidence")
            )
            for w in objects(segment.get("WordConfidence"))
        ]
        yield pieces.turn(
            pieces.text(segment.get("DisplayText"), segment.get("OriginalText")),
            seconds(segment.get("SegmentStartTime")),
            seconds(segment.get("SegmentEndTime")),
            speaker=named,
            role=role,
            words=[w for w in words if w],
        )


def _about_pca(document: Json) -> Mapping[str, object]:
    header = document["ConversationAnalytics"]
    zone = pieces.text(header.get("ConversationLocation")) or None
    return {
        "call_id": header.get("GUID") or None,
        "agent_id": header.get("Agent") or None,
        "customer_ref": header.get("Cust") or None,
        "started_at": _known_time(header, zone or "UTC"),
        "timezone": zone,
        "language": header.get("LanguageCode") or None,
        "duration_s": header.get("Duration"),
    }


def _known_time(header: Json, zone_name: str) -> str | None:
    """When the conversation was, unless that is only when it was worked on."""
    stated = pieces.text(header.get("ConversationTime"))
    try:
        apart = times.parse(stated, zone_name) - times.parse(pieces.text(header.get("ProcessTime")), "UTC")
    except times.BadTime:
        return stated or None
    return None if abs(apart.total_seconds()) < _NOW_S else stated


FORMS = (
    Form("Post Call Analytics", _is_pca, _pca, _about_pca),
    Form("Amazon Transcribe", _is_transcribe, _transcribe, _about_transcribe),
)
