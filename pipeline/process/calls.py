"""Takes one group of files through every stage, to one ``CallRecord`` per file.

    received ─▶ transcribe (open, transcribe, roles, redact, write) ─▶ score (annotate, score) ─▶ records

While the engine transcribes one group, the group before it is scored and the one after it is opened
(``prefetch``). A bad file becomes a ledger row with the reason, an unexpected error in one call a ``failed``
row. Only what a person must fix first (disk, models, database) ends the batch: it raises ``CallQAError``. An
``OSError`` is a transient fault: the same group may work when tried again.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from pipeline import contract
from pipeline.child_processes import cores
from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Conversation,
    LedgerEntry,
    LedgerStatus,
    Received,
    StageRun,
    Transcript,
)
from pipeline.errors import CallQAError, RecordingError
from pipeline.process.again import SecondPass, marked, transcribe_again
from pipeline.process.cache import StageCache, digest
from pipeline.process.stages import Fingerprints, Stages
from pipeline.process.state import CallState
from pipeline.rubric import why_not
from pipeline.transcribe import Job

In = TypeVar("In")
Out = TypeVar("Out")
SHOWN_RUBRICS = 3
"""The ledger row of a call that no rubric applies to says of this many rubrics why they do not apply."""
TOGETHER_BYTES = 128 * 2**20
"""Audio transcribed together: 17 minutes of two channels. With more, the engine's batches get no fuller."""
SKIPPED_REASONS = frozenset({"too_short", "silent", "no_speech", "duplicate", "not_a_call", "still_written"})
"""Reasons of files that are not damaged but hold nothing to score, or not yet."""
RETRIED_REASONS = frozenset({"unreadable", "missing", "no_room"})
"""Reasons that lie in the machine, not in the recording, so that the next run tries again."""
_TRANSIENT_ERRNOS = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE}
)


def work_fingerprint(received: Received, current: Fingerprints) -> str:
    """A digest of everything that the result of a file depends on; "" for a file that could not be read."""
    if received.sha256 is None:
        return ""
    metadata = None if received.metadata is None else contract.to_dict(received.metadata)
    return digest(received.sha256, metadata, received.first_party, current.transcript, current.answers)[:32]


def process_group(received: Sequence[Received], stages: Stages, cache: StageCache) -> list[CallRecord]:
    """Take a group of files, best a few dozen, through every stage; returns a record per file, in order."""
    return score(transcribe(received, stages, cache), stages, cache)


def open_file(item: Received, stages: Stages, cache: StageCache) -> CallState:
    """Do all that needs no speech engine: read a transcript file or a cached transcript, or decode audio.

    A file that cannot be used is returned with its ledger row, and so is one that has changed since intake
    read it, because only a part of the call was there.
    """
    call = _open(item, stages, cache)
    if not _has_changed(item):
        return call
    what = f"{item.path.name} was still being written"
    error = RecordingError(what, hint="the next run takes it", reason="still_written")
    return _failed(CallState(item), stages, "intake", error)


def _has_changed(item: Received) -> bool:
    try:
        stat = (item.container or item.path).stat()
    except OSError:  # opening it already reported this
        return False
    return item.mtime_ns is not None and (stat.st_size, stat.st_mtime_ns) != (item.size_bytes, item.mtime_ns)


def _open(item: Received, stages: Stages, cache: StageCache) -> CallState:
    call = CallState(item)
    if item.fault is not None or item.metadata is None:
        return _failed(call, stages, "intake", item.fault or RecordingError(f"{item.path}: no metadata"))
    if item.kind == "transcript":
        try:
            transcript = stages.read_transcript(item)
            transcript = stages.assign_and_redact(transcript, None, item.metadata, item.first_party)
        except Exception as error:
            return _failed(call, stages, "intake", error)
        return replace(call, transcript=transcript)
    cached = cache.read_transcript(
        item.metadata.call_id, call.transcript_fingerprint(stages.fingerprints.transcript)
    )
    if cached is not None:
        stage = StageRun("transcribe", stages.engine.fingerprint, *_made_by(cached), 0.0)
        return replace(call, transcript=cached, stages=(stage,))
    started = time.perf_counter()
    try:
        clip = stages.load_audio(item)
    except Exception as error:
        return _failed(call, stages, "audio", error)
    stage = StageRun("audio", "", clip.codec, "", time.perf_counter() - started)
    return replace(call, clip=clip, stages=(stage,))


def transcribe(files: Sequence[Received | CallState], stages: Stages, cache: StageCache) -> list[CallState]:
    """Transcribe a group of files together, assign roles, redact and write the transcripts.

    Those that are open already come as a ``CallState``. None keeps its audio.
    """
    done: list[CallState] = []
    for part in _opened(files, stages, cache):
        transcribed = _advance(part, lambda call: call.awaits_engine, partial(_transcribed, stages=stages))
        done += _on_all_cores(partial(_assigned, stages=stages, cache=cache), transcribed)
    return done


def _opened(
    files: Sequence[Received | CallState], stages: Stages, cache: StageCache
) -> Iterator[list[CallState]]:
    """The opened files in parts, each with about as much audio as is transcribed together."""

    def opened(file: Received | CallState) -> CallState:
        return file if isinstance(file, CallState) else open_file(file, stages, cache)

    part: list[CallState] = []
    for start in range(0, len(files), cores()):
        part += _on_all_cores(opened, files[start : start + cores()])
        if sum(call.sound_bytes for call in part) >= TOGETHER_BYTES:
            yield part
            part = []
    yield part


def score(calls: Sequence[CallState], stages: Stages, cache: StageCache) -> list[CallRecord]:
    """Annotate and score transcribed calls; files that have ended stay as they are."""
    annotated = _advance(calls, lambda call: call.ended is None, partial(_annotated, stages=stages))
    if stages.again is not None:
        again = partial(_transcribed_again, again=stages.again, stages=stages, cache=cache)
        annotated = _advance(
            annotated, lambda call: call.ended is None and call.received.kind == "recording", again
        )
    scored = _advance(annotated, lambda call: call.ended is None, partial(_scored, stages=stages))
    return [call.record() for call in scored]


def give_up(received: Sequence[Received], error: BaseException) -> list[CallState]:
    """The files of a group that failed as a whole after every retry, each with a ``failed`` row."""
    return [
        CallState(item, ended=_retried_row(item, "", "window", error, hint="the next run tries again"))
        for item in received
    ]


def is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed, because the fault lies in the machine and not in the input."""
    if isinstance(error, OSError):
        return error.errno in _TRANSIENT_ERRNOS
    return type(error).__name__ == "OutOfMemoryError"  # torch.cuda's, without importing torch


def describe(error: BaseException) -> str:
    """The type and source line of an unexpected error, without its message, which may quote a customer."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _advance(
    calls: Sequence[CallState],
    waits: Callable[[CallState], bool],
    stage: Callable[[list[CallState]], list[CallState]],
) -> list[CallState]:
    """Take the calls that wait for a stage through it together; returns all calls in their order."""
    done = iter(stage([call for call in calls if waits(call)]))
    return [next(done) if waits(call) else call for call in calls]


def _on_all_cores(work: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    """Run ``work`` on every item in threads: decoding and networks release Python's global lock."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="spread") as pool:
        return list(pool.map(work, items))


def _together(work: Callable[[Sequence[In]], Sequence[Out]], items: Sequence[In]) -> list[Out | Exception]:
    """Work on all items together; if that fails, one by one, so that one bad call does not fail the rest."""
    if not items:
        return []
    try:
        return list(work(items))
    except Exception as error:
        if _concerns_every_call(error):
            raise
        if len(items) == 1:
            return [error]
    return [result for item in items for result in _together(work, [item])]


def _concerns_every_call(error: Exception) -> bool:
    """Whether the fault lies in no single call, as with a missing model or a transient fault."""
    return not isinstance(error, RecordingError) and (isinstance(error, CallQAError) or is_transient(error))


def _transcribed(calls: list[CallState], stages: Stages) -> list[CallState]:
    """Transcribe the calls' audio; the time is shared out by length of audio."""
    clips = [call.clip for call in calls if call.clip is not None]
    jobs = [
        Job(call.metadata.call_id, clip, call.metadata.language)
        for call, clip in zip(calls, clips, strict=True)
    ]
    started = time.perf_counter()
    results = _together(stages.engine.transcribe, jobs)
    pace = (time.perf_counter() - started) / (sum(clip.duration_s for clip in clips) or 1.0)
    done = []
    for call, clip, result in zip(calls, clips, results, strict=True):
        seconds = pace * clip.duration_s
        stage = StageRun("transcribe", stages.engine.fingerprint, *_made_by(result), seconds)
        call = replace(call, stages=(*call.stages, stage))
        if isinstance(result, Exception):
            done.append(_failed(call, stages, "transcribe", result))
        else:
            done.append(replace(call, transcript=result))
    return done


def _assigned(call: CallState, stages: Stages, cache: StageCache) -> CallState:
    """Assign roles and redact, then write the transcript: until here nothing private was written to disk."""
    if call.clip is None or call.transcript is None:
        return call
    started = time.perf_counter()
    try:
        transcript = stages.assign_and_redact(call.transcript, call.clip, call.metadata, None)
    except Exception as error:
        return _failed(call, stages, "speakers", error)
    cache.write_transcript(transcript, call.transcript_fingerprint(stages.fingerprints.transcript))
    stage = StageRun("speakers", "", "", "", time.perf_counter() - started)
    return replace(call, transcript=transcript, clip=None, stages=(*call.stages, stage))


def _annotated(calls: list[CallState], stages: Stages) -> list[CallState]:
    """Annotate the calls; the time is shared out by number of turns."""

    def annotate(batch: Sequence[CallState]) -> list[Conversation]:
        transcripts = [call.transcript for call in batch if call.transcript is not None]
        return list(stages.annotator.annotate(transcripts, [call.metadata for call in batch]))

    started = time.perf_counter()
    results = _together(annotate, calls)
    pace = (time.perf_counter() - started) / (sum(call.n_turns for call in calls) or 1)
    done = []
    for call, result in zip(calls, results, strict=True):
        if isinstance(result, Exception):
            done.append(_failed(call, stages, "annotate", result))
            continue
        stage = StageRun("annotate", stages.annotator.fingerprint, "", "", pace * call.n_turns)
        done.append(replace(call, conversation=result, stages=(*call.stages, stage)))
    return done


def _transcribed_again(
    calls: list[CallState], again: SecondPass, stages: Stages, cache: StageCache
) -> list[CallState]:
    """Transcribe deciding words again and annotate those calls again; a call that fails stays as it was."""
    changed = transcribe_again(calls, again, stages.load_audio, cache, stages.fingerprints.transcript)
    done = _advance(changed, lambda call: bool(call.transcribed_again), partial(_annotated, stages=stages))
    return [before if after.ended else after for before, after in zip(calls, done, strict=True)]


def _scored(calls: list[CallState], stages: Stages) -> list[CallState]:
    """Score the calls and give them their ledger rows; the time is shared out by number of turns."""
    inputs = [(call.conversation, call.metadata) for call in calls if call.conversation is not None]
    started = time.perf_counter()
    results = _together(stages.score, inputs)
    pace = (time.perf_counter() - started) / (sum(call.n_turns for call in calls) or 1)
    done = []
    for call, result in zip(calls, results, strict=True):
        if isinstance(result, Exception):
            done.append(_failed(call, stages, "score", result))
            continue
        stage = StageRun("score", "", "", "", pace * call.n_turns)
        if call.transcribed_again and stages.again is not None:
            result = tuple(marked(card, call.transcribed_again, stages.again.model) for card in result)
        spent = stages.judge.spent(call.metadata.call_id) if stages.judge else ()
        call = replace(call, scorecards=result, stages=(*call.stages, stage, *spent))
        done.append(replace(call, ended=_scored_row(call, stages)))
    return done


def _scored_row(call: CallState, stages: Stages) -> LedgerEntry:
    """The ledger row of a call that went through every stage."""
    assert call.conversation is not None
    fingerprint = work_fingerprint(call.received, stages.fingerprints)
    row = _row(call.received, fingerprint, "scored" if call.scorecards else "skipped")
    if not call.scorecards:
        reason, hint = _why_no_rubric(call.metadata, call.conversation.transcript, stages)
        row = replace(row, reason=reason, hint=hint)
    if any(answer.awaits == "judge" for card in call.scorecards for answer in card.answers):
        row = replace(row, fingerprint="")  # the next run asks the judge again
    warnings = (*row.warnings, *call.conversation.transcript.warnings, *call.conversation.warnings)
    return replace(row, warnings=tuple(dict.fromkeys(warnings)))


def _why_no_rubric(metadata: CallMetadata, transcript: Transcript, stages: Stages) -> tuple[str, str]:
    """The reason and the hint for a call that no rubric applies to."""
    if metadata.direction == "internal":
        return "internal_call", "an internal call; a rubric for direction: [internal] would answer it"
    duration_s, language = transcript.duration_s, transcript.language
    whys = [
        f"{rubric.id}: {why_not(rubric, metadata, duration_s=duration_s, language=language)}"
        for rubric in stages.rubrics[:SHOWN_RUBRICS]
    ]
    more = f"; and {len(stages.rubrics) - SHOWN_RUBRICS} more" if len(stages.rubrics) > SHOWN_RUBRICS else ""
    number = metadata.queue if metadata.queue and any(char.isdigit() for char in metadata.queue) else ""
    named = f'; if {number} has a name, give it in [intake] queues = {{"{number}" = "..."}}' if number else ""
    return "no_rubric", f"{'; '.join(whys)}{more}{named}"


def _failed(call: CallState, stages: Stages, stage: str, error: Exception) -> CallState:
    """End a call with a ledger row: bad input is final, a bug of callqa is tried again by the next run.

    An error that must end the batch, or is transient, is raised.
    """
    item = call.received
    if isinstance(error, RecordingError):
        status = _status(error)
        again = status == "failed" or error.reason == "still_written"
        row = _row(item, "" if again else work_fingerprint(item, stages.fingerprints), status)
        row = replace(row, reason=error.reason, stage=stage, error=error.message, hint=error.hint)
    elif isinstance(error, CallQAError) or is_transient(error):
        raise error
    else:
        row = _retried_row(item, stage, "internal", error, hint="a bug in callqa: please report it")
    return CallState(item, call.stages, ended=row)


def _status(error: RecordingError) -> LedgerStatus:
    if error.reason == "erased":
        return "purged"
    if error.reason in SKIPPED_REASONS:
        return "skipped"
    return "failed" if error.reason in RETRIED_REASONS else "quarantined"


def _retried_row(item: Received, stage: str, reason: str, error: BaseException, hint: str) -> LedgerEntry:
    """A ``failed`` row without a fingerprint, so that the next run tries again."""
    row = _row(item, "", "failed")
    return replace(row, stage=stage, reason=reason, error=describe(error), hint=hint)


def _row(item: Received, fingerprint: str, status: LedgerStatus) -> LedgerEntry:
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


def _made_by(result: Transcript | Exception) -> tuple[str, str]:
    return (result.engine.name, result.engine.model) if isinstance(result, Transcript) else ("", "")
