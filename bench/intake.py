"""The names that telephone systems give recordings: what each says, and what mangled ones become.

    python -m bench.intake [mangled names]

The forms, and how they are mangled, are in ``tests/file_names.py``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import keep
from tests.file_names import FORMS, receive, run, said

OUT = Path("out/bench/intake.json")


def main() -> None:
    """Print the table of forms and what became of the mangled names; keep the counts as JSON."""
    from rich.console import Console
    from rich.table import Table

    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    console = Console()
    table = Table("system", "filename_template")
    for title in ("name", "page"):
        table.add_column(title, overflow="fold")
    with tempfile.TemporaryDirectory() as folder:
        wrong = [
            form.name for form in FORMS if not form.says.items() <= said(receive(form, Path(folder))).items()
        ]
    for form in FORMS:
        table.add_row(form.system, form.preset, form.name, form.page)
    console.print(table)
    counts = run(cases)
    console.print(f"{len(FORMS)} forms, {len(wrong)} read wrongly; {cases} mangled names: {counts}")
    keep(OUT, {"forms": len(FORMS), "wrong": wrong, "cases": cases, "counts": counts})


if __name__ == "__main__":
    main()
