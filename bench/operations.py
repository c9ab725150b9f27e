"""What running it every night costs, beside the targets: start-up, overhead, memory, kills.

    python bench/operations.py                    # help, start-up, overhead, memory: a minute
    python bench/operations.py --whisper 60       # share of wall time that is not transcription, real Whisper
    python bench/operations.py --chaos 50         # rounds of random kills, then byte-for-byte comparison

Figures go to out/bench/operations.json; parts that are not run keep their last figures.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import keep
from bench.memory import peak_mb
from bench.turns import Timed, descendants, in_turns

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out" / "bench" / "operations.json"
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}
TARGETS = {
    "help_s": 0.4,
    "first_call_cold_s": 8.0,
    "first_call_warm_s": 5.0,
    "overhead_ms_a_call": 15.0,
    "memory_growth_mb": 20.0,
    "not_transcription_share": 0.08,
    "chaos_differences": 0.0,
}


def main() -> None:
    """Measure what was asked for and print it beside the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--whisper", type=int, default=0, metavar="CALLS")
    parser.add_argument("--rounds", type=int, default=3, help="of --whisper")
    parser.add_argument("--chaos", type=int, default=0, metavar="ROUNDS")
    parser.add_argument("--seed", type=int, default=7, help="of the moments and victims of --chaos")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        CHILDREN[asked.child](asked.calls)
        return
    found = json.loads(OUT.read_text()) if OUT.is_file() else {}
    if asked.whisper:
        found |= whisper_share(asked.whisper, asked.rounds)
    elif asked.chaos:
        found |= chaos(asked.chaos, asked.seed)
    else:
        found |= help_time() | start_up() | overhead(asked.calls)
    keep(OUT, found)
    show(found)


def show(found: dict[str, float]) -> None:
    """A row a figure: measured, target, ratio."""
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "target", "measured / target", "")
    for name, value in found.items():
        target = TARGETS.get(name)
        ratio = f"{value / target:.2f}" if target else ""
        verdict = "" if target is None else "[green]met[/]" if value <= target else "[red]missed[/]"
        table.add_row(name, f"{value:.3f}", "" if target is None else f"{target:g}", ratio, verdict)
    Console().print(table)


def help_time() -> dict[str, float]:
    """Wall time of ``callqa --help``, median of seven."""
    command = [sys.executable, "-m", "pipeline", "--help"]
    return {"help_s": statistics.median(timed(command) for _ in range(7))}


def timed(command: list[str]) -> float:
    """Seconds a command takes."""
    started = time.perf_counter()
    subprocess.run(command, env=ENV, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def start_up() -> dict[str, float]:
    """From process start until ``callqa run`` on one transcript file has printed its line.

    Cold: ``PREFECT_HOME`` is empty, so that Prefect makes its database. Warm: it has been there before.
    ``whole_*`` are the seconds until the process has ended.
    """
    from tests.command import write_calls

    with tempfile.TemporaryDirectory() as folder:
        write_calls(Path(folder) / "calls", 1)

        def once(*flags: str) -> tuple[float, float]:
            Path(folder, "qa.duckdb").unlink(missing_ok=True)
            run = [sys.executable, "-m", "pipeline", "run", "calls", "--db", "qa.duckdb", *flags]
            env = {**ENV, "PREFECT_HOME": f"{folder}/prefect"}
            started = time.perf_counter()
            with subprocess.Popen(
                run, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as p:
                assert p.stdout.readline()
                first_s = time.perf_counter() - started
                p.wait()
            return first_s, time.perf_counter() - started

        def three(*flags: str) -> tuple[float, float]:
            first, whole = zip(*(once(*flags) for _ in range(3)), strict=True)
            return statistics.median(first), statistics.median(whole)

        found = {"local": three("--local"), "cold": once(), "warm": three()}
    return {f"first_call_{how}_s": first for how, (first, _) in found.items()} | {
        f"whole_{how}_s": whole for how, (_, whole) in found.items()
    }


def overhead(calls: int) -> dict[str, float]:
    """Prefect's cost a call with a fake engine, and whether memory grows with the number of calls.

    Every batch has a process of its own, as it does in real life.
    """

    def ran(how: str, n: int) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, __file__, "--child", how, "--calls", str(n)]
            env = {**ENV, "PREFECT_HOME": home}
            run = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
            return dict(json.loads(run.stdout))

    plain, small, large = ran("plain", calls), ran("flow", 200), ran("flow", calls)
    return {
        "overhead_ms_a_call": (large["wall_s"] - plain["wall_s"]) / calls * 1000,
        "memory_mb_at_200": small["peak_mb"],
        f"memory_mb_at_{calls}": large["peak_mb"],
        "memory_growth_mb": large["peak_mb"] - small["peak_mb"],
    }


def fake_batch(folder: Path, calls: int) -> Any:
    """A batch of made-up calls that is loaded into a real store."""
    from pipeline.process.batch import Batch, Plan
    from pipeline.process.cache import StageCache
    from pipeline.settings import FlowSettings
    from pipeline.store import Store
    from tests.fakes import fake_received, fake_stages

    folder.mkdir()
    received = fake_received(folder, {f"{i:05}.wav": f"call {i}" for i in range(calls)})

    def load(records: Any) -> None:
        with Store(folder / "qa.duckdb") as store:
            store.load(records)

    stages = fake_stages()
    return Batch(Plan(tuple(received)), lambda: stages, StageCache(folder / "state"), load, FlowSettings())


def child_plain(calls: int) -> None:
    """Print what a batch without Prefect takes."""
    from pipeline.process.loop import run_batch

    with tempfile.TemporaryDirectory() as folder:
        told(run_batch(fake_batch(Path(folder) / "calls", calls)), calls)


def child_flow(calls: int) -> None:
    """Print what a batch with Prefect takes."""
    from flows.launch import run_as_flow

    with tempfile.TemporaryDirectory() as folder:
        told(run_as_flow(fake_batch(Path(folder) / "calls", calls), [folder], sys.exit), calls)


def told(tally: Any, calls: int) -> None:
    """Print the seconds of a batch and this process's peak memory."""
    assert tally.statuses == {"scored": calls}
    print(json.dumps({"wall_s": tally.wall_s, "peak_mb": peak_mb()}))


def whisper_share(calls: int, rounds: int) -> dict[str, float]:
    """Share of wall time that is not transcription, on cuts of the sample calls, with real Whisper.

    Stages overlap, so that the seconds of a batch in which the engine is at work flatter: beside it,
    others take its cores. Hence the engine is timed on the same calls, in the same groups, with nothing
    beside it: what a batch takes longer than that is not transcription. A shared machine's pace changes
    within a minute by more than what is looked for, so the two take turns of half a second, one stopped
    while the other runs. Each runs to its end; loading models is start-up, shown apart.
    """
    found = []
    with tempfile.TemporaryDirectory() as folder:
        cut_calls(Path(folder) / "calls", calls)
        for _ in range(rounds):
            found.append(batch_and_engine(folder))
            print({name: round(value, 3) for name, value in found[-1].items()}, file=sys.stderr, flush=True)
    shares = [one["not_transcription_share"] for one in found]
    medians = {name: statistics.median(one[name] for one in found) for name in found[0]}
    return {"whisper_calls": calls, "whisper_rounds": rounds, **medians} | {
        "not_transcription_share_lowest": min(shares),
        "not_transcription_share_highest": max(shares),
    }


def cut_calls(place: Path, calls: int) -> None:
    """Twenty seconds each of the longer sample calls, from ever later on."""
    import soundfile

    place.mkdir()
    sources = [p for p in sorted((ROOT / "sample_audio").glob("*.wav")) if p.stat().st_size > 100_000]
    for number in range(calls):
        samples, rate = soundfile.read(sources[number % len(sources)], dtype="float32", always_2d=True)
        start = number // len(sources) * 3 * rate
        soundfile.write(place / f"{number:03}.wav", samples[start : start + 20 * rate], rate, subtype="ULAW")


def batch_and_engine(folder: str) -> dict[str, float]:
    """``callqa run`` on the calls, and the engine alone on them, in turns."""
    with tempfile.TemporaryDirectory() as home:
        run = f"-m pipeline run {folder}/calls --db {home}/qa.duckdb --log-format json".split()
        with Timed([__file__, "--child", "engine"], {**ENV, "CALLQA_BENCH_HOME": folder}) as engine:
            engine.wait_for("started")
            engine.stop()
            with Timed(run, ENV) as batch:
                batch.wait_for("started")
                in_turns(batch, engine)
    engine_s, batch_s = (one.at_s["call"] - one.at_s["started"] for one in (engine, batch))
    return {
        "start_up_s": batch.at_s["started"],
        "batch_s": batch_s,
        "engine_alone_s": engine_s,
        "not_transcription_share": 1 - engine_s / batch_s,
    }


def child_engine(_calls: int) -> None:
    """Hear the calls of ``whisper_share`` with the engine alone, in the same groups; an event each."""
    from pipeline.process.prepare import prepare
    from pipeline.settings import load_settings
    from pipeline.transcribe import Job

    folder = Path(os.environ["CALLQA_BENCH_HOME"])
    batch = prepare([folder / "calls"], load_settings(None, store={"db": f"{folder}/none.duckdb"}))
    stages = batch.stages
    groups = [
        [Job(one.metadata.call_id, stages.load_audio(one), one.metadata.language) for one in some]
        for some in batch.groups()
    ]
    batch.warm_up()
    print(json.dumps({"event": "started"}), file=sys.stderr, flush=True)
    for jobs in groups:
        stages.engine.transcribe(jobs)
        print(json.dumps({"event": "call"}), file=sys.stderr, flush=True)


def chaos(rounds: int, seed: int) -> dict[str, float]:
    """Random kills of the parent or one of its descendants; differences after the final run.

    A database is run until a run survives its kill, as it does the death of a server or worker; every
    second one is filled by two worker processes. Prefect's server is among the descendants.
    """
    from tests.command import write_calls

    rng = random.Random(seed)
    kills = databases = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_calls(folder / "calls", 60)
        whole = exported(folder, "whole.duckdb")
        for _ in range(rounds):
            killed, ended = run_and_kill(
                folder, f"cut{databases}.duckdb", ("thread", "process")[databases % 2], rng
            )
            kills += killed
            databases += ended
        differences = sum(exported(folder, f"cut{n}.duckdb") != whole for n in range(databases + 1))
    return {
        "chaos_seed": seed,
        "chaos_rounds": rounds,
        "chaos_kills": kills,
        "chaos_databases": databases + 1,
        "chaos_differences": differences,
    }


def command(db: str) -> list[str]:
    """The batch, which goes through the calls in small groups."""
    return [sys.executable, "-m", "pipeline", "run", "calls", "--db", db]


def run_and_kill(folder: Path, db: str, runner: str, rng: random.Random) -> tuple[bool, bool]:
    """Kill a run, or one of its descendants, at a random moment; whether it came to that, and to an end.

    The moment is a number of finished calls and a little more, so that it falls into the work
    whatever else the machine is doing; with no call, into the start.
    """
    env = {**ENV, "CALLQA_FLOW__WINDOW": "4", "CALLQA_FLOW__RUNNER": runner}
    env["CALLQA_FLOW__PROCESSES"] = "2"
    run = subprocess.Popen(
        command(db), cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    lines = rng.randrange(0, 9)
    seen = [run.stdout.readline() for _ in range(lines)]
    time.sleep(rng.uniform(0, 0.4 if lines else 5.0))
    if run.poll() is not None or b"" in seen:
        run.wait()
        return False, True
    below = descendants(run.pid)
    victim = rng.choice([*[run.pid] * max(1, len(below)), *below])
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    run.communicate(timeout=300)  # a dead server must not stop the batch, nor a dead worker
    return True, run.returncode == 0


def exported(folder: Path, db: str) -> bytes:
    """The whole store in one export, after a run to the end."""
    subprocess.run([*command(db), "--local"], cwd=folder, env=ENV, check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "-m", "pipeline", "export", f"{db}.jsonl", "--format", "jsonl", "--db", db],
        cwd=folder, env=ENV, check=True, capture_output=True,
    )  # fmt: skip
    return (folder / f"{db}.jsonl").read_bytes()


CHILDREN: dict[str, Callable[[int], None]] = {
    "plain": child_plain,
    "flow": child_flow,
    "engine": child_engine,
}

if __name__ == "__main__":
    main()
