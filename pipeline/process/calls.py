"""One window of files through every stage, to one ``CallRecord`` a file.

    received ─▶ transcribe (open, transcribe) ─▶ score (roles, redact, keep, annotate, score) ─▶ records

While the engine transcribes one window, the one before it is scored and the one after it opened
(``prefetch``). A bad file is a row with its reason; an unexpected fault of one call is a ``failed`` row; only
what a person must mend first (disk, models, database) ends the batch.
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
from pipeline.process.again import SecondHearing, hear_again, marked
from pipeline.process.cache import StageCache, digest
from pipeline.process.stages import Fingerprints, Stages
from pipeline.process.state import CallState
from pipeline.rubric import why_not
from pipeline.transcribe import Job

In = TypeVar("In")
Out = TypeVar("Out")
SHOWN_RUBRICS = 3
"""Of how many rubrics a ledger row says why they are not for the call."""
TOGETHER_BYTES = 128 * 2**20
"""Sound transcribed together, a quarter of an hour of two channels: more makes batches no fuller."""
CARRIED_BYTES = 128 * 2**20
"""Sound that waits for ``score`` while the engine goes on."""
SKIPPED_REASONS = frozenset({"too_short", "silent", "no_speech", "duplicate", "not_a_call"})
"""Files that are sound but hold nothing to score."""
RETRIED_REASONS = frozenset({"unreadable", "missing", "no_room"})
"""Faults of the place, not of the recording: the next run tries again."""
_TRANSIENT_ERRNOS = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE}
)


def work_fingerprint(received: Received, under: Fingerprints) -> str:
    """What a file's result depends on, in one digest; "" for a file that could not even be read."""
    if received.sha256 is None:
        return ""
    metadata = None if received.metadata is None else contract.to_dict(received.metadata)
    return digest(received.sha256, metadata, received.first_party, under.transcript, under.answers)[:32]


def process_window(received: Sequence[Received], stages: Stages, cache: StageCache) -> list[CallRecord]:
    """Take a window of files through every stage.

    Args:
        received: The files, best a window of some dozen: they are decoded together.
        stages: Ready to use.
        cache: Where transcripts are kept between runs.

    Returns:
        One record a file, in order.

    Raises:
        CallQAError: Something a person must mend before any call can be processed.
        OSError: A transient fault; the same call may work when tried again.
    """
    return score(transcribe(received, stages, cache), stages, cache)


def open_file(item: Received, stages: Stages, cache: StageCache) -> CallState:
    """What needs no engine: a transcript, kept or from elsewhere, a recording's sound, or why there is none.

    Raises:
        CallQAError: Nothing that is the fault of one file.
        OSError: A transient fault.
    """
    call = CallState(item)
    if item.fault is not None or item.metadata is None:
        return _failed(call, stages, "intake", item.fault or RecordingError(f"{item.path}: no metadata"))
    if item.kind == "transcript":
        try:
            said = stages.read_transcript(item)
            said = stages.assign_and_redact(said, None, item.metadata, item.first_party)
        except Exception as error:
            return _failed(call, stages, "intake", error)
        return replace(call, transcript=said)
    kept = cache.read_transcript(
        item.metadata.call_id, call.transcript_fingerprint(stages.fingerprints.transcript)
    )
    if kept is not None:
        stage = StageRun("transcribe", stages.engine.fingerprint, *_made_by(kept), 0.0)
        return replace(call, transcript=kept, stages=(stage,))
    started = time.perf_counter()
    try:
        clip = stages.load_audio(item)
    except Exception as error:
        return _failed(call, stages, "audio", error)
    stage = StageRun("audio", "", clip.codec, "", time.perf_counter() - started)
    return replace(call, clip=clip, stages=(stage,))


def transcribe(files: Sequence[Received | CallState], stages: Stages, cache: StageCache) -> list[CallState]:
    """Transcribe a window of files together; ``score`` goes on from there.

    Args:
        files: The files; those opened already as they are.
        stages: Ready to use.
        cache: Where transcripts are kept between runs.

    Raises:
        CallQAError: The disk, a model: nothing that is the fault of one recording.
        OSError: A transient fault.
    """
    done: list[CallState] = []
    carried = 0
    for opened in _opened(files, stages, cache):
        for call in _advance(opened, lambda call: call.awaits_engine, partial(_transcribed, stages=stages)):
            carried += call.sound_bytes
            done.append(call if carried <= CARRIED_BYTES else _assigned(call, stages, cache))
    return done


def _opened(
    files: Sequence[Received | CallState], stages: Stages, cache: StageCache
) -> Iterator[list[CallState]]:
    """The files, opened, in parts with no more sound than is transcribed together."""

    def opened(one: Received | CallState) -> CallState:
        return one if isinstance(one, CallState) else open_file(one, stages, cache)

    part: list[CallState] = []
    for start in range(0, len(files), cores()):
        part += _spread(opened, files[start : start + cores()])
        if sum(call.sound_bytes for call in part) >= TOGETHER_BYTES:
            yield part
            part = []
    yield part


def score(calls: Sequence[CallState], stages: Stages, cache: StageCache) -> list[CallRecord]:
    """Roles, redaction, the first write, annotations and scores; what has a row already keeps it.

    Raises:
        CallQAError: The disk is full; a model or rubric that cannot be used at all.
    """
    told = _spread(partial(_assigned, stages=stages, cache=cache), calls)
    annotated = _advance(told, lambda call: call.ended is None, partial(_annotated, stages=stages))
    if stages.again is not None:
        heard_again = partial(_heard_again, again=stages.again, stages=stages, cache=cache)
        annotated = _advance(annotated, _is_heard_speech, heard_again)
    scored = _advance(annotated, lambda call: call.ended is None, partial(_scored, stages=stages))
    return [call.record() for call in scored]


def give_up(received: Sequence[Received], error: BaseException) -> list[CallState]:
    """Failed files: their window failed as a whole, after every retry."""
    return [
        CallState(item, ended=_retried_row(item, "", "window", error, hint="the next run tries again"))
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


def _advance(
    calls: Sequence[CallState],
    waits: Callable[[CallState], bool],
    stage: Callable[[list[CallState]], list[CallState]],
) -> list[CallState]:
    """The calls, those that wait for a stage taken through it together."""
    done = iter(stage([call for call in calls if waits(call)]))
    return [next(done) if waits(call) else call for call in calls]


def _spread(work: Callable[[In], Out], items: Sequence[In]) -> list[Out]:
    """The work on every item, on all cores: decoding and networks let go of Python's lock."""
    with ThreadPoolExecutor(cores(), thread_name_prefix="spread") as pool:
        return list(pool.map(work, items))


def _together(work: Callable[[Sequence[In]], Sequence[Out]], items: Sequence[In]) -> list[Out | Exception]:
    """All items at once; when that breaks, one by one, so that one bad call does not take the rest along."""
    if not items:
        return []
    try:
        return list(work(items))
    except Exception as error:
        if not _is_of_one_call(error):
            raise
        if len(items) == 1:
            return [error]
    return [result for item in items for result in _together(work, [item])]


def _is_of_one_call(error: Exception) -> bool:
    """Whether a fault may be that of the call; a missing model or a stumbling machine is that of none."""
    return isinstance(error, RecordingError) or not (isinstance(error, CallQAError) or is_transient(error))


def _transcribed(calls: list[CallState], stages: Stages) -> list[CallState]:
    """Calls with what the engine makes of their sound; the seconds are shared out by length of sound."""
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
    """Roles and redaction, then the first write: nothing private has touched the disk until here."""
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
    """Calls with their conversations; the seconds are shared out by turns."""

    def annotate(some: Sequence[CallState]) -> list[Conversation]:
        transcripts = [call.transcript for call in some if call.transcript is not None]
        return list(stages.annotator.annotate(transcripts, [call.metadata for call in some]))

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


def _is_heard_speech(call: CallState) -> bool:
    return call.ended is None and call.received.kind == "recording"


def _heard_again(
    calls: list[CallState], again: SecondHearing, stages: Stages, cache: StageCache
) -> list[CallState]:
    """Recordings, those with words heard again annotated anew; one that cannot be stays as it was."""
    heard = hear_again(calls, again, stages.load_audio, cache, stages.fingerprints.transcript)
    done = _advance(heard, lambda call: bool(call.heard_again), partial(_annotated, stages=stages))
    return [before if after.ended else after for before, after in zip(calls, done, strict=True)]


def _scored(calls: list[CallState], stages: Stages) -> list[CallState]:
    """Calls with their scorecards and their rows; the seconds are shared out by turns."""
    asked = [(call.conversation, call.metadata) for call in calls if call.conversation is not None]
    started = time.perf_counter()
    results = _together(stages.score, asked)
    pace = (time.perf_counter() - started) / (sum(call.n_turns for call in calls) or 1)
    done = []
    for call, result in zip(calls, results, strict=True):
        if isinstance(result, Exception):
            done.append(_failed(call, stages, "score", result))
            continue
        stage = StageRun("score", "", "", "", pace * call.n_turns)
        if call.heard_again and stages.again is not None:
            result = tuple(marked(card, call.heard_again, stages.again.model) for card in result)
        spent = stages.spent(call.metadata.call_id)
        call = replace(call, scorecards=result, stages=(*call.stages, stage, *spent))
        done.append(replace(call, ended=_scored_row(call, stages)))
    return done


def _scored_row(call: CallState, stages: Stages) -> LedgerEntry:
    """The row of a call that has come to its end."""
    assert call.conversation is not None
    fingerprint = work_fingerprint(call.received, stages.fingerprints)
    row = _row(call.received, fingerprint, "scored" if call.scorecards else "skipped")
    if not call.scorecards:
        reason, hint = _unanswered(call.metadata, call.conversation.transcript, stages)
        row = replace(row, reason=reason, hint=hint)
    if any(answer.awaits == "judge" for card in call.scorecards for answer in card.answers):
        row = replace(row, fingerprint="")  # the next run asks the judge again
    warnings = (*row.warnings, *call.conversation.transcript.warnings, *call.conversation.warnings)
    return replace(row, warnings=tuple(dict.fromkeys(warnings)))


def _unanswered(about: CallMetadata, said: Transcript, stages: Stages) -> tuple[str, str]:
    """The reason word and the hint of a call that no rubric is for."""
    if about.direction == "internal":
        return "internal_call", "an internal call; a rubric for direction: [internal] would answer it"
    whys = [
        f"{one.id}: {why_not(one, about, duration_s=said.duration_s, language=said.language)}"
        for one in stages.rubrics[:SHOWN_RUBRICS]
    ]
    more = f"; and {len(stages.rubrics) - SHOWN_RUBRICS} more" if len(stages.rubrics) > SHOWN_RUBRICS else ""
    number = about.queue if about.queue and any(char.isdigit() for char in about.queue) else ""
    named = f'; if {number} has a name, give it in [intake] queues = {{"{number}" = "..."}}' if number else ""
    return "no_rubric", f"{'; '.join(whys)}{more}{named}"


def _failed(call: CallState, stages: Stages, stage: str, error: Exception) -> CallState:
    """A call that comes no further: bad input is final, a fault of ours is tried again.

    Raises:
        CallQAError: What ends the batch rather than the file.
        OSError: What another try may mend.
    """
    item = call.received
    if isinstance(error, RecordingError):
        status = _status(error)
        fingerprint = "" if status == "failed" else work_fingerprint(item, stages.fingerprints)
        row = _row(item, fingerprint, status)
        row = replace(row, reason=error.reason, stage=stage, error=error.message, hint=error.hint)
    elif isinstance(error, CallQAError) or is_transient(error):
        raise error
    else:
        row = _retried_row(item, stage, "internal", error, hint="a bug in callqa: please report it")
    return CallState(item, call.stages, ended=row)


def _status(error: RecordingError) -> LedgerStatus:
    if error.reason in SKIPPED_REASONS:
        return "skipped"
    return "failed" if error.reason in RETRIED_REASONS else "quarantined"


def _retried_row(item: Received, stage: str, reason: str, error: BaseException, hint: str) -> LedgerEntry:
    """A row without a fingerprint, so that the next run tries again."""
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
