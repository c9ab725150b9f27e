"""Names and metadata as they reach a folder: how many calls are dated and placed rightly.

    python -m bench.metadata [cases]

The cases are made in ``tests/metadata_cases.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench import keep
from tests.metadata_cases import run

OUT = Path("out/bench/metadata.json")


def main() -> None:
    """Print the counts and keep them as JSON."""
    from rich.console import Console
    from rich.table import Table

    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    counts = run(cases)
    table = Table(title=f"{cases} generated names and metadata")
    table.add_column("outcome")
    table.add_column("cases", justify="right")
    for outcome, number in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(outcome, str(number))
    Console().print(table)
    keep(OUT, {"cases": cases, "counts": counts})


if __name__ == "__main__":
    main()
