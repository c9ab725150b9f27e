"""How fast stored calls are re-scored: calls a second from the store, and memory as it goes.

    python -m bench.rescore [--calls 2000] [--words 600] [--fresh 0.2] [--out out/bench]

Makes a store of calls of 600 words from the written utterances of ``bench/matcher_training``; a
share of the turns (``--fresh``) holds words no other turn has. Scores them under a rubric of 20
criteria, changes the rubric (weights, a phrase, a pass mark) and re-scores. Printed apart: the first
scoring of text never seen (models read it), and re-scoring (what an analyst does).
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.matcher_training.train import written
from pipeline import matchers, rubric
from pipeline.conversation import CallMetadata, CallRecord, Conversation, LedgerEntry, Transcript, Turn
from pipeline.rescore import rescore
from pipeline.store import Store

TARGET = 500


def rubric_text(count: int, *, pass_mark: int, method: str) -> str:
    """A rubric of that many criteria from the written ones."""
    lines = [
        "rubric: bench",
        "mode: section",
        f"pass_mark: {pass_mark}",
        "sections:",
        "  - id: all",
        "    criteria:",
    ]
    for name, one in list(written().items())[:count]:
        phrases = json.dumps(one.phrases)
        role = "customer" if one.meaning.startswith("The customer") else "agent"
        lines += [
            f"      - id: {name}",
            f"        question: {json.dumps(name)}",
            f"        check: {{kind: phrases, role: {role}, match: {method}, any: {phrases}}}",
        ]
    return "\n".join(lines)


def calls(count: int, words: int, fresh: float) -> list[CallRecord]:
    """Made calls."""
    chance = random.Random(7)
    pool = [text for one in written().values() for text, _, _ in one.said]
    made = []
    for number in range(count):
        turns, clock, left = [], 0.0, words
        while left > 0:
            text = chance.choice(pool)
            if chance.random() < fresh:
                text += f" about number {chance.randrange(10**9)}"
            size = len(text.split())
            role = "agent" if len(turns) % 2 == 0 else "customer"
            turns.append(Turn(len(turns), role, text, clock, clock + size * 0.4, confidence=0.9))
            clock += size * 0.4 + 1.2
            left -= size
        name = f"call-{number:06d}"
        conversation = Conversation(Transcript(name, tuple(turns), "en", clock, channels=2))
        ledger = LedgerEntry(f"{name}.json", f"{number:064x}", name, "scored")
        made.append(CallRecord(ledger, CallMetadata(name), conversation))
    return made


def memory_mb() -> float:
    """Peak resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(store: Store, text: str, matcher: matchers.TextMatcher) -> tuple[float, float, int]:
    """Calls a second, peak memory growth from half-way to the end in MB, flips."""
    form = rubric.parse(text, "bench")
    start, count, flips, halfway = time.perf_counter(), 0, 0, 0.0
    total = len(store.query("SELECT call_id FROM calls"))
    for done in rescore(store, form, matcher, min_confidence=0.4):
        count += 1
        flips += done.flipped
        if count == total // 2:
            halfway = memory_mb()
    return count / (time.perf_counter() - start), memory_mb() - halfway, flips


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--calls", type=int, default=2000)
    ask.add_argument("--words", type=int, default=600)
    ask.add_argument("--fresh", type=float, default=0.2)
    ask.add_argument("--criteria", type=int, default=20)
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    given = ask.parse_args()
    result: dict[str, dict[str, float]] = {}
    table = Table("phrases matched", "pass", "calls/s", f"of {TARGET}/s", "memory grows MB", "flips")
    for method in ("fuzzy", "meaning"):
        with tempfile.TemporaryDirectory() as folder, Store(f"{folder}/bench.duckdb") as store:
            made = calls(given.calls, given.words, given.fresh)
            for start in range(0, len(made), 200):
                store.load(made[start : start + 200])
            del made
            matcher = matchers.load_matcher()
            for label, pass_mark in (("first, nothing read yet", 50), ("again, changed rubric", 60)):
                text = rubric_text(given.criteria, pass_mark=pass_mark, method=method)
                rate, growth, flips = timed(store, text, matcher)
                result[f"{method}, {label}"] = {"calls_per_s": rate, "growth_mb": growth, "flips": flips}
                table.add_row(
                    method, label, f"{rate:.0f}", f"{rate / TARGET:.2f}×", f"{growth:.0f}", str(flips)
                )
    Console().print(table)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "rescore.json").write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
