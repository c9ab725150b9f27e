"""Output of Amazon Contact Lens and Transcribe Call Analytics: transcripts with roles and times.

https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html
(voice: offsets in milliseconds; chat: absolute times) and the Call Analytics job output.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces, times
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, seconds

_ROLES: dict[str, Role] = {
    "AGENT": "agent",
    "CUSTOMER": "customer",
    "SYSTEM": "system",
    "CUSTOM_BOT": "system",
}


def _is_contact_lens(document: Json) -> bool:
    return isinstance(document.get("Transcript"), list) and any(
        isinstance(document.get(key), list | dict) for key in ("Participants", "CustomerMetadata")
    )


def _turns(document: Json) -> Iterator[Turn]:
    """Turns with the role of the participant; joins, leaves and attachments in a chat have no text."""
    roles = {
        str(p.get("ParticipantId")): _ROLES.get(str(p.get("ParticipantRole")), "unknown")
        for p in objects(document.get("Participants"))
    }
    first = _first_moment(document)
    for item in objects(document["Transcript"]):
        stated = str(item.get("ParticipantRole") or item.get("ParticipantId"))
        start_s, end_s = (seconds(item.get(f"{edge}OffsetMillis"), 1000) for edge in ("Begin", "End"))
        sent = times.moment(item.get("AbsoluteTime"))
        if sent is not None and first is not None:
            start_s = end_s = (sent - first).total_seconds()
        role = _ROLES.get(stated) or roles.get(str(item.get("ParticipantId")), "unknown")
        yield pieces.turn(item.get("Content"), start_s, end_s, speaker=item.get("ParticipantId"), role=role)


def _about(document: Json) -> Mapping[str, object]:
    first = _first_moment(document)
    channel = str(document.get("Channel", "VOICE"))
    return {
        "call_id": pieces.record(document.get("CustomerMetadata")).get("ContactId"),
        "medium": channel.lower() if channel in {"VOICE", "CHAT", "EMAIL"} else channel,
        "language": document.get("LanguageCode") or None,
        "started_at": first.isoformat() if first else None,
        "channels": 0 if channel in {"CHAT", "EMAIL"} else 2,  # it requires one channel per speaker
        "model": str(document.get("Version", "")),
    }


def _first_moment(document: Json) -> dt.datetime | None:
    sent = (times.moment(item.get("AbsoluteTime")) for item in objects(document["Transcript"]))
    return next(filter(None, sent), None)


FORMS = (Form("contact-lens", _is_contact_lens, _turns, _about),)
