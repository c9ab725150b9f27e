"""Recognise and read files with transcripts or messages: callqa's own, vCon, other tools' JSON, subtitles.

Intake recognises them by their content; the transcript itself is read later, when the call is processed.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pipeline import contract
from pipeline.conversation import Conversation, Engine, Medium, Received, Role, Transcript, Turn
from pipeline.errors import RecordingError
from pipeline.intake import captions, formats, pieces, sniff, vcon
from pipeline.intake.files import unreadable
from pipeline.intake.formats import lines
from pipeline.intake.linked import MediaFinder
from pipeline.intake.pieces import Json, Said
from pipeline.text.words import count_words

SCHEMA = "callqa.transcript/1"
Described = tuple[Received, Json]
"""A call with the metadata in its file."""
ENDS_ESTIMATED = "the transcript states no ends of turns: each was taken to last as long as its words do"
S_A_WORD = 0.4  # 150 words a minute
_TRANSCRIPT_FIELDS = frozenset({"duration_s", "channels", "model"})
"""Fields of ``Said.about`` that describe the transcript and not the call."""


def recognise(received: Received, media: MediaFinder) -> list[Described]:
    """The calls in a JSON or text file with their metadata; ``media`` finds recordings a vCon links to.

    Raises:
        RecordingError: The file cannot be read, is not valid JSON, or is a damaged vCon.
        OSError: A recording that a vCon links to cannot be read.
    """
    transcript = replace(received, kind="transcript")
    if sniff.content(received.path) == "lines":
        return [(transcript, _about_call(lines.read(captions.text(received.path))))]
    document = _parse(received.path)
    if _is_ours(document):
        return [(transcript, pieces.cleaned(_own_metadata(document)))]
    if vcon.is_vcon(document):
        return list(_vcon_conversations(received, document, media))
    found = formats.find(document)
    if found is not None:
        return [(transcript, _about_call(found[1]))]
    fault = RecordingError(
        f"{received.path.name} is JSON, but no conversation callqa knows",
        hint=f'a transcript has "schema": "{SCHEMA}"; the formats of other tools are in docs/recordings.md',
        reason="not_a_call",
    )
    return [(replace(received, fault=fault), {})]


def _about_call(said: Said) -> Json:
    return {name: value for name, value in said.about.items() if name not in _TRANSCRIPT_FIELDS}


def read_transcript(received: Received) -> Transcript:
    """Read the transcript of a received file of kind ``transcript``; it gets the call's id and language.

    Raises:
        RecordingError: The file does not contain a valid transcript, or no words.
    """
    assert received.metadata is not None
    call_id = received.metadata.call_id
    path = received.container or received.path
    try:
        transcript = _read(path, received, call_id)
    except RecursionError as error:
        raise too_deep(path) from error
    if not transcript.turns:
        raise RecordingError(f"{path.name} has no words in it", hint="nothing to do", reason="no_speech")
    return replace(_ended(transcript), language=received.metadata.language)


def _ended(transcript: Transcript) -> Transcript:
    """Give spoken turns an end where a transcript states only their starts.

    A turn is taken to last as long as its words do at 150 a minute, but not beyond the start of the next one.
    Without a length each would be followed by dead air.
    """
    turns = transcript.turns
    timed = [turn.start_s for turn in turns if turn.start_s is not None and turn.start_s == turn.end_s]
    if transcript.medium != "voice" or 2 * len(timed) <= len(turns):
        return transcript
    starts = sorted({turn.start_s for turn in turns if turn.start_s is not None})
    known_s = transcript.duration_s or 0.0
    following = dict(pairwise((*starts, known_s if known_s > starts[-1] else math.inf)))

    def ended(turn: Turn) -> Turn:
        if turn.start_s is None or turn.start_s != turn.end_s:
            return turn
        end_s = turn.start_s + S_A_WORD * count_words(turn.text)
        return replace(turn, end_s=min(end_s, following[turn.start_s]))

    filled = tuple(map(ended, turns))
    return replace(
        transcript,
        turns=filled,
        duration_s=max(known_s, pieces.ended_s(filled) or 0.0),
        warnings=(*transcript.warnings, ENDS_ESTIMATED),
    )


def read_conversation(path: Path) -> Conversation:
    """Read what ``callqa annotate --json`` wrote; its transcript is checked as others are.

    Raises:
        RecordingError: The file does not contain a valid conversation.
    """
    written = contract.from_dict(Conversation, pieces.cleaned(_parse(path)), source=path.name)
    return replace(written, transcript=_own(written.transcript, written.transcript.call_id))


def _read(path: Path, received: Received, call_id: str) -> Transcript:
    kind = sniff.content(path)
    if kind == "captions":
        return _imported(call_id, captions.turns(path), "subtitles", {})
    if kind == "lines":
        said = lines.read(captions.text(path))
        return _imported(call_id, pieces.ordered(said.turns()), "text", said.about)
    document = _parse(path)
    if _is_ours(document):
        return _own(contract.from_dict(Transcript, pieces.cleaned(document), source=path.name), call_id)
    if vcon.is_vcon(document):
        return vcon.transcript(vcon.unwrap(document, path.name), received.part, call_id)
    found = formats.find(document)
    if found is None:
        raise RecordingError(f"{path.name} has changed", hint="run again", reason="not_a_call")
    tool, said = found
    return _imported(call_id, pieces.ordered(said.turns()), tool, said.about)


def _own(written: Transcript, call_id: str) -> Transcript:
    """A transcript in callqa's own format, without implausible numbers: other programs write it too."""
    return replace(
        written,
        call_id=call_id,
        turns=tuple(map(_checked, written.turns)),
        duration_s=pieces.seconds(written.duration_s) or None,
        role_confidence=pieces.share(written.role_confidence),
    )


def _checked(turn: Turn) -> Turn:
    words = (
        pieces.word(word.text, pieces.seconds(word.start_s), pieces.seconds(word.end_s), word.confidence)
        for word in turn.words
    )
    checked = pieces.turn(
        turn.text,
        pieces.seconds(turn.start_s),
        pieces.seconds(turn.end_s),
        on=pieces.channel(turn.channel),
        words=[word for word in words if word],
    )
    as_written = {name: getattr(turn, name) for name in ("turn", "role", "language", "sentiment", "speaker")}
    return replace(checked, **as_written, confidence=pieces.share(turn.confidence))


def _imported(call_id: str, turns: tuple[Turn, ...], tool: str, about: Mapping[str, Any]) -> Transcript:
    """A transcript from the turns of another tool; ``about`` is ``Said.about``."""
    stated_s = pieces.seconds(about.get("duration_s")) or None
    ends = [end_s for end_s in (pieces.ended_s(turns), stated_s) if end_s is not None]
    channels = {turn.channel for turn in turns}
    return Transcript(
        call_id,
        turns,
        duration_s=max(ends, default=None),
        engine=Engine(tool, str(about.get("model", "unknown"))),
        channels=len(channels) if len(channels) > 1 else about.get("channels", 0),
        medium=about["medium"] if about.get("medium") in get_args(Medium) else "voice",
    )


def too_deep(path: Path) -> RecordingError:
    """The fault of a file whose JSON is nested too deeply to read."""
    return RecordingError(f"{path.name} is nested too deeply", hint="ask for it again", reason="not_json")


@contextmanager
def media(received: Received) -> Iterator[Path]:
    """The file to decode for a received recording: the file itself, or the sound in or linked from a vCon.

    Sound from inside a vCon is written to a private temporary folder, which is deleted on exit.

    Raises:
        RecordingError: The vCon's recording is damaged.
    """
    if received.part is None or received.media is not None:
        yield received.media or received.path
        return
    path = received.container or received.path
    sound = vcon.audio(vcon.unwrap(_parse(path), path.name), received.part, path.name)
    with tempfile.TemporaryDirectory(prefix="callqa-") as folder:
        target = Path(folder) / f"{path.stem[:80]}.dialog-{received.part}"
        target.write_bytes(sound)
        yield target


def _vcon_conversations(received: Received, document: Json, media: MediaFinder) -> Iterator[Described]:
    """Each conversation in a vCon. A recording gets the hash of its sound, as a file of its own would."""
    path = received.path
    inner = vcon.unwrap(document, path.name)
    warnings = () if inner is document else (f"{path.name}: the signature of the vCon was not checked",)
    parts = vcon.parts(inner, received, media)
    if not parts:
        fault = RecordingError(
            f"{path.name} holds no conversation", hint="nothing to do", reason="not_a_call"
        )
        yield replace(received, fault=fault), {}
    for at, part in enumerate(parts):
        item = replace(
            part,
            path=path if at == 0 else path.with_name(f"{path.name}#dialog-{part.part}"),
            container=path if at else None,
            warnings=(*warnings, *part.warnings),
        )
        try:
            item = replace(item, sha256=_sha256(item, received, inner))
        except RecordingError as fault:
            item = replace(item, fault=fault)
        except OSError as error:
            item = replace(item, fault=unreadable(item.media or path, error))
        yield item, vcon.record(inner, part.part)


def _sha256(item: Received, received: Received, inner: Json) -> str | None:
    """The hash of one conversation in a vCon: of its sound, else of the file and the dialog's number."""
    if item.media is not None:
        return sniff.sha256(item.media)
    if item.kind == "recording" and item.part is not None and item.fault is None:
        return hashlib.sha256(vcon.audio(inner, item.part, received.path.name)).hexdigest()
    if item.container is None:
        return received.sha256
    return hashlib.sha256(f"{received.sha256}#{item.part}".encode()).hexdigest()


def _is_ours(document: object) -> bool:
    """Whether a document is callqa's own transcript, by its schema or by turns with callqa's roles."""
    if not isinstance(document, dict) or not isinstance(document.get("turns"), list):
        return False
    if "schema" in document:
        return bool(document["schema"] == SCHEMA)
    return all(not isinstance(turn, dict) or turn.get("role") in get_args(Role) for turn in document["turns"])


def _own_metadata(document: Json) -> Json:
    """The metadata in callqa's own transcript: its ``metadata`` and three fields of its own."""
    fields = {name: value for name in ("call_id", "language", "medium") if (value := document.get(name))}
    return pieces.record(document.get("metadata")) | fields


def _parse(path: Path) -> Any:
    try:
        return sniff.json_document(path)
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read: {error.strerror}", reason="unreadable") from error
    except ValueError as error:
        raise RecordingError(
            f"{path.name} is not readable JSON: {error}", hint="ask for it again", reason="not_json"
        ) from error
