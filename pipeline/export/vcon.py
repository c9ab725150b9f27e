"""vCon 0.4.0 (IETF draft-ietf-vcon-vcon-core): one call as a conversation container.

The transcript, the sentiment, each scorecard and the metadata, for much of which vCon has no place, become
analyses that name their vendor and schema. The recording is described but not included: callqa exports audio
only in packets, redacted. A call whose start is unknown has no dialog, because vCon requires a start time
there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from pipeline import contract
from pipeline.conversation import RoleSentiment, Turn
from pipeline.export.selection import ExportedCall

Json = dict[str, Any]
VENDOR = "callqa"
AGENT, CUSTOMER = 0, 1


def vcon(call: ExportedCall, *, now: dt.datetime | None = None) -> Json:
    """A redacted call as a vCon document, created ``now`` (by default the current time)."""
    meta, transcript = call.metadata, call.conversation.transcript
    dialogs = _dialogs(call)
    document: Json = {
        "vcon": "0.4.0",
        "uuid": stable_uuid(meta.call_id),
        "created_at": _rfc3339(now or dt.datetime.now(dt.UTC)),
        "subject": f"call {meta.call_id}",
        "parties": _parties(call),
        "dialog": dialogs,
        "analysis": _analyses(call, dialogs),
        "attachments": [],
    }
    if any("[" in turn.text and "]" in turn.text for turn in transcript.turns):
        document["redacted"] = {"type": "private-data"}
    return document


def stable_uuid(call_id: str) -> str:
    """A UUID that depends only on the call id (version 8 of RFC 9562), so that all exports have the same."""
    digest = bytearray(hashlib.sha256(b"callqa.vcon\0" + call_id.encode("utf-8", "replace")).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return str(uuid.UUID(bytes=bytes(digest)))


def _parties(call: ExportedCall) -> list[Json]:
    """Agent, then customer. ``role`` is not in the core schema, but other tools read it."""
    meta = call.metadata
    agent = {
        "role": "agent",
        "name": meta.agent_name,
        "uuid": stable_uuid(f"agent {meta.agent_id}") if meta.agent_id else None,
        "org": meta.client,
        "dept": meta.team,
    }
    return [{name: value for name, value in agent.items() if value}, {"role": "customer"}]


def _dialogs(call: ExportedCall) -> list[Json]:
    meta, transcript = call.metadata, call.conversation.transcript
    if meta.started_at is None:
        return []
    if meta.medium != "voice":
        return [_message(turn, meta.started_at) for turn in transcript.turns]
    by_channel = [CUSTOMER, AGENT] if meta.agent_channel else [AGENT, CUSTOMER]
    dialog: Json = {
        "type": "recording",
        "start": _rfc3339(meta.started_at),
        "parties": by_channel,
        "mediatype": "audio/x-wav",
    }
    if transcript.duration_s is not None:
        dialog["duration"] = round(transcript.duration_s, 3)  # seconds, not milliseconds
    if meta.direction != "unknown":
        caller = AGENT if meta.direction == "outbound" else CUSTOMER
        if by_channel[0] != caller:
            dialog["originator"] = caller
    if call.recording:
        dialog["filename"] = call.recording.name
        dialog["mediatype"] = MEDIATYPES.get(call.recording.suffix.lower(), "application/octet-stream")
    if meta.hold_spans:
        dialog["party_history"] = _holds(call, meta.started_at)
    return [dialog]


MEDIATYPES = {
    ".wav": "audio/x-wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".mp4": "audio/mp4",
    ".flac": "audio/flac",
}


def _holds(call: ExportedCall, started_at: dt.datetime) -> list[Json]:
    return [
        {"party": CUSTOMER, "time": _rfc3339(started_at + dt.timedelta(seconds=at_s)), "event": event}
        for span in call.metadata.hold_spans
        for event, at_s in zip(("hold", "unhold"), span, strict=True)
    ]


def _message(turn: Turn, started_at: dt.datetime) -> Json:
    at = started_at + dt.timedelta(seconds=turn.start_s or 0.0)
    party = AGENT if turn.role in ("agent", "system") else CUSTOMER  # a system speaks for the company
    return {
        "type": "text",
        "start": _rfc3339(at),
        "parties": [party],
        "mediatype": "text/plain",
        "encoding": "none",
        "body": turn.text,
    }


def _analyses(call: ExportedCall, dialogs: list[Json]) -> list[Json]:
    transcript, sentiment = call.conversation.transcript, call.conversation.sentiment
    about = {"dialog": list(range(len(dialogs)))}  # the vcon library needs the key even for an empty list
    product = f"{transcript.engine.name} {transcript.engine.model}"
    analyses = [_analysis("transcript", contract.to_dict(transcript), product, about)]
    if sentiment:
        analyses.append(_analysis("sentiment", _sentiment(sentiment), "callqa annotate", about))
    cards = (contract.to_dict(card) for card in call.scorecards)
    analyses += [_analysis("report", card, "callqa score", about) for card in cards]
    return [*analyses, _analysis("report", contract.to_dict(call.metadata), "callqa run", about)]


def _analysis(kind: str, body: Json, product: str, about: Json) -> Json:
    return {
        "type": kind,
        **about,
        "vendor": VENDOR,
        "product": product,
        "schema": body["schema"],
        "mediatype": "application/json",
        "encoding": "json",
        "body": body,
    }


def _sentiment(sentiment: Mapping[str, RoleSentiment]) -> Json:
    roles = {
        role: {"score": s.score, "quarters": s.quarters, "change": s.change} for role, s in sentiment.items()
    }
    return {"schema": "callqa.sentiment/1", "roles": roles}


def _rfc3339(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
