"""The scorecard itself: why it is no pass, said once and read everywhere."""

import datetime as dt
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner

from pipeline import export
from pipeline.cli.batch_view import BatchView
from pipeline.cli.commands import app
from pipeline.cli.scorecard import clock
from pipeline.conversation import CriterionAnswer, Scorecard, SectionScore
from pipeline.export.packet.content import index_row
from pipeline.export.selection import ExportedCall
from pipeline.store import CallFilter, Store
from tests.store_factory import RUBRIC, record, scorecard

MISSED = tuple(
    CriterionAnswer(name, "no", points, 4.0, weight, scored=scored)
    for name, points, weight, scored in (
        ("cheap", 0.0, 1.0, True),
        ("dear", 0.0, 5.0, True),
        ("half", 2.0, 3.0, True),
        ("mid", 0.0, 2.0, True),
        ("info", 0.0, 9.0, False),
    )
)
PLAIN = Scorecard("c1", RUBRIC, 20.0, 20.0, "fail", (SectionScore("s", 20.0, MISSED),), pass_mark=75.0)
CASES = [
    (replace(PLAIN, outcome="pass"), ""),
    (PLAIN, "missed dear, mid, half, and 1 more"),
    (replace(PLAIN, autofail_reasons=("a: x", "b: y", "c: z")), "auto-fail: a: x; b: y, and 1 more"),
    (replace(PLAIN, outcome="needs_review", review_reasons=("a: weak", "b: weak")), "a: weak, and 1 more"),
    (replace(PLAIN, sections=()), "below the pass mark of 75"),
    (replace(PLAIN, sections=(), outcome="not_scored"), ""),
]


@pytest.mark.parametrize(("card", "why"), CASES)
def test_why_a_call_did_not_pass(card: Scorecard, why: str) -> None:
    """Auto-fails before doubts before the dearest misses; what does not count is never blamed."""
    assert card.why == why


@pytest.mark.parametrize("card", [card for card, _ in CASES])
def test_the_reason_reads_the_same_while_running_afterwards_and_in_the_packet(
    card: Scorecard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The batch's line, ``callqa status --calls``, the review packet's overview: one sentence."""
    call = replace(record("c1"), scorecards=(card,))
    BatchView().finished(call)
    assert capsys.readouterr().out.rstrip().endswith(card.why or "support")
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([call], [RUBRIC])
    told = CliRunner().invoke(app, ["status", "--calls", "--json", "--db", str(tmp_path / "qa.duckdb")])
    assert json.loads(told.stdout)["why"] == card.why
    assert index_row(ExportedCall(call.metadata, call.conversation, (card,)))["why"] == card.why


def test_a_call_is_shown_by_the_number_of_its_agent_and_the_clock_of_its_site(tmp_path: Path) -> None:
    """Telephone systems name no agents; ten past midnight in Karachi is no call of the day before."""
    about = {"agent_name": None, "agent_id": "101", "timezone": "Asia/Karachi"}
    late = dt.datetime(2026, 3, 15, 19, 10, tzinfo=dt.UTC)
    call = replace(record("c1", started_at=late, **about), scorecards=(PLAIN,))
    db = tmp_path / "qa.duckdb"
    with Store(db) as store:
        store.load([call], [RUBRIC])
        (book,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
    runner = CliRunner()
    assert (
        json.loads(runner.invoke(app, ["status", "--calls", "--json", "--db", str(db)]).stdout)["agent"]
        == "101"
    )
    assert (
        "101  ·  inbound  ·  2026-03-16T00:10+05:00"
        in runner.invoke(app, ["show", "c1", "--db", str(db)]).stdout
    )
    heads, row = openpyxl.load_workbook(book)["Calls"].values
    assert dict(zip(heads, row, strict=True))["Agent"] == "101"


def test_a_purged_call_keeps_no_reason_in_words(tmp_path: Path) -> None:
    """With its figures kept, the sentence goes with the other words."""
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([replace(record("c1"), scorecards=(scorecard("c1"),))], [RUBRIC])
        store.purge(CallFilter(call_ids=("c1",)), keep_figures=True)
        assert store.query("SELECT why FROM scorecards") == [{"why": ""}]


def test_a_database_from_before_gets_its_reasons(tmp_path: Path) -> None:
    """Scorecards stored when the reason was not kept have one after the migration."""
    cards = [replace(PLAIN, call_id="c1"), replace(scorecard("c2"), call_id="c2")]
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([replace(record(card.call_id), scorecards=(card,)) for card in cards], [RUBRIC])
        for column in ("why", "scorer"):
            store.connection.execute(f"ALTER TABLE scorecards DROP COLUMN {column}")
        store.connection.execute("DELETE FROM schema_migrations WHERE version = 0 OR version >= 3")
    with Store(tmp_path / "qa.duckdb") as store:
        told = store.query("SELECT call_id, why, scorer FROM v_scorecards ORDER BY call_id")
    assert told == [
        {"call_id": "c1", "why": "missed dear, mid, half, cheap", "scorer": ""},
        {"call_id": "c2", "why": "auto-fail: disclosure missing", "scorer": ""},
    ]


def test_without_torch_a_command_says_what_to_install() -> None:
    """A missing package is named with its remedy; it is nobody's bug."""
    call = "sample_audio/support-good.wav"
    program = "import sys; sys.modules['torch'] = None; from pipeline.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "transcribe", call],
        capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "the Python package 'torch' is not installed" in done.stderr
    assert "pip install callqa" in done.stderr


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, "–"), (0.9, "0:00"), (187, "3:07"), (4503.2, "1:15:03")]
)
def test_times_are_shown_as_the_packet_shows_them(seconds: float | None, shown: str) -> None:
    """In hours from an hour on."""
    assert clock(seconds) == shown
