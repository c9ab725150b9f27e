"""One window of files through every stage, to one ``CallRecord`` a file.

    received ─▶ hear (load, transcribe together, roles, redact, keep) ─▶ judge (annotate, score) ─▶ record

``hear`` works on a whole window, because the engine decodes many calls at once; ``judge`` works
on one call. A bad file is a row with its reason; an unexpected fault of one call is a ``failed``
row; only what a person must mend first (disk, models, database) ends the batch.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from pipeline import contract
from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    CallRecord,
    LedgerEntry,
    LedgerStatus,
    Received,
    StageRun,
    Transcript,
)
from pipeline.errors import CallQAError, RecordingError
from pipeline.process.cache import StageCache
from pipeline.process.capacity import cores
from pipeline.process.tools import Fingerprints, Tools, digest

T = TypeVar("T")
SKIPPED_REASONS = frozenset({"too_short", "silent", "no_speech", "duplicate", "not_a_call"})
"""Files that are sound but hold nothing to score."""
RETRIED_REASONS = frozenset({"unreadable", "missing"})
"""Faults of the place, not of the recording: the next run tries again."""
_TRANSIENT_ERRNOS = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE}
)


@dataclass(frozen=True, slots=True)
class Heard:
    """A file after the ears: a transcript, or the row that ends its way here."""

    received: Received
    fingerprint: str
    transcript: Transcript | None = None
    ended: LedgerEntry | None = None
    stages: tuple[StageRun, ...] = ()


def work_fingerprint(received: Received, under: Fingerprints) -> str:
    """What a file's result depends on, in one digest; "" for a file that could not even be read."""
    if received.sha256 is None:
        return ""
    metadata = None if received.metadata is None else contract.to_dict(received.metadata)
    return digest(received.sha256, metadata, under.hearing, under.judging)[:32]


def process_window(received: Sequence[Received], tools: Tools, cache: StageCache) -> list[CallRecord]:
    """Take a window of files through every stage.

    Args:
        received: The files, best a window of some dozen: they are decoded together.
        tools: The stages.
        cache: Where transcripts are kept between runs.

    Returns:
        One record a file, in order.

    Raises:
        CallQAError: Something a person must mend before any call can be processed.
        OSError: A transient fault; the same call may work when tried again.
    """
    return [judge(heard, tools) for heard in hear(received, tools, cache)]


def hear(received: Sequence[Received], tools: Tools, cache: StageCache) -> list[Heard]:
    """Everything up to the redacted transcript, for a window of files decoded together.

    Raises:
        CallQAError: The disk, a model: nothing that is the fault of one recording.
        OSError: A transient fault.
    """
    heard: dict[int, Heard] = {}
    clips: dict[int, AudioClip] = {}
    load_s: dict[int, float] = {}
    for place, item in enumerate(received):
        early = _without_engine(item, tools, cache)
        if early is not None:
            heard[place] = early
    recordings = [place for place in range(len(received)) if place not in heard]
    for place, (clip, seconds) in _spread(lambda place: _load(received[place], tools), recordings):
        load_s[place] = seconds
        if isinstance(clip, AudioClip):
            clips[place] = clip
        else:
            heard[place] = clip
    jobs = {place: tools.job(clip, _known(received[place])) for place, clip in clips.items()}
    started = time.perf_counter()
    results = _transcribe(jobs, tools)
    engine_s = time.perf_counter() - started
    audio_s = sum(clip.duration_s for clip in clips.values()) or 1.0

    def after_engine(place: int) -> Heard:
        clip, result = clips.pop(place), results[place]
        before = (
            _stage("audio", clip.codec, load_s[place]),
            StageRun(
                "transcribe",
                tools.engine.fingerprint,
                *_made_by(result),
                engine_s * clip.duration_s / audio_s,
            ),
        )
        return _after_engine(received[place], clip, result, before, tools, cache)

    heard |= _spread(after_engine, list(results))
    return [heard[place] for place in range(len(received))]


def _spread(work: Callable[[int], T], places: Sequence[int]) -> Iterator[tuple[int, T]]:
    """The work on every place, on all cores: decoding and networks let go of Python's lock."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="hear") as pool:
        yield from zip(places, pool.map(work, places), strict=True)


def judge(heard: Heard, tools: Tools) -> CallRecord:
    """Annotate and score one call; never raises for a fault of the call itself.

    Raises:
        CallQAError: A model or rubric that cannot be used at all.
    """
    transcript = heard.transcript
    if transcript is None:
        assert heard.ended is not None
        return CallRecord(heard.ended, metadata=None, stages=heard.stages)
    item = heard.received
    metadata = _known(item)
    stage = "annotate"
    try:
        started = time.perf_counter()
        conversation = next(iter(tools.annotator.annotate([transcript], [metadata])))
        annotated = time.perf_counter()
        stage = "score"
        scorecards = tools.score(conversation, metadata)
        scored = time.perf_counter()
    except Exception as error:
        ended = _end(item, tools, stage, error)
        assert ended.ended is not None
        return CallRecord(ended.ended, stages=heard.stages)
    entry = _entry(item, heard.fingerprint, "scored" if scorecards else "skipped")
    if not scorecards:
        entry = replace(entry, reason="no_rubric", hint="no rubric applies to this call; see rubric explain")
    return CallRecord(
        replace(
            entry,
            warnings=tuple(dict.fromkeys((*entry.warnings, *transcript.warnings, *conversation.warnings))),
        ),
        metadata=metadata,
        conversation=conversation,
        scorecards=scorecards,
        stages=(
            *heard.stages,
            StageRun("annotate", tools.annotator.fingerprint, "", "", annotated - started),
            _stage("score", "", scored - annotated),
        ),
    )


def give_up(received: Sequence[Received], error: BaseException) -> list[CallRecord]:
    """Rows for a window that failed as a whole, after every retry."""
    return [
        CallRecord(_failed(item, "", "window", describe(error), hint="the next run tries again"))
        for item in received
    ]


def is_transient(error: BaseException) -> bool:
    """Whether trying again may work: the machine stumbled, the input is not at fault."""
    if isinstance(error, OSError):
        return error.errno in _TRANSIENT_ERRNOS
    return type(error).__name__ == "OutOfMemoryError"  # torch.cuda's, without importing torch


def describe(error: BaseException) -> str:
    """A fault of ours in one line, by type and place: its text may quote the customer."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _without_engine(item: Received, tools: Tools, cache: StageCache) -> Heard | None:
    """What needs no ears: files intake refused, transcripts, recordings heard before."""
    if item.fault is not None or item.metadata is None:
        return _end(item, tools, "intake", item.fault or RecordingError(f"{item.path}: no metadata"))
    fingerprint = work_fingerprint(item, tools.fingerprints)
    if item.kind == "transcript":
        try:
            transcript = tools.read_transcript(item)
            transcript = tools.redact(tools.assign_roles(transcript, None, item.metadata))
        except Exception as error:
            return _end(item, tools, "intake", error)
        return Heard(item, fingerprint, transcript)
    kept = cache.read_transcript(item.metadata.call_id, _transcript_fingerprint(item, tools))
    if kept is None:
        return None
    return Heard(
        item,
        fingerprint,
        kept,
        stages=(StageRun("transcribe", tools.engine.fingerprint, *_made_by(kept), 0.0),),
    )


def _load(item: Received, tools: Tools) -> tuple[AudioClip | Heard, float]:
    """A recording's clip, or the row that ends its way; and the seconds it took."""
    started = time.perf_counter()
    result: AudioClip | Heard
    try:
        result = tools.load_audio(item)
    except Exception as error:
        result = _end(item, tools, "audio", error)
    return result, time.perf_counter() - started


def _transcribe(jobs: dict[int, Any], tools: Tools) -> dict[int, Transcript | Exception]:
    """All jobs together; when that breaks, one by one, so that one bad call does not take the rest along."""
    if not jobs:
        return {}
    try:
        return dict(zip(jobs, tools.engine.transcribe(list(jobs.values())), strict=True))
    except Exception as error:
        if isinstance(error, CallQAError) or is_transient(error):
            raise
    results: dict[int, Transcript | Exception] = {}
    for place, job in jobs.items():
        try:
            results[place] = tools.engine.transcribe([job])[0]
        except Exception as error:
            if isinstance(error, CallQAError) or is_transient(error):
                raise
            results[place] = error
    return results


def _after_engine(
    item: Received,
    clip: AudioClip,
    result: Transcript | Exception,
    before: tuple[StageRun, ...],
    tools: Tools,
    cache: StageCache,
) -> Heard:
    """Roles and redaction, then the first write: nothing private has touched the disk until here."""
    if isinstance(result, Exception):
        return replace(_end(item, tools, "transcribe", result), stages=before)
    started = time.perf_counter()
    try:
        transcript = tools.redact(tools.assign_roles(result, clip, _known(item)))
    except Exception as error:
        return replace(_end(item, tools, "speakers", error), stages=before)
    transcript = replace(transcript, warnings=(*clip.warnings, *transcript.warnings))
    cache.write_transcript(transcript, _transcript_fingerprint(item, tools))
    speakers = _stage("speakers", "", time.perf_counter() - started)
    return Heard(item, work_fingerprint(item, tools.fingerprints), transcript, stages=(*before, speakers))


def _end(item: Received, tools: Tools, stage: str, error: Exception) -> Heard:
    """The row that ends a file's way: bad input is final, a fault of ours is tried again.

    Raises:
        CallQAError: What ends the batch rather than the file.
        OSError: What another try may mend.
    """
    if isinstance(error, RecordingError):
        status = _status(error)
        fingerprint = "" if status == "failed" else work_fingerprint(item, tools.fingerprints)
        entry = _entry(item, fingerprint, status)
        entry = replace(entry, reason=error.reason, stage=stage, error=error.message, hint=error.hint)
    elif isinstance(error, CallQAError) or is_transient(error):
        raise error
    else:
        entry = _failed(item, stage, "internal", describe(error), hint="a bug in callqa: please report it")
    return Heard(item, entry.fingerprint, ended=entry)


def _status(error: RecordingError) -> LedgerStatus:
    if error.reason in SKIPPED_REASONS:
        return "skipped"
    return "failed" if error.reason in RETRIED_REASONS else "quarantined"


def _failed(item: Received, stage: str, reason: str, error: str, hint: str) -> LedgerEntry:
    """A row without a fingerprint, so that the next run tries again."""
    return replace(_entry(item, "", "failed"), stage=stage, reason=reason, error=error, hint=hint)


def _entry(item: Received, fingerprint: str, status: LedgerStatus) -> LedgerEntry:
    return LedgerEntry(
        path=str(item.path),
        audio_sha256=item.sha256,
        call_id=item.metadata.call_id if item.metadata else None,
        status=status,
        size_bytes=item.size_bytes,
        mtime_ns=item.mtime_ns,
        warnings=item.warnings,
        fingerprint=fingerprint,
    )


def _known(item: Received) -> CallMetadata:
    assert item.metadata is not None, "files without metadata ended at intake"
    return item.metadata


def _transcript_fingerprint(item: Received, tools: Tools) -> str:
    """A transcript depends on less than the answers do: a new agent name is no reason to listen again."""
    metadata = _known(item)
    return digest(
        item.sha256, metadata.language, metadata.agent_channel, metadata.direction, tools.fingerprints.hearing
    )


def _stage(stage: str, engine: str, seconds: float) -> StageRun:
    return StageRun(stage, "", engine, "", seconds)


def _made_by(result: Transcript | Exception) -> tuple[str, str]:
    return (result.engine.name, result.engine.model) if isinstance(result, Transcript) else ("", "")
