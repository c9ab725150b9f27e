"""Transcribes again, with a larger model, the words that decide a call's answers, before it is scored.

    annotated call ─▶ which words decide ─▶ larger model on their audio ─▶ transcript with the new words

The first transcript stays in the cache; the one with the new words is kept beside it, under a fingerprint of
the model and the words chosen. Redacted spans and the words next to them are never transcribed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    Conversation,
    Evidence,
    Received,
    RoleSpan,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.errors import RecordingError
from pipeline.process.cache import StageCache, digest
from pipeline.process.state import CallState
from pipeline.transcribe import Job, SpeechEngine
from pipeline.transcribe.again import Excerpt, Part, excerpts, put_in, spans_of

STAGE = "again"
TRANSCRIBED_AGAIN = "transcribed again"
"""Part of the warning of a transcript, and of the rule of evidence, that the larger model transcribed."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to transcribe again in a call: parts of turns that decide answers, and names to expect in them."""

    parts: tuple[Part, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecondPass:
    """Everything needed to transcribe parts of calls a second time.

    Attributes:
        engine: The larger model's engine, loaded at its first use.
        model: Name of the larger model, for people.
        wanted: Chooses what to transcribe again in each of several calls.
        redact: Removes private data from the new words.
    """

    engine: SpeechEngine
    model: str
    wanted: Callable[[Sequence[tuple[Conversation, CallMetadata]]], list[Wanted]]
    redact: Callable[[Transcript], Transcript]


def transcribe_again(
    calls: Sequence[CallState],
    again: SecondPass,
    load_audio: Callable[[Received], AudioClip],
    cache: StageCache,
    settings_fingerprint: str,
) -> list[CallState]:
    """Transcribe the deciding words of calls again; calls without such words are returned as they are."""
    choices = again.wanted([(call.conversation, call.metadata) for call in calls if call.conversation])
    done = list(calls)
    cut: dict[int, tuple[Excerpt, ...]] = {}
    for place, (call, choice) in enumerate(zip(calls, choices, strict=True)):
        if not choice.parts or call.transcript is None:
            continue
        fingerprint = _fingerprint(call, choice, again, settings_fingerprint)
        cached = cache.read_transcript(call.metadata.call_id, fingerprint, STAGE)
        if cached is not None:
            done[place] = _with_new_words(call, cached, choice, again, 0.0)
            continue
        try:
            clip = load_audio(call.received)
        except RecordingError:  # the file has gone since; the first transcript is kept
            continue
        job = Job(call.metadata.call_id, clip, call.metadata.language, names=choice.names)
        cut[place] = excerpts(job, call.transcript, choice.parts)
    for place, (results, seconds) in _transcribe(cut, again).items():
        call, choice = calls[place], choices[place]
        assert call.transcript is not None
        transcript = again.redact(put_in(call.transcript, cut[place], results))
        fingerprint = _fingerprint(call, choice, again, settings_fingerprint)
        cache.write_transcript(transcript, fingerprint, STAGE)
        done[place] = _with_new_words(call, transcript, choice, again, seconds)
    return done


def _transcribe(
    cut: Mapping[int, tuple[Excerpt, ...]], again: SecondPass
) -> dict[int, tuple[list[Transcript | RecordingError], float]]:
    """Transcribe the excerpts of all calls together; returns each call's results and share of the time."""
    jobs = [excerpt.job for pieces in cut.values() for excerpt in pieces]
    if not jobs:
        return {}
    started = time.perf_counter()
    results = iter(again.engine.transcribe(jobs))
    pace = (time.perf_counter() - started) / sum(job.clip.duration_s for job in jobs)
    return {
        place: ([next(results) for _ in pieces], pace * sum(piece.job.clip.duration_s for piece in pieces))
        for place, pieces in cut.items()
    }


def _fingerprint(call: CallState, choice: Wanted, again: SecondPass, settings_fingerprint: str) -> str:
    parts = [(part.turn, part.first, part.last) for part in choice.parts]
    first = call.transcript_fingerprint(settings_fingerprint)
    return digest(first, again.engine.fingerprint, parts, choice.names)


def _with_new_words(
    call: CallState, transcript: Transcript, choice: Wanted, again: SecondPass, seconds: float
) -> CallState:
    assert call.transcript is not None
    spans = spans_of(call.transcript, choice.parts)
    length_s = sum(end_s - start_s for _, start_s, end_s in spans)
    warning = f"{length_s:.0f} s {TRANSCRIBED_AGAIN} by {again.model}, because answers depend on them"
    stage = StageRun(STAGE, again.engine.fingerprint, transcript.engine.name, again.model, seconds)
    transcript = replace(transcript, warnings=(*transcript.warnings, warning))
    return replace(call, transcript=transcript, transcribed_again=spans, stages=(*call.stages, stage))


def marked(card: Scorecard, transcribed_again: Sequence[RoleSpan], model: str) -> Scorecard:
    """The scorecard with a note in the rule of every evidence whose words the larger model transcribed."""

    def mark(evidence: Evidence) -> Evidence:
        start_s, end_s = evidence.start_s, evidence.end_s
        if start_s is None or end_s is None:
            return evidence
        inside = any(
            role == evidence.role and start_s < until_s and from_s < end_s
            for role, from_s, until_s in transcribed_again
        )
        rule = f"{evidence.rule}; {TRANSCRIBED_AGAIN} by {model}"
        return replace(evidence, rule=rule) if inside else evidence

    return card.with_answers(lambda answer: answer.with_evidence(mark))
