"""Decisive words transcribed again: how much of a larger model's gain in answers it brings, and at what cost.

    python -m bench.again [FOLDER ...] [--first tiny.en] [--again base] [--noise-db 8]

Every recording of the folders (``sample_audio`` by default) with its true transcript beside it is transcribed
by the first model, by the larger one, and by the first with decisive words transcribed again, and answered
under every shipped rubric, each by itself as if it were the only one. Right is what the true transcript
answers. Times are of transcription, engines loaded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline import annotate, intake, matching, privacy, rubric, score, speakers, transcribe
from pipeline.conversation import AudioClip, CallMetadata, Conversation, Received, Transcript, Turn
from pipeline.errors import CallQAError
from pipeline.process.stages import load_audio, wanted
from pipeline.rubric import Rubric
from pipeline.settings import Settings
from pipeline.transcribe.again import excerpts, put_in

ROOT = Path(__file__).parents[1]
SETTINGS = Settings()
MATCHER = matching.load_matcher()
ANNOTATOR = annotate.load_annotator(SETTINGS.annotate, SETTINGS.privacy)
SPOKEN = 0.01  # of full scale
Said = dict[str, Conversation]
Answers = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Call:
    """A recording, its sound, and what is truly said."""

    received: Received
    metadata: CallMetadata
    clip: AudioClip
    truth: Transcript

    @property
    def job(self) -> transcribe.Job:
        """What an engine is asked."""
        return transcribe.Job(self.metadata.call_id, self.clip, self.metadata.language)


def read_calls(folders: Sequence[Path]) -> list[Call]:
    """The recordings that can be heard and have their truth beside them."""
    calls = []
    for item in (item for folder in folders for item in intake.discover([folder], SETTINGS.intake)):
        told = next(item.path.parent.glob(f"{item.path.stem}.*.json"), None)
        if item.fault is None and item.metadata is not None and item.kind == "recording" and told:
            try:
                clip = load_audio(item, SETTINGS)
            except CallQAError:
                continue
            calls.append(Call(item, item.metadata, clip, _truth(told, item.metadata.call_id, clip)))
    return calls


def noisy(call: Call, below_db: float) -> Call:
    """The call with white noise on every channel, so many dB below its samples louder than ``SPOKEN``."""
    samples = call.clip.samples
    level = np.sqrt(np.square(samples[np.abs(samples) > SPOKEN]).mean()) * 10 ** (-below_db / 20)
    noise = np.random.default_rng(0).normal(0, level, samples.shape).astype(np.float32)
    return replace(call, clip=replace(call.clip, samples=samples + noise))


def _truth(path: Path, call_id: str, clip: AudioClip) -> Transcript:
    body = json.loads(path.read_text("utf-8"))
    turns = sorted(body["turns"] if isinstance(body, dict) else body, key=lambda t: t["start_s"])
    return Transcript(
        call_id,
        tuple(Turn(n, t["role"], t["text"], t["start_s"], t["end_s"]) for n, t in enumerate(turns)),
        language="en",
        duration_s=clip.duration_s,
        channels=clip.n_channels,
    )


def conversations(calls: Sequence[Call], transcripts: Sequence[Transcript]) -> Said:
    """Transcripts with roles, redacted and annotated, by call."""
    redacted = [privacy.redact(t, SETTINGS.privacy)[0] for t in transcripts]
    made = ANNOTATOR.annotate(redacted, [call.metadata for call in calls])
    return {call.metadata.call_id: said for call, said in zip(calls, made, strict=True)}


def heard(calls: Sequence[Call], model: str) -> tuple[Said, float]:
    """What one model hears, and the seconds that took."""
    engine = transcribe.load_engine(SETTINGS.transcribe.model_copy(update={"model": model}))
    engine.transcribe([calls[0].job])
    started = time.perf_counter()
    results = engine.transcribe([call.job for call in calls])
    seconds = time.perf_counter() - started
    told = [
        speakers.assign_roles(result, call.clip, call.metadata, SETTINGS.audio)
        for call, result in zip(calls, results, strict=True)
        if isinstance(result, Transcript)
    ]
    return conversations(calls, told), seconds


def again(
    calls: Sequence[Call], first: Said, form: Rubric, engine: transcribe.SpeechEngine
) -> tuple[Said, float, float]:
    """The calls with decisive words transcribed again, seconds taken, and the share of such words."""
    asked = [(first[call.metadata.call_id], call.metadata) for call in calls]
    floor = SETTINGS.score.min_confidence
    given = score.answer_calls(
        [(about, said, {}) for said, about in asked], form, min_confidence=floor, matcher=MATCHER
    )
    found = [
        wanted(said, about, [(form, told)], min_confidence=floor, matcher=MATCHER)
        for (said, about), told in zip(asked, given, strict=True)
    ]
    started = time.perf_counter()
    cut = [
        excerpts(replace(call.job, names=one.names), said.transcript, one.parts)
        for call, one, (said, _) in zip(calls, found, asked, strict=True)
    ]
    jobs = [excerpt.job for own in cut for excerpt in own]
    results = iter(engine.transcribe(jobs))
    seconds = time.perf_counter() - started
    told = [
        put_in(said.transcript, own, [next(results) for _ in own])
        for own, (said, _) in zip(cut, asked, strict=True)
    ]
    words = sum(len(turn.words) for said, _ in asked for turn in said.transcript.turns)
    share = sum(part.last - part.first + 1 for one in found for part in one.parts) / words
    return conversations(calls, told), seconds, share


def answers(calls: Sequence[Call], said: Said, form: Rubric) -> Answers:
    """Every criterion's answer, by call and criterion."""
    asked: list[score.Asked] = [(call.metadata, said[call.metadata.call_id], {}) for call in calls]
    given = score.answer_calls(asked, form, min_confidence=SETTINGS.score.min_confidence, matcher=MATCHER)
    return {(one.call_id, name): told.answer for one in given for name, told in one.answers.items()}


def compared(first: Answers, second: Answers, larger: Answers, truth: Answers) -> dict[str, int]:
    """Answers by what the second transcription did to them."""
    apart = [key for key in first if first[key] != larger[key]]
    gained = [key for key in apart if larger[key] == truth[key]]
    return {
        "answers": len(first),
        "differ": len(apart),
        "as the larger": sum(second[key] == larger[key] for key in apart),
        "gain": len(gained),
        "gained": sum(second[key] == truth[key] for key in gained),
        "spoilt": sum(first[key] == truth[key] != second[key] for key in first),
        "right, first": sum(first[key] == truth[key] for key in first),
        "right, again": sum(second[key] == truth[key] for key in first),
        "right, larger": sum(larger[key] == truth[key] for key in first),
    }


def show(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """The figures as a table."""
    names = list(next(iter(rows.values())))
    table = Table("rubric", *names)
    for name, row in rows.items():
        table.add_row(name, *(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    Console(width=200).print(table)


def main() -> None:
    """Hear, answer, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[ROOT / "sample_audio"])
    parser.add_argument("--first", default="tiny.en")
    parser.add_argument("--again", default="base")
    parser.add_argument("--noise-db", type=float, help="add noise that lies so far below speech")
    options = parser.parse_args()
    calls = read_calls(options.folders)
    if options.noise_db is not None:
        calls = [noisy(call, options.noise_db) for call in calls]
    truth = conversations(calls, [call.truth for call in calls])
    first, first_s = heard(calls, options.first)
    larger, larger_s = heard(calls, options.again)
    asked = SETTINGS.transcribe.model_copy(update={"model": options.again})
    engine = transcribe.load_engine(asked, excerpts=True)
    engine.transcribe([calls[0].job])
    rows: dict[str, dict[str, Any]] = {}
    for name in rubric.shipped():
        form = rubric.load(name)
        second, again_s, share = again(calls, first, form, engine)
        told = [answers(calls, said, form) for said in (first, second, larger, truth)]
        ratios = {"words again": share, "time": 1 + again_s / first_s, "larger alone": larger_s / first_s}
        rows[name] = {**compared(*told), **ratios}
    total = {key: sum(row[key] for row in rows.values()) for key in next(iter(rows.values()))}
    for key in ("words again", "time", "larger alone"):
        total[key] /= len(rows)
    show({**rows, "all": total})


if __name__ == "__main__":
    main()
