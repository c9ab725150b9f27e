"""Write the documents that are made from code: ``make docs``; a test fails when they drift."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel

from docs import schema_reference
from docs.scaling_plan import scaling
from pipeline.cli.commands import app
from pipeline.export import FORMATS
from pipeline.metrics import METRICS
from pipeline.rubric.checks import Check
from pipeline.settings import Settings

HERE = Path(__file__).parent
KINDS = get_args(get_args(Check)[0])
MADE = "<!-- made by `make docs`; do not edit -->\n\n"


def commands(command: Any, name: str = "callqa") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its full name (Typer carries a click of its own)."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child in sorted(children):
        yield from commands(children[child], f"{name} {child}")


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name.upper()}`"
    text = (getattr(parameter, "help", None) or "").replace("|", "\\|").replace("\n", " ")
    return f"| {names} | {text} |"


def cli_reference() -> str:
    """Every command with its help, arguments and options."""
    parts = ["# Command reference\n", MADE.strip() + "\n"]
    parts.append(
        "Exit codes: 0 all scored or knowingly skipped · 2 usage, settings or rubric error · "
        "3 finished, but some calls failed or were quarantined · 1 a bug. "
        "Data goes to stdout, people read stderr.\n"
    )
    for name, command in commands(typer.main.get_command(app)):
        rows = "\n".join(_option(p) for p in command.params if p.name != "help")
        parts.append(f"## `{name}`\n\n{(command.help or '').strip()}\n")
        if rows:
            parts.append(f"| option | meaning |\n|---|---|\n{rows}\n")
    return "\n".join(parts)


def _type(annotation: object) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")
    return text.replace("|", "\\|")


def settings_reference() -> str:
    """Every settings key with type, default and meaning."""
    parts = [
        "# Settings\n",
        MADE.strip() + "\n",
        "Flags beat `CALLQA_*` environment variables, which beat `callqa.toml`, which beats the defaults.",
        "In the environment two underscores join slice and key: `CALLQA_TRANSCRIBE__MODEL=tiny.en`.",
        "Lists and tables are written there as JSON: `CALLQA_PRIVACY__REDACT='[\"card\"]'`.",
        "Unknown keys are errors.\n",
    ]
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        assert isinstance(kind, type)
        assert issubclass(kind, BaseModel)
        parts.append(f"## `[{name}]`\n\n{(kind.__doc__ or '').strip()}\n")
        rows = [
            f"| `{key}` | `{_type(f.annotation)}` | `{f.get_default(call_default_factory=True)!r}` "
            f"| {f.description or ''} |"
            for key, f in kind.model_fields.items()
        ]
        if rows:
            parts.append("| key | type | default | meaning |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


METRICS_HEAD = """\
Times come from words where the transcript has word times, else from turns. A speaker's interval joins
words with gaps up to one second. None (NULL in SQL) means the recording cannot tell: overlap needs a
channel per speaker, seconds need times. Rubrics refer to these names.

Hold is what the telephone system reports, a silence over 3 s after the agent announced it, or a mutual
silence of at least `annotate.unannounced_hold_s` (10 s); the last is a finding `hold`/`unannounced`,
because nobody told the customer. Hold and redacted spans are never dead air.

Sources: MiiTel (silence over 3 s, overtalk over 1 s), AWS Contact Lens (talk time as intervals, talk
share of the call), TMA (words per minute of utterance time, overtalk charged to who started second).
"""


def metrics_reference() -> str:
    """Every conversation metric with its definition."""
    rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in METRICS.items())
    table = f"| metric | meaning |\n|---|---|\n{rows}\n"
    return f"# Conversation metrics\n\n{MADE.strip()}\n\n{METRICS_HEAD}\n{table}"


COOKBOOK_HEAD = """\
Questions supervisors, analysts and compliance officers ask, ready to run. Each is a file in `docs/cookbook/`:

    callqa sql "$(cat docs/cookbook/agent-league.sql)" --db qa.duckdb

What the tables and columns mean is in [schema.md](schema.md).
"""


def cookbook() -> str:
    """Every question of ``cookbook/`` with its SQL."""
    parts = [f"# Cookbook\n\n{MADE.strip()}\n\n{COOKBOOK_HEAD}"]
    for path in sorted((HERE / "cookbook").glob("*.sql")):
        lines = path.read_text("utf-8").splitlines()
        said = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
        query = "\n".join(line for line in lines if not line.startswith("-- "))
        why = "".join(f"{line}\n\n" for line in said[1:])
        parts.append(f"## {said[0]}\n\n{why}[{path.name}](cookbook/{path.name})\n\n```sql\n{query}\n```\n")
    return "\n".join(parts)


def with_part(name: str, part: str, made: str) -> str:
    """A page written by hand, with the part of it that is made from code brought up to date."""
    begins, ends = f"<!-- {part}: made by `make docs`; do not edit -->\n", f"<!-- end of {part} -->\n"
    before, rest = (HERE / name).read_text("utf-8").split(begins)
    return before + begins + made + ends + rest.split(ends)[1]


def export_formats() -> str:
    """Every export format with what it writes."""
    rows = "\n".join(f"| `{name}` | {one.about} |" for name, one in FORMATS.items())
    return f"| `--format` | writes |\n|---|---|\n{rows}\n"


def kinds_of_checks() -> str:
    """Every kind of check with when it is met."""
    kinds = [(get_args(kind.model_fields["kind"].annotation)[0], kind.met_when) for kind in KINDS]
    rows = "\n".join(f"| `{name}` | {when} |" for name, when in kinds)
    return f"| kind | met when |\n|---|---|\n{rows}\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "metrics.md": metrics_reference,
    "cli.md": cli_reference,
    "settings.md": settings_reference,
    "schema.md": lambda: schema_reference.markdown(MADE),
    "cookbook.md": cookbook,
    "scaling.md": scaling,
    "rubrics.md": lambda: with_part("rubrics.md", "kinds of checks", kinds_of_checks()),
    "review.md": lambda: with_part("review.md", "formats", export_formats()),
}


def main() -> None:
    """Write every generated document."""
    for name, make in DOCUMENTS.items():
        (HERE / name).write_text(make(), "utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()
