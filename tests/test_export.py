"""Exports: what is in them, and what a hostile caller cannot put in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import contract, export
from pipeline.conversation import Conversation, Scorecard
from pipeline.errors import UsageError
from pipeline.export.names import FileNames, inert
from pipeline.export.packet.build import data_block
from pipeline.store import CallFilter, Store
from tests.example_calls import example_records


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of thirty calls of three agents and two clients."""
    path = tmp_path_factory.mktemp("store") / "qa.duckdb"
    with Store(path) as store:
        store.load(example_records(30))
    return path


def test_workbook_has_a_row_per_scorecard_and_per_answer(db: Path, tmp_path: Path) -> None:
    """Calls and Answers carry everything the store has, with frozen headers and filters."""
    with Store(db, read_only=True) as store:
        (path,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
    book = openpyxl.load_workbook(path)
    calls, answers = book["Calls"], book["Answers"]
    assert calls.max_row == 31
    assert answers.max_row == 1 + 30 * 6
    assert calls.freeze_panes == answers.freeze_panes == "B2"
    assert calls.auto_filter.ref
    assert answers.protection.sheet
    heads = [cell.value for cell in answers[1]]
    entry = answers.cell(2, heads.index("Correct answer") + 1)
    assert entry.protection.locked is False
    assert answers.cell(2, 1).protection.locked is True
    assert any(v.sqref and v.formula1 == '"yes,no,na"' for v in answers.data_validations.dataValidation)


def test_no_cell_of_the_workbook_is_a_formula(db: Path, tmp_path: Path) -> None:
    """Hostile words stay words."""
    with Store(db, read_only=True) as store:
        (path,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows():
            assert not [cell.coordinate for cell in row if cell.data_type == "f"]


def test_csv_cells_are_inert(db: Path, tmp_path: Path) -> None:
    """No cell starts as a formula, and the table reads back complete."""
    with Store(db, read_only=True) as store:
        paths = export.write(store, tmp_path / "out", "csv")
    assert [p.name for p in paths] == ["calls.csv", "answers.csv"]
    with paths[1].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 180
    assert not [c for row in rows for c in row.values() if c[:1] in {"=", "+", "@"}]


def test_jsonl_lines_are_the_public_contract(db: Path, tmp_path: Path) -> None:
    """Each line gives back the very nouns that were stored."""
    with Store(db, read_only=True) as store:
        (path,) = export.write(store, tmp_path / "calls.jsonl", "jsonl", CallFilter(call_ids=("call-003",)))
    document = json.loads(path.read_text("utf-8"))
    stored = example_records(4)[3]
    assert contract.from_dict(Conversation, document["conversation"], source="line") == stored.conversation
    assert contract.from_dict(Scorecard, document["scorecards"][0], source="line") == stored.scorecards[0]


def test_filters_apply_to_every_format(db: Path, tmp_path: Path) -> None:
    """A client's export holds that client's calls only."""
    with Store(db, read_only=True) as store:
        export.write(store, tmp_path / "calls.jsonl", "jsonl", CallFilter(client="acme"))
    lines = (tmp_path / "calls.jsonl").read_text("utf-8").splitlines()
    assert {json.loads(line)["metadata"]["client"] for line in lines} == {"acme"}
    assert len(lines) == 15


def test_page_cannot_be_broken_out_of(db: Path, tmp_path: Path) -> None:
    """Words of callers appear in the page only inside JSON, with every angle bracket escaped."""
    with Store(db, read_only=True) as store:
        (path,) = export.write(store, tmp_path / "report.html", "html")
    page = path.read_text("utf-8")
    assert "<img" not in page
    assert "</script><script>window" not in page
    assert "default-src 'none'" in page
    assert "http://www.w3.org/2000/svg" in page
    assert "https://" not in page.replace("\\u003c", "")


@given(st.text())
def test_data_blocks_round_trip_any_text(text: str) -> None:
    """Escaping loses nothing, and nothing in a block can end it early."""
    block = data_block("x", {"t": text.encode("utf-8", "replace").decode()})
    inside = block.split(">", 1)[1].rsplit("</script>", 1)[0]
    assert not set("<>&") & set(inside)
    assert json.loads(inside)["t"] == text.encode("utf-8", "replace").decode()


@given(st.lists(st.text(min_size=1, max_size=120), unique=True, max_size=20))
def test_file_names_are_safe_and_never_collide(call_ids: list[str]) -> None:
    """Any ids, on any file system: no path, no reserved name, no two calls in one file."""
    names = FileNames()
    given_names = [names.of(call_id, ".srt") for call_id in call_ids]
    assert len({name.casefold() for name in given_names}) == len(call_ids)
    for name in given_names:
        assert not set('/\\:*?"<>|\0') & set(name)
        assert len(name) < 120
        assert name[0] not in ".-"


@pytest.mark.parametrize(("call_id", "name"), [("call-001", "call-001"), ("A.b_c", "A.b_c")])
def test_plain_ids_keep_their_names(call_id: str, name: str) -> None:
    """A file is named after its call."""
    assert FileNames().of(call_id) == name


@pytest.mark.parametrize("call_id", ["../../etc/passwd", "CON", "nul.txt", "a/b", "", "…", "a" * 300])
def test_hostile_ids_get_tame_names(call_id: str) -> None:
    """Path parts, reserved names and endless names are tamed and stay tellable apart."""
    name = FileNames().of(call_id, ".json")
    assert Path(name).name == name
    assert not name.upper().startswith(("CON.", "NUL."))


@given(st.text(min_size=1))
def test_inert_cells_never_start_a_formula(text: str) -> None:
    """Whatever the text, the cell does not begin with a character spreadsheets compute on."""
    assert str(inert(text))[0] not in "=+-@\t\r\n＝＋－＠"


def test_unknown_format_is_a_usage_error(db: Path, tmp_path: Path) -> None:
    """A wrong format names the right ones."""
    with Store(db, read_only=True) as store, pytest.raises(UsageError, match="docx") as caught:
        export.write(store, tmp_path / "x", "docx")
    assert "xlsx" in caught.value.hint
