"""A writer that loads chunks until it is killed; run as a program by ``test_store_keeping``.

python tests/store_writer.py DB kills      kill ``kills`` writers at random instants, check after each
python tests/store_writer.py DB hold       open for writing, say so, and hold it for a while
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb  # noqa: F401  (imported before the forks, so that a child starts at once)
import pyarrow  # noqa: F401

from pipeline.store import load as loading
from pipeline.store import open_store
from pipeline.store import store as store_module
from tests.store_factory import RUBRIC, record

CHUNK = 5
# Steps of a writer, and about how long each lasts: a kill falls somewhere within.
LASTS_S = {
    "committing": 0.01, "loading": 0.05, "committed": 0.01, "closing": 0.03, "opening": 0.05, "starting": 0.3,
}  # fmt: skip


def write_for_ever(db: Path, report: int) -> None:
    """Load one chunk after another, reporting every step; every third is loaded again."""

    def say(step: str) -> None:
        os.write(report, f"{step}\n".encode())

    def load_and_say(*given: object) -> None:
        say("loading")
        loading.load(*given)
        say("committing")  # all that is left of the transaction

    store_module.loading = SimpleNamespace(**{**vars(loading), "load": load_and_say})
    with open_store(db) as store:
        first = store.query("SELECT count(*) AS n FROM calls")[0]["n"] // CHUNK
    for number in range(first, first + 10_000):
        say("opening")
        with open_store(db) as store:
            for _ in range(2 if number % 3 == 0 else 1):
                store.load([record(f"w{number}-{i}") for i in range(CHUNK)], [RUBRIC])
                say(f"committed {number}")
            say("closing")
        say("closed")


def killed_at_random(db: Path, rng: random.Random, step: str) -> tuple[list[int], str]:
    """Kill a writer soon after it began a step; the chunks it committed, and the step it died in."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        write_for_ever(db, write)
        os._exit(0)
    os.close(write)
    said: list[str] = []
    with os.fdopen(read, buffering=1) as reports:
        passes = rng.randrange(1, 4) if step != "starting" else 0
        while passes and (line := reports.readline()):
            said.append(line)
            passes -= line.startswith(step)
        time.sleep(rng.uniform(0.0, LASTS_S[step]))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said += [line for line in reports if line.endswith("\n")]
    committed = [int(line.split()[1]) for line in said if line.startswith("committed")]
    return committed, said[-1].split()[0] if said else "starting"


def faults(db: Path, committed: list[int]) -> list[str]:
    """What is wrong with the store after a kill."""
    with open_store(db) as store:
        problems = [f"{p.what}: {p.example}" for p in store.check()]
        stored = {r["call_id"] for r in store.query("SELECT call_id FROM calls")}
    lost = [n for n in committed if any(f"w{n}-{i}" not in stored for i in range(CHUNK))]
    whole = len(stored) % CHUNK == 0
    return problems + [f"chunk {n} was lost" for n in lost] + ([] if whole else ["half a chunk"])


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
        with open_store(db):
            sys.stdout.write("held\n")
            sys.stdout.flush()
            time.sleep(float(sys.argv[3]))
        return
    rng = random.Random(3)
    committed: list[int] = []
    found: list[str] = []
    died_in: Counter[str] = Counter()
    for number in range(int(what)):
        chunks, step = killed_at_random(db, rng, list(LASTS_S)[number % len(LASTS_S)])
        committed += chunks
        died_in[step] += 1
        found += in_a_child(db, committed)
    sys.stdout.write(json.dumps({"committed": len(committed), "faults": found, "died_in": died_in}))


if __name__ == "__main__":
    main()
