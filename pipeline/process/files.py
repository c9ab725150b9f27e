"""One stage at a time on single files, without ledger or database: what the small commands do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline import annotate, audio, contract, intake, matchers, rubric, score, speakers
from pipeline.conversation import CallMetadata, Conversation, Received, Scorecard, Transcript
from pipeline.errors import RecordingError
from pipeline.settings import Settings


def transcribe_file(path: Path, settings: Settings) -> Transcript:
    """One recording to a transcript with roles, private data redacted by the policy.

    Raises:
        UsageError: The path does not exist.
        RecordingError: It holds no call that can be transcribed.
        ModelError: Weights are missing or damaged.
    """
    from pipeline import transcribe

    received = _receive([path], settings)[0]
    metadata = _metadata(received)
    with intake.media(received) as sound:
        clip = speakers.clean_channels(audio.load(sound, min_duration_s=settings.intake.min_audio_s))
    engine = transcribe.load_engine(settings.transcribe)
    heard = engine.transcribe([transcribe.Job(metadata.call_id, clip, metadata.language)])[0]
    if isinstance(heard, RecordingError):
        raise heard
    told = speakers.assign_roles(heard, clip, metadata, settings.audio)
    return replace(annotate.redact(told, settings.privacy)[0], warnings=(*clip.warnings, *told.warnings))


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
    matcher = matchers.load_matcher()
    for metadata, conversation in _conversations(files, settings):
        yield score.score(
            conversation, chosen, metadata, min_confidence=settings.score.min_confidence, matcher=matcher
        )


def _conversations(files: Sequence[Path], settings: Settings) -> Iterator[tuple[CallMetadata, Conversation]]:
    """Read every file, annotate those that are not, all in one go so that models batch."""
    ready: dict[int, Conversation] = {}
    heard: dict[int, Transcript] = {}
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
        transcript = speakers.assign_roles(
            intake.read_transcript(received), None, known[place], settings.audio
        )
        heard[place] = annotate.redact(transcript, settings.privacy)[0]
    annotator = annotate.load_annotator(settings.annotate, settings.privacy) if heard else None
    made = annotator.annotate(heard.values(), [known[p] for p in heard]) if annotator else iter(())
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
