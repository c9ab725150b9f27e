"""What exports cost: 10,000 calls to a workbook, Parquet and CSV; packets of 10, 100 and 500 calls.

Made-up calls of fifty turns and six answers; each export runs in a process of its own, so that its
peak memory is its own. Packet open times are those of headless Chromium, from navigation to a filled
list, and from choosing a call to its drawn page (median of five).

    python bench/export.py [--calls 10000]
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import keep
from bench.memory import peak_mb

PACKETS = (10, 100, 500)


def fill(db: Path, calls: int) -> None:
    """Store made-up calls, two hundred to a transaction."""
    from pipeline.store import Store
    from tests.example_calls import example_records

    pattern = example_records(40, repeats=5)
    with Store(db) as store:
        for start in range(0, calls, 200):
            chunk = [
                renamed(pattern[index % len(pattern)], f"call-{index:05d}")
                for index in range(start, min(start + 200, calls))
            ]
            store.load(chunk)


def renamed(record, call_id: str):
    """The same call under another id."""
    conversation = replace(
        record.conversation, transcript=replace(record.conversation.transcript, call_id=call_id)
    )
    return replace(
        record,
        ledger=replace(record.ledger, path=f"{call_id}.wav", call_id=call_id, audio_sha256=f"{call_id:0>64}"),
        metadata=replace(record.metadata, call_id=call_id),
        conversation=conversation,
        scorecards=tuple(replace(card, call_id=call_id) for card in record.scorecards),
    )


def one_export(
    db: Path, dest: Path, form: str, count: int | None, answer: multiprocessing.SimpleQueue
) -> None:
    """Export in this process and say how long it took and how much memory it peaked at."""
    from pipeline import export
    from pipeline.store import CallFilter, Store

    ids = tuple(f"call-{index:05d}" for index in range(count)) if count else None
    start = time.perf_counter()
    with Store(db, read_only=True) as store:
        paths = export.write(store, dest, form, CallFilter(call_ids=ids))
    seconds = time.perf_counter() - start
    answer.put((seconds, peak_mb(), sum(path.stat().st_size for path in paths) / 1e6))


def measured(db: Path, dest: Path, form: str, count: int | None = None) -> dict[str, float]:
    """One export in a fresh process."""
    spawn = multiprocessing.get_context("spawn")
    answer = spawn.SimpleQueue()
    process = spawn.Process(target=one_export, args=(db, dest, form, count, answer))
    process.start()
    process.join()
    seconds, peak_mb, size_mb = answer.get()
    return {"seconds": round(seconds, 2), "peak_mb": round(peak_mb), "size_mb": round(size_mb, 2)}


def opened(page: Path, call_id: str) -> dict[str, float]:
    """Milliseconds to the filled list and to an opened call, median of five."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    lists, calls = [], []
    try:
        for _ in range(5):
            driver.get("about:blank")
            driver.get(page.as_uri())
            lists.append(driver.execute_script("return performance.now()"))
            calls.append(driver.execute_async_script(OPEN_CALL, call_id))
    finally:
        driver.quit()
    return {"list_ms": round(statistics.median(lists)), "call_ms": round(statistics.median(calls))}


OPEN_CALL = """
const done = arguments[1], start = performance.now();
location.hash = `call=${arguments[0]}`;
const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
addEventListener("hashchange", drawn, { once: true });
"""


def main() -> None:
    """Run everything and print it beside its target."""
    from rich.console import Console
    from rich.table import Table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    calls = parser.parse_args().calls
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        fill(root / "qa.duckdb", calls)
        for form, name in (("xlsx", "all.xlsx"), ("parquet", "parquet"), ("csv", "csv")):
            results[f"{calls:,} calls to {form}"] = row = measured(root / "qa.duckdb", root / name, form)
            print(f"{calls:,} calls to {form}: {row}", file=sys.stderr, flush=True)
        for count in PACKETS:
            page = root / f"packet-{count}.html"
            row = measured(root / "qa.duckdb", page, "html", count)
            if shutil.which("chromium") and shutil.which("chromedriver"):
                row |= opened(page, "call-00003")
            results[f"packet of {count} calls"] = row
            print(f"packet of {count} calls: {row}", file=sys.stderr, flush=True)
    table = Table("export", "seconds", "peak MB", "size MB", "list shown ms", "call shown ms")
    for name, row in results.items():
        cells = [str(row.get(key, "")) for key in ("seconds", "peak_mb", "size_mb", "list_ms", "call_ms")]
        table.add_row(name, *cells)
    Console().print(table)
    keep(Path("out/bench/export.json"), results)


if __name__ == "__main__":
    main()
