"""Exports: what is in them, and what a hostile caller cannot put in them."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import contract, export
from pipeline.conversation import CallRecord, Conversation, Evidence, Scorecard, Transcript, Turn
from pipeline.errors import UsageError
from pipeline.export import captions
from pipeline.export.contact_lens import contact_lens
from pipeline.export.names import FileNames, inert
from pipeline.export.packet.build import data_block
from pipeline.export.private import Redactor
from pipeline.export.selection import Call
from pipeline.export.vcon import vcon
from pipeline.privacy import redact
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store
from tests.example_calls import HOSTILE, example_conversation, example_metadata, example_records


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


CARD = "4111 1111 1111 1111"
SPOKEN_CARD = "four one one one, one one one one, one one one one, one one one one"


def planted() -> CallRecord:
    """A call stored unredacted, with a card number in its words, a quote, a nearest miss and a reason."""
    record = example_records(1)[0]
    conversation, card = record.conversation, record.scorecards[0]
    assert conversation is not None
    turns = list(conversation.transcript.turns)
    turns[3] = replace(turns[3], text=f"My card number is {CARD}, thanks")
    turns[5] = replace(turns[5], text=f"I said it is {SPOKEN_CARD}")
    transcript = replace(conversation.transcript, turns=tuple(turns))
    leak = Evidence(3, "customer", 18.0, 20.0, f"My card number is {CARD}", "phrase:card", 1.0)
    first = card.sections[0]
    answers = tuple(replace(a, evidence=(leak,), nearest=leak, reason=f"said {CARD}") for a in first.criteria)
    card = replace(card, sections=(replace(first, criteria=answers), *card.sections[1:]))
    finding = replace(conversation.findings[0], text=f"number {CARD}")
    conversation = replace(conversation, transcript=transcript, findings=(finding,))
    return replace(record, conversation=conversation, scorecards=(card,))


@pytest.mark.parametrize("form", sorted(export.FORMATS))
def test_no_export_carries_a_planted_card_number(tmp_path: Path, form: str) -> None:
    """Even when the database holds it: digits and words are searched for in every file, unzipped."""
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([planted()])
        paths = export.write(store, tmp_path / "out" / "all", form)
    for path in paths:
        files = [path.read_bytes()]
        if path.name == "all" and form == "xlsx":
            with zipfile.ZipFile(path) as archive:
                files = [archive.read(name) for name in archive.namelist()]
        if form == "parquet":
            files = [str(pq.read_table(path).to_pylist()).encode()]
        for content in files:
            text = content.decode("utf-8", "ignore")
            assert "4111" not in text, path
            assert "one one one one" not in text, path


@pytest.mark.parametrize("form", sorted(export.FORMATS))
def test_client_safe_exports_name_no_agent(db: Path, tmp_path: Path, form: str) -> None:
    """Not in a column, not in a quote, not where the agent says it."""
    filters = CallFilter(client="acme", rubric="support")
    with Store(db, read_only=True) as store:
        paths = export.write(store, tmp_path / "out", form, filters, client_safe=True)
    for path in paths:
        if form == "xlsx":
            with zipfile.ZipFile(path) as archive:
                text = " ".join(archive.read(name).decode("utf-8", "ignore") for name in archive.namelist())
        elif form == "parquet":
            text = str(pq.read_table(path).to_pylist())
        else:
            text = path.read_text("utf-8")
        assert not [name for name in ("Jennifer", "Moss", "Siddiqui", "a-101", "globex") if name in text], (
            path
        )


def test_client_safe_needs_one_client_and_rubric(db: Path, tmp_path: Path) -> None:
    """Without them it would show one client another's calls."""
    with Store(db, read_only=True) as store, pytest.raises(UsageError, match="one client and one rubric"):
        export.write(store, tmp_path / "x.html", "html", client_safe=True)


def test_vcon_follows_the_core_schema(db: Path, tmp_path: Path) -> None:
    """The rules of draft-ietf-vcon-vcon-core's JSON schema that apply to what is written."""
    with Store(db, read_only=True) as store:
        paths = export.write(store, tmp_path / "vcon", "vcon")
    for path in paths:
        document = json.loads(path.read_text("utf-8"))
        assert document["vcon"] == "0.4.0"
        assert uuid.UUID(document["uuid"]).version == 8
        assert dt.datetime.fromisoformat(document["created_at"]).tzinfo
        (dialog,) = document["dialog"]
        assert dialog["type"] == "recording"
        assert 10 < dialog["duration"] < 300
        assert dialog["originator"] == 1  # the customer called
        for analysis in document["analysis"]:
            assert {"type", "vendor", "schema", "dialog", "encoding", "body"} <= set(analysis)
        assert [a["type"] for a in document["analysis"]] == ["transcript", "sentiment", "report"]
    assert len({json.loads(p.read_text("utf-8"))["uuid"] for p in paths}) == 30


def test_vcon_never_invents_a_start() -> None:
    """A call without a start time has no dialog, and is still a valid vCon."""
    record = example_records(1)[0]
    assert record.metadata is not None
    call = Call(
        replace(record.metadata, started_at=None), record.scorecards, conversation=record.conversation
    )
    document = vcon(call)
    assert document["dialog"] == []
    assert all(analysis["dialog"] == [] for analysis in document["analysis"])


def test_captions_are_readable_and_complete() -> None:
    """Every word is in a cue, no cue is longer than two lines or seven seconds, times never run back."""
    transcript = example_conversation("c", 1, note=HOSTILE).transcript
    found = list(captions.cues(transcript))
    said = [word for turn in transcript.turns for word in turn.text.replace("\x07", "\ufffd").split()]
    assert [word for cue in found for word in cue.text.split()] == said
    assert all(cue.end_s - cue.start_s <= 7.001 for cue in found)
    assert [cue.start_s for cue in found] == sorted(cue.start_s for cue in found)


def test_webvtt_cannot_be_broken_out_of() -> None:
    """Markup that callers say is escaped; the voice tags are ours alone."""
    text = captions.vtt(example_conversation("c", 1, note=HOSTILE).transcript)
    assert text.startswith("WEBVTT\n\n00:00:01.000 --> ")
    assert set(re.findall(r"<[^>]*>", text)) == {"<v Agent>", "<v Customer>"}


def test_rttm_has_ten_columns() -> None:
    """A SPEAKER line per turn, channel from 1, times in seconds."""
    transcript = example_conversation("my call/1", 1).transcript
    lines = captions.rttm(transcript).splitlines()
    assert len(lines) == len(transcript.turns)
    assert all(len(line.split()) == 10 for line in lines)
    assert lines[0].split()[2:4] == ["1", "1.000"]


def test_contact_lens_times_are_milliseconds_and_sentiment_is_five_fold() -> None:
    """The shapes tools for Contact Lens read."""
    conversation = example_conversation("c", 1)
    call = Call(
        example_metadata("c"), (), conversation.metrics, conversation.transcript.duration_s, conversation
    )
    document = contact_lens(call)
    first = document["Transcript"][0]
    assert (first["BeginOffsetMillis"], first["ParticipantId"]) == (1000, "AGENT")
    overall = document["ConversationCharacteristics"]["Sentiment"]["OverallSentiment"]["CUSTOMER"]
    assert overall == pytest.approx(5 * conversation.sentiment["customer"].score, abs=0.01)
    assert document["Categories"]["MatchedDetails"]["risk.churn"]["PointsOfInterest"]


def test_parquet_columns_are_typed_and_described(db: Path, tmp_path: Path) -> None:
    """Numbers are numbers, and the schema says what each column means."""
    with Store(db, read_only=True) as store:
        calls, answers = export.write(store, tmp_path / "out", "parquet")
    table = pq.read_table(calls)
    assert table.num_rows == 30
    assert str(table.schema.field("final_score").type) == "double"
    assert b"0 to 100" in table.schema.field("final_score").metadata[b"comment"]
    assert pq.read_table(answers).num_rows == 180


NUMBER_TALK = [
    "four",
    "one",
    "five",
    "two",
    "zero",
    "double",
    "4111",
    "42",
    "11",
    "12/27",
    "twenty",
    "seven",
    "march",
    "oh",
    "and",
    "is",
    "um",
    "my",
    "card",
    "number",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(NUMBER_TALK), min_size=1, max_size=30))
def test_the_quick_look_misses_nothing(words: list[str]) -> None:
    """Whatever the full search would take out, the quick look lets it search for."""
    text = " ".join(words)
    policy = PrivacySettings()
    turn = Turn(turn=0, role="customer", text=text)
    full, _ = redact(Transcript("c", (turn,)), policy)
    assert Redactor(policy).text(text) == full.turns[0].text
