"""One window of files through every stage, to one ``CallRecord`` a file.

    received ─▶ hear (open, transcribe together) ─▶ judge (roles, redact, keep, annotate, score) ─▶ records

While the engine hears one window, the one before it is judged and the one after it opened (``ahead``).
A bad file is a row with its reason; an unexpected fault of one call is a ``failed`` row; only what a
person must mend first (disk, models, database) ends the batch.
"""

from __future__ import annotations

import errno
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline import contract
from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    CallRecord,
    Conversation,
    LedgerEntry,
    LedgerStatus,
    Received,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.errors import CallQAError, RecordingError
from pipeline.process.cache import StageCache
from pipeline.process.capacity import cores
from pipeline.process.tools import Fingerprints, Tools, digest
from pipeline.rubric import why_not

In = TypeVar("In")
Out = TypeVar("Out")
SHOWN_RUBRICS = 3
"""Of how many rubrics a ledger row says why they are not for the call."""
CARRIED_BYTES = 256 * 2**20
"""Sound that waits for ``judge`` while the engine goes on: half an hour of two channels, no more."""
SKIPPED_REASONS = frozenset({"too_short", "silent", "no_speech", "duplicate", "not_a_call"})
"""Files that are sound but hold nothing to score."""
RETRIED_REASONS = frozenset({"unreadable", "missing", "no_room"})
"""Faults of the place, not of the recording: the next run tries again."""
_TRANSIENT_ERRNOS = frozenset(
    {errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE}
)


@dataclass(frozen=True, slots=True)
class Heard:
    """A file after the ears: a transcript, or the row that ends its way here.

    Attributes:
        received: The file.
        fingerprint: What its result depends on.
        transcript: What was said.
        ended: The row of a file that comes no further.
        stages: What was done so far.
        clip: The sound, where the transcript is the engine's own: without roles, not redacted yet.
    """

    received: Received
    fingerprint: str
    transcript: Transcript | None = None
    ended: LedgerEntry | None = None
    stages: tuple[StageRun, ...] = ()
    clip: AudioClip | None = None

    @property
    def n_turns(self) -> int:
        """How much was said."""
        return len(self.transcript.turns) if self.transcript else 0


class Sound(NamedTuple):
    """A recording to be transcribed, and the seconds it took to decode."""

    clip: AudioClip
    seconds: float


Opened = Heard | Sound
NOTHING: Mapping[int, Opened] = {}


@dataclass(frozen=True, slots=True)
class _Annotated:
    heard: Heard
    conversation: Conversation

    @property
    def metadata(self) -> CallMetadata:
        return _known(self.heard.received)


def work_fingerprint(received: Received, under: Fingerprints) -> str:
    """What a file's result depends on, in one digest; "" for a file that could not even be read."""
    if received.sha256 is None:
        return ""
    metadata = None if received.metadata is None else contract.to_dict(received.metadata)
    return digest(received.sha256, metadata, received.first_party, under.hearing, under.judging)[:32]


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
    return judge(hear(received, tools, cache), tools, cache)


def open_file(item: Received, tools: Tools, cache: StageCache) -> Opened:
    """What needs no engine: a transcript, kept or from elsewhere, a recording's sound, or why there is none.

    Raises:
        CallQAError: Nothing that is the fault of one file.
        OSError: A transient fault.
    """
    if item.fault is not None or item.metadata is None:
        return _end(item, tools, "intake", item.fault or RecordingError(f"{item.path}: no metadata"))
    fingerprint = work_fingerprint(item, tools.fingerprints)
    if item.kind == "transcript":
        try:
            transcript = tools.read_transcript(item)
            transcript = tools.redact(tools.assign_roles(transcript, None, item.metadata, item.first_party))
        except Exception as error:
            return _end(item, tools, "intake", error)
        return Heard(item, fingerprint, transcript)
    kept = cache.read_transcript(item.metadata.call_id, _transcript_fingerprint(item, tools))
    if kept is not None:
        stage = StageRun("transcribe", tools.engine.fingerprint, *_made_by(kept), 0.0)
        return Heard(item, fingerprint, kept, stages=(stage,))
    started = time.perf_counter()
    try:
        clip = tools.load_audio(item)
    except Exception as error:
        return _end(item, tools, "audio", error)
    return Sound(clip, time.perf_counter() - started)


def hear(
    received: Sequence[Received], tools: Tools, cache: StageCache, ready: Mapping[int, Opened] = NOTHING
) -> list[Heard]:
    """Transcribe a window of files together; ``judge`` goes on from there.

    Args:
        received: The files.
        tools: The stages.
        cache: Where transcripts are kept between runs.
        ready: Those of them that have been opened ahead, by ``id``.

    Raises:
        CallQAError: The disk, a model: nothing that is the fault of one recording.
        OSError: A transient fault.
    """
    opened = _spread(lambda item: ready.get(id(item)) or open_file(item, tools, cache), received)
    sounds = {place: found for place, found in enumerate(opened) if isinstance(found, Sound)}
    jobs = [tools.job(sound.clip, _known(received[place])) for place, sound in sounds.items()]
    started = time.perf_counter()
    results = _together(tools.engine.transcribe, jobs)
    pace = (time.perf_counter() - started) / (sum(s.clip.duration_s for s in sounds.values()) or 1.0)
    heard: dict[int, Heard] = {p: found for p, found in enumerate(opened) if isinstance(found, Heard)}
    carried = 0
    for (place, sound), result in zip(sounds.items(), results, strict=True):
        one = _recognised(received[place], sound, result, pace, tools)
        carried += sound.clip.samples.nbytes
        heard[place] = one if carried <= CARRIED_BYTES else _settled(one, tools, cache)
    return [heard[place] for place in range(len(received))]


def judge(heard: Sequence[Heard | CallRecord], tools: Tools, cache: StageCache) -> list[CallRecord]:
    """Roles, redaction, the first write, annotations and scores; what has a row already keeps it.

    Raises:
        CallQAError: The disk is full; a model or rubric that cannot be used at all.
    """
    records: dict[int, CallRecord] = {}
    spoken: dict[int, Heard] = {}
    annotated: dict[int, _Annotated] = {}
    settled = _spread(lambda one: _settled(one, tools, cache) if isinstance(one, Heard) else one, heard)
    for place, one in enumerate(settled):
        if isinstance(one, CallRecord):
            records[place] = one
        elif one.ended is not None:
            records[place] = CallRecord(one.ended, stages=one.stages)
        else:
            spoken[place] = one
    started = time.perf_counter()
    made = _together(partial(_annotate, tools=tools), list(spoken.values()))
    pace = (time.perf_counter() - started) / (sum(one.n_turns for one in spoken.values()) or 1)
    for (place, call), result in zip(spoken.items(), made, strict=True):
        if isinstance(result, Exception):
            records[place] = _ended(call, tools, "annotate", result)
        else:
            stage = StageRun("annotate", tools.annotator.fingerprint, "", "", pace * call.n_turns)
            annotated[place] = _Annotated(replace(call, stages=(*call.stages, stage)), result)
    started = time.perf_counter()
    cards = _together(tools.score, [(one.conversation, one.metadata) for one in annotated.values()])
    pace = (time.perf_counter() - started) / (sum(one.heard.n_turns for one in annotated.values()) or 1)
    for (place, told), answers in zip(annotated.items(), cards, strict=True):
        records[place] = _scored(told, answers, pace, tools)
    return [records[place] for place in range(len(heard))]


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


def _recognised(
    item: Received, sound: Sound, result: Transcript | Exception, pace: float, tools: Tools
) -> Heard:
    """What the engine made of a recording; ``pace`` is its seconds a second of sound."""
    clip = sound.clip
    stages = (
        _stage("audio", clip.codec, sound.seconds),
        StageRun("transcribe", tools.engine.fingerprint, *_made_by(result), pace * clip.duration_s),
    )
    if isinstance(result, Exception):
        return replace(_end(item, tools, "transcribe", result), stages=stages)
    return Heard(item, work_fingerprint(item, tools.fingerprints), result, stages=stages, clip=clip)


def _settled(heard: Heard, tools: Tools, cache: StageCache) -> Heard:
    """Roles and redaction, then the first write: nothing private has touched the disk until here."""
    if heard.clip is None or heard.transcript is None:
        return heard
    item, clip = heard.received, heard.clip
    started = time.perf_counter()
    try:
        transcript = tools.redact(tools.assign_roles(heard.transcript, clip, _known(item), None))
    except Exception as error:
        return replace(_end(item, tools, "speakers", error), stages=heard.stages)
    transcript = replace(transcript, warnings=(*clip.warnings, *transcript.warnings))
    cache.write_transcript(transcript, _transcript_fingerprint(item, tools))
    stages = (*heard.stages, _stage("speakers", "", time.perf_counter() - started))
    return replace(heard, transcript=transcript, clip=None, stages=stages)


def _annotate(heard: Sequence[Heard], tools: Tools) -> list[Conversation]:
    transcripts = [one.transcript for one in heard if one.transcript is not None]
    return list(tools.annotator.annotate(transcripts, [_known(one.received) for one in heard]))


def _scored(
    annotated: _Annotated, result: tuple[Scorecard, ...] | Exception, pace: float, tools: Tools
) -> CallRecord:
    """The record of a call; ``pace`` is the seconds a turn took to score."""
    heard, conversation = annotated.heard, annotated.conversation
    if isinstance(result, Exception):
        return _ended(heard, tools, "score", result)
    entry = _entry(heard.received, heard.fingerprint, "scored" if result else "skipped")
    if not result:
        reason, hint = _unanswered(annotated, tools)
        entry = replace(entry, reason=reason, hint=hint)
    if any(a.postponed for card in result for section in card.sections for a in section.criteria):
        entry = replace(entry, fingerprint="")  # the next run asks the judge again
    warnings = (*entry.warnings, *conversation.transcript.warnings, *conversation.warnings)
    return CallRecord(
        replace(entry, warnings=tuple(dict.fromkeys(warnings))),
        metadata=annotated.metadata,
        conversation=conversation,
        scorecards=result,
        stages=(
            *heard.stages,
            _stage("score", "", pace * heard.n_turns),
            *tools.spent(conversation.transcript.call_id),
        ),
    )


def _unanswered(annotated: _Annotated, tools: Tools) -> tuple[str, str]:
    """The reason word and the hint of a call that no rubric is for."""
    about, said = annotated.metadata, annotated.conversation.transcript
    if about.direction == "internal":
        return "internal_call", "a call within the house; a rubric for direction: [internal] would answer it"
    whys = [
        f"{one.id}: {why_not(one, about, duration_s=said.duration_s, language=said.language)}"
        for one in tools.rubrics[:SHOWN_RUBRICS]
    ]
    more = f"; and {len(tools.rubrics) - SHOWN_RUBRICS} more" if len(tools.rubrics) > SHOWN_RUBRICS else ""
    number = about.queue if about.queue and any(char.isdigit() for char in about.queue) else ""
    named = f'; if {number} has a name, give it in [intake] queues = {{"{number}" = "..."}}' if number else ""
    return "no_rubric", f"{'; '.join(whys)}{more}{named}"


def _ended(heard: Heard, tools: Tools, stage: str, error: Exception) -> CallRecord:
    """The record of a call that came to its end while it was judged."""
    row = _end(heard.received, tools, stage, error).ended
    assert row is not None
    return CallRecord(row, stages=heard.stages)


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
