"""What was said before redaction: heard again from the file, by name and with a reason on record.

callqa keeps no unredacted copy, so this is the one way to an original; ``show``, ``search``, ``sql``
and every export know only what was stored.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.app import app
from pipeline.cli.stages import ConfigOption, JsonOption, _print_json, _print_turns
from pipeline.cli.store import Db, open_store


@app.command()
def original(
    call: Annotated[str, typer.Argument(help="Call id.", metavar="CALL")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.", metavar="TEXT")],
    db: Db = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Hear one call again without redaction. Who asked, when and why goes on record.

    The words come from the recording itself, which must still lie where it was; nothing is stored.
    The record is originals.jsonl in the state folder beside the database.

    Example: callqa original call-0042 --reason "dispute 118, card holder asked" --db out/qa.duckdb
    """
    from pipeline.errors import UsageError
    from pipeline.process.files import original_of
    from pipeline.settings import load_settings
    from pipeline.store import CallFilter

    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why the original is needed")
    with open_store(db) as store:
        where = store.query(
            "SELECT path, audio_sha256 FROM ledger WHERE call_id = ? AND status = 'scored' LIMIT 1", [call]
        )
        known = next(store.conversations(CallFilter(call_ids=(call,))), None)
        settings = load_settings(config, store={"db": store.db})
    if not where or known is None:
        raise UsageError(
            f"call {call} is not in the database",
            hint='list the calls with: callqa sql "SELECT call_id FROM v_calls"',
        )
    transcript = original_of(
        where[0]["path"], where[0]["audio_sha256"], known[0], settings, settings.state_dir, reason.strip()
    )
    if as_json:
        _print_json(transcript)
    else:
        _print_turns(transcript)
