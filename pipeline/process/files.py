"""Runs single stages on single files without ledger or database, for ``callqa transcribe`` and the like."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline import annotate, contract, intake, matching, rubric, score
from pipeline.conversation import CallMetadata, Conversation, Received, Scorecard, Transcript
from pipeline.errors import RecordingError, UsageError
from pipeline.process.judging import load_judge
from pipeline.process.stages import assign_and_redact, load_audio
from pipeline.settings import Settings


def transcribe_file(path: Path, settings: Settings) -> Transcript:
    """Transcribe one recording, assign roles and redact private data as the settings say.

    Raises:
        UsageError: The path does not exist, or is a folder.
        RecordingError: The file holds no call that can be transcribed.
        ModelError: Weights are missing or damaged.
    """
    received = _only(path, settings)
    return _transcribed(received, _metadata(received), settings)


def original_of(
    path: str, sha256: str | None, metadata: CallMetadata, settings: Settings, reason: str
) -> Transcript:
    """Transcribe the file of a stored call again, without redaction, unless it has changed since.

    Who asked and why is first written to ``originals.jsonl`` in the state folder.

    Raises:
        UsageError: The file is gone or has changed.
        RecordingError: The file can no longer be transcribed.
        ModelError: Weights are missing or damaged.
    """
    found = _receive([Path(path)], settings)
    received = next((r for r in found if r.metadata and r.metadata.call_id == metadata.call_id), found[0])
    if received.sha256 != sha256:
        raise UsageError(
            f"{path} is no longer the file that was scored as call {metadata.call_id}",
            hint="put the original recording back in its place",
        )
    _log_access(settings.state_dir, metadata.call_id, path, reason)
    keep_all = settings.privacy.model_copy(update={"redact": ()})
    unredacted = settings.model_copy(update={"privacy": keep_all})
    work = _read if received.kind == "transcript" else _transcribed
    return work(received, metadata, unredacted)


def _log_access(state_dir: Path, call_id: str, path: str, reason: str) -> None:
    """Log who read which original, when and why, in a file that only its owner can read.

    Raises:
        UsageError: The log cannot be written; then the original is not read.
    """
    line = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "user": getpass.getuser(),
        "call_id": call_id,
        "path": path,
        "reason": reason,
    }
    log = state_dir / "originals.jsonl"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UsageError(
            f"cannot log the access in {log}: {error.strerror}",
            hint="an original is read only where that is logged; make the folder writable",
        ) from error


def _transcribed(received: Received, metadata: CallMetadata, settings: Settings) -> Transcript:
    from pipeline import transcribe

    clip = load_audio(received, settings)
    engine = transcribe.load_engine(settings.transcribe)
    result = engine.transcribe([transcribe.Job(metadata.call_id, clip, metadata.language)])[0]
    if isinstance(result, RecordingError):
        raise result
    return assign_and_redact(result, clip, metadata, settings=settings)


def _read(received: Received, metadata: CallMetadata, settings: Settings) -> Transcript:
    transcript = intake.read_transcript(received)
    return assign_and_redact(transcript, None, metadata, received.first_party, settings=settings)


def annotate_files(files: Sequence[Path], settings: Settings) -> Iterator[Conversation]:
    """Annotate transcript files, in order; files that are annotated already are returned as they are.

    Raises:
        UsageError: A path does not exist, or is a folder.
        RecordingError: A file is not a transcript.
    """
    return (conversation for _, conversation in _conversations(files, settings))


def score_files(files: Sequence[Path], rubric_name: str, settings: Settings) -> Iterator[Scorecard]:
    """Score transcript files under one rubric, in order, whether it applies to the calls or not.

    Raises:
        UsageError: A path does not exist, or is a folder.
        RubricError: The rubric is wrong.
        RecordingError: A file is not a transcript.
    """
    chosen = rubric.load(rubric_name)
    matcher = matching.load_matcher()
    judge = load_judge(settings, [chosen], keeps=False)  # without a database there is no state folder
    floor = settings.score.min_confidence
    for metadata, conversation in _conversations(files, settings):
        yield score.score(conversation, chosen, metadata, min_confidence=floor, matcher=matcher, judge=judge)


def _conversations(files: Sequence[Path], settings: Settings) -> Iterator[tuple[CallMetadata, Conversation]]:
    """Read every file, then annotate all transcripts together, so that models work in batches."""
    found: list[tuple[CallMetadata, Conversation | Transcript]] = []
    for path in files:
        received = _only(path, settings)
        conversation = _annotated(path)
        if conversation is not None:
            found.append((CallMetadata(call_id=conversation.transcript.call_id), conversation))
            continue
        metadata = _metadata(received)
        if received.kind != "transcript":
            raise RecordingError(
                f"{path} is a recording, not a transcript",
                hint=f"callqa transcribe {path} --json > transcript.json",
                reason="not_transcript",
            )
        found.append((metadata, _read(received, metadata, settings)))
    new = [(metadata, said) for metadata, said in found if isinstance(said, Transcript)]
    annotated: Iterator[Conversation] = iter(())
    if new:
        annotator = annotate.load_annotator(settings.annotate, settings.privacy)
        annotated = annotator.annotate([said for _, said in new], [metadata for metadata, _ in new])
    for metadata, said in found:
        yield metadata, next(annotated) if isinstance(said, Transcript) else said


def _annotated(path: Path) -> Conversation | None:
    """The conversation in a file written by ``callqa annotate --json``; None for any other file."""
    if f'"{contract.schema_of(Conversation)}"' not in path.read_text("utf-8", "replace")[:200]:
        return None
    return intake.read_conversation(path)


def _only(path: Path, settings: Settings) -> Received:
    if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises OSError where a folder may not be entered
        raise UsageError(
            f"{path} is a folder, not a file", hint="name one file; `callqa run` takes the calls of a folder"
        )
    return _receive([path], settings)[0]


def _receive(paths: Sequence[Path], settings: Settings) -> list[Received]:
    return list(intake.discover(paths, settings.intake, leave_out=settings.own_paths))


def _metadata(received: Received) -> CallMetadata:
    if received.fault is not None:
        raise received.fault
    assert received.metadata is not None
    return received.metadata
