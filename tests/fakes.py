"""Stand-ins of the same shape as the stages: quick, deterministic, scripted to misbehave.

``FakeEngine`` reads what a call says from the samples themselves, so its transcripts depend on
the audio as real ones do. ``fake_stages`` is everything ``process`` needs without a model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    CallRecord,
    Conversation,
    CriterionAnswer,
    Engine,
    Evidence,
    FirstParty,
    Received,
    RubricRef,
    Scorecard,
    SectionScore,
    Transcript,
    Turn,
)
from pipeline.errors import RecordingError
from pipeline.process.batch import Batch, Plan
from pipeline.process.cache import StageCache
from pipeline.process.stages import Fingerprints, Stages
from pipeline.settings import FlowSettings
from pipeline.transcribe import Job

LINES = (
    ("agent", "thank you for calling this is Alex how may I help you"),
    ("customer", "hi I have a question about my bill"),
    ("agent", "of course let me look at that for you"),
    ("customer", "it is twice what I paid before"),
    ("agent", "I am sorry about that I will put it right today"),
    ("customer", "thank you"),
)


class FakeEngine:
    """Writes a made-up conversation for each clip; ``faults`` maps a call id to what to raise, once each."""

    def __init__(self, faults: dict[str, list[Exception]] | None = None) -> None:
        self.faults = faults or {}
        self.calls: list[str] = []
        self.job_counts: list[int] = []
        self.fingerprint = "fake-engine-1"

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """One transcript a job, of two to six turns chosen by the audio."""
        self.job_counts.append(len(jobs))
        results: list[Transcript | RecordingError] = []
        for job in jobs:
            if self.faults.get(job.call_id):
                fault = self.faults[job.call_id].pop(0)
                if not isinstance(fault, RecordingError):
                    raise fault
                results.append(fault)
                continue
            self.calls.append(job.call_id)
            results.append(self._transcript(job.call_id, job.clip))
        return results

    def _transcript(self, call_id: str, clip: AudioClip) -> Transcript:
        seed = hashlib.sha256(np.ascontiguousarray(clip.samples).tobytes()).digest()[0]
        n_turns = 2 + seed % (len(LINES) - 1)
        step_s = clip.duration_s / n_turns
        turns = tuple(
            Turn(i, "unknown", text, round(i * step_s, 3), round((i + 0.9) * step_s, 3), channel=i % 2)
            for i, (_, text) in enumerate(LINES[:n_turns])
        )
        engine = Engine("fake", "none", self.fingerprint)
        return Transcript(call_id, turns, "en", clip.duration_s, engine, channels=2)


class FakeAnnotator:
    """Hears nothing but the number of turns."""

    fingerprint = "fake-annotator-1"

    def annotate(
        self, transcripts: Sequence[Transcript], metadata: Sequence[CallMetadata]
    ) -> Iterator[Conversation]:
        """One conversation a transcript."""
        for transcript in transcripts:
            yield Conversation(transcript, metrics={"turns": float(len(transcript.turns))})


def fake_clip(received: Received) -> AudioClip:
    """Four seconds of noise seeded by the file's bytes; a file that says ``bad`` is refused."""
    path = received.path
    content = path.read_bytes()
    if b"bad" in content:
        raise RecordingError(f"{path.name} is not a recording", hint="ask for it again", reason="not_audio")
    if b"short" in content:
        raise RecordingError(f"{path.name} is too short", reason="too_short")
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(content).digest()[:8], "big"))
    return AudioClip(rng.normal(0, 0.1, (2, 64_000)).astype(np.float32), codec="wav/ulaw")


def fake_roles(
    transcript: Transcript, clip: AudioClip | None, metadata: CallMetadata, first_party: FirstParty | None
) -> Transcript:
    """Channel 0 is the agent."""
    turns = tuple(replace(t, role="agent" if t.channel == 0 else "customer") for t in transcript.turns)
    return replace(transcript, turns=turns)


def fake_score(conversation: Conversation, metadata: CallMetadata) -> tuple[Scorecard, ...]:
    """Passes a call that ends in thanks."""
    last = conversation.transcript.turns[-1]
    thanked = "thank you" in last.text and last.turn > 0
    points = 100.0 if thanked else 0.0
    quote = Evidence(last.turn, last.role, last.start_s, last.end_s, last.text, "fake")
    evidence = (quote,) if thanked else ()
    answer = CriterionAnswer("thanked", "yes" if thanked else "no", points / 10, 10.0, 1.0, evidence=evidence)
    section, outcome = SectionScore("only", points, (answer,)), "pass" if thanked else "fail"
    call_id, form = conversation.transcript.call_id, RubricRef("fake", "1", "f" * 16)
    return (Scorecard(call_id, form, points, points, outcome, (section,)),)


def fake_stages(
    engine: FakeEngine | None = None,
    load_audio: Callable[[Received], AudioClip] = fake_clip,
    transcript: str = "transcript-1",
    answers: str = "answers-1",
) -> Stages:
    """Stages without a model."""
    return Stages(
        engine=engine or FakeEngine(),
        annotator=FakeAnnotator(),
        load_audio=load_audio,
        read_transcript=lambda item: Transcript(item.path.stem, (Turn(0, "agent", item.path.read_text()),)),
        assign_and_redact=fake_roles,
        score=lambda calls: [fake_score(*call) for call in calls],
        rubrics=(),
        fingerprints=Fingerprints(transcript, answers),
    )


def faulty_batch(folder: Path, step: str, faults: list[Exception]) -> Batch:
    """Three calls in groups of two; the step of the first call raises each of the faults once."""

    def raise_fault() -> None:
        if faults:
            raise faults.pop(0)

    def score(calls: Sequence[tuple[Conversation, CallMetadata]]) -> list[tuple[Scorecard, ...]]:
        if step == "score":
            raise_fault()
        return [fake_score(*call) for call in calls]

    def load(records: Sequence[CallRecord]) -> None:
        if step == "load":
            raise_fault()

    stages = replace(fake_stages(FakeEngine({"a": faults} if step == "transcribe" else {})), score=score)
    received = tuple(fake_received(folder, {"a.wav": "1", "b.wav": "2", "c.wav": "3"}))
    return Batch(Plan(received), lambda: stages, StageCache(folder / "state"), load, FlowSettings(window=2))


def fake_received(folder: Path, contents: dict[str, str]) -> list[Received]:
    """Files with these contents, as intake would hand them on; call ids are the file stems."""
    received = []
    for name, content in contents.items():
        path = folder / name
        path.write_text(content)
        digest, about = hashlib.sha256(content.encode()).hexdigest(), CallMetadata(path.stem, agent_id="a1")
        received.append(Received(path, "recording", digest, about, size_bytes=len(content)))
    return received
