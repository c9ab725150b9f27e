"""How the store carries a large contact centre: loading, questions, size, growth.

    python bench/store.py                      # 100,000 calls, then 1,000,000: 12 M answers, 40 M turns
    python bench/store.py --calls 20000 --loaded 2000

The first calls go through ``Store.load`` in chunks of 500; turns carry times and sentiment, and text for a
sample. They are then multiplied in SQL (new ids, later times) to each size, where more chunks are loaded,
every view and every question of the cookbook is asked through the sandbox, and single scorecards are read.
Wall times depend on what else the machine does, so processor time is printed too.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console
from rich.table import Table

from bench import keep
from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Conversation,
    CriterionAnswer,
    Engine,
    Evidence,
    Finding,
    LedgerEntry,
    RoleSentiment,
    RubricRef,
    Scorecard,
    Searched,
    SectionScore,
    Sentiment,
    StageRun,
    Transcript,
    Turn,
)
from pipeline.metrics import METRICS
from pipeline.store import CallFilter, Store
from pipeline.store.sandbox import Sandbox
from pipeline.store.store import CHUNK

SINGLE = 10  # chunks loaded one by one
QUEUE = 20  # chunks handed over at once
TURNS = 40
CRITERIA = 12
TEXT_SHARE = 0.01
RISK_SHARE = 0.1
TOPICS = ("billing", "cancellation", "delivery", "login", "refund", "upgrade")
TEMPLATES = 8  # distinct chunks whose calls are dealt new ids, agents and times
RUBRIC = RubricRef("support", "1", "b" * 64)
SENTENCES = (
    "thank you for calling how can I help you today",
    "my bill is wrong again and I want to cancel",
    "I am sorry to hear that let me look at the account",
    "this call may be recorded for quality and training",
    "is there anything else I can do for you",
)
START = dt.datetime(2026, 1, 5, tzinfo=dt.UTC)
OUT = Path("out/bench")
RUNS = 3
TARGETS = {
    "load_calls_per_s": ("≥", 5000.0),
    "bytes_per_call_without_text": ("≤", 3072.0),
    "slowest_median_s": ("≤", 1.0),
    "slowest_p95_s": ("≤", 3.0),
    "scorecard_ms": ("≤", 50.0),
    "growth_over_linear": ("≤", 1.0),
}


def turns(rng: random.Random, text: bool) -> tuple[Turn, ...]:
    """Times, confidence and sentiment of a call's turns."""
    out, at = [], 0.0
    for i in range(TURNS):
        length = round(rng.uniform(0.5, 9), 2)
        score = round(rng.uniform(-1, 1), 3)
        out.append(
            Turn(
                i,
                "customer" if i % 2 else "agent",
                rng.choice(SENTENCES) if text else "",
                round(at, 2),
                round(at + length, 2),
                i % 2,
                round(rng.uniform(0.5, 1), 3),
                (),
                "en",
                Sentiment(score, "negative" if score < -0.3 else "positive" if score > 0.3 else "neutral"),
            )
        )
        at += length + round(rng.uniform(-0.3, 1), 2)
    return tuple(out)


def card(rng: random.Random, call_id: str) -> Scorecard:
    """Twelve answers in three sections, with a quote for each yes and the nearest for each no."""
    answers = []
    for i in range(CRITERIA):
        yes = rng.random() < 0.8
        quote = Evidence(i, "agent", i * 3.0, i * 3.0 + 2.5, "", f"phrase {i}")
        answers.append(
            CriterionAnswer(
                f"criterion_{i}",
                "yes" if yes else rng.choice(("no", "no", "na", "undetermined")),
                1.0 if yes else 0.0,
                1.0,
                1.0 + i % 3,
                critical=i == 0,
                evidence=(quote,) if yes else (),
                searched=Searched(f"phrase {i}", "agent", 0.0, 30.0, 20),
                nearest=None if yes else quote,
                reason="" if yes else "not said where it should be",
            )
        )
    sections = tuple(
        SectionScore(f"section_{n}", 100 * rng.random(), tuple(answers[n * 4 : n * 4 + 4])) for n in range(3)
    )
    score = round(100 * sum(a.answer == "yes" for a in answers) / CRITERIA, 1)
    return Scorecard(
        call_id, RUBRIC, score, score, "pass" if score >= 80 else "fail", sections, (), (), score, 80.0
    )


def findings(rng: random.Random) -> tuple[Finding, ...]:
    """A silence, the customer's lowest point, a topic, and in one call of ten a risk."""
    said = SENTENCES[1]
    found = (
        Finding("silence", "dead_air", None, 9.0, 13.0, "", 4.0, "callqa.metrics.v1"),
        Finding("lowest_point", "customer", 3, 15.0, 20.0, said, -0.9, "callqa.sentiment.v1"),
        Finding("topic", rng.choice(TOPICS), 1, 5.0, 9.0, said, None, "callqa.topic.v1"),
        Finding("risk", "churn", 1, 5.0, 9.0, said, 0.8, "callqa.risk.v1"),
    )
    return found if rng.random() < RISK_SHARE else found[:3]


def template(rng: random.Random) -> CallRecord:
    """One call without its identity."""
    spoken = turns(rng, rng.random() < TEXT_SHARE)
    quarters = tuple(round(rng.uniform(-1, 1), 3) for _ in range(4))
    return CallRecord(
        LedgerEntry("", None, None, "scored", size_bytes=rng.randrange(10**6, 10**7), mtime_ns=10**18),
        CallMetadata("", client=f"client {rng.randrange(5)}", site="lhr", queue=f"queue {rng.randrange(8)}"),
        Conversation(
            Transcript("", spoken, "en", spoken[-1].end_s, Engine("callqa", "base", "e" * 16), 2),
            findings(rng),
            {name: round(rng.uniform(0, 100), 2) for name in METRICS},
            {
                role: RoleSentiment(quarters[0], quarters, 0.5, min(quarters), 3)
                for role in ("agent", "customer")
            },
        ),
        (card(rng, ""),),
        tuple(
            StageRun(stage, "f" * 16, "callqa", "base", rng.random())
            for stage in ("transcribe", "annotate", "score")
        ),
    )


def chunks(calls: int, rng: random.Random) -> Iterator[list[CallRecord]]:
    """Chunks of ``CHUNK`` distinct calls in order of time over half a year."""
    made = [[template(rng) for _ in range(CHUNK)] for _ in range(TEMPLATES)]
    zones = ("Europe/London", "Asia/Karachi", "America/New_York")
    for start in range(0, calls, CHUNK):
        chunk = made[start // CHUNK % TEMPLATES]
        yield [
            deal(r, start + i, zones[(start + i) % 3], START + dt.timedelta(seconds=15.7 * (start + i)), rng)
            for i, r in enumerate(chunk)
        ]


def deal(
    record: CallRecord, number: int, zone: str, started_at: dt.datetime, rng: random.Random
) -> CallRecord:
    """Give a template its identity."""
    call_id = f"{rng.getrandbits(64):016x}"
    agent = rng.randrange(500)
    conversation = record.conversation
    return replace(
        record,
        ledger=replace(
            record.ledger,
            path=f"/rec/{number // 1000}/{call_id}.wav",
            audio_sha256=call_id * 4,
            call_id=call_id,
        ),
        metadata=replace(
            record.metadata,
            call_id=call_id,
            agent_id=f"agent {agent}",
            team=f"team {agent // 20}",
            timezone=zone,
            customer_ref=f"c{rng.randrange(300_000)}",
            direction="inbound" if agent % 3 else "outbound",
            started_at=started_at,
        ),
        conversation=replace(conversation, transcript=replace(conversation.transcript, call_id=call_id)),
        scorecards=(replace(record.scorecards[0], call_id=call_id),),
    )


def load(db: Path, calls: int, seed: int) -> dict[str, float]:
    """Load a few chunks one by one, as a batch does, then ``calls`` calls at once; checkpoints count."""
    made = chunks(calls + SINGLE * CHUNK, random.Random(seed))
    wall = cpu = 0.0
    with Store(db) as store:
        single = [timed(lambda w=w: store.load(w, [RUBRIC])) for w in islice(made, SINGLE)]
        while many := list(chain.from_iterable(islice(made, QUEUE))):
            began, cpu_began = time.perf_counter(), time.process_time()
            store.load(many, [RUBRIC])
            wall += time.perf_counter() - began
            cpu += time.process_time() - cpu_began
        began = time.perf_counter()
    return {
        "load_calls_per_s": calls / wall,
        "load_calls_per_s_one_by_one": CHUNK / statistics.median(single),
        "load_calls_per_cpu_s": calls / cpu,
        "close_s": time.perf_counter() - began,
    }


def multiply(db: Path, calls: int) -> None:
    """Grow the store to about ``calls`` by copies of all it holds, with ids and later times of their own."""
    with Store(db) as store:
        span = store.query(
            "SELECT count(*) AS n, min(loaded_at) AS first, max(loaded_at) AS last FROM calls"
        )[0]
        tables = store.query(
            "SELECT table_name AS name FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) "
            "WHERE column_name = 'call_id' AND table_name NOT IN ('reviews', 'samples')"
        )
        for copy in range(1, round(calls / span["n"])):
            later = copy * (span["last"] - span["first"] + dt.timedelta(hours=1))
            for table in (row["name"] for row in tables):
                stamp = "recorded_at" if table == "ledger" else "loaded_at"
                changes = [
                    f"substr(md5(call_id || {copy}), 1, 16) AS call_id",
                    f"{stamp} + $later AS {stamp}",
                ]
                if table == "calls":
                    weeks = f"INTERVAL ({copy % 20}) WEEK"
                    changes += [f"{name} + {weeks} AS {name}" for name in ("started_at", "started_local")]
                if table == "ledger":
                    changes += [f"path || {copy} AS path", f"md5(audio_sha256 || {copy}) AS audio_sha256"]
                with store.transaction() as connection:
                    connection.execute(
                        f"INSERT INTO {table} BY NAME SELECT * REPLACE ({', '.join(changes)}) FROM {table} "
                        f"WHERE {stamp} <= $last",
                        {"later": later, "last": span["last"]},
                    )


def questions(db: Path) -> dict[str, list[float]]:
    """Seconds of every run of every view and cookbook question."""
    cookbook = sorted((Path(__file__).parents[1] / "docs" / "cookbook").glob("*.sql"))
    asked = {path.stem: path.read_text("utf-8") for path in cookbook}
    with Store(db, read_only=True) as store:
        views = [
            r["view_name"] for r in store.query("SELECT view_name FROM duckdb_views() WHERE NOT internal")
        ]
        sandbox = Sandbox(store)
        for view in sorted(views):
            rows = (
                "LIMIT 1000" if view in {"v_calls", "v_scorecards", "v_answers", "v_sentiment_path"} else ""
            )
            asked[view] = f"FROM {view} {rows}"
        return {
            name: [timed(lambda sql=sql: sandbox.ask(sql)) for _ in range(RUNS)]
            for name, sql in asked.items()
        }


def count(db: Path) -> tuple[int, int, int]:
    """Calls, turns and answers in the store."""
    with Store(db, read_only=True) as store:
        tables = ("calls", "turns", "answers")
        calls, turns, answers = (store.query(f"SELECT count(*) AS n FROM {t}")[0]["n"] for t in tables)
    return calls, turns, answers


def timed(work: object) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def scorecards(db: Path) -> float:
    """Median milliseconds to read one call's scorecard, of twenty calls."""
    with Store(db, read_only=True) as store:
        ids = [r["call_id"] for r in store.query("SELECT call_id FROM calls USING SAMPLE 20")]
        return 1000 * statistics.median(
            timed(lambda i=i: list(store.scorecards(CallFilter(call_ids=(i,))))) for i in ids
        )


def measure(db: Path, calls: int, console: Console) -> dict[str, object]:
    """Everything at one size."""
    multiply(db, calls)
    loaded = load(db, 2 * QUEUE * CHUNK, seed=calls)
    calls, turns, answers = count(db)
    console.print(f"[bold]{calls:,} calls[/bold], {answers:,} answers, {turns:,} turns")
    asked = questions(db)
    return {
        "calls": calls,
        **loaded,
        "bytes_per_call_without_text": db.stat().st_size / calls,
        "scorecard_ms": scorecards(db),
        "slowest_median_s": max(statistics.median(runs) for runs in asked.values()),
        "slowest_p95_s": max(max(runs) for runs in asked.values()),
        "questions": {name: statistics.median(runs) for name, runs in asked.items()},
    }


def main() -> None:
    """Run and print; the figures also go to ``out/bench/store.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--loaded", type=int, default=20_000)
    parser.add_argument("--db", type=Path, default=OUT / "store.duckdb")
    given = parser.parse_args()
    console = Console(width=110)
    given.db.parent.mkdir(parents=True, exist_ok=True)
    for leftover in given.db.parent.glob(given.db.name + "*"):
        leftover.unlink()
    first = load(given.db, given.loaded, seed=7)
    console.print(f"{given.loaded:,} calls: {first['load_calls_per_s']:,.0f} calls/s in chunks of {CHUNK}, "
                  f"{first['load_calls_per_cpu_s']:,.0f} by processor time")  # fmt: skip
    small = measure(given.db, given.calls // 10, console)
    large = measure(given.db, given.calls, console)
    times = large["slowest_median_s"] / small["slowest_median_s"]
    growth = times / (large["calls"] / small["calls"])
    large |= {"growth_over_linear": growth}
    report(console, small, large)
    keep(OUT / "store.json", {"empty": first, "small": small, "large": large})
    for leftover in given.db.parent.glob(given.db.name + "*"):
        leftover.unlink()


def report(console: Console, small: dict[str, object], large: dict[str, object]) -> None:
    """Targets, then every question at both sizes."""
    table = Table("target", "wanted", f"{small['calls']:,}", f"{large['calls']:,}", "ratio to target")
    for name, (sign, wanted) in TARGETS.items():
        have = large[name]
        ratio = have / wanted
        good = ratio >= 1 if sign == "≥" else ratio <= 1
        row = f"[{'green' if good else 'red'}]{have:,.2f}"
        table.add_row(name, f"{sign} {wanted:g}", f"{small.get(name, 0):,.2f}", row, f"{ratio:.2f}")
    console.print(table)
    table = Table("question", "s (small)", "s (large)", "ratio")
    a, b = small["questions"], large["questions"]
    for name in sorted(b, key=b.get, reverse=True):  # type: ignore[arg-type, attr-defined]
        table.add_row(name, f"{a[name]:.3f}", f"{b[name]:.3f}", f"{b[name] / a[name]:.1f}")
    console.print(table)
    for name in ("load_calls_per_s_one_by_one", "load_calls_per_cpu_s", "close_s"):
        console.print(f"{name}: {small[name]:,.1f} → {large[name]:,.1f}")


if __name__ == "__main__":
    main()
