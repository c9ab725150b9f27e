"""Amazon Contact Lens and Transcribe Call Analytics output: a transcript with roles and times.

Shapes: https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html
(voice: offsets in milliseconds; chat: absolute times) and the Call Analytics job output.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from pipeline.conversation import Engine, Medium, Role, Transcript, Turn
from pipeline.intake import pieces, times
from pipeline.intake.pieces import Json

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


def record(document: Json) -> Json:
    """What it says of the call: contact id, channel, language, and for a chat when it began."""
    first = _first_moment(document)
    return {
        "call_id": pieces.record(document.get("CustomerMetadata")).get("ContactId"),
        "medium": str(document.get("Channel", "VOICE")),
        "language": document.get("LanguageCode") or None,
        "started_at": first.isoformat() if first else None,
    }


def transcript(document: Json, call_id: str) -> Transcript:
    """The turns, with roles by participant and times in seconds."""
    roles = {
        str(p.get("ParticipantId")): _ROLES.get(str(p.get("ParticipantRole")), "unknown")
        for p in pieces.objects(document.get("Participants"))
    }
    medium = _MEDIA.get(str(document.get("Channel", "VOICE")), "voice")
    first = _first_moment(document)
    turns: list[Turn] = []
    for item in pieces.objects(document["Transcript"]):
        named = str(item.get("ParticipantRole") or item.get("ParticipantId"))
        start_s = pieces.seconds(item.get("BeginOffsetMillis"), 1000)
        end_s = pieces.seconds(item.get("EndOffsetMillis"), 1000)
        sent = times.moment(item.get("AbsoluteTime"))
        if sent is not None and first is not None:
            start_s = end_s = (sent - first).total_seconds()
        turn = pieces.turn(
            item.get("Content"),
            start_s,
            end_s,
            speaker=item.get("ParticipantId"),
            role=_ROLES.get(named) or roles.get(str(item.get("ParticipantId")), "unknown"),
        )
        if turn.text:  # joins, leaves and attachments of a chat have none
            turns.append(replace(turn, turn=len(turns)))
    return Transcript(
        call_id=call_id,
        turns=tuple(turns),
        duration_s=pieces.ended_s(turns),
        engine=Engine("contact-lens", str(document.get("Version", ""))),
        channels=2 if medium == "voice" else 0,  # it only takes calls with a channel for each speaker
        medium=medium,
    )


def _first_moment(document: Json) -> dt.datetime | None:
    sent = (times.moment(item.get("AbsoluteTime")) for item in pieces.objects(document["Transcript"]))
    return next(filter(None, sent), None)
