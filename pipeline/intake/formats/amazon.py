"""Amazon Transcribe's job output, Post Call Analytics' results, and Contact Lens and Call Analytics.

https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html
(voice: offsets in milliseconds; chat: absolute times) and the Call Analytics job output,
https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html (words of all speakers),
https://docs.aws.amazon.com/transcribe/latest/dg/channel-id.html (words by channel), and
https://github.com/aws-samples/amazon-transcribe-post-call-analytics/blob/develop/docs/output_json_structure.md
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces, times
from pipeline.intake.pieces import Json, Reader, Said, objects, record, seconds
from pipeline.turns import build_turns

_NOW_S = 60.0
"""Post Call Analytics dates a call by the time of processing when it cannot read a time from its name."""


def _transcribe(document: Json) -> Said | None:
    results = record(document.get("results"))
    channels = objects(record(results.get("channel_labels")).get("channels"))
    items = [item for one in (results, *channels) for item in objects(one.get("items"))]
    spoken = any(item.get("type") in ("pronunciation", "punctuation") for item in items)
    if not spoken and not isinstance(results.get("audio_segments"), list):
        return None
    return Said(
        lambda: _transcribed(results, channels), {"language": pieces.text(results.get("language_code"))}
    )


def _transcribed(results: Json, channels: list[Json]) -> Iterable[Turn]:
    speakers = {} if channels else _speakers(results)

    def speaker(item: Json) -> object:
        return item.get("speaker_label", speakers.get(str(item.get("start_time"))))

    words = [] if channels else pieces.items(objects(results.get("items")), speaker)
    for at, one in enumerate(channels):
        labelled = pieces.channel(one.get("channel_label"))
        words += pieces.items(objects(one.get("items")), speaker, at if labelled is None else labelled)
    return build_turns(words) if words else map(pieces.segment, objects(results.get("audio_segments")))


def _speakers(results: Json) -> dict[object, object]:
    """Speaker by start time of the word, for outputs whose words do not contain the speaker."""
    segments = objects(record(results.get("speaker_labels")).get("segments"))
    return {
        str(item.get("start_time")): item.get("speaker_label", segment.get("speaker_label"))
        for segment in segments
        for item in objects(segment.get("items"))
    }


def _pca(document: Json) -> Said | None:
    header, segments = document.get("ConversationAnalytics"), document.get("SpeechSegments")
    if not isinstance(header, dict) or not isinstance(segments, list):
        return None
    zone = pieces.text(header.get("ConversationLocation"))
    about = {
        "call_id": header.get("GUID"),
        "agent_id": header.get("Agent"),
        "customer_ref": header.get("Cust"),
        "started_at": _known_time(header, zone or "UTC"),
        "timezone": zone,
        "language": header.get("LanguageCode"),
        "duration_s": header.get("Duration"),
    }
    return Said(lambda: _pca_turns(header, objects(segments)), about)


def _pca_turns(header: Json, segments: list[Json]) -> Iterator[Turn]:
    labels = {str(one.get("Speaker")): one.get("DisplayText") for one in objects(header.get("SpeakerLabels"))}
    for segment in segments:
        speaker = segment.get("SegmentSpeaker")
        is_ivr = segment.get("IVRSegment") is True
        role: Role = "system" if is_ivr else pieces.role_of(labels.get(str(speaker)))
        yield pieces.turn(
            pieces.text(segment.get("DisplayText"), segment.get("OriginalText")),
            seconds(segment.get("SegmentStartTime")),
            seconds(segment.get("SegmentEndTime")),
            speaker=speaker,
            role=role,
            words=pieces.words(segment.get("WordConfidence")),
        )


def _known_time(header: Json, zone_name: str) -> str | None:
    """The stated time of the conversation; None when it is only the time of processing."""
    stated = pieces.text(header.get("ConversationTime"))
    try:
        age = times.parse(pieces.text(header.get("ProcessTime")), "UTC") - times.parse(stated, zone_name)
    except times.BadTime:
        return stated
    return None if abs(age.total_seconds()) < _NOW_S else stated


def _contact_lens(document: Json) -> Said | None:
    given = document.get("Transcript")
    others = (document.get("Participants"), document.get("CustomerMetadata"))
    if not isinstance(given, list) or not any(isinstance(other, list | dict) for other in others):
        return None
    items = objects(given)
    sent = (times.moment(item.get("AbsoluteTime")) for item in items)
    first = next(filter(None, sent), None)
    channel = str(document.get("Channel", "VOICE"))
    about = {
        "call_id": record(document.get("CustomerMetadata")).get("ContactId"),
        "medium": channel.lower() if channel in {"VOICE", "CHAT", "EMAIL"} else channel,
        "language": document.get("LanguageCode"),
        "started_at": first.isoformat() if first else None,
        "channels": 0 if channel in {"CHAT", "EMAIL"} else 2,  # it requires one channel per speaker
        "model": str(document.get("Version", "")),
    }
    return Said(lambda: _contact_lens_turns(items, objects(document.get("Participants")), first), about)


def _contact_lens_turns(
    items: list[Json], participants: list[Json], first: dt.datetime | None
) -> Iterator[Turn]:
    """Turns with the role of the participant; joins, leaves and attachments in a chat have no text."""
    roles = {str(p.get("ParticipantId")): pieces.role_of(p.get("ParticipantRole")) for p in participants}
    for item in items:
        who = item.get("ParticipantId")
        start_s, end_s = (seconds(item.get(f"{edge}OffsetMillis"), 1000) for edge in ("Begin", "End"))
        sent = times.moment(item.get("AbsoluteTime"))
        if sent is not None and first is not None:
            start_s = end_s = (sent - first).total_seconds()
        role = pieces.role_of(item.get("ParticipantRole"))
        role = role if role != "unknown" else roles.get(str(who), "unknown")
        yield pieces.turn(item.get("Content"), start_s, end_s, speaker=who, role=role)


READERS: dict[str, Reader] = {
    "contact-lens": _contact_lens,
    "Post Call Analytics": _pca,
    "Amazon Transcribe": _transcribe,
}
