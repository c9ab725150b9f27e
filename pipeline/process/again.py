"""Words that answers hang on, heard again by a larger model before the call is scored.

    annotated ─▶ which words decide ─▶ their sound, the larger model ─▶ transcript with its words

The first transcript stays in the cache; what was heard again is kept beside it, by the model and the words
asked for. What privacy took out of a transcript is never heard again, nor is what stands beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline import score
from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    Conversation,
    CriterionAnswer,
    Evidence,
    Received,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.errors import RecordingError
from pipeline.process.cache import StageCache, digest
from pipeline.process.state import CallState
from pipeline.rubric import Rubric
from pipeline.rubric.queries import Matcher
from pipeline.transcribe import Engine, Job
from pipeline.transcribe.again import Excerpt, Part, Span, excerpts, parts_of, put_in, spans_of

STAGE = "again"
MOST = 0.5
"""Share of the time in which words are said that is heard again at most."""
HEARD_AGAIN = "heard again"
"""Begins the warning of a transcript, and ends the rule of evidence, whose words a larger model heard."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to hear again in a call: the parts of turns its answers hang on, and names to expect in them."""

    parts: tuple[Part, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecondHearing:
    """Who hears again, and what.

    Attributes:
        engine: Loaded when first asked.
        model: Its name, for people.
        wanted: Of each call.
        redact: Removes private data from what was heard.
    """

    engine: Engine
    model: str
    wanted: Callable[[Sequence[tuple[Conversation, CallMetadata]]], list[Wanted]]
    redact: Callable[[Transcript], Transcript]


def wanted(
    said: Conversation,
    about: CallMetadata,
    answered: Sequence[tuple[Rubric, Mapping[str, CriterionAnswer]]],
    *,
    min_confidence: float,
    matcher: Matcher,
) -> Wanted:
    """What to hear again in a call: what its answers hang on, that nearest to another answer first.

    Args:
        said: The call as heard first, annotated.
        about: The agent and the client are names to expect, and the companies of the rubrics.
        answered: Rubrics with all their answers.
        min_confidence: As in scoring.
        matcher: Finds phrases.
    """
    spans = score.words_that_decide(said, about, answered, min_confidence=min_confidence, matcher=matcher)
    named = (about.agent_name, about.client, *(name for one, _ in answered for name in one.company))
    return Wanted(
        parts_of(said.transcript, spans, MOST),
        tuple(dict.fromkeys(name for name in named if name)),
    )


def hear_again(
    calls: Sequence[CallState],
    again: SecondHearing,
    load_audio: Callable[[Received], AudioClip],
    cache: StageCache,
    under: str,
) -> list[CallState]:
    """The calls, annotated, with the words that their answers hang on heard again; the others as they are.

    Args:
        calls: Recordings with their conversations.
        again: Who hears again.
        load_audio: A recording to a clip.
        cache: Where transcripts are kept.
        under: Fingerprint of all that shaped the first transcripts.

    Raises:
        CallQAError: The model's weights are missing or damaged; the disk is full.
        OSError: A transient fault.
    """
    wanted = again.wanted([(call.conversation, call.metadata) for call in calls if call.conversation])
    done = list(calls)
    cut: dict[int, tuple[Excerpt, ...]] = {}
    for place, (call, asked) in enumerate(zip(calls, wanted, strict=True)):
        if not asked.parts or call.transcript is None:
            continue
        kept = cache.read_transcript(call.metadata.call_id, _fingerprint(call, asked, again, under), STAGE)
        if kept is not None:
            done[place] = _heard_again(call, kept, asked, again, 0.0)
            continue
        try:
            clip = load_audio(call.received)
        except RecordingError:  # gone since it was first heard, which stands
            continue
        job = Job(call.metadata.call_id, clip, call.metadata.language, names=asked.names)
        cut[place] = excerpts(job, call.transcript, asked.parts)
    for place, (results, seconds) in _heard(cut, again).items():
        call, asked = calls[place], wanted[place]
        assert call.transcript is not None
        transcript = again.redact(put_in(call.transcript, cut[place], results))
        cache.write_transcript(transcript, _fingerprint(call, asked, again, under), STAGE)
        done[place] = _heard_again(call, transcript, asked, again, seconds)
    return done


def _heard(
    cut: Mapping[int, tuple[Excerpt, ...]], again: SecondHearing
) -> dict[int, tuple[list[Transcript | RecordingError], float]]:
    """What the engine makes of the excerpts of all calls together, and its seconds for each call."""
    jobs = [excerpt.job for own in cut.values() for excerpt in own]
    if not jobs:
        return {}
    started = time.perf_counter()
    results = iter(again.engine.transcribe(jobs))
    pace = (time.perf_counter() - started) / sum(job.clip.duration_s for job in jobs)
    return {
        place: ([next(results) for _ in own], pace * sum(excerpt.job.clip.duration_s for excerpt in own))
        for place, own in cut.items()
    }


def _fingerprint(call: CallState, asked: Wanted, again: SecondHearing, under: str) -> str:
    parts = [(part.turn, part.first, part.last) for part in asked.parts]
    return digest(call.transcript_fingerprint(under), again.engine.fingerprint, parts, asked.names)


def _heard_again(
    call: CallState, transcript: Transcript, asked: Wanted, again: SecondHearing, seconds: float
) -> CallState:
    assert call.transcript is not None
    spans = spans_of(call.transcript, asked.parts)
    length_s = sum(end_s - start_s for _, start_s, end_s in spans)
    said = f"{HEARD_AGAIN} by {again.model}: {length_s:.0f} s on which answers hang"
    stage = StageRun(STAGE, again.engine.fingerprint, transcript.engine.name, again.model, seconds)
    transcript = replace(transcript, warnings=(*transcript.warnings, said))
    return replace(call, transcript=transcript, heard_again=spans, stages=(*call.stages, stage))


def marked(card: Scorecard, heard_again: Sequence[Span], model: str) -> Scorecard:
    """A scorecard whose evidence says which of it a larger model heard."""

    def told(evidence: Evidence) -> Evidence:
        start_s, end_s = evidence.start_s, evidence.end_s
        if start_s is None or end_s is None:
            return evidence
        inside = any(
            role == evidence.role and start_s < until_s and from_s < end_s
            for role, from_s, until_s in heard_again
        )
        by = f"{evidence.rule}; {HEARD_AGAIN} by {model}"
        return replace(evidence, rule=by) if inside else evidence

    return card.with_answers(lambda answer: answer.with_evidence(told))
