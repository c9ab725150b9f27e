"""How often wording finds the agent among the two parties of a call, and how often it is sure and wrong.

    python -m bench.roles [--data ../shared/data] [--out out/bench]

On the real operator calls (their openings are cut off, so the customer speaks first in nearly all) and the
bank's calls as a recogniser wrote them. The direction of the calls is not told. No weight was learnt from
them; how much who speaks first counts, and in how many calls a word must be, were chosen while looking at
them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import keep
from pipeline.conversation import Turn
from pipeline.score.phrase_checks import SURE_OF_ROLES
from pipeline.speakers.wording import likeliest_agent

SETS = {"operator_calls/calls": "text", "transcripts": "asr_text"}


def parties(folder: Path, field: str) -> Iterator[dict[str, list[Turn]]]:
    """The turns of agent and customer of each call, without roles, in the order of who speaks first."""
    for path in sorted(folder.glob("*.json")):
        found: dict[str, list[Turn]] = {}
        for number, turn in enumerate(json.loads(path.read_text("utf-8"))["turns"]):
            said = Turn(number, "unknown", turn[field], turn["start_s"], turn["end_s"])
            found.setdefault(turn["role"], []).append(said)
        if set(found) == {"agent", "customer"}:
            yield found


def main() -> None:
    """Print a table and write it as JSON."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    ask.add_argument("--out", type=Path, default=Path("out") / "bench")
    given = ask.parse_args()
    table = Table("calls", "number", "agent found", "sure", "wrong and sure")
    kept = {}
    for name, field in SETS.items():
        told = [likeliest_agent(call, "unknown") for call in parties(given.data / name, field)]
        right = sum(who == "agent" for who, _ in told) / len(told)
        sure = sum(probability >= SURE_OF_ROLES for _, probability in told) / len(told)
        wrong = sum(who != "agent" and p >= SURE_OF_ROLES for who, p in told) / len(told)
        table.add_row(name, str(len(told)), *(f"{share:.3f}" for share in (right, sure, wrong)))
        kept[name] = {"calls": len(told), "agent found": right, "sure": sure, "wrong and sure": wrong}
    Console().print(table)
    keep(given.out / "roles.json", kept)


if __name__ == "__main__":
    main()
