"""A writer that loads windows until it is killed; run as a program by ``test_store_keeping``.

python tests/store_writer.py DB kills      kill ``kills`` writers at random instants, check after each
python tests/store_writer.py DB hold       open for writing, say so, and hold it for a while
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb  # noqa: F401  (imported before the forks, so that a child starts at once)
import pyarrow  # noqa: F401

from pipeline.store import Store
from tests.store_factory import RUBRIC, record

WINDOW = 5


def write_for_ever(db: Path, report: int) -> None:
    """Load one window after another, reporting each that is committed; every third is loaded again."""
    with Store(db) as store:
        first = store.query("SELECT count(*) AS n FROM calls")[0]["n"] // WINDOW
    for number in range(first, first + 10_000):
        with Store(db) as store:
            for _ in range(2 if number % 3 == 0 else 1):
                store.load([record(f"w{number}-{i}") for i in range(WINDOW)], [RUBRIC])
        os.write(report, f"{number}\n".encode())


def killed_at_random(db: Path, rng: random.Random) -> list[int]:
    """Numbers of the windows a writer reported before it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        write_for_ever(db, write)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, buffering=1) as reports:
        first = reports.readline() if rng.random() < 0.6 else ""  # some die while opening or migrating
        time.sleep(rng.uniform(0.0, 0.25))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [int(line) for line in (first, *reports) if line.endswith("\n")]


def faults(db: Path, committed: list[int]) -> list[str]:
    """What is wrong with the store after a kill."""
    with Store(db) as store:
        problems = [f"{p.what}: {p.example}" for p in store.check()]
        stored = {r["call_id"] for r in store.query("SELECT call_id FROM calls")}
    lost = [n for n in committed if any(f"w{n}-{i}" not in stored for i in range(WINDOW))]
    whole = len(stored) % WINDOW == 0
    return problems + [f"window {n} was lost" for n in lost] + ([] if whole else ["half a window"])


def in_a_child(db: Path, committed: list[int]) -> list[str]:
    """``faults``, in a process of its own: the parent must stay free of threads."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        try:
            found = faults(db, committed)
        except BaseException as error:
            found = [f"{type(error).__name__}: {error}"]
        os.write(write, json.dumps(found).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as answer:
        result: list[str] = json.loads(answer.read())
    return result


def main() -> None:
    """See the module."""
    db, what = Path(sys.argv[1]), sys.argv[2]
    if what == "hold":
        with Store(db):
            sys.stdout.write("held\n")
            sys.stdout.flush()
            time.sleep(float(sys.argv[3]))
        return
    rng = random.Random(3)
    committed: list[int] = []
    found: list[str] = []
    for _ in range(int(what)):
        committed += killed_at_random(db, rng)
        found += in_a_child(db, committed)
    sys.stdout.write(json.dumps({"committed": len(committed), "faults": found}))


if __name__ == "__main__":
    main()
