"""Amazon Transcribe's job output, Post Call Analytics' results, and Contact Lens and Call Analytics.

https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html
(voice: offsets in milliseconds; chat: absolute times) and the Call Analytics job output,
https://docs.aws.amazon.com/transcribe/latest/dg/diarization-output-batch.html (words of all speakers),
https://docs.aws.amazon.com/transcribe/latest/dg/channel-id.html (words by channel), and
https://github.com/aws-samples/amazon-transcribe-post-call-analytics/blob/develop/docs/output_json_structure.md
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces, times
from pipeline.intake.pieces import Form, Json, objects, record, seconds
from pipeline.turns import build_turns

_NOW_S = 60.0
"""Post Call Analytics dates a call by the time of processing when it cannot read a time from its name."""


def _channels(results: Json) -> list[Json]:
    return objects(record(results.get("channel_labels")).get("channels"))


def _is_transcribe(document: Json) -> bool:
    results = record(document.get("results"))
    items = [item for one in (results, *_channels(results)) for item in objects(one.get("items"))]
    spoken = any(item.get("type") in ("pronunciation", "punctuation") for item in items)
    return spoken or isinstance(results.get("audio_segments"), list)


def _transcribe(document: Json) -> Iterable[Turn]:
    results = record(document["results"])
    by_channel = _channels(results)
    speakers = {} if by_channel else _speakers(results)

    def speaker(item: Json) -> object:
        return item.get("speaker_label", speakers.get(str(item.get("start_time"))))

    words = [] if by_channel else pieces.items(objects(results.get("items")), speaker)
    for at, one in enumerate(by_channel):
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


def _about_transcribe(document: Json) -> Mapping[str, object]:
    return {"language": pieces.text(record(document["results"]).get("language_code")) or None}


def _is_pca(document: Json) -> bool:
    return isinstance(document.get("SpeechSegments"), list) and isinstance(
        document.get("ConversationAnalytics"), dict
    )


def _pca(document: Json) -> Iterator[Turn]:
    labels = {
        str(one.get("Speaker")): one.get("DisplayText")
        for one in objects(document["ConversationAnalytics"].get("SpeakerLabels"))
    }
    for segment in objects(document["SpeechSegments"]):
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
    """The stated time of the conversation; None when it is only the time of processing."""
    stated = pieces.text(header.get("ConversationTime"))
    try:
        age = times.parse(pieces.text(header.get("ProcessTime")), "UTC") - times.parse(stated, zone_name)
    except times.BadTime:
        return stated or None
    return None if abs(age.total_seconds()) < _NOW_S else stated


def _is_contact_lens(document: Json) -> bool:
    return isinstance(document.get("Transcript"), list) and any(
        isinstance(document.get(key), list | dict) for key in ("Participants", "CustomerMetadata")
    )


def _contact_lens(document: Json) -> Iterator[Turn]:
    """Turns with the role of the participant; joins, leaves and attachments in a chat have no text."""
    roles = {
        str(p.get("ParticipantId")): pieces.role_of(p.get("ParticipantRole"))
        for p in objects(document.get("Participants"))
    }
    first = _first_moment(document)
    for item in objects(document["Transcript"]):
        who = item.get("ParticipantId")
        start_s, end_s = (seconds(item.get(f"{edge}OffsetMillis"), 1000) for edge in ("Begin", "End"))
        sent = times.moment(item.get("AbsoluteTime"))
        if sent is not None and first is not None:
            start_s = end_s = (sent - first).total_seconds()
        role = pieces.role_of(item.get("ParticipantRole"))
        role = role if role != "unknown" else roles.get(str(who), "unknown")
        yield pieces.turn(item.get("Content"), start_s, end_s, speaker=who, role=role)


def _about_contact_lens(document: Json) -> Mapping[str, object]:
    first = _first_moment(document)
    channel = str(document.get("Channel", "VOICE"))
    return {
        "call_id": record(document.get("CustomerMetadata")).get("ContactId"),
        "medium": channel.lower() if channel in {"VOICE", "CHAT", "EMAIL"} else channel,
        "language": document.get("LanguageCode") or None,
        "started_at": first.isoformat() if first else None,
        "channels": 0 if channel in {"CHAT", "EMAIL"} else 2,  # it requires one channel per speaker
        "model": str(document.get("Version", "")),
    }


def _first_moment(document: Json) -> dt.datetime | None:
    sent = (times.moment(item.get("AbsoluteTime")) for item in objects(document["Transcript"]))
    return next(filter(None, sent), None)


FORMS = (
    Form("contact-lens", _is_contact_lens, _contact_lens, _about_contact_lens),
    Form("Post Call Analytics", _is_pca, _pca, _about_pca),
    Form("Amazon Transcribe", _is_transcribe, _transcribe, _about_transcribe),
)
