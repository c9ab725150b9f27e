"""Read vCon files of all versions (0.0.1 to 0.4.0): recordings, transcripts, messages and hold times.

Later versions renamed fields (``mimetype`` → ``mediatype``, ``alg``/``signature`` → ``content_hash``,
``transcript`` → ``body``); both names are read.
Schema: https://datatracker.ietf.org/doc/draft-ietf-vcon-vcon-core/
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal
from urllib.parse import unquote, urlsplit

from pipeline import contract
from pipeline.conversation import CallMetadata, Engine, Medium, Received, Role, Transcript, Turn
from pipeline.errors import RecordingError
from pipeline.intake import formats, mail, pieces, times
from pipeline.intake.linked import HASHES, MediaFinder, file_name
from pipeline.intake.pieces import Json


def is_vcon(document: object) -> bool:
    """Whether a JSON document is a vCon, plain, signed or encrypted."""
    if not isinstance(document, dict):
        return False
    plain = "vcon" in document or ("uuid" in document and "parties" in document)
    return (plain and isinstance(document.get("dialog", []), list)) or _is_wrapped(document)


def unwrap(document: Json, name: str) -> Json:
    """The vCon inside a signed one, or the vCon itself; the signature is not checked.

    Raises:
        RecordingError: It is encrypted, or the signed content is not a vCon.
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


def recordings(document: Json) -> list[int]:
    """Numbers of the dialogs that are recordings."""
    kinds = [
        (dialog.get("type") or (_media_type(dialog) and "recording"))
        for dialog in _records(document, "dialog")
    ]
    return [at for at, kind in enumerate(kinds) if kind == "recording"]


def parts(document: Json, received: Received, media: MediaFinder) -> list[Received]:
    """The conversations in a vCon: each recorded dialog, else the messages, else a transcript alone.

    Each is ``received``, the file, with its own kind, ``part``, ``media``, fault and warnings.
    """
    dialogs = _records(document, "dialog")
    conversations = [
        replace(received, part=at) if dialogs[at].get("body") else _linked(document, at, received, media)
        for at in recordings(document)
    ]
    has_messages = any(dialog.get("type") == "text" for dialog in dialogs)
    if not conversations and (has_messages or _analysis(document, None) is not None):
        conversations.append(replace(received, kind="transcript"))
    return conversations


def _linked(document: Json, at: int, received: Received, media: MediaFinder) -> Received:
    """A linked recording: its file on this machine, else its transcript, else a fault."""
    file, dialog = received.path, _records(document, "dialog")[at]
    given = (pieces.text(dialog.get("filename")), unquote(_path_of(pieces.text(dialog.get("url")))))
    names = list(dict.fromkeys(filter(None, map(file_name, given))))
    hashes = [stated for stated in _stated_hashes(dialog) if stated[0] in HASHES]
    linked = replace(received, part=at)
    try:
        path = media.find(names, hashes, file)
    except RecordingError as error:
        return replace(linked, fault=error)
    if path is not None:
        warning = f"{file.name}: its recording {path.name} was taken by its name; no hash is stated"
        return replace(linked, media=path, warnings=() if hashes else (warning,))
    if _analysis(document, at) is not None:
        return replace(linked, kind="transcript")
    called = f" ({names[0]})" if names else ""
    fault = RecordingError(
        f"the recording of {file.name}{called} is not inside it, and callqa downloads nothing",
        hint="fetch the recording and put it beside the vCon under that name, or name its folder in "
        "[intake] media_dir",
        reason="external_media",
    )
    return replace(linked, fault=fault)


def _path_of(url: str) -> str:
    """The path of a URL; "" when it is not valid."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def audio(document: Json, dialog: int, name: str) -> bytes:
    """The sound of a recorded dialog, checked against the hashes it states.

    Raises:
        RecordingError: The sound is not base64url, is empty, or does not have the stated hash.
    """
    recorded = _records(document, "dialog")[dialog]
    try:
        sound = _decode(recorded["body"] if isinstance(recorded.get("body"), str) else "")
    except ValueError as error:
        raise _fault(name, "its recording is not base64url", "damaged") from error
    if not sound:
        raise _fault(name, "its recording is empty", "empty")
    for algorithm, expected in _stated_hashes(recorded):
        if algorithm in HASHES and not hmac.compare_digest(hashlib.new(algorithm, sound).digest(), expected):
            raise _fault(name, f"its recording does not have the {algorithm} it states", "damaged")
    return sound


def transcript(document: Json, part: int | None, call_id: str) -> Transcript:
    """The transcript of a dialog (``part``) in the vCon's analysis, else the messages of the vCon."""
    analysis = _analysis(document, part)
    parties = _records(document, "parties")
    medium: Medium = "voice"
    if analysis is not None:
        vendor = str(analysis.get("vendor", "unknown"))
        turns = _with_party_roles(_body(analysis), parties)
    else:
        vendor, medium = "messages", _message_medium(document)
        turns = tuple(_messages(document, parties))
    return Transcript(
        call_id=call_id,
        turns=turns,
        duration_s=pieces.ended_s(turns),
        engine=Engine(vendor[:64], "vcon"),
        medium=medium,
    )


def _with_party_roles(body: object, parties: list[Json]) -> tuple[Turn, ...]:
    """The turns of a transcript, with roles where speakers are parties of the vCon.

    A number means a party only in a plain list of turns: in a recogniser's output it numbers the voices.
    """
    found = formats.find(body)
    numbers_voices = found is not None and found[0] != formats.bare.NAME
    turns = []
    for turn in formats.turns(body):
        number = _party_number(turn.speaker, parties)
        if number is None or (numbers_voices and turn.speaker and turn.speaker.isdigit()):
            turns.append(turn)
            continue
        role = turn.role if turn.role != "unknown" else _party_role(parties[number])
        turns.append(replace(turn, role=role, speaker=f"party {number}"))
    return tuple(turns)


def record(document: Json, part: int | None) -> Json:
    """The metadata that a vCon states for one of its dialogs, or for its messages (None)."""
    dialogs = _records(document, "dialog")
    dialog = dialogs[part] if part is not None else next(iter(dialogs), {})
    parties = _records(document, "parties")
    by_role = {_party_role(party): party for party in reversed(parties)}
    agent, customer = by_role.get("agent", {}), by_role.get("customer", {})
    uuid = str(document.get("uuid") or "")
    first = next((at for at, d in enumerate(dialogs) if d.get("type") == "recording"), None)
    own = _own_record(document) if part in {None, first} else {}
    stated = {
        "call_id": uuid if part in {None, first} or not uuid else f"{uuid}-{part}",
        "started_at": dialog.get("start") or document.get("created_at"),
        "direction": _direction(dialog, parties),
        "medium": "voice" if part is not None else _message_medium(document),
        "agent_id": _party_id(agent),
        "agent_name": agent.get("name"),
        "client": agent.get("org"),
        "team": agent.get("dept"),
        "customer_ref": _party_id(customer) or customer.get("name"),
        "hold_spans": _hold_spans(dialog),
    }
    return stated | own


def _own_record(document: Json) -> Json:
    """The metadata in a vCon that callqa wrote, as a record; hold times are in the vCon itself."""
    bodies = (pieces.record(one.get("body")) for one in pieces.objects(document.get("analysis")))
    own = next((body for body in bodies if body.get("schema") == contract.schema_of(CallMetadata)), {})
    known = {name: value for name, value in own.items() if name not in {"schema", "extra", "hold_spans"}}
    return pieces.record(own.get("extra")) | known


def _is_wrapped(document: Json) -> bool:
    return ("payload" in document and "signatures" in document) or (
        "ciphertext" in document and ("recipients" in document or "protected" in document)
    )


def _fault(name: str, what: str, reason: str) -> RecordingError:
    return RecordingError(f"{name}: {what}", hint="ask for it again", reason=reason)


def _decode(text: str) -> bytes:
    """Decode base64url with or without padding, or plain base64, which some tools write."""
    compact = "".join(text.split()).rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def _records(document: Json, name: Literal["dialog", "parties"]) -> list[Json]:
    given = document.get(name)
    return [pieces.record(one) for one in given] if isinstance(given, list) else []


def _analysis(document: Json, dialog: int | None) -> Json | None:
    """The first transcript of a dialog (of any, for None) that has turns and names the dialog or none."""
    for analysis in pieces.objects(document.get("analysis")):
        if analysis.get("type") != "transcript":
            continue
        about = analysis.get("dialog")
        about = about if isinstance(about, list) else [about]
        if (dialog is None or dialog in about or about == [None]) and formats.turns(_body(analysis)):
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
            body = json.loads(body)
        except (ValueError, RecursionError):
            return body
    if isinstance(body, dict) and str(body.get("schema", "")).startswith("callqa."):
        return {"turns": body.get("turns")}  # callqa's own transcript is read as a plain list of turns
    return body


def _media_type(dialog: Json) -> str:
    return str(dialog.get("mediatype") or dialog.get("mimetype") or "")


def _stated_hashes(dialog: Json) -> Iterator[tuple[str, bytes]]:
    """Algorithms and digests from ``content_hash`` (``sha512-…`` or a list) or ``alg`` and ``signature``."""
    stated = dialog.get("content_hash")
    given = [str(h) for h in (stated if isinstance(stated, list) else [stated]) if h]
    if not given and dialog.get("alg") and dialog.get("signature"):
        given = [f"{str(dialog['alg']).lower().replace('sha-', 'sha')}-{dialog['signature']}"]
    for text in given:
        algorithm, _, digest = text.partition("-")
        try:
            yield algorithm.lower(), _decode(digest)
        except ValueError:
            yield algorithm.lower(), b""


def _party_role(party: Json) -> Role:
    return pieces.role_of(party.get("role") or pieces.record(party.get("meta")).get("role"))


def _party_number(speaker: object, parties: list[Json]) -> int | None:
    """The number of the party that a speaker's number, name or address refers to; None when none fits."""
    if isinstance(speaker, str) and speaker.isdecimal() and len(speaker) < 6:
        speaker = int(speaker)
    if isinstance(speaker, int) and not isinstance(speaker, bool):
        return speaker if 0 <= speaker < len(parties) else None
    keys = ("name", "tel", "mailto", "email", "sip", "uuid")
    matches = (n for n, party in enumerate(parties) if any(party.get(key) == speaker for key in keys))
    return next(matches, None) if speaker else None


def _party_id(party: Json) -> str | None:
    keys = ("uuid", "mailto", "email", "tel", "sip")
    return next((str(party[key]) for key in keys if party.get(key)), None)


def _direction(dialog: Json, parties: list[Json]) -> str | None:
    """The stated direction, else by the role of the party that began the dialog."""
    stated = pieces.record(dialog.get("meta")).get("direction")
    if isinstance(stated, str):
        return stated
    number = _party_number(_originator(dialog), parties)
    role = None if number is None else _party_role(parties[number])
    return {"agent": "outbound", "customer": "inbound"}.get(role or "")


def _originator(dialog: Json) -> object:
    """The reference to the party that began a dialog: ``originator``, else the first of its ``parties``."""
    listed = dialog.get("parties")
    return dialog.get("originator", listed[0] if isinstance(listed, list) and listed else listed)


def _hold_spans(dialog: Json) -> str | None:
    """Hold spans from ``party_history``: from each hold to the party's next unhold or drop."""
    start = times.moment(dialog.get("start"))
    if start is None:
        return None
    began: dict[object, float] = {}
    spans = []
    for event in pieces.objects(dialog.get("party_history")):
        moment = times.moment(event.get("time"))
        if moment is None:
            continue
        at_s, party = (moment - start).total_seconds(), str(event.get("party"))
        if event.get("event") == "hold":
            began[party] = max(at_s, 0.0)
        elif event.get("event") in {"unhold", "drop"} and party in began and at_s > began[party]:
            spans.append(f"{began.pop(party):.3f}-{at_s:.3f}")
    return ";".join(spans) or None


def _message_medium(document: Json) -> Medium:
    """E-mail when a message is one, or when all parties have e-mail addresses and none has a telephone."""
    texts = [d for d in _records(document, "dialog") if d.get("type") == "text"]
    parties = _records(document, "parties")
    addressed = bool(parties) and all(p.get("mailto") or p.get("email") for p in parties)
    if any(map(_is_mail, texts)) or (texts and addressed and not any(p.get("tel") for p in parties)):
        return "email"
    return "chat" if texts else "voice"


def _is_mail(dialog: Json) -> bool:
    kind = _media_type(dialog).lower()
    return kind.startswith(("message/rfc822", "multipart/")) or mail.has_headers(_content(dialog))


def _content(dialog: Json) -> bytes:
    """The decoded body of a text dialog; a body that cannot be decoded is used as it is."""
    body = dialog.get("body")
    if not isinstance(body, str):
        return b""
    if str(dialog.get("encoding")).lower() in {"base64url", "base64"}:
        try:
            return _decode(body)
        except ValueError:
            pass
    return body.encode("utf-8", "replace")


def _words(dialog: Json, medium: Medium) -> str:
    """The text of a text dialog; of an e-mail, only what its author wrote."""
    content, kind = _content(dialog), _media_type(dialog)
    if medium == "email" or kind.lower().startswith("text/html"):
        return pieces.text(mail.words(content, kind))
    return pieces.text(content.decode("utf-8", "replace"))


def _messages(document: Json, parties: list[Json]) -> Iterator[Turn]:
    """The text dialogs as turns: in order of time, with seconds since the first, when all have a time."""
    medium = _message_medium(document)
    messages = [
        (times.moment(dialog.get("start")), dialog, text)
        for dialog in _records(document, "dialog")
        if dialog.get("type") == "text" and (text := _words(dialog, medium))
    ]
    timed = all(moment is not None for moment, _, _ in messages)
    if timed:
        messages.sort(key=lambda message: message[0] or dt.datetime.min.replace(tzinfo=dt.UTC))
    first = messages[0][0] if messages else None
    for number, (moment, dialog, text) in enumerate(messages):
        author = _originator(dialog)
        party = _party_number(author, parties)
        at_s = (moment - first).total_seconds() if timed and moment and first else None
        role: Role = "unknown" if party is None else _party_role(parties[party])
        speaker = pieces.label(author) if party is None else f"party {party}"
        yield Turn(number, role, text, at_s, at_s, speaker=speaker)
