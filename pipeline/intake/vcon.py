"""vCon files of every version (0.0.1 to 0.4.0): recordings inside, transcripts, messages, hold times.

Nothing is fetched: a recording that is only linked to is refused with a hint, unless the vCon also
carries its transcript. Later versions renamed fields (``mimetype`` → ``mediatype``,
``alg``/``signature`` → ``content_hash``, ``transcript`` → ``body``); either name is read.
Schema: https://datatracker.ietf.org/doc/draft-ietf-vcon-vcon-core/
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.conversation import Engine, Medium, Role, Transcript, Turn
from pipeline.errors import RecordingError
from pipeline.intake import metadata, segments, times
from pipeline.intake.metadata import Facts

Json = dict[str, Any]
_HASHES = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}


@dataclass(frozen=True, slots=True)
class Part:
    """One conversation inside a vCon: a recorded dialog, or all its messages together (dialog None)."""

    kind: Literal["recording", "transcript"]
    dialog: int | None
    fault: RecordingError | None = None


def is_vcon(document: object) -> bool:
    """Whether a JSON document is a vCon, plain, signed or encrypted."""
    if not isinstance(document, dict):
        return False
    plain = "vcon" in document or ("uuid" in document and "parties" in document)
    return (plain and isinstance(document.get("dialog", []), list)) or _is_wrapped(document)


def unwrap(document: Json, name: str) -> Json:
    """The vCon itself, out of its signature.

    Raises:
        RecordingError: It is encrypted, or the signed content is no vCon.
    """
    if not _is_wrapped(document):
        return document
    if "ciphertext" in document:
        raise RecordingError(f"{name} is an encrypted vCon", hint="decrypt it first", reason="encrypted")
    try:
        inner = json.loads(_decode(str(document["payload"])))
    except (ValueError, RecursionError) as error:
        raise _fault(name, "the signed content cannot be read", "damaged") from error
    if not isinstance(inner, dict) or not is_vcon(inner):
        raise _fault(name, "the signed content is no vCon", "damaged")
    return inner


def parts(document: Json, name: str) -> list[Part]:
    """The conversations inside: each recorded dialog, else the messages, else a transcript alone."""
    found: list[Part] = []
    messages = False
    for at, dialog in enumerate(_dialogs(document)):
        if dialog.get("type") == "text":
            messages = True
        elif dialog.get("type") == "recording" or (not dialog.get("type") and _media_type(dialog)):
            if dialog.get("body"):
                found.append(Part("recording", at))
            elif _analysis(document, at) is not None:
                found.append(Part("transcript", at))
            else:
                fault = RecordingError(
                    f"the recording of {name} is not inside it, and callqa fetches nothing",
                    hint="fetch the recording and put the vCon beside it, named like it with .json added",
                    reason="external_media",
                )
                found.append(Part("recording", at, fault))
    if not found and (messages or _analysis(document, None) is not None):
        found.append(Part("transcript", None))
    return found


def audio(document: Json, dialog: int, name: str) -> bytes:
    """The sound of a recorded dialog, checked against its hash where it carries one.

    Raises:
        RecordingError: It is not base64url, or not the content that was hashed.
    """
    recorded = _dialogs(document)[dialog]
    try:
        sound = _decode(recorded["body"] if isinstance(recorded.get("body"), str) else "")
    except ValueError as error:
        raise _fault(name, "its recording is not base64url", "damaged") from error
    if not sound:
        raise _fault(name, "its recording is empty", "empty")
    for algorithm, expected in _stated_hashes(recorded):
        if algorithm in _HASHES and not hmac.compare_digest(_HASHES[algorithm](sound).digest(), expected):
            raise _fault(name, f"its recording does not have the {algorithm} it states", "damaged")
    return sound


def transcript(document: Json, part: int | None, call_id: str) -> Transcript:
    """The transcript of a dialog from its analysis, or the messages of the vCon."""
    analysis = _analysis(document, part)
    parties = _parties(document)

    def role(speaker: object) -> Role:
        return _role_of_speaker(speaker, parties)

    if analysis is not None:
        vendor, medium = str(analysis.get("vendor", "unknown")), "voice"
        turns = segments.turns(_body(analysis), role)
    else:
        vendor, medium = "messages", _message_medium(document)
        turns = tuple(_messages(document, parties))
    roles_known = any(turn.role != "unknown" for turn in turns)
    return Transcript(
        call_id=call_id,
        turns=turns,
        duration_s=max((turn.end_s for turn in turns if turn.end_s is not None), default=None),
        engine=Engine(vendor[:64], "vcon"),
        medium=medium,  # type: ignore[arg-type]
        warnings=() if roles_known else ("the vCon does not say who is agent and who is customer",),
    )


def facts(
    document: Json, part: int | None, source: str, zone_name: str, site_zones: Mapping[str, str]
) -> Facts:
    """What a vCon says of one of its dialogs."""
    dialogs = _dialogs(document)
    dialog = dialogs[part] if part is not None else next(iter(dialogs), {})
    parties = _parties(document)
    by_role = {_role(party): party for party in reversed(parties)}
    agent, customer = by_role.get("agent", {}), by_role.get("customer", {})
    uuid = str(document.get("uuid") or "")
    first = next((at for at, d in enumerate(dialogs) if d.get("type") == "recording"), None)
    record = {
        "call_id": uuid if part in {None, first} or not uuid else f"{uuid}-{part}",
        "started_at": dialog.get("start") or document.get("created_at"),
        "direction": _direction(dialog, parties),
        "medium": "voice" if part is not None else _message_medium(document),
        "agent_id": _identity(agent),
        "agent_name": agent.get("name"),
        "client": agent.get("org"),
        "team": agent.get("dept"),
        "customer_ref": _identity(customer) or customer.get("name"),
        "hold_spans": _hold(dialog),
    }
    return metadata.read(record, source=source, zone_name=zone_name, site_zones=site_zones)


def _is_wrapped(document: Json) -> bool:
    return ("payload" in document and "signatures" in document) or (
        "ciphertext" in document and ("recipients" in document or "protected" in document)
    )


def _fault(name: str, what: str, reason: str) -> RecordingError:
    return RecordingError(f"{name}: {what}", hint="ask for it again", reason=reason)


def _decode(text: str) -> bytes:
    """base64url with or without padding; plain base64 is what some writers use instead."""
    compact = "".join(text.split()).rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def _dialogs(document: Json) -> list[Json]:
    return [d if isinstance(d, dict) else {} for d in document.get("dialog") or []]


def _parties(document: Json) -> list[Json]:
    given = document.get("parties")
    return [p if isinstance(p, dict) else {} for p in given] if isinstance(given, list) else []


def _analysis(document: Json, dialog: int | None) -> Json | None:
    """The first transcript of a dialog, whether it names the dialog by number or in a list."""
    given = document.get("analysis")
    for analysis in given if isinstance(given, list) else ():
        if not isinstance(analysis, dict) or analysis.get("type") != "transcript":
            continue
        about = analysis.get("dialog")
        about = about if isinstance(about, list) else [about]
        if (dialog is None or dialog in about or about == [None]) and segments.turns(_body(analysis)):
            return analysis
    return None


def _body(analysis: Json) -> object:
    body = analysis.get("body", analysis.get("transcript"))
    if isinstance(body, str) and analysis.get("encoding") == "base64url":
        try:
            body = _decode(body).decode("utf-8")
        except ValueError:
            return None
    if isinstance(body, str) and body.lstrip().startswith(("{", "[")):
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            return body
    return body


def _media_type(dialog: Json) -> str:
    return str(dialog.get("mediatype") or dialog.get("mimetype") or "")


def _stated_hashes(dialog: Json) -> Iterator[tuple[str, bytes]]:
    """``content_hash: sha512-…`` (or a list of them), formerly ``alg`` and ``signature``."""
    stated = dialog.get("content_hash")
    given = [str(h) for h in (stated if isinstance(stated, list) else [stated]) if h]
    if not given and dialog.get("alg") and dialog.get("signature"):
        given = [f"{dialog['alg']}-{dialog['signature']}".replace("SHA-", "sha")]
    for text in given:
        algorithm, _, digest = text.partition("-")
        try:
            yield algorithm.lower(), _decode(digest)
        except ValueError:
            yield algorithm.lower(), b""


def _role(party: Json) -> Role:
    meta = party.get("meta")
    return segments.role_of(party.get("role") or (meta.get("role") if isinstance(meta, dict) else None))


def _role_of_speaker(speaker: object, parties: list[Json]) -> Role:
    """A speaker is named by role, by the number of a party, or by its name."""
    if isinstance(speaker, bool):
        return "unknown"
    if isinstance(speaker, int):
        return _role(parties[speaker]) if 0 <= speaker < len(parties) else "unknown"
    told = segments.role_of(speaker)
    if told != "unknown" or not isinstance(speaker, str):
        return told
    return next((_role(p) for p in parties if speaker and p.get("name") == speaker), "unknown")


def _identity(party: Json) -> str | None:
    return next(
        (str(party[key]) for key in ("uuid", "mailto", "email", "tel", "sip") if party.get(key)), None
    )


def _direction(dialog: Json, parties: list[Json]) -> str | None:
    """As stated, else from who began: ``originator``, or the first party."""
    meta = dialog.get("meta")
    if isinstance(meta, dict) and isinstance(meta.get("direction"), str):
        return str(meta["direction"])
    listed = dialog.get("parties")
    began = dialog.get("originator", listed[0] if isinstance(listed, list) and listed else listed)
    if not isinstance(began, int) or isinstance(began, bool) or not 0 <= began < len(parties):
        return None
    return {"agent": "outbound", "customer": "inbound"}.get(_role(parties[began]))


def _hold(dialog: Json) -> str | None:
    """Hold spans from ``party_history``: from each hold to the next unhold of that party."""
    start = _moment(dialog.get("start"))
    history = dialog.get("party_history")
    if start is None or not isinstance(history, list):
        return None
    began: dict[object, float] = {}
    spans = []
    for event in history:
        moment = _moment(event.get("time")) if isinstance(event, dict) else None
        if moment is None:
            continue
        at_s, party = (moment - start).total_seconds(), str(event.get("party"))
        if event.get("event") == "hold":
            began[party] = max(at_s, 0.0)
        elif event.get("event") in {"unhold", "drop"} and party in began and at_s > began[party]:
            spans.append(f"{began.pop(party):.3f}-{at_s:.3f}")
    return ";".join(spans) or None


def _moment(text: object) -> dt.datetime | None:
    try:
        return times.parse(text, "UTC") if isinstance(text, str) else None
    except times.BadTime:
        return None


def _message_medium(document: Json) -> Medium:
    kinds = {_media_type(d) for d in _dialogs(document) if d.get("type") == "text"}
    return "email" if "message/rfc822" in kinds else "chat" if kinds else "voice"


def _messages(document: Json, parties: list[Json]) -> Iterator[Turn]:
    """Text dialogs in order of time, as turns with seconds since the first."""
    sent = [
        (_moment(d.get("start")), d)
        for d in _dialogs(document)
        if d.get("type") == "text" and isinstance(d.get("body"), str) and d["body"].strip()
    ]
    timed = all(moment is not None for moment, _ in sent)
    if timed:
        sent.sort(key=lambda item: item[0] or dt.datetime.min.replace(tzinfo=dt.UTC))
    first = sent[0][0] if sent else None
    for number, (moment, dialog) in enumerate(sent):
        listed = dialog.get("parties")
        author = dialog.get("originator", listed[0] if isinstance(listed, list) and listed else listed)
        at_s = (moment - first).total_seconds() if timed and moment and first else None
        yield Turn(number, _role_of_speaker(author, parties), dialog["body"].strip(), at_s, at_s)
