"""Speech recognition beside its rivals: speed, word errors, times, memory, silence, profile.

    python bench/asr.py [--data DIR] [--copies 3] [--rounds 3] [--only speed,run,times,quiet,memory,profile]
    python bench/asr.py --data DIR --only words      (word errors of a large set; see prompt_calls.py)

Every engine gets the same decoded audio, the same weights and the same cores; voice activity is in
everybody's time, loading in nobody's. Rounds are interleaved and the median is reported. Prints
rich tables and writes out/bench/asr.json. Needs the extras ``bench`` and ``weights``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import soundfile
import torch
import whisper
from rich.console import Console
from rich.table import Table
from whisper.normalizers import EnglishTextNormalizer

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import keep
from bench.memory import peak_mb
from pipeline import audio, models
from pipeline.child_processes import cores
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, Transcript
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import Job, load_engine
from pipeline.transcribe.precision import choose
from pipeline.transcribe.probe import SHAPES

ROOT = Path(__file__).parents[1]
NORMAL = EnglishTextNormalizer()
Channels = dict[tuple[str, int], str]
STOCK = "whisper.transcribe greedy"


@dataclass(frozen=True)
class Call:
    """A recording with its truth."""

    name: str
    clip: AudioClip
    truth: dict[str, Any]

    @property
    def channel_s(self) -> float:
        """Channel-seconds."""
        return self.clip.samples.size / SAMPLE_RATE_HZ

    def reference(self, channel: int) -> str:
        """What is truly said on a channel, in order."""
        turns = sorted(self.truth["turns"], key=lambda t: t["start_s"])
        mono = self.clip.n_channels == 1
        return " ".join(t["text"] for t in turns if mono or t["channel"] == channel)


def read_calls(folder: Path) -> list[Call]:
    """Every ``*.truth.json`` with the recording beside it."""
    calls = []
    for truth in sorted(folder.glob("*.truth.json")):
        name = truth.name.removesuffix(".truth.json")
        clip = audio.load(folder / f"{name}.wav")
        calls.append(Call(name, clip, json.loads(truth.read_text("utf-8"))))
    return calls


def run_callqa(engine: Any, calls: list[Call]) -> Channels:
    """Our engine on all calls together."""
    jobs = [Job(call.name, call.clip) for call in calls]
    return {
        (t.call_id, c): " ".join(turn.text for turn in t.turns if turn.channel == c)
        for t, call in zip(engine.transcribe(jobs), calls, strict=True)
        for c in range(call.clip.n_channels)
    }


def faster_whisper_runner(cores: int, beam: int = 1) -> Callable[[list[Call]], Channels]:
    """faster-whisper's fastest mode: int8, batched pipeline of 16; greedy, or with a beam."""
    import faster_whisper

    folder = str(models.ctranslate2_folder("base"))
    model = faster_whisper.WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=cores)
    pipeline = faster_whisper.BatchedInferencePipeline(model)

    def run(calls: list[Call]) -> Channels:
        heard = {}
        for call in calls:
            for c, samples in enumerate(call.clip.samples):
                segments, _ = pipeline.transcribe(samples, language="en", beam_size=beam, batch_size=16)
                heard[call.name, c] = " ".join(segment.text for segment in segments)
        return heard

    return run


def stock_runner() -> Callable[[list[Call]], Channels]:
    """openai-whisper's own transcribe, greedy, its defaults otherwise."""
    model = models.load("base")

    def run(calls: list[Call]) -> Channels:
        return {
            (call.name, c): whisper.transcribe(model, samples, language="en", fp16=False)["text"]
            for call in calls
            for c, samples in enumerate(call.clip.samples)
        }

    return run


def runners() -> dict[str, Callable[[list[Call]], Channels]]:
    """The engines that are compared, loaded, by name."""
    engine = load_engine(TranscribeSettings())
    return {
        "callqa": lambda batch: run_callqa(engine, batch),
        "faster-whisper int8, batch 16, greedy": faster_whisper_runner(cores()),
        STOCK: stock_runner(),
    }


def word_errors(calls: list[Call], heard: Channels) -> float:
    """Word error rate over all channels, Whisper's English normaliser on both sides."""
    keys = [(call, c) for call in calls for c in range(call.clip.n_channels)]
    return float(
        jiwer.wer(
            [NORMAL(call.reference(c)) for call, c in keys], [NORMAL(heard[k.name, c]) for k, c in keys]
        )
    )


def bench_speed(calls: list[Call], copies: int, rounds: int) -> dict[str, Any]:
    """Channel-seconds a second and word errors, side by side."""
    many, engines = calls * copies, runners()
    rates: dict[str, list[float]] = {name: [] for name in engines}
    errors: dict[str, float] = {}
    for run in engines.values():
        run(calls[-1:])  # warm up
    for _ in range(rounds):
        for name, run in engines.items():
            batch = calls if name == STOCK else many  # one copy: it is the slowest by far
            torch.set_num_threads(cores())
            start = time.perf_counter()
            heard = run(batch)
            rates[name].append(sum(call.channel_s for call in batch) / (time.perf_counter() - start))
            errors[name] = word_errors(calls, heard)
    ours = statistics.median(rates["callqa"])
    return {
        "channel_minutes": sum(call.channel_s for call in many) / 60,
        "engines": {
            name: {
                "channel_s_per_s": statistics.median(values),
                "rounds": values,
                "callqa_is_faster_by": ours / statistics.median(values),
                "wer": errors[name],
            }
            for name, values in rates.items()
        },
    }


def bench_words(calls: list[Call]) -> dict[str, dict[str, float]]:
    """Word errors of every engine, by kind of call (its name up to the last hyphen), and its speed, once."""
    by_kind: dict[str, list[Call]] = {}
    for call in calls:
        by_kind.setdefault(call.name.rpartition("-")[0], []).append(call)
    result = {}
    beam = {"faster-whisper int8, batch 16, beam 5": faster_whisper_runner(cores(), 5)}
    for name, run in (runners() | beam).items():
        torch.set_num_threads(cores())
        start = time.perf_counter()
        heard = run(calls)
        rate = sum(call.channel_s for call in calls) / (time.perf_counter() - start)
        errors = {kind: word_errors(ones, heard) for kind, ones in by_kind.items()}
        result[name] = {"channel-s / s": rate, "all": word_errors(calls, heard), **errors}
    return result


def bench_run(calls: list[Call], n_calls: int = 24) -> dict[str, float]:
    """All of ``callqa run`` in a new process against faster-whisper's transcription alone, in seconds."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        batch = []
        for n in range(n_calls):  # copies of a call that differ by inaudible noise are different calls
            call = calls[n % len(calls)]
            samples = call.clip.samples + rng.normal(0, 1e-4, call.clip.samples.shape).astype(np.float32)
            batch.append(replace(call, clip=AudioClip(samples)))
            soundfile.write(f"{folder}/call-{n:02d}.wav", samples.T, SAMPLE_RATE_HZ, subtype="PCM_16")
        transcribe = faster_whisper_runner(cores())
        transcribe(calls[-1:])
        start = time.perf_counter()
        transcribe(batch)
        theirs = time.perf_counter() - start
        command = [sys.executable, "-m", "pipeline", "run", folder, "--db", f"{folder}/b.duckdb"]
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        ours = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"callqa run ended with {done.returncode}: {done.stderr[-500:]}")
    return {"callqa run, whole": ours, "faster-whisper, transcription": theirs, "callqa is x": theirs / ours}


def bench_times(calls: list[Call]) -> dict[str, float]:
    """Errors of turn starts and ends in seconds, and words outside their side's turns."""
    engine = load_engine(TranscribeSettings())
    errors, strays, total = [], 0, 0
    for call, transcript in zip(calls, engine.transcribe([Job(c.name, c.clip) for c in calls]), strict=True):
        assert isinstance(transcript, Transcript)
        for channel in range(call.clip.n_channels):
            words = [w for t in transcript.turns if t.channel == channel for w in t.words]
            turns = [t for t in call.truth["turns"] if call.clip.n_channels == 1 or t["channel"] == channel]
            for turn in turns if words else ():
                errors.append(min(abs(w.start_s - turn["start_s"]) for w in words))
                errors.append(min(abs(w.end_s - turn["end_s"]) for w in words))
            total += len(words)
            strays += sum(
                not any(t["start_s"] - 0.5 <= (w.start_s + w.end_s) / 2 <= t["end_s"] + 0.5 for t in turns)
                for w in words
            )
    return {
        "median_s": float(np.median(errors)),
        "p90_s": float(np.percentile(errors, 90)),
        "words": total,
        "words_outside_their_side": strays,
    }


def quiet_sounds(seconds: int) -> dict[str, np.ndarray]:
    """What must not become words: float32 each, 16 kHz."""
    t = np.arange(seconds * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    rng = np.random.default_rng(0)
    dial = 0.2 * (np.sin(2 * np.pi * 350 * t) + np.sin(2 * np.pi * 440 * t))
    ring = 0.2 * (np.sin(2 * np.pi * 440 * t) + np.sin(2 * np.pi * 480 * t)) * (t % 6 < 2)
    notes = 220 * 2 ** (rng.choice([0, 2, 4, 7, 9, 12, 16], int(seconds * 2.5) + 1) / 12)
    pitch = notes[(t * 2.5).astype(int)]
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    decay = np.exp(-3 * ((t * 2.5) % 1))
    chord = np.sin(2 * np.pi * 110 * t) + np.sin(2 * np.pi * 165 * t)
    music = 0.15 * decay * (np.sin(phase) + 0.4 * np.sin(2 * phase) + 0.2 * np.sin(3 * phase)) + 0.04 * chord
    sounds = {
        "digital silence": np.zeros_like(t),
        "room noise": rng.normal(0, 0.004, t.size),
        "dial tone": dial,
        "ring-back": ring,
        "synthesised music": music,
    }
    return {name: samples.astype(np.float32) for name, samples in sounds.items()}


def bench_quiet(seconds: int) -> dict[str, int]:
    """Words made up for sounds without speech."""
    engine = load_engine(TranscribeSettings())
    words = {}
    for name, samples in quiet_sounds(seconds).items():
        (transcript,) = engine.transcribe([Job(name, AudioClip(samples[None]))])
        assert isinstance(transcript, Transcript)
        words[name] = sum(len(t.words) for t in transcript.turns)
    return words


def bench_memory(folder: Path) -> dict[str, float]:
    """Peak resident memory in GB of a process that transcribes 20 and 200 channel-minutes."""
    peak = {}
    for minutes in (20, 200):
        done = subprocess.run(
            [sys.executable, "-m", "bench.asr", "--data", str(folder.resolve()), "--child", str(minutes)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        peak[f"{minutes} channel-minutes"] = float(done.stdout.splitlines()[-1])
    return peak


def child(folder: Path, minutes: int) -> None:
    """Transcribe group after group of 16 calls, as a batch does, then print the peak in GB."""
    calls, engine = read_calls(folder), load_engine(TranscribeSettings())
    left = minutes * 60.0
    while left > 0:
        group = (calls * 6)[:16]
        engine.transcribe([Job(c.name, c.clip) for c in group])
        left -= sum(c.channel_s for c in group)
    print(peak_mb() / 1000)


def bench_profile(calls: list[Call]) -> dict[str, Any]:
    """Where the time goes by operation, and the matrix-multiply peak it can be held against."""
    engine = load_engine(TranscribeSettings(threads=1))
    jobs = [Job(c.name, c.clip) for c in calls]
    engine.transcribe(jobs[-1:])
    start = time.perf_counter()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        engine.transcribe(jobs)
    wall = time.perf_counter() - start
    events = sorted(profile.key_averages(), key=lambda e: -e.self_cpu_time_total)[:10]
    return {
        "wall_s": wall,
        "seconds_by_operation": {e.key: round(e.self_cpu_time_total / 1e6, 3) for e in events},
        "peak_gops_one_core": {p: matmul_peak(p) for p in ("float32", "bfloat16", "int8")},
    }


def matmul_peak(precision: Any, size: int = 1536) -> float:
    """Best of several large products on one core, in 10^9 operations a second."""
    torch.set_num_threads(1)
    layer = choose("cpu", precision, 1).linear(torch.randn(size, size), None, size)
    x, best = torch.randn(size, size), float("inf")
    for _ in range(6):
        start = time.perf_counter()
        layer(x)
        best = min(best, time.perf_counter() - start)
    torch.set_num_threads(cores())
    return 2 * size**3 / best / 1e9


def show(report: dict[str, Any]) -> None:
    """Tables for people, on stdout."""
    console = Console()
    if "speed" in report:
        title = f"{report['speed']['channel_minutes']:.0f} channel-minutes, {report['machine']}"
        table = Table("engine", "channel-s / s", "callqa is ×", "WER", title=title)
        for name, row in report["speed"]["engines"].items():
            table.add_row(
                name,
                f"{row['channel_s_per_s']:.1f}",
                f"{row['callqa_is_faster_by']:.2f}",
                f"{row['wer']:.4f}",
            )
        console.print(table)
    if "words" in report:
        table = Table("word errors", *next(iter(report["words"].values())))
        for name, row in report["words"].items():
            table.add_row(name, *(f"{value:.4g}" for value in row.values()))
        console.print(table)
    for part in ("run", "times", "quiet", "memory", "profile"):
        if part in report:
            table = Table(part, "")
            for key, value in report[part].items():
                table.add_row(key, json.dumps(value, indent=1) if isinstance(value, dict) else f"{value}")
            console.print(table)


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "calls")
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quiet-s", type=int, default=600)
    parser.add_argument("--only", default="speed,run,times,quiet,memory,profile")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.data, options.child)
        return
    calls, parts = read_calls(options.data), options.only.split(",")
    if not calls:
        sys.exit(f"no recordings with *.truth.json in {options.data}; give --data")
    ours = TranscribeSettings()
    hardware = choose(ours.device, ours.precision, ours.threads)
    kernels = ", ".join(dict.fromkeys(hardware.kernel(shape) for shape in SHAPES))
    machine = f"{kernels} on {hardware.device}, threads: {hardware.threads}"
    report: dict[str, Any] = {"machine": f"callqa engine, model {ours.model}, {machine}"}
    jobs: dict[str, Callable[[], Any]] = {
        "speed": lambda: bench_speed(calls, options.copies, options.rounds),
        "words": lambda: bench_words(calls),
        "run": lambda: bench_run(calls),
        "times": lambda: bench_times(calls),
        "quiet": lambda: bench_quiet(options.quiet_s),
        "memory": lambda: bench_memory(options.data),
        "profile": lambda: bench_profile(calls),
    }
    for part, job in jobs.items():
        if part in parts:
            report[part] = job()
            show({"machine": report["machine"], part: report[part]})
    keep(ROOT / "out" / "bench" / "asr.json", report)


if __name__ == "__main__":
    main()
