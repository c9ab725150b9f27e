"""How fast stored calls are re-scored: calls a second from the store, and memory as it goes.

    python -m bench.rescore [--calls 300 3000 10000] [--words 600] [--fresh 1.0] [--out out/bench]

Makes stores of calls of 600 words from the written utterances of ``training``; a share of
the turns (``--fresh``; all by default) holds words no other turn has, so that nothing is won by calls that
repeat each other. Each store is then scored under rubrics of 20 criteria, each time by a new process as
``callqa rescore`` would be, model loading included:

- first: a rubric the calls were never scored under; every criterion is searched for
- weights: the same rubric with other weights and another pass mark
- a phrase: the same with another phrase in one criterion
- all: another phrase in every criterion

Criteria match by meaning (the default) or allow recognition errors only; by meaning, only the smallest
size is scored first, since the models read every turn then. Peak memory is of the process and its workers.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import keep
from bench.memory import watched
from pipeline import matching, rubric
from pipeline.conversation import CallMetadata, CallRecord, Conversation, LedgerEntry, Transcript, Turn, Word
from pipeline.rescore import rescore
from pipeline.store import Store

TARGET = 500
Measured = tuple[int, float, float, int]
CRITERIA = 20
CHANGES = {
    "first": {},
    "weights": {"pass_mark": 60, "weight": 3},
    "a phrase": {"pass_mark": 60, "weight": 3, "reworded": 1},
    "all": {"pass_mark": 60, "weight": 3, "reworded": CRITERIA},
}


def rubric_text(method: str, *, pass_mark: int = 50, weight: int = 1, reworded: int = 0) -> str:
    """A rubric from the written criteria; the first has ``weight``, so many have a phrase less."""
    from training.criteria import written

    lines = ["rubric: bench", "mode: section", f"pass_mark: {pass_mark}", "sections:"]
    lines += ["  - id: all", "    criteria:"]
    for at, (name, one) in enumerate(list(written().items())[:CRITERIA]):
        phrases = json.dumps(one.phrases[: -1 if at < reworded else None])
        role = "customer" if one.meaning.startswith("The customer") else "agent"
        lines += [
            f"      - id: {name}",
            f"        question: {json.dumps(name)}",
            f"        weight: {1 if at else weight}",
            f"        check: {{kind: phrases, role: {role}, match: {method}, any: {phrases}}}",
        ]
    return "\n".join(lines)


def calls(count: int, words: int, fresh: float) -> Iterator[CallRecord]:
    """Made calls."""
    from training.criteria import written  # here: the measured processes need none of it

    chance = random.Random(7)
    pool = [text for one in written().values() for text, _, _ in one.said]
    for number in range(count):
        turns: list[Turn] = []
        clock, left = 0.0, words
        while left > 0:
            text = chance.choice(pool)
            if chance.random() < fresh:
                text += f" about number {chance.randrange(10**9)}"
            size = len(text.split())
            role = "agent" if len(turns) % 2 == 0 else "customer"
            said = tuple(
                Word(word, clock + i * 0.4, clock + i * 0.4 + 0.3, 0.9) for i, word in enumerate(text.split())
            )
            turns.append(Turn(len(turns), role, text, clock, clock + size * 0.4, None, 0.9, said))
            clock += size * 0.4 + 1.2
            left -= size
        name = f"call-{number:06d}"
        conversation = Conversation(Transcript(name, tuple(turns), "en", clock, channels=2))
        ledger = LedgerEntry(f"{name}.json", f"{number:064x}", name, "scored")
        yield CallRecord(ledger, CallMetadata(name), conversation)


def rescored(db: str, text: str) -> Measured:
    """Calls, seconds, peak memory in MB, flips: one re-score of a whole store."""
    with watched() as peak, Store(db) as store:
        start = time.perf_counter()
        flips = [
            done.flipped
            for done in rescore(
                store, rubric.parse(text, "bench"), matching.load_matcher(), min_confidence=0.4
            )
        ]
    seconds = time.perf_counter() - start
    return len(flips), seconds, peak.mb, sum(flips)


def measured(
    count: int, method: str, words: int, fresh: float
) -> Iterator[tuple[str, tuple[int, float, float, int]]]:
    """Every pass over a new store of so many calls."""
    with tempfile.TemporaryDirectory() as folder:
        db = f"{folder}/bench.duckdb"
        with Store(db) as store:
            chunk: list[CallRecord] = []
            for record in calls(count, words, fresh):
                chunk.append(record)
                if len(chunk) == 200:
                    store.load(chunk)
                    chunk = []
            store.load(chunk)
        for name, change in CHANGES.items():
            with ProcessPoolExecutor(1, get_context("spawn")) as fresh_process:
                text = rubric_text(method, **change)
                yield name, fresh_process.submit(rescored, db, text).result()


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--calls", type=int, nargs="+", default=[300, 3000, 10000])
    ask.add_argument("--words", type=int, default=600)
    ask.add_argument("--fresh", type=float, default=1.0)
    ask.add_argument("--methods", nargs="+", default=["fuzzy", "meaning"])
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    given = ask.parse_args()
    result: dict[str, dict[str, float]] = {}
    table = Table("phrases", "calls", "pass", "calls/s", f"of {TARGET}/s", "peak memory MB", "flips")
    for method in given.methods:
        for count in given.calls if method == "fuzzy" else given.calls[:1]:
            for name, (done, seconds, memory, flips) in measured(count, method, given.words, given.fresh):
                rate = done / seconds
                result[f"{method}, {count}, {name}"] = {
                    "calls_per_s": rate, "peak_memory_mb": memory, "flips": flips,
                }  # fmt: skip
                row = f"{rate:.0f}", f"{rate / TARGET:.2f}×", f"{memory:.0f}", str(flips)
                table.add_row(method, str(count), name, *row)
    Console().print(table)
    keep(given.out / "rescore.json", result)


if __name__ == "__main__":
    main()
