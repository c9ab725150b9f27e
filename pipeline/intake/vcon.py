"""vCon files of every version (0.0.1 to 0.4.0): recordings inside, transcripts, messages, hold times.

Nothing is fetched: a recording that is only linked to is looked for on this machine (``linked``), else its
transcript is read, else it is refused with a hint. Later versions renamed fields (``mimetype`` →
``mediatype``, ``alg``/``signature`` → ``content_hash``, ``transcript`` → ``body``); either name is read.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pipeline.conversation import Engine, Medium, Role, Transcript, Turn
from pipeline.errors import RecordingError
from pipeline.intake import formats, mail, pieces, times
from pipeline.intake.linked import HASHES, MediaFinder, Wanted, file_name
from pipeline.intake.pieces import Json


@dataclass(frozen=True, slots=True)
class Part:
    """One conversation inside a vCon: a recorded dialog, or all its messages together (dialog None).

    Attributes:
        media: The recording, where the vCon only links to it and it was found on this machine.
        warnings: What a person should know of it.
    """

    kind: Literal["recording", "transcript"]
    dialog: int | None
    fault: RecordingError | None = None
    media: Path | None = None
    warnings: tuple[str, ...] = ()


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


def recordings(document: Json) -> list[int]:
    """The dialogs that were recorded, by number."""
    kinds = [(dialog.get("type") or (_media_type(dialog) and "recording")) for dialog in _dialogs(document)]
    return [at for at, kind in enumerate(kinds) if kind == "recording"]


def parts(document: Json, file: Path, media: MediaFinder) -> list[Part]:
    """The conversations inside: each recorded dialog, else the messages, else a transcript alone.

    Args:
        document: The vCon, out of its signature.
        file: Where it lies.
        media: Finds recordings that are only linked to, on this machine.
    """
    dialogs = _dialogs(document)
    found = [
        Part("recording", at) if dialogs[at].get("body") else _linked(document, at, file, media)
        for at in recordings(document)
    ]
    messages = any(dialog.get("type") == "text" for dialog in dialogs)
    if not found and (messages or _analysis(document, None) is not None):
        found.append(Part("transcript", None))
    return found


def _linked(document: Json, at: int, file: Path, media: MediaFinder) -> Part:
    """A recording that is not inside: found on this machine, else its transcript, else out of reach."""
    wanted = _wanted(_dialogs(document)[at])
    try:
        path = media.find(wanted, file)
    except RecordingError as error:
        return Part("recording", at, error)
    if path is not None:
        said = f"{file.name}: its recording {path.name} was taken by its name; no hash is stated"
        return Part("recording", at, media=path, warnings=() if wanted.hashes else (said,))
    if _analysis(document, at) is not None:
        return Part("transcript", at)
    called = f" ({wanted.names[0]})" if wanted.names else ""
    fault = RecordingError(
        f"the recording of {file.name}{called} is not inside it, and callqa fetches nothing",
        hint="fetch the recording and put it beside the vCon under that name, or name its folder in "
        "[intake] media_dir",
        reason="external_media",
    )
    return Part("recording", at, fault)


def _wanted(dialog: Json) -> Wanted:
    """What a linked recording may be called, and the hashes it must have."""
    given = (pieces.text(dialog.get("filename")), unquote(_path_of(pieces.text(dialog.get("url")))))
    names = dict.fromkeys(filter(None, map(file_name, given)))
    return Wanted(tuple(names), tuple(h for h in _stated_hashes(dialog) if h[0] in HASHES))


def _path_of(url: str) -> str:
    """The path of an address; "" where it is none."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


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
        if algorithm in HASHES and not hmac.compare_digest(hashlib.new(algorithm, sound).digest(), expected):
            raise _fault(name, f"its recording does not have the {algorithm} it states", "damaged")
    return sound


def transcript(document: Json, part: int | None, call_id: str) -> Transcript:
    """The transcript of a dialog from its analysis, or the messages of the vCon."""
    analysis = _analysis(document, part)
    parties = _parties(document)
    medium: Medium = "voice"
    if analysis is not None:
        vendor = str(analysis.get("vendor", "unknown"))
        turns = _of_parties(_body(analysis), parties)
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


def _of_parties(body: object, parties: list[Json]) -> tuple[Turn, ...]:
    """A transcript whose speakers may be the vCon's parties.

    Only a plain list of turns numbers parties: a recogniser's numbers are those of the voices it told apart.
    """
    found = formats.find(body)
    counts_voices = found is not None and found.form not in formats.bare.FORMS
    made = []
    for turn in formats.turns(body):
        number = _number(turn.speaker, parties)
        if number is None or (counts_voices and turn.speaker and turn.speaker.isdigit()):
            made.append(turn)
            continue
        role = turn.role if turn.role != "unknown" else _role(parties[number])
        made.append(replace(turn, role=role, speaker=f"party {number}"))
    return tuple(made)


def record(document: Json, part: int | None) -> Json:
    """What a vCon says of one of its dialogs."""
    dialogs = _dialogs(document)
    dialog = dialogs[part] if part is not None else next(iter(dialogs), {})
    parties = _parties(document)
    by_role = {_role(party): party for party in reversed(parties)}
    agent, customer = by_role.get("agent", {}), by_role.get("customer", {})
    uuid = str(document.get("uuid") or "")
    first = next((at for at, d in enumerate(dialogs) if d.get("type") == "recording"), None)
    return {
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
    return [pieces.record(dialog) for dialog in document.get("dialog") or []]


def _parties(document: Json) -> list[Json]:
    given = document.get("parties")
    return [pieces.record(party) for party in given] if isinstance(given, list) else []


def _analysis(document: Json, dialog: int | None) -> Json | None:
    """The first transcript of a dialog, whether it names the dialog by number or in a list."""
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
        return {"turns": body.get("turns")}  # what callqa wrote into a vCon is read like anybody's turns
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
    return pieces.role_of(party.get("role") or pieces.record(party.get("meta")).get("role"))


def _number(speaker: object, parties: list[Json]) -> int | None:
    """Which party a speaker is, named by its number, its name or its address."""
    if isinstance(speaker, str) and speaker.isdecimal() and len(speaker) < 6:
        speaker = int(speaker)
    if isinstance(speaker, int) and not isinstance(speaker, bool):
        return speaker if 0 <= speaker < len(parties) else None
    names = ("name", "tel", "mailto", "email", "sip", "uuid")
    return next(
        (n for n, p in enumerate(parties) if speaker and any(p.get(name) == speaker for name in names)), None
    )


def _identity(party: Json) -> str | None:
    return next(
        (str(party[key]) for key in ("uuid", "mailto", "email", "tel", "sip") if party.get(key)), None
    )


def _direction(dialog: Json, parties: list[Json]) -> str | None:
    """As stated, else from who began: ``originator``, or the first party."""
    stated = pieces.record(dialog.get("meta")).get("direction")
    if isinstance(stated, str):
        return stated
    began = _number(_originator(dialog), parties)
    return None if began is None else {"agent": "outbound", "customer": "inbound"}.get(_role(parties[began]))


def _originator(dialog: Json) -> object:
    """The party that began a dialog, as it is named there: as stated, else the first listed."""
    listed = dialog.get("parties")
    return dialog.get("originator", listed[0] if isinstance(listed, list) and listed else listed)


def _hold(dialog: Json) -> str | None:
    """Hold spans from ``party_history``: from each hold to the next unhold of that party."""
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
    """E-mail where a message is one, or where everybody has an address and nobody a telephone."""
    texts = [d for d in _dialogs(document) if d.get("type") == "text"]
    parties = _parties(document)
    addressed = bool(parties) and all(p.get("mailto") or p.get("email") for p in parties)
    if any(map(_is_mail, texts)) or (texts and addressed and not any(p.get("tel") for p in parties)):
        return "email"
    return "chat" if texts else "voice"


def _is_mail(dialog: Json) -> bool:
    kind = _media_type(dialog).lower()
    return kind.startswith(("message/rfc822", "multipart/")) or mail.has_headers(_content(dialog))


def _content(dialog: Json) -> bytes:
    """The body of a text dialog out of its encoding; one that is not so encoded is taken as it is."""
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
    """What a text dialog says."""
    content, kind = _content(dialog), _media_type(dialog)
    if medium == "email" or kind.lower().startswith("text/html"):
        return pieces.text(mail.words(content, kind))
    return pieces.text(content.decode("utf-8", "replace"))


def _messages(document: Json, parties: list[Json]) -> Iterator[Turn]:
    """Text dialogs in order of time, as turns with seconds since the first."""
    medium = _message_medium(document)
    sent = [
        (times.moment(dialog.get("start")), dialog, said)
        for dialog in _dialogs(document)
        if dialog.get("type") == "text" and (said := _words(dialog, medium))
    ]
    timed = all(moment is not None for moment, _, _ in sent)
    if timed:
        sent.sort(key=lambda item: item[0] or dt.datetime.min.replace(tzinfo=dt.UTC))
    first = sent[0][0] if sent else None
    for number, (moment, dialog, said) in enumerate(sent):
        author = _originator(dialog)
        party = _number(author, parties)
        at_s = (moment - first).total_seconds() if timed and moment and first else None
        role: Role = "unknown" if party is None else _role(parties[party])
        named = pieces.label(author) if party is None else f"party {party}"
        yield Turn(number, role, said, at_s, at_s, speaker=named)
