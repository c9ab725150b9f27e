"""Exports: what is in them, and what a hostile caller cannot put in them."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import re
import shutil
import threading
import uuid
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import openpyxl
import pyarrow.parquet as pq
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from typer.testing import CliRunner

from pipeline import audio, contract, export
from pipeline.cli.commands import app
from pipeline.conversation import (
    AudioClip,
    CallRecord,
    Conversation,
    Evidence,
    LedgerEntry,
    Review,
    Scorecard,
    Transcript,
    Turn,
    Word,
)
from pipeline.csv_safety import inert
from pipeline.errors import UsageError
from pipeline.export import captions
from pipeline.export.contact_lens import contact_lens
from pipeline.export.names import FileNames
from pipeline.export.packet import data_block
from pipeline.export.private import Redactor
from pipeline.export.selection import ExportedCall
from pipeline.export.vcon import vcon
from pipeline.intake import discover
from pipeline.intake.transcripts import read_transcript
from pipeline.privacy import redact
from pipeline.settings import IntakeSettings, PrivacySettings
from pipeline.store import CallFilter, Store
from tests import talk
from tests.example_calls import (
    GRADED,
    HOSTILE,
    RUBRIC,
    example_conversation,
    example_metadata,
    example_records,
    graded_records,
)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of thirty calls of three agents and two clients."""
    path = tmp_path_factory.mktemp("store") / "qa.duckdb"
    with Store(path) as store:
        store.load(example_records(30))
    return path


def exported(db: Path, dest: Path, form: str, calls: CallFilter | None = None, **how: Any) -> list[Path]:
    """The files of an export of a database that is only read."""
    with Store(db, read_only=True) as store:
        return export.write(store, dest, form, calls or CallFilter(), **how)


def text_of(path: Path) -> str:
    """All that stands in a file, of whatever format it is."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return " ".join(archive.read(name).decode("utf-8", "ignore") for name in archive.namelist())
    content = path.read_bytes()
    return (
        str(pq.read_table(path).to_pylist()) if content[:4] == b"PAR1" else content.decode("utf-8", "ignore")
    )


ONE_CLIENT = CallFilter(client="acme", rubric="support")


def for_the_client(folder: Path, record: CallRecord, form: str) -> str:
    """A client-safe export of one call."""
    with Store(folder / "qa.duckdb") as store:
        store.load([record])
    paths = exported(folder / "qa.duckdb", folder / "out" / "all", form, ONE_CLIENT, client_safe=True)
    return "".join(map(text_of, paths))


def test_workbook_has_a_row_per_scorecard_and_per_answer(db: Path, tmp_path: Path) -> None:
    """Calls and Answers carry everything the store has, with frozen headers and filters."""
    (path,) = exported(db, tmp_path / "review.xlsx", "xlsx")
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


def test_a_transcript_of_unknown_length_lasts_no_hours_and_lost_no_recording(tmp_path: Path) -> None:
    """The workbook counts calls alone; the packet says that the call came without sound."""
    record = example_records(1)[0]
    (tmp_path / "c.json").write_text("{}")
    transcript = replace(record.conversation.transcript, duration_s=None)
    record = replace(
        record,
        ledger=replace(record.ledger, path=str(tmp_path / "c.json")),
        conversation=replace(record.conversation, transcript=transcript),
    )
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([record])
        (book,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
        (page,) = export.write(store, tmp_path / "report.html", "html")
    assert openpyxl.load_workbook(book)["Summary"]["A2"].value.startswith("1 call, 05 Oct")
    assert "the file has no sound to play" in page.read_text("utf-8")


def test_each_row_of_the_workbook_offers_its_own_answers(tmp_path: Path) -> None:
    """A graded row's drop-down holds its grades, commas and all; the others yes, no, na."""
    with Store(tmp_path / "qa.duckdb") as store:
        store.load(graded_records(3), [GRADED])
        (path,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
    book = openpyxl.load_workbook(path)
    answers = book["Answers"]
    heads = {cell.value: cell.column for cell in answers[1]}
    rules = {
        cell.row: rule.formula1
        for rule in answers.data_validations.dataValidation
        for area in rule.sqref.ranges
        for (cell,) in answers[area.coord if ":" in area.coord else f"{area.coord}:{area.coord}"]
    }
    asked = {row: answers.cell(row, heads["Criterion id"]).value for row in range(2, 8)}
    assert {rules[row] for row, criterion in asked.items() if criterion == "greeting"} == {'"yes,no,na"'}
    (graded,) = {rules[row] for row, criterion in asked.items() if criterion == "empathy"}
    sheet, area = graded.lstrip("=").split("!")
    offered = [cell.value for cell in book[sheet][area.replace("$", "")][0]]
    assert offered == ["named the feeling, and why", "said sorry", "none of these", "na"]
    assert book[sheet].sheet_state == "hidden"


def test_agents_of_two_clients_are_never_counted_as_one(tmp_path: Path) -> None:
    """Both clients have an agent 101 in a team blue; workbook and packet count and name them apart."""
    records = [
        replace(r, metadata=replace(r.metadata, client=client, agent_id="101", agent_name=name, team="blue"))
        for r, (client, name) in zip(
            example_records(5), [("acme", "Sara Khan")] * 3 + [("globex", "Tom Hill")] * 2, strict=True
        )
    ]
    with Store(tmp_path / "qa.duckdb") as store:
        store.load(records)
        (path,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
        export.write(store, tmp_path / "report.html", "html")
    heads, *rows = openpyxl.load_workbook(path)["Agents"].iter_rows(values_only=True)
    shown = [heads.index(name) for name in ("Agent", "Client", "Scorecards")]
    assert {tuple(row[i] for i in shown) for row in rows} == {
        ("Sara Khan", "acme", 3),
        ("Tom Hill", "globex", 2),
    }
    page = (tmp_path / "report.html").read_text("utf-8")
    for name, client in (("Sara Khan", "acme"), ("Tom Hill", "globex"), ("blue", "acme"), ("blue", "globex")):
        assert re.search(rf'"name": ?"{name}", ?"team": ?"(blue)?", ?"client": ?"{client}"', page)


def test_a_voicemail_counts_for_no_criterion(tmp_path: Path) -> None:
    """Nobody could greet the customer; the workbook's rates are of the other call."""
    call, voicemail = example_records(2)
    (card,) = voicemail.scorecards
    card = replace(card, outcome="not_scored", final_score=None, review_reasons=("voicemail",))
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([call, replace(voicemail, scorecards=(card,))])
        (path,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
    heads, *rows = openpyxl.load_workbook(path)["Criteria"].iter_rows(values_only=True)
    counts = [heads.index(name) for name in ("Yes", "No", "Not applicable", "Undetermined")]
    assert [sum(row[i] for i in counts) for row in rows] == [1] * len(card.answers)


def test_what_people_said_is_in_the_workbook(db: Path, tmp_path: Path) -> None:
    """The audit trail, newest first, and what their answers do to agreement."""
    copy = Path(shutil.copy(db, tmp_path / "qa.duckdb"))
    with Store(copy) as store:
        store.save_reviews(planted_reviews())
        (path,) = export.write(store, tmp_path / "review.xlsx", "xlsx")
    book = openpyxl.load_workbook(path)
    rows = [[cell.value for cell in row] for row in book["Reviews"].iter_rows(min_row=2)]
    assert [(row[1], row[6]) for row in rows] == [("Tom", "disputed"), ("Amira", "submitted")]
    assert book["Agreement"]["A2"].value == "greeting"


def test_no_cell_of_the_workbook_is_a_formula(db: Path, tmp_path: Path) -> None:
    """Hostile words stay words."""
    (path,) = exported(db, tmp_path / "review.xlsx", "xlsx")
    for sheet in openpyxl.load_workbook(path):
        for row in sheet.iter_rows():
            assert not [cell.coordinate for cell in row if cell.data_type == "f"]


def test_csv_cells_are_inert(db: Path, tmp_path: Path) -> None:
    """No cell starts as a formula, and the table reads back complete."""
    paths = exported(db, tmp_path / "out", "csv")
    assert [p.name for p in paths] == ["calls.csv", "answers.csv"]
    with paths[1].open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 180
    assert not [c for row in rows for c in row.values() if c[:1] in {"=", "+", "@"}]


def test_jsonl_lines_are_the_public_contract(db: Path, tmp_path: Path) -> None:
    """Each line gives back the very objects that were stored."""
    (path,) = exported(db, tmp_path / "calls.jsonl", "jsonl", CallFilter(call_ids=("call-003",)))
    document = json.loads(path.read_text("utf-8"))
    stored = example_records(4)[3]
    assert contract.from_dict(Conversation, document["conversation"], source="line") == stored.conversation
    assert contract.from_dict(Scorecard, document["scorecards"][0], source="line") == stored.scorecards[0]


def test_filters_apply_to_every_format(db: Path, tmp_path: Path) -> None:
    """A client's export holds that client's calls only."""
    (path,) = exported(db, tmp_path / "calls.jsonl", "jsonl", CallFilter(client="acme"))
    lines = path.read_text("utf-8").splitlines()
    assert {json.loads(line)["metadata"]["client"] for line in lines} == {"acme"}
    assert len(lines) == 15


@pytest.mark.parametrize("form", sorted(export.FORMATS))
def test_an_export_of_one_client_names_no_file_of_another(tmp_path: Path, form: str) -> None:
    """Nor in the workbook's Coverage sheet, which lists damaged and skipped files by their paths."""
    good, skipped = example_records(2)
    damaged = LedgerEntry("/in/globex/ann_smith.wav", "s", "ann", "quarantined", error="globex: cut off")
    aside = replace(skipped.ledger, path="/in/acme/late.wav", status="skipped", reason="no_rubric")
    records = [
        replace(good, metadata=replace(good.metadata, client="acme")),
        replace(skipped, metadata=replace(skipped.metadata, client="acme"), ledger=aside, scorecards=()),
        CallRecord(damaged),
    ]
    with Store(tmp_path / "qa.duckdb") as store:
        store.load(records)
    dest = tmp_path / ("out.xlsx" if form == "xlsx" else "out")
    paths = exported(tmp_path / "qa.duckdb", dest, form, CallFilter(client="acme"))
    assert not [path for path in paths if "globex" in text_of(path)]
    if form == "xlsx":
        assert "late.wav" in text_of(dest)
        assert "ann_smith" in text_of(exported(tmp_path / "qa.duckdb", tmp_path / "all.xlsx", form)[0])


def test_page_cannot_be_broken_out_of(db: Path, tmp_path: Path) -> None:
    """Words of callers appear in the page only inside JSON, with every angle bracket escaped."""
    (path,) = exported(db, tmp_path / "report.html", "html")
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


def test_an_id_that_is_another_ids_file_name_does_not_collide() -> None:
    """A plain id that reads like the safe name of another: two files, whichever comes first."""
    twin = FileNames().of("b/c")
    for first, second in (("b/c", twin), (twin, "b/c")):
        names = FileNames()
        assert names.of(first) == twin
        assert names.of(second) != twin


@pytest.mark.parametrize(("call_id", "name"), [("call-001", "call-001"), ("A.b_c", "A.b_c")])
def test_plain_ids_keep_their_names(call_id: str, name: str) -> None:
    """A file is named after its call."""
    assert FileNames().of(call_id) == name


@pytest.mark.parametrize("call_id", ["../../etc/passwd", "CON", "nul.txt", "a/b", "", "…", "a" * 300])
def test_unsafe_ids_get_safe_file_names(call_id: str) -> None:
    """Path parts, reserved names and endless names become safe file names, and stay different."""
    name = FileNames().of(call_id, ".json")
    assert Path(name).name == name
    assert not name.upper().startswith(("CON.", "NUL."))


@given(st.text(min_size=1))
def test_inert_cells_never_start_a_formula(text: str) -> None:
    """Whatever the text, the cell does not begin with a character spreadsheets compute on."""
    assert str(inert(text))[0] not in "=+-@\t\r\n＝＋－＠"


def test_an_export_without_calls_says_which_option_is_the_reason(db: Path, tmp_path: Path) -> None:
    """A client's report that is empty by a mistyped name would look like a quiet week."""

    def said(*options: str) -> str:
        command = ["export", str(tmp_path / "out"), "-f", "csv", "--db", str(db), *options]
        return CliRunner().invoke(app, command, catch_exceptions=False).stderr

    assert "no client 'Acme' here; did you mean 'acme'?" in said("--client", "Acme")
    for wrong, why in (
        ("--outcome failed", "no outcome 'failed'; did you mean 'fail'?"),
        ("--direction both", "no direction 'both'; known here: inbound"),
        ("--since 2026-11-31", "there is no day or time 2026-11-31"),
        ("--since 2026-11-02 --until 2026-11-01", "--since 2026-11-02 00:00:00 is not before --until"),
    ):
        with pytest.raises(UsageError) as caught:
            said(*wrong.split())
        assert why in caught.value.message
    assert "no call matches these options together" in said("--client", "acme", "--until", "2001-01-01")
    assert "no call" not in said("--client", "acme")


def test_unknown_format_is_a_usage_error(db: Path, tmp_path: Path) -> None:
    """A wrong format names the right ones."""
    with pytest.raises(UsageError, match="docx") as caught:
        exported(db, tmp_path / "x", "docx")
    assert "xlsx" in caught.value.hint


CARD = "4111 1111 1111 1111"
SPOKEN_CARD = "four one one one, one one one one, one one one one, one one one one"


def planted() -> CallRecord:
    """A call stored unredacted, with a card number in its words, a quote, a nearest miss and a reason."""
    record = example_records(1)[0]
    conversation, card = record.conversation, record.scorecards[0]
    turns = list(conversation.transcript.turns)
    turns[3] = replace(turns[3], text=f"My card number is {CARD}, thanks")
    turns[5] = replace(turns[5], text=f"I said it is {SPOKEN_CARD}")
    transcript = replace(conversation.transcript, turns=tuple(turns))
    leak = Evidence(3, "customer", 18.0, 20.0, f"My card number is {CARD}", "phrase:card", 1.0)
    first = card.sections[0]
    answers = tuple(replace(a, evidence=(leak,), nearest=leak, reason=f"said {CARD}") for a in first.criteria)
    card = replace(card, sections=(replace(first, criteria=answers), *card.sections[1:]))
    heard = replace(conversation.findings[0], text=f"number {CARD}")
    promise = replace(heard, kind="promise", label=f"charge {SPOKEN_CARD}", value=f"i: charge {SPOKEN_CARD}")
    conversation = replace(conversation, transcript=transcript, findings=(heard, promise))
    card = replace(card, autofail_reasons=(f"heard {CARD}",), review_reasons=(f"heard {CARD}",))
    metadata = replace(record.metadata, extra={"note": f"paid with {CARD}"})
    return replace(record, metadata=metadata, conversation=conversation, scorecards=(card,))


def planted_reviews() -> list[Review]:
    """Two people who write the number down, one where it is the quote they disagree on."""
    said = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    common = ("call-000", RUBRIC.hash)
    return [
        Review("r1", *common, "greeting", "no", "yes", "Amira", said, f"she said {CARD}", source="a.xlsx"),
        Review("r2", *common, None, None, None, "Tom", said, f"he said {SPOKEN_CARD}", "disputed", "a.xlsx"),
    ]


@pytest.mark.parametrize("form", sorted(export.FORMATS))
def test_no_export_carries_a_planted_card_number(tmp_path: Path, form: str) -> None:
    """Even when the database holds it: digits and words are searched for in every file, unzipped."""
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([planted()])
        store.save_reviews(planted_reviews())
        paths = export.write(store, tmp_path / "out" / "all", form)
    for path in paths:
        text = text_of(path)
        assert "4111" not in text, path
        assert "one one one one" not in text, path


def heard(mp3: bytes, start_s: float, end_s: float) -> float:
    """Loudness (RMS) of what can be heard between two times of an encoded recording."""
    with av.open(io.BytesIO(mp3)) as container:
        frames = [frame.to_ndarray().astype(np.float64) for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    part = np.concatenate(frames, axis=1)[:, int(start_s * rate) : int(end_s * rate)]
    return float(np.sqrt((part**2).mean()))


@pytest.mark.parametrize("dest", ["packet", "report.html"])
def test_a_card_number_is_not_heard_in_a_packet(tmp_path: Path, dest: str) -> None:
    """Beside the page or inside it: silence where the number is spoken, sound before and after."""
    record = planted()
    turns = record.conversation.transcript.turns
    tone = np.sin(2 * np.pi * 300 * np.arange(80 * 8000) / 8000) * 0.3
    soundfile.write(tmp_path / "call-000.wav", np.stack([tone, tone], axis=1), 8000)
    record = replace(record, ledger=replace(record.ledger, path=str(tmp_path / "call-000.wav")))
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([record])
        page, *sounds = export.write(store, tmp_path / dest, "html")
    embedded = re.search(r"data:audio/mpeg;base64,([^\"]+)", page.read_text("utf-8"))
    mp3 = sounds[0].read_bytes() if sounds else base64.b64decode(embedded[1] if embedded else "")
    loud = heard(mp3, turns[0].start_s, turns[0].end_s)
    for turn in (turns[3], turns[5]):  # "My card number is 4111…", "I said it is four one one one…"
        assert heard(mp3, turn.start_s + 0.1, turn.end_s - 0.1) < loud / 100
    assert heard(mp3, turns[7].start_s, turns[7].end_s) == pytest.approx(loud, rel=0.2)


def test_recordings_are_made_on_all_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once on two cores, no third one waits in memory, and each call keeps its own recording."""
    records = example_records(5)
    for n, record in enumerate(records):
        path = tmp_path / f"{n}.wav"
        tone = np.sin(2 * np.pi * 300 * np.arange(8000 * (5 - n)) / 8000) * 0.3  # the first takes longest
        soundfile.write(path, tone, 8000)
        records[n] = replace(record, ledger=replace(record.ledger, path=str(path)))
    together, encode = threading.Barrier(2, timeout=20), audio.encode
    lock, clips, most = threading.Lock(), [0], [0]

    def watched(clip: AudioClip, path: Path, *args: Any, **spans: Any) -> None:
        with lock:
            clips[0] += 1
            most[0] = max(most[0], clips[0])
        if not path.stem.endswith("4"):  # the fifth has no partner
            together.wait()
        encode(clip, path, *args, **spans)
        with lock:
            clips[0] -= 1

    monkeypatch.setattr(audio, "encode", watched)
    monkeypatch.setattr("pipeline.export.sound.cores", lambda: 2)
    seen: list[int] = []
    with Store(tmp_path / "qa.duckdb") as store:
        store.load(records)
        _, *mp3s = export.write(
            store, tmp_path / "packet", "html", progress=lambda done, _: seen.append(done)
        )
    assert most == [2]
    assert seen == [0, 1, 2, 3, 4, 5]
    assert [path.stem for path in mp3s] == [f"call-{n:03}" for n in range(5)]
    lengths = [path.stat().st_size for path in mp3s]
    assert lengths == sorted(lengths, reverse=True)


def test_a_packet_keeps_no_recording_of_the_packet_before(tmp_path: Path) -> None:
    """Who gets the folder hears the calls of its page only; a file that callqa did not write there stays."""
    sound, folder, mine = tmp_path / "a.wav", tmp_path / "packet", tmp_path / "packet" / "audio" / "my.mp3"
    soundfile.write(sound, np.sin(np.arange(8000)) * 0.3, 8000)
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([replace(r, ledger=replace(r.ledger, path=str(sound))) for r in example_records(2)])
        for calls, audio_ in ((("call-000",), True), (("call-001",), True), (("call-001",), False)):
            export.write(store, folder, "html", CallFilter(call_ids=calls), audio=audio_)
            mine.write_bytes(b"")
            kept = {f"{call_id}.mp3" for call_id in calls if audio_}
            assert {path.name for path in mine.parent.iterdir()} == {"my.mp3"} | kept


@pytest.mark.parametrize("form", sorted(export.FORMATS))
def test_client_safe_exports_name_no_agent(db: Path, tmp_path: Path, form: str) -> None:
    """Not in a column, not in a quote, not where the agent says it."""
    for path in exported(db, tmp_path / "out", form, ONE_CLIENT, client_safe=True):
        text = text_of(path)
        assert not [name for name in ("Jennifer", "Moss", "Siddiqui", "a-101", "globex") if name in text], (
            path
        )


@pytest.mark.parametrize("form", ["contact-lens", "html", "jsonl"])
def test_client_safe_promises_name_no_agent(tmp_path: Path, form: str) -> None:
    """A promise's label and value are what was said, too."""
    record = example_records(1)[0]
    told = "send you an email from jennifer moss"
    promise = replace(record.conversation.findings[0], kind="promise", label=told, value=f"i: {told}")
    conversation = replace(record.conversation, findings=(promise,))
    text = for_the_client(tmp_path, replace(record, conversation=conversation), form)
    assert "send you an email from [AGENT]" in text
    assert "jennifer" not in text.lower()


@pytest.mark.parametrize("form", ["html", "jsonl", "vtt"])
def test_client_safe_hides_names_that_only_the_agent_says(tmp_path: Path, form: str) -> None:
    """A telephone system often knows a number only; customers' names and brands stay."""
    said = (
        ("agent", "Thank you for calling Harbor, this is Priya Sharma. Am I speaking with Mr Evans?"),
        ("customer", "Yes. Thank you, Priya, my bill is wrong."),
        ("agent", "میرا نام علی ہے"),
        ("agent", "This is Harbor again, my name is Bill. I'm from the billing team."),
        ("agent", "my name is jo"),
    )
    record = example_records(1)[0]
    turns = []
    for i, (role, text) in enumerate(said):
        words = tuple(Word(w, i * 9 + n / 2, i * 9 + n / 2 + 0.4) for n, w in enumerate(text.split()))
        turns.append(Turn(i, role, text, i * 9.0, i * 9.0 + 8, words=words))
    conversation = Conversation(replace(record.conversation.transcript, turns=tuple(turns)))
    metadata = replace(record.metadata, agent_name=None, agent_id="1017")
    text = for_the_client(tmp_path, replace(record, conversation=conversation, metadata=metadata), form)
    assert not [
        name for name in ("Priya", "Sharma", "علی", "Bill", "jo", "1017") if re.search(rf"\b{name}\b", text)
    ]
    assert "Evans" in text
    assert "the billing team" in text
    assert "my bill is wrong" in text
    assert "Harbor again" in text


@pytest.mark.parametrize(
    "said",
    [
        "Hi, Dana here from Harbor.",
        "Hello, it's Dana from Harbor.",
        "Good morning, Dana with Harbor.",
        "Dana from Harbor calling, is this a good time?",
        "dana this side from Harbor",
        "Ask for Dana when you call back.",
        "Thanks for calling Harbor, you've got Dana.",
        "Let me transfer you to Dana Bell, one of my colleagues.",
        "Max here from Harbor.",
        "You spoke to marcus bell yesterday.",
    ],
)
def test_client_safe_hides_names_however_they_are_given(tmp_path: Path, said: str) -> None:
    """Agents without a name in the metadata, and other agents of the database, whose names only it knows."""
    first, other = example_records(2)
    turns = talk.turns([("agent", said), ("customer", "Okay, I'm Robert.")])
    conversation = Conversation(replace(first.conversation.transcript, turns=turns))
    metadata = replace(first.metadata, agent_name=None, agent_id="1017")
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([replace(other, metadata=replace(other.metadata, agent_name="Marcus Bell"))])
    text = for_the_client(tmp_path, replace(first, conversation=conversation, metadata=metadata), "srt")
    assert not re.search("dana|bell|max|marcus", text, re.I)
    assert "[AGENT]" in text
    assert "Robert" in text


@pytest.mark.parametrize(
    "said",
    [
        "We are in Charlotte at Main Street.",
        "your bill from last month is here",
        "Will calling back help?",
        "Robert, can I help you with that?",
        "You got ten days from here. Ask for a refund.",
        "I'll put you through to the billing team.",
    ],
)
def test_client_safe_hides_no_other_words(tmp_path: Path, said: str) -> None:
    """Places, bills and the customer's own name stay."""
    (record,) = example_records(1)
    conversation = Conversation(replace(record.conversation.transcript, turns=talk.turns([("agent", said)])))
    assert said in for_the_client(tmp_path, replace(record, conversation=conversation), "srt")


@pytest.mark.parametrize("form", ["contact-lens", "html", "jsonl", "srt", "vcon", "vtt"])
def test_client_safe_words_name_no_agent(tmp_path: Path, form: str) -> None:
    """A name that the metadata spells otherwise is hidden in the words with their times too."""
    record = example_records(1)[0]
    first, *others = record.conversation.transcript.turns
    said = "Thank you for calling. My name is Allen. How can I help you?"
    words = tuple(Word(word, 0.5 * i, 0.5 * i + 0.4) for i, word in enumerate(said.split()))
    turns = (replace(first, role="agent", text=said, words=words), *others)
    transcript = replace(record.conversation.transcript, turns=turns)
    conversation = replace(record.conversation, transcript=transcript)
    text = for_the_client(tmp_path, replace(record, conversation=conversation), form)
    assert "Allen" not in text
    assert "[AGENT]" in text


def test_an_export_without_calls_says_so(db: Path, tmp_path: Path) -> None:
    """A mistyped client must not look like a client without faults."""
    answers = [
        CliRunner().invoke(app, [*command, "--db", str(db), "--client", client])
        for command in (["export", str(tmp_path / "x.xlsx")], ["review", "packet", str(tmp_path / "packet")])
        for client in ("acmee", "acme")
    ]
    assert [answer.exit_code for answer in answers] == [0] * 4
    assert ["no calls match" in answer.stderr for answer in answers] == [True, False, True, False]


def test_client_safe_needs_one_client_and_rubric(db: Path, tmp_path: Path) -> None:
    """Without them it would show one client another's calls."""
    with pytest.raises(UsageError, match="one client and one rubric"):
        exported(db, tmp_path / "x.html", "html", client_safe=True)


def vcon_calls() -> list[ExportedCall]:
    """Calls of every kind a vCon is made of: held, without a start, without anything known, a chat."""
    record = example_records(1)[0]
    meta, conversation = record.metadata, record.conversation

    def call(**changes: object) -> ExportedCall:
        known = replace(meta, **changes)
        return ExportedCall(known, conversation, record.scorecards, Path("a b.opus"))

    return [
        call(),
        call(hold_spans=((10.0, 20.5),), direction="outbound", agent_channel=1),
        call(started_at=None),
        call(agent_id=None, agent_name=None, client=None, team=None, direction="unknown"),
        call(medium="chat"),
    ]


def test_vcon_follows_the_core_draft() -> None:
    """Every kind of call is a document the draft's schema accepts; a broken one is refused."""
    validator = Draft7Validator(
        json.loads((Path(__file__).parents[1] / "vcon_core.schema.json").read_text("utf-8"))
    )
    for call in vcon_calls():
        document = json.loads(json.dumps(vcon(call)))
        assert [error.message for error in validator.iter_errors(document)] == []
        assert uuid.UUID(document["uuid"]).version == 8
    undated = vcon(vcon_calls()[2])
    assert undated["dialog"] == []  # a start is never invented
    assert all(analysis["dialog"] == [] for analysis in undated["analysis"])
    held = vcon(vcon_calls()[1])
    assert [event["event"] for event in held["dialog"][0]["party_history"]] == ["hold", "unhold"]
    assert (held["dialog"][0]["parties"], held["dialog"][0]["originator"]) == ([1, 0], 0)  # the agent called
    assert [a["type"] for a in held["analysis"]] == ["transcript", "sentiment", "report", "report"]
    assert not validator.is_valid(
        held | {"analysis": [{"type": "transcript", "encoding": "none", "body": {}}]}
    )
    assert not validator.is_valid(held | {"created_at": "yesterday"})


def test_vcon_is_read_by_the_vcon_library(tmp_path: Path) -> None:
    """The library (for Python 3.12 and newer) finds the documents valid and gives the transcript back."""
    library = pytest.importorskip("vcon", reason="the vcon library needs Python 3.12")
    for call in vcon_calls():
        path = tmp_path / "call.vcon.json"
        path.write_text(json.dumps(vcon(call)), "utf-8")
        assert library.Vcon.validate_file(str(path)) == (True, [])
        read = library.Vcon.load_from_file(str(path))
        assert read.analysis[0]["body"]["turns"][0]["text"].startswith("Thank you for calling")
        assert len(read.parties) == 2


def test_vcon_comes_back(db: Path, tmp_path: Path) -> None:
    """What callqa writes it reads again, word for word, with who called and when."""
    (path,) = exported(db, tmp_path / "vcon", "vcon", CallFilter(call_ids=("call-001",)))
    (received,) = discover([path], IntakeSettings())
    transcript = read_transcript(received)
    stored = example_records(2)[1]
    assert [turn.text for turn in transcript.turns] == [
        t.text.strip() for t in stored.conversation.transcript.turns
    ]
    assert [turn.role for turn in transcript.turns] == [t.role for t in stored.conversation.transcript.turns]


@pytest.mark.parametrize("call", vcon_calls())
def test_a_vcon_comes_back_with_what_calls_are_scored_by(call: ExportedCall, tmp_path: Path) -> None:
    """Its id, queue, agent, customer, zone and other columns: rubrics and figures go by them."""
    known = {"site": "lahore", "timezone": "Asia/Karachi", "extra": {"first_contact": "yes"}}
    call = replace(call, metadata=replace(call.metadata, **known))
    path = tmp_path / "a.vcon.json"
    path.write_text(json.dumps(vcon(call)), "utf-8")
    (received,) = discover([path], IntakeSettings())
    assert received.metadata == call.metadata
    assert received.warnings == ()


def test_captions_are_readable_and_complete() -> None:
    """Every word is in a cue, no cue is longer than two lines or seven seconds, times never run back."""
    transcript = example_conversation("c", 1, note=HOSTILE).transcript
    found = list(captions.cues(transcript))
    said = [word for turn in transcript.turns for word in turn.text.replace("\x07", "\ufffd").split()]
    assert [word for cue in found for word in cue.text.split()] == said
    assert all(cue.end_s - cue.start_s <= 7.001 for cue in found)
    assert [cue.start_s for cue in found] == sorted(cue.start_s for cue in found)


def test_a_word_that_ends_before_it_starts_does_not_shorten_a_cue() -> None:
    """Other tools write such words; the cue lasts until the last word starts."""
    words = (Word("a", 1.0, 2.0), Word("b", 5.0, 3.0), Word("c", 8.5, 9.0))
    said = Transcript("c", (Turn(0, "agent", "a b c", 1.0, 9.0, words=words),))
    assert [(cue.text, cue.start_s, cue.end_s) for cue in captions.cues(said)] == [
        ("a b", 1.0, 5.0),
        ("c", 8.5, 9.0),
    ]


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
    document = contact_lens(ExportedCall(example_metadata("c"), conversation))
    first = document["Transcript"][0]
    assert (first["BeginOffsetMillis"], first["ParticipantId"]) == (1000, "AGENT")
    overall = document["ConversationCharacteristics"]["Sentiment"]["OverallSentiment"]["CUSTOMER"]
    assert overall == pytest.approx(5 * conversation.sentiment["customer"].score, abs=0.01)
    assert document["Categories"]["MatchedDetails"]["risk.churn"]["PointsOfInterest"]


def test_parquet_columns_are_typed_and_described(db: Path, tmp_path: Path) -> None:
    """Numbers are numbers, and the schema says what each column means."""
    calls, answers = exported(db, tmp_path / "out", "parquet")
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


@settings(max_examples=300)
@given(st.lists(st.sampled_from(NUMBER_TALK), min_size=1, max_size=30))
def test_the_quick_look_misses_nothing(words: list[str]) -> None:
    """Whatever the full search would take out, the quick look lets it search for."""
    text = " ".join(words)
    policy = PrivacySettings()
    turn = Turn(turn=0, role="customer", text=text)
    full, _ = redact(Transcript("c", (turn,)), policy)
    assert Redactor(policy).text(text) == full.turns[0].text


def test_what_an_older_version_stored_of_another_language_is_redacted() -> None:
    """A PIN in Spanish words, in the transcript and in a quote of part of it."""
    call = vcon_calls()[0]
    said = (("agent", "¿Cuál es su clave secreta?"), ("customer", "cuatro cinco seis siete"))
    spanish = replace(call.conversation.transcript, turns=talk.turns(said), language="es")
    (card, *_) = call.scorecards
    quoted = card.with_answers(
        lambda answer: replace(answer, evidence=(Evidence(1, "customer", 1.0, 2.0, "cinco seis", "x"),))
    )
    told = replace(call, conversation=replace(call.conversation, transcript=spanish), scorecards=(quoted,))

    safe = Redactor(PrivacySettings()).call(told)

    assert safe.conversation.transcript.turns[1].text == "[PIN]"
    assert {one.quote for answer in safe.scorecards[0].answers for one in answer.evidence} == {"[PIN]"}
