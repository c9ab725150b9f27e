"""One stage at a time on single files, without ledger or database: what the small commands do."""

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
    """One recording to a transcript with roles, private data redacted by the policy.

    Raises:
        UsageError: The path does not exist.
        RecordingError: It holds no call that can be transcribed.
        ModelError: Weights are missing or damaged.
    """
    received = _receive([path], settings)[0]
    return _transcribed(received, _metadata(received), settings)


def original_of(
    path: str, sha256: str | None, metadata: CallMetadata, settings: Settings, state_dir: Path, reason: str
) -> Transcript:
    """What was said in a stored call, private data and all, heard again from its file.

    Args:
        path: Of the recording or transcript, as in the ledger.
        sha256: Of its bytes when the call was scored; another file in its place is refused.
        metadata: Of the stored call: which channel is whose.
        settings: Of the engine; their redaction is left out.
        state_dir: Its ``originals.jsonl`` gets a line before anything is read.
        reason: Why the original is needed.

    Raises:
        UsageError: The file is gone or is another one now.
        RecordingError: It cannot be heard any more.
        ModelError: Weights are missing or damaged.
    """
    found = _receive([Path(path)], settings)
    received = next((r for r in found if r.metadata and r.metadata.call_id == metadata.call_id), found[0])
    if received.sha256 != sha256:
        raise UsageError(
            f"{path} is no longer the file that was scored as call {metadata.call_id}",
            hint="put the original recording back in its place",
        )
    _put_on_record(state_dir, metadata.call_id, path, reason)
    nothing = settings.privacy.model_copy(update={"redact": ()})
    unredacted = settings.model_copy(update={"privacy": nothing})
    work = _read if received.kind == "transcript" else _transcribed
    return work(received, metadata, unredacted)


def _put_on_record(state_dir: Path, call_id: str, path: str, reason: str) -> None:
    """A line of who, when, what and why; readable by the owner alone."""
    state_dir.mkdir(parents=True, exist_ok=True)
    line = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "user": getpass.getuser(),
        "call_id": call_id,
        "path": path,
        "reason": reason,
    }
    record = os.open(state_dir / "originals.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(record, "a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _transcribed(received: Received, metadata: CallMetadata, settings: Settings) -> Transcript:
    from pipeline import transcribe

    clip = load_audio(received, settings)
    engine = transcribe.load_engine(settings.transcribe)
    said = engine.transcribe([transcribe.Job(metadata.call_id, clip, metadata.language)])[0]
    if isinstance(said, RecordingError):
        raise said
    return assign_and_redact(said, clip, metadata, settings=settings)


def _read(received: Received, metadata: CallMetadata, settings: Settings) -> Transcript:
    """A transcript file with roles, redacted by the policy."""
    said = intake.read_transcript(received)
    return assign_and_redact(said, None, metadata, received.first_party, settings=settings)


def annotate_files(files: Sequence[Path], settings: Settings) -> Iterator[Conversation]:
    """Transcript files to annotated conversations, in order; annotated ones pass as they are.

    Raises:
        UsageError: A path does not exist.
        RecordingError: A file is not a transcript.
    """
    return (conversation for _, conversation in _conversations(files, settings))


def score_files(files: Sequence[Path], rubric_name: str, settings: Settings) -> Iterator[Scorecard]:
    """Scorecards of transcript files against one rubric, in order; what it applies to is not asked.

    Raises:
        UsageError: A path does not exist.
        RubricError: The rubric is wrong.
        RecordingError: A file is not a transcript.
    """
    chosen = rubric.load(rubric_name)
    matcher = matching.load_matcher()
    judge = load_judge(settings, [chosen], keeps=False)  # there is no database to keep answers beside
    floor = settings.score.min_confidence
    for metadata, conversation in _conversations(files, settings):
        yield score.score(conversation, chosen, metadata, min_confidence=floor, matcher=matcher, judge=judge)


def _conversations(files: Sequence[Path], settings: Settings) -> Iterator[tuple[CallMetadata, Conversation]]:
    """Read every file, annotate those that are not, all in one go so that models batch."""
    ready: dict[int, Conversation] = {}
    read: dict[int, Transcript] = {}
    known: dict[int, CallMetadata] = {}
    for place, path in enumerate(files):
        received = _receive([path], settings)[0]
        if (annotated := _annotated(path)) is not None:
            ready[place] = annotated
            known[place] = CallMetadata(call_id=annotated.transcript.call_id)
            continue
        known[place] = _metadata(received)
        if received.kind != "transcript":
            raise RecordingError(
                f"{path} is a recording, not a transcript",
                hint=f"callqa transcribe {path} --json > transcript.json",
                reason="not_transcript",
            )
        read[place] = _read(received, known[place], settings)
    annotator = annotate.load_annotator(settings.annotate, settings.privacy) if read else None
    made = annotator.annotate(read.values(), [known[p] for p in read]) if annotator else iter(())
    for place in range(len(files)):
        yield known[place], ready[place] if place in ready else next(made)


def _annotated(path: Path) -> Conversation | None:
    """The conversation a file of ``callqa annotate --json`` holds; None for any other file."""
    if f'"{contract.schema_of(Conversation)}"' not in path.read_text("utf-8", "replace")[:200]:
        return None
    return contract.read(Conversation, path)


def _receive(paths: Sequence[Path], settings: Settings) -> list[Received]:
    return list(intake.discover(paths, settings.intake))


def _metadata(received: Received) -> CallMetadata:
    if received.fault is not None:
        raise received.fault
    assert received.metadata is not None
    return received.metadata
