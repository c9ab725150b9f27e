"""Amazon Contact Lens and Transcribe Call Analytics output: a transcript with roles and times.

Shapes: https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html
(voice: offsets in milliseconds; chat: absolute times) and the Call Analytics job output.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.conversation import Engine, Medium, Role, Transcript, Turn
from pipeline.intake import metadata, pieces, times
from pipeline.intake.metadata import Facts

_ROLES: dict[str, Role] = {
    "AGENT": "agent",
    "CUSTOMER": "customer",
    "SYSTEM": "system",
    "CUSTOM_BOT": "system",
}
_MEDIA: dict[str, Medium] = {"VOICE": "voice", "CHAT": "chat", "EMAIL": "email"}


def is_contact_lens(document: object) -> bool:
    """Whether a JSON document is such output."""
    return (
        isinstance(document, dict)
        and isinstance(document.get("Transcript"), list)
        and any(isinstance(document.get(key), list | dict) for key in ("Participants", "CustomerMetadata"))
    )


def facts(document: Mapping[str, Any], source: str, zone_name: str, site_zones: Mapping[str, str]) -> Facts:
    """What it says of the call: contact id, channel, language, and for a chat when it began."""
    about = document.get("CustomerMetadata")
    about = about if isinstance(about, dict) else {}
    first = next(iter(_moments(document)), None)
    record = {
        "call_id": about.get("ContactId"),
        "medium": str(document.get("Channel", "VOICE")),
        "language": document.get("LanguageCode") or None,
        "started_at": first.isoformat() if first else None,
    }
    return metadata.read(record, source=source, zone_name=zone_name, site_zones=site_zones)


def transcript(document: Mapping[str, Any], call_id: str) -> Transcript:
    """The turns, with roles by participant and times in seconds."""
    roles = {
        str(p.get("ParticipantId")): _ROLES.get(str(p.get("ParticipantRole")), "unknown")
        for p in document.get("Participants") or ()
        if isinstance(p, dict)
    }
    medium = _MEDIA.get(str(document.get("Channel", "VOICE")), "voice")
    first = next(iter(_moments(document)), None)
    turns: list[Turn] = []
    for item in document["Transcript"]:
        if (
            not isinstance(item, dict)
            or not isinstance(item.get("Content"), str)
            or not item["Content"].strip()
        ):
            continue  # joins, leaves and attachments of a chat
        named = str(item.get("ParticipantRole") or item.get("ParticipantId"))
        role = _ROLES.get(named) or roles.get(str(item.get("ParticipantId")), "unknown")
        start_s, end_s = _seconds(item.get("BeginOffsetMillis")), _seconds(item.get("EndOffsetMillis"))
        sent = _moment(item)
        if sent is not None and first is not None:
            start_s = end_s = (sent - first).total_seconds()
        if start_s is None or end_s is None or end_s < start_s:
            start_s = end_s = None
        who = pieces.label(item.get("ParticipantId"))
        turns.append(Turn(len(turns), role, pieces.text(item["Content"]), start_s, end_s, speaker=who))
    return Transcript(
        call_id=call_id,
        turns=tuple(turns),
        duration_s=max((turn.end_s for turn in turns if turn.end_s is not None), default=None),
        engine=Engine("contact-lens", str(document.get("Version", ""))),
        channels=2 if medium == "voice" else 0,  # it only takes calls with a channel for each speaker
        medium=medium,
    )


def _moments(document: Mapping[str, Any]) -> Iterator[dt.datetime]:
    return (moment for item in document["Transcript"] if (moment := _moment(item)) is not None)


def _moment(item: object) -> dt.datetime | None:
    stated = item.get("AbsoluteTime") if isinstance(item, dict) else None
    try:
        return times.parse(stated, "UTC") if isinstance(stated, str) else None
    except times.BadTime:
        return None


def _seconds(milliseconds: object) -> float | None:
    found = pieces.seconds(milliseconds)
    return None if found is None else found / 1000
