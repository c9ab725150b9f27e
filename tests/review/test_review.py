"""The human loop: what is drawn for review, and what comes back from people."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pipeline import export
from pipeline.calibrate import tune
from pipeline.calibrate.pairs import newest_answers
from pipeline.conversation import CallMetadata, Review, RubricRef, SampledCall
from pipeline.errors import UsageError
from pipeline.review import import_reviews as importing
from pipeline.review.returned_files import read
from pipeline.review.sampling import draw, precision, random_sample
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store
from tests.example_calls import GRADED, RUBRIC, example_records, graded_records

import_reviews = partial(importing.import_reviews, privacy=PrivacySettings())


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of thirty calls of three agents and two clients."""
    path = tmp_path_factory.mktemp("store") / "qa.duckdb"
    with Store(path) as store:
        store.load(example_records(30))
    return path


@pytest.fixture
def db(loaded: Path, tmp_path: Path) -> Path:
    """A copy of it to write into."""
    return Path(shutil.copy(loaded, tmp_path / "qa.duckdb"))


def a_review(call_id: str, answer: str, reviewer: str = "Amira", minute: int = 0) -> Review:
    """One answer of one person."""
    return Review(
        review_id=f"{call_id} {reviewer} {minute}", call_id=call_id, rubric_hash=RUBRIC.hash,
        criterion_id="empathy", machine_answer="yes", human_answer=answer, reviewer=reviewer,
        reviewed_at=dt.datetime(2026, 11, 1, 9, minute, tzinfo=dt.UTC), reason="said sorry at 0:12",
    )  # fmt: skip


def test_reviews_are_kept_beside_the_machines_answer(db: Path) -> None:
    """Saving twice changes nothing; the machine's own answers stay as they were."""
    review = a_review("call-001", "no")
    with Store(db) as store:
        before = list(store.scorecards())
        assert store.save_reviews([review]) == 1
        assert store.save_reviews([review]) == 0
        assert store.reviews(CallFilter(call_ids=("call-001",))) == [review]
        assert list(store.scorecards()) == before


def test_agreement_counts_each_reviewers_last_word(db: Path) -> None:
    """Someone who changes her mind is counted once."""
    with Store(db) as store:
        store.save_reviews([a_review("call-001", "no"), a_review("call-001", "yes", minute=5)])
        store.save_reviews([a_review("call-002", "no", reviewer="Tom")])
        rows = store.query("SELECT reviews, agreement FROM v_agreement")
    assert rows == [{"reviews": 2, "agreement": 0.5}]


def test_a_draw_is_recorded_with_its_probabilities(db: Path) -> None:
    """The same draw recorded twice is one draw."""
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    drawn = [SampledCall("s1", "call-004", "random", "a-101 2026-W41", 7, 0.5, "random: 2 of 4", now)]
    with Store(db) as store:
        store.save_sample(drawn)
        store.save_sample(drawn)
        rows = store.query("SELECT call_id, probability, seed FROM samples")
    assert rows == [{"call_id": "call-004", "probability": 0.5, "seed": 7}]


def returned(tmp_path: Path, **changes: object) -> Path:
    """A packet's download, as a reviewer sends it back."""
    answer = {
        "call_id": "call-001", "rubric_hash": RUBRIC.hash, "criterion_id": "empathy", "answer": "no",
        "reason": "never said sorry", "at": "2026-11-02T10:00:00Z",
    }  # fmt: skip
    document = {"schema": "callqa.review/1", "reviewer": "Amira", "answers": [answer], "calls": []} | changes
    path = tmp_path / "review.json"
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_a_packets_download_is_kept_once(db: Path, tmp_path: Path) -> None:
    """The correction is stored with reviewer, time and reason; the same file again changes nothing."""
    path = returned(tmp_path)
    with Store(db) as store:
        assert import_reviews(store, [path]).stored == 1
        again = import_reviews(store, [path])
        (review,) = store.reviews()
    assert (again.stored, again.unchanged) == (0, 1)
    assert (review.reviewer, review.human_answer, review.reason) == ("Amira", "no", "never said sorry")
    assert review.reviewed_at == dt.datetime(2026, 11, 2, 10, tzinfo=dt.UTC)
    assert review.source == "review.json"


def test_a_confirmed_call_counts_as_agreement_on_every_answer(db: Path, tmp_path: Path) -> None:
    """Agreement needs the answers people left alone too; a correction beats the confirmation."""
    whole = {"call_id": "call-001", "rubric_hash": RUBRIC.hash, "confirmed": True, "state": "", "comment": ""}
    path = returned(tmp_path, calls=[whole])
    with Store(db) as store:
        answers = {
            row["criterion_id"]: row["answer"]
            for row in store.query("SELECT criterion_id, answer FROM answers WHERE call_id = 'call-001'")
        }
        import_reviews(store, [path])
        said = {r.criterion_id: r.human_answer for r in store.reviews()}
    decided = {k: v for k, v in answers.items() if v != "undetermined"}
    assert said == decided | {"empathy": "no"}


def test_a_comment_is_stored_without_what_the_policy_forbids(db: Path, tmp_path: Path) -> None:
    """A reviewer who quotes the customer's card in a comment puts no card number into the database."""
    said = "gave card 4111 1111 1111 1111, cvv 123, mail bob@example.com"
    answer = {"call_id": "call-001", "rubric_hash": RUBRIC.hash, "criterion_id": "empathy", "answer": "no"}
    whole = {"call_id": "call-001", "rubric_hash": RUBRIC.hash, "comment": said}
    path = returned(tmp_path, answers=[answer | {"reason": said}], calls=[whole])
    with Store(db) as store:
        assert import_reviews(store, [path]).stored == 2
        assert {r.reason for r in store.reviews()} == {"gave card [CARD], cvv [CVV], mail bob@example.com"}
        assert import_reviews(store, [path]).unchanged == 2


@pytest.mark.parametrize("order", [("mine", "whole"), ("whole", "mine")])
def test_a_confirmed_call_changes_no_answer_of_the_same_person(
    db: Path, tmp_path: Path, order: tuple[str, str]
) -> None:
    """Files that are imported one after the other say what they say together, in either order."""
    mine = returned(tmp_path).rename(tmp_path / "mine.json")
    confirmed = {
        "call_id": "call-001",
        "rubric_hash": RUBRIC.hash,
        "confirmed": True,
        "at": "2026-11-03T10:00:00Z",
    }
    returned(tmp_path, answers=[], calls=[confirmed]).rename(tmp_path / "whole.json")
    with Store(db) as store:
        import_reviews(store, [mine, tmp_path / "whole.json"])
        together = store.query("FROM v_agreement ORDER BY criterion_id")
        store.connection.execute("DELETE FROM reviews")
        for name in order:
            assert import_reviews(store, [tmp_path / f"{name}.json"]).conflicts == []
        said = {r.criterion_id: r.human_answer for r in newest_answers(store.reviews())}
        assert store.query("FROM v_agreement ORDER BY criterion_id") == together
        labels, _ = tune.labels(store.reviews(), [RUBRIC.hash])
    assert said["empathy"] == "no"
    assert labels["empathy"] == {"call-001": False}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"call_id": "call-999"}, "no call"),
        ({"criterion_id": "astrology"}, "no criterion"),
        ({"answer": "perhaps"}, "not an answer"),
    ],
)
def test_wrong_entries_are_named_and_the_rest_is_kept(
    db: Path, tmp_path: Path, change: dict[str, str], complaint: str
) -> None:
    """One bad entry costs one entry."""
    good = {"call_id": "call-002", "rubric_hash": RUBRIC.hash, "criterion_id": "empathy", "answer": "yes"}
    with Store(db) as store:
        report = import_reviews(store, [returned(tmp_path, answers=[good, good | change])])
    assert report.stored == 1
    assert complaint in report.rejected[0].what
    assert "answers[1]" in report.rejected[0].where


def test_a_word_that_says_neither_yes_nor_no_is_named(db: Path, tmp_path: Path) -> None:
    """Where people confirm a whole call they write many words; commas in a comment do not cut the columns."""
    path = tmp_path / "back.csv"
    head = "Call;Reviewer;Whole call checked;Decision;Comment\n"
    comment = '"so, well, then, yes, all, of, it"'
    checked = ("Done", "maybe", "no", "-")
    rows = [f"call-00{i};Amira;{word};;{comment}\n" for i, word in enumerate(checked, 1)]
    path.write_text(head + "".join(rows) + "call-005;Boss;;upheld;\n")
    with Store(db) as store:
        report = import_reviews(store, [path])
        reviews = store.reviews()
    assert [(p.where, p.what.split(" ")[0]) for p in report.rejected] == [
        ("back.csv row 3", "'maybe'"),
        ("back.csv row 6", "call"),
    ]
    assert {r.call_id for r in reviews if r.human_answer} == {"call-001"}
    assert {r.call_id for r in reviews} == {"call-001", "call-003", "call-004"}


def test_a_huge_cell_of_a_csv_is_refused_by_its_line(db: Path, tmp_path: Path) -> None:
    """Quotes that nobody closed swallow the rest of the file."""
    (tmp_path / "x.csv").write_text('Call,Reviewer,Correct answer\nc1,Ann,yes\nc2,Ann,"' + "no\n" * 100_000)
    with Store(db) as store, pytest.raises(UsageError, match=r"x.csv line \d+: not readable as CSV"):
        import_reviews(store, [tmp_path / "x.csv"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_quote_that_is_not_closed_loses_no_answer_in_silence(tmp_path: Path, delimiter: str) -> None:
    """The rows after it would become part of one comment; quotes that are closed are read as usual."""
    path = tmp_path / "x.csv"
    head = delimiter.join(["Call", "Reviewer", "Comment", "Correct answer"])
    text = head + "\n" + delimiter.join(["call-001", "Ann", '"she said ""no"", then left"', ""])
    path.write_text(text)
    assert [entry.reason for entry in read(path)] == ['she said "no", then left']

    path.write_text(text.replace('left"', "left") + f"\ncall-002{delimiter}Ann{delimiter}{delimiter}yes\n")
    with pytest.raises(
        UsageError, match=r"x.csv line 3: not readable as CSV: unexpected end of data"
    ) as told:
        read(path)
    assert "quote that is not closed" in told.value.hint


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """A database of six calls with a graded criterion: named the feeling, said sorry, neither, and again."""
    path = tmp_path / "graded.duckdb"
    with Store(path) as store:
        store.load(graded_records(6), [GRADED])
    return path


def a_grade(call: int, answer: str, **more: str) -> dict[str, str]:
    """One entry of a packet's download about the graded criterion."""
    item = {"call_id": f"call-{call:03d}", "rubric_hash": GRADED.hash, "criterion_id": "empathy"}
    return item | {"answer": answer} | more


def test_grades_are_kept_beside_the_machines_grade(graded: Path, tmp_path: Path) -> None:
    """A grade is understood by its label in any case; yes and no are refused with the grades on offer."""
    answers = [a_grade(0, "Said  Sorry".replace("  ", " ")), a_grade(1, "none of these"), a_grade(2, "yes")]
    with Store(graded) as store:
        report = import_reviews(store, [returned(tmp_path, answers=answers)])
        kept = {r.call_id: r for r in store.reviews()}
    assert report.stored == 2
    assert "“named the feeling, and why”, “said sorry”, “none of these”, “na”" in report.rejected[0].what
    first, second = kept["call-000"], kept["call-001"]
    assert (first.machine_said, first.said, first.human_answer) == (
        "named the feeling, and why",
        "said sorry",
        "yes",
    )
    assert (second.machine_said, second.said, second.human_answer) == ("said sorry", "none of these", "no")


def test_a_changed_grade_is_a_new_word_even_where_yes_stays_yes(graded: Path, tmp_path: Path) -> None:
    """The same reviewer corrects a grade in the same minute: the later grade is on record."""
    with Store(graded) as store:
        import_reviews(
            store, [returned(tmp_path, answers=[a_grade(0, "said sorry", at="2026-11-02T10:00:00Z")])]
        )
        later = a_grade(0, "named the feeling, and why", at="2026-11-02T10:00:00Z")
        report = import_reviews(store, [returned(tmp_path, answers=[later])])
        assert (report.stored, len(store.reviews())) == (1, 2)


def test_a_criterion_is_found_by_its_question(graded: Path, tmp_path: Path) -> None:
    """Who copies the visible columns into a sheet of their own has no criterion ids."""
    path = tmp_path / "mine.csv"
    path.write_text(
        "Call;Criterion;Correct answer;Reviewer\n"
        "call-001;How far did the agent show understanding?;na;Amira\n"
        "call-002;;no;Amira\n"
    )
    with Store(graded) as store:
        report = import_reviews(store, [path])
        (kept,) = store.reviews()
    assert (kept.criterion_id, kept.human_answer) == ("empathy", "na")
    assert "names no criterion" in report.rejected[0].what


def test_who_saw_the_machines_answers_is_not_blind(graded: Path, tmp_path: Path) -> None:
    """A blind session's answers carry its name, except from people who had reviewed the call openly."""
    with Store(graded) as store:
        import_reviews(store, [returned(tmp_path, reviewer="Tom", answers=[a_grade(0, "said sorry")])])
        for who in ("Tom", "Amira"):
            both = [a_grade(0, "na"), a_grade(1, "na")]
            report = import_reviews(store, [returned(tmp_path, reviewer=who, answers=both, blind="packet-7")])
            assert [p for p in report.conflicts if "not as blind" in p.what] == (
                report.conflicts[:1] if who == "Tom" else []
            )
        blind = {(r.reviewer, r.call_id) for r in store.reviews() if r.extra.get("blind") == "packet-7"}
    assert blind == {("Tom", "call-001"), ("Amira", "call-000"), ("Amira", "call-001")}


def test_answers_of_one_import_are_blind_until_an_open_one(graded: Path, tmp_path: Path) -> None:
    """As they would be in two imports: what counts is when the machine's answers were seen."""
    blind, seen = (tmp_path / name for name in ("blind.json", "seen.json"))
    for path, answer, minutes, session in (
        (blind, "na", (30, 10), {"blind": "packet-7"}),
        (seen, "said sorry", (20, 20), {}),
    ):
        answers = [a_grade(n, answer, at=f"2026-11-02T10:{m}:00Z") for n, m in enumerate(minutes)]
        returned(tmp_path, answers=answers, **session).rename(path)
    with Store(graded) as store:
        report = import_reviews(store, [blind, seen])
    assert [p.where for p in report.conflicts if "not as blind" in p.what] == ["call-000"]


def test_a_quotation_mark_before_a_comment_is_kept(db: Path, tmp_path: Path) -> None:
    """Only the apostrophe that keeps a spreadsheet from running a formula goes, and only from tables."""
    answer = {"call_id": "call-001", "rubric_hash": RUBRIC.hash, "criterion_id": "empathy", "answer": "no"}
    table = tmp_path / "back.csv"
    with Store(db) as store:
        for reason in ("'No' is what she said", "'=1+1"):
            import_reviews(store, [returned(tmp_path, answers=[answer | {"reason": reason}])])
            assert store.reviews()[-1].reason == reason
        for n, (written, reason) in enumerate((("'Yes' she said", "'Yes' she said"), ("'=1+1", "=1+1"))):
            table.write_text(
                "call_id,criterion_id,rubric_hash,override,reviewer,reason\n"
                f"call-00{n + 2},empathy,{RUBRIC.hash},no,Tom,{written}\n"
            )
            import_reviews(store, [table])
            assert store.reviews()[-1].reason == reason


def test_two_people_who_differ_are_reported_and_both_kept(db: Path, tmp_path: Path) -> None:
    """A double review is a conflict to settle, not something to overwrite."""
    with Store(db) as store:
        import_reviews(store, [returned(tmp_path)])
        other = {
            "call_id": "call-001",
            "rubric_hash": RUBRIC.hash,
            "criterion_id": "empathy",
            "answer": "yes",
        }
        report = import_reviews(store, [returned(tmp_path, reviewer="Tom", answers=[other])])
        assert len(store.reviews()) == 2
    assert "Amira no" in report.conflicts[0].what
    assert "Tom yes" in report.conflicts[0].what


def test_disputes_are_states_and_only_a_disputed_call_is_overturned(db: Path, tmp_path: Path) -> None:
    """Agent disputes, supervisor overturns; without a dispute there is nothing to overturn."""

    def decision(reviewer: str, state: str) -> Path:
        call = {"call_id": "call-005", "rubric_hash": RUBRIC.hash, "state": state, "comment": "line was bad"}
        return returned(tmp_path, reviewer=reviewer, answers=[], calls=[call])

    with Store(db) as store:
        early = import_reviews(store, [decision("Boss", "overturned")])
        assert (early.stored, len(early.rejected)) == (0, 1)
        import_reviews(store, [decision("Agent", "disputed")])
        import_reviews(store, [decision("Boss", "overturned")])
        trail = [(r.reviewer, r.state, r.reason) for r in store.reviews()]
    assert sorted(trail) == [("Agent", "disputed", "line was bad"), ("Boss", "overturned", "line was bad")]


def test_a_dispute_waits_under_a_newer_text_and_is_decided_there(db: Path, tmp_path: Path) -> None:
    """After the call is scored again, the risk queue, the packet and the import know of it until then."""
    newer = replace(RUBRIC, version="4", hash="4" * 16)
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)

    def decision(reviewer: str, state: str, text: RubricRef) -> Path:
        call = {"call_id": "call-005", "rubric_hash": text.hash, "state": state}
        return returned(tmp_path, reviewer=reviewer, answers=[], calls=[call])

    def waiting(store: Store) -> list[str]:
        queue = draw(store, CallFilter(), per_week=0, risky=99, seed=1, now=now)
        return [pick.call_id for pick in queue.picks if "not decided yet" in pick.reason]

    with Store(db) as store:
        import_reviews(store, [decision("Agent", "disputed", RUBRIC)])
        (card,) = store.scorecards(CallFilter(call_ids=("call-005",)))
        store.save_scorecards([replace(card, rubric=newer)], [newer])
        assert waiting(store) == ["call-005"]
        (page,) = export.write(store, tmp_path / "packet.html", "html", CallFilter(call_ids=("call-005",)))
        assert '"rubric":"support","reviewer":"Agent"' in page.read_text("utf-8").replace(" ", "")
        report = import_reviews(store, [decision("Boss", "overturned", newer)])
        assert (report.stored, report.rejected, waiting(store)) == (1, [], [])


def messy_workbook(exported: Path, dest: Path) -> None:
    """What a supervisor does to a workbook: a title above, columns moved, ids retyped, own columns added."""
    import openpyxl

    source = openpyxl.load_workbook(exported)["Answers"]
    rows = [[cell.value for cell in row] for row in source.iter_rows()]
    order = list(reversed(range(len(rows[0]))))
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Reviewed in the Tuesday meeting"])
    sheet.append([])
    sheet.append(["mine", *[rows[0][i] for i in order]])
    head = [cell.value for cell in sheet[3]]
    for row in rows[1:]:
        sheet.append(["x", *[row[i] for i in order]])
    sheet.append([None, *[rows[0][i] for i in order]])  # a header repeated for printing
    chosen = 0
    for row in sheet.iter_rows(min_row=4):
        cells = dict(zip(head, row, strict=False))
        if cells["Criterion id"].value == "empathy" and chosen < 3:
            chosen += 1
            cells["Call"].value = f"  {str(cells['Call'].value).upper()} "
            cells["Correct answer"].value = "Not applicable"
            cells["Reviewer"].value = "Amira"
            cells["Comment"].value = "wrong queue"
    book.save(dest)


def test_a_messy_workbook_is_understood(db: Path, tmp_path: Path) -> None:
    """Columns are found by heading, ids by their letters whatever the case, extra rows are passed over."""
    with Store(db) as store:
        export.write(store, tmp_path / "review.xlsx", "xlsx")
        messy_workbook(tmp_path / "review.xlsx", tmp_path / "messy.xlsx")
        report = import_reviews(store, [tmp_path / "messy.xlsx"])
        reviews = store.reviews()
    assert (report.stored, report.rejected) == (3, [])
    assert len(report.mended) == 3
    assert {(r.human_answer, r.reviewer, r.criterion_id) for r in reviews} == {("na", "Amira", "empathy")}


@pytest.mark.parametrize("properties", ["", "<dcterms:modified", "whole"])
def test_a_workbook_that_tells_no_time_is_as_old_as_its_file(
    db: Path, tmp_path: Path, properties: str
) -> None:
    """Programs other than Excel leave the document's properties out, or the time in them."""
    with Store(db) as store:
        export.write(store, tmp_path / "review.xlsx", "xlsx")
        messy_workbook(tmp_path / "review.xlsx", tmp_path / "messy.xlsx")
        path = tmp_path / "returned.xlsx"
        with zipfile.ZipFile(tmp_path / "messy.xlsx") as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                content = old.read(name)
                if name == "docProps/core.xml" and properties != "whole":
                    content = re.sub(rb"<dcterms:modified.*?</dcterms:modified>", b"", content)
                if name != "docProps/core.xml" or properties:
                    new.writestr(name, content)
        at = dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC)
        os.utime(path, (at.timestamp(), at.timestamp()))
        began = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5)
        import_reviews(store, [path])
        times = {r.reviewed_at for r in store.reviews()}
    assert len(times) == 1
    assert times.pop() > began if properties == "whole" else times == {at}


def test_an_untouched_workbook_says_nothing(db: Path, tmp_path: Path) -> None:
    """Empty entry columns are not agreement."""
    with Store(db) as store:
        export.write(store, tmp_path / "review.xlsx", "xlsx")
        report = import_reviews(store, [tmp_path / "review.xlsx"])
    assert (report.stored, report.unchanged, report.rejected) == (0, 0, [])


def filled(exported: Path, dest: Path, sheet: str, call_id: str, **entries: str) -> Path:
    """A workbook with the entries of one row filled in, the first row of the call on the sheet."""
    import openpyxl

    book = openpyxl.load_workbook(exported)
    heads = {cell.value: cell.column for cell in book[sheet][1]}
    row = next(r for r in range(2, 10_000) if book[sheet].cell(r, heads["Call"]).value == call_id)
    for name, value in entries.items():
        book[sheet].cell(row, heads[name.replace("_", " ")]).value = value
    book.save(dest)
    return dest


def test_a_workbooks_comment_is_the_persons_and_not_the_machines_reason(db: Path, tmp_path: Path) -> None:
    """The sheet has the machine's reason in a column before the person's comment."""
    with Store(db) as store:
        row, *_ = store.query("SELECT call_id FROM answers WHERE reason <> '' ORDER BY criterion, call_id")
        export.write(store, tmp_path / "review.xlsx", "xlsx", CallFilter(call_ids=(row["call_id"],)))
        entries = {"Correct_answer": "na", "Reviewer": "Cara", "Comment": "the line was bad"}
        path = filled(tmp_path / "review.xlsx", tmp_path / "a.xlsx", "Answers", row["call_id"], **entries)
        import_reviews(store, [path])
        (review,) = store.reviews()
    assert (review.human_answer, review.reason) == ("na", "the line was bad")


def test_a_comment_is_kept_where_nothing_is_answered(db: Path, tmp_path: Path) -> None:
    """A note for coaching beside a call or an answer is on record, and is no answer."""
    entries = {"Reviewer": "Cara", "Comment": "use it for training"}
    with Store(db) as store:
        export.write(store, tmp_path / "review.xlsx", "xlsx")
        paths = [
            filled(tmp_path / "review.xlsx", tmp_path / f"{sheet}.xlsx", sheet, "call-001", **entries)
            for sheet in ("Calls", "Answers")
        ]
        report = import_reviews(store, paths)
        again = import_reviews(store, paths)
        reviews = store.reviews()
        assert store.query("FROM v_agreement") == []
    assert (report.stored, report.rejected, again.stored, again.unchanged) == (2, [], 0, 2)
    assert {(r.criterion_id is None, r.human_answer, r.reason) for r in reviews} == {
        (True, None, "use it for training"),
        (False, None, "use it for training"),
    }


@pytest.mark.parametrize("place", ["packet", "workbook"])
def test_a_comment_on_a_confirmed_call_is_kept(db: Path, tmp_path: Path, place: str) -> None:
    """Who checked the whole call may also have something to say about it."""
    whole = {"call_id": "call-001", "rubric_hash": RUBRIC.hash, "confirmed": True, "comment": "coach her"}
    with Store(db) as store:
        if place == "packet":
            path = returned(tmp_path, answers=[], calls=[whole])
        else:
            export.write(store, tmp_path / "review.xlsx", "xlsx")
            entries = {"Whole_call_checked": "yes", "Reviewer": "Amira", "Comment": "coach her"}
            path = filled(tmp_path / "review.xlsx", tmp_path / "a.xlsx", "Calls", "call-001", **entries)
        import_reviews(store, [path])
        comments = [r.reason for r in store.reviews() if r.criterion_id is None]
        confirmed = [r for r in store.reviews() if r.human_answer]
    assert comments == ["coach her"]
    assert confirmed
    assert all(r.reason == "" for r in confirmed)


def test_a_workbooks_audit_trail_is_not_read_as_entries(db: Path, tmp_path: Path) -> None:
    """What Amira disputed is not disputed again by whoever returns a workbook that shows it."""
    call = {"call_id": "call-001", "rubric_hash": RUBRIC.hash, "state": "disputed", "comment": "not my call"}
    with Store(db) as store:
        import_reviews(store, [returned(tmp_path, calls=[call])])
        export.write(store, tmp_path / "review.xlsx", "xlsx")
        report = import_reviews(store, [tmp_path / "review.xlsx"], reviewer="Cara")
        assert {r.reviewer for r in store.reviews()} == {"Amira"}
    assert (report.stored, report.unchanged, report.rejected) == (0, 0, [])


@pytest.mark.parametrize("is_folder", [False, True])
@pytest.mark.parametrize("name", ["x.json", "x.xlsx", "x.csv", "x.docx"])
def test_files_that_are_no_review_are_refused(db: Path, tmp_path: Path, name: str, is_folder: bool) -> None:
    """Whatever the ending claims, nonsense or a folder is a usage error with a hint and nothing is kept."""
    if is_folder:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"\x00nonsense, more\n1,2\n")
    with Store(db) as store:
        with pytest.raises(UsageError) as caught:
            import_reviews(store, [tmp_path / name])
        assert store.reviews() == []
    assert caught.value.hint


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        ("xl/worksheets/sheet2.xml", b"</row>", b"<row>"),  # not XML
        ("xl/styles.xml", b"numFmtId", b"numFjjId"),  # an attribute nobody knows
    ],
)
def test_a_damaged_workbook_is_refused(db: Path, tmp_path: Path, part: str, old: bytes, new: bytes) -> None:
    """A book whose archive is whole and whose parts are not ends in a sentence, not in a traceback."""
    with Store(db) as store:
        export.write(store, tmp_path / "good.xlsx", "xlsx")
        with (
            zipfile.ZipFile(tmp_path / "good.xlsx") as good,
            zipfile.ZipFile(tmp_path / "x.xlsx", "w") as bad,
        ):
            for name in good.namelist():
                content = good.read(name)
                bad.writestr(name, content.replace(old, new) if name == part else content)
        with pytest.raises(UsageError, match="not a readable workbook"):
            import_reviews(store, [tmp_path / "x.xlsx"])


def test_random_sample_is_seeded_and_stratified(db: Path) -> None:
    """The same seed draws the same calls; every agent and week has its own; chances are recorded."""
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with Store(db) as store:
        first = draw(store, CallFilter(), per_week=1, risky=0, seed=5, now=now)
        again = draw(store, CallFilter(), per_week=1, risky=0, seed=5, now=now)
        other = draw(store, CallFilter(), per_week=1, risky=0, seed=6, now=now)
        rows = store.query("SELECT count(*) AS n, min(probability) AS least FROM samples WHERE seed = 5")
    assert [p.call_id for p in first.picks] == [p.call_id for p in again.picks]
    assert [p.call_id for p in first.picks] != [p.call_id for p in other.picks]
    assert len({p.stratum for p in first.picks}) == len(first.picks)
    assert rows[0]["n"] == 2 * len(first.picks), "a draw within the same second replaces none"
    assert 0 < rows[0]["least"] <= 1


def test_agents_of_two_clients_are_drawn_apart() -> None:
    """An agent 101 of each client has calls of their own in the sample."""
    monday = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
    calls = [
        CallMetadata(f"{client}-{i}", client=client, agent_id="101", started_at=monday)
        for client in ("acme", "globex")
        for i in range(4)
    ]
    picks = random_sample(calls, per_stratum=1, seed=1)
    assert [p.stratum for p in picks] == ["101 (acme) 2026-W45", "101 (globex) 2026-W45"]
    assert [p.group for p in precision(picks, 8)] == ["all calls", "101 (acme)", "101 (globex)"]


def test_weighting_by_chance_gives_the_population_back(db: Path) -> None:
    """Horvitz–Thompson: the sample's weights add up to all calls, so its rates are unbiased."""
    with Store(db) as store:
        metadata = [m for m, _ in store.conversations()]
    picks = random_sample(metadata, per_stratum=2, seed=1)
    assert sum(1 / p.probability for p in picks if p.probability) == pytest.approx(len(metadata))


def test_risk_queue_gives_its_reasons_worst_first(db: Path) -> None:
    """Auto-fails come first and every row says why."""
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    with Store(db) as store:
        queue = draw(store, CallFilter(), per_week=0, risky=10, seed=1, now=now)
        autofailed = store.query("SELECT count(*) AS n FROM scorecards WHERE len(autofail_reasons) > 0")[0][
            "n"
        ]
    risks = [p.risk for p in queue.picks]
    assert risks == sorted(risks, reverse=True)
    assert all("auto-fail" in p.reason for p in queue.picks[: min(autofailed, 10)])
    assert all(p.probability is None for p in queue.picks)


def test_the_next_risk_queue_has_disputes_and_no_reviewed_calls(db: Path, tmp_path: Path) -> None:
    """After the worst call is reviewed, others follow; a disputed one comes first until it is decided."""
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)

    def whole(call_id: str, **change: object) -> dict[str, object]:
        return {"call_id": call_id, "rubric_hash": RUBRIC.hash, **change}

    with Store(db) as store:
        first = draw(store, CallFilter(), per_week=0, risky=3, seed=1, now=now)
        worst, second, _ = (pick.call_id for pick in first.picks)
        seen = [whole(worst, confirmed=True), whole(second, comment="to be discussed")]
        import_reviews(store, [returned(tmp_path, answers=[], calls=seen)])
        after = draw(store, CallFilter(), per_week=0, risky=3, seed=1, now=now)
        disputed = [whole(worst, state="disputed")]
        import_reviews(store, [returned(tmp_path, reviewer="Agent", answers=[], calls=disputed)])
        again = draw(store, CallFilter(), per_week=0, risky=3, seed=1, now=now)
        decided = [whole(worst, state="upheld")]
        import_reviews(store, [returned(tmp_path, reviewer="Boss", answers=[], calls=decided)])
        last = draw(store, CallFilter(), per_week=0, risky=3, seed=1, now=now)
    assert (first.reviewed, after.reviewed, after.picks[0].call_id) == (0, 1, second)
    assert again.picks[0].call_id == worst
    assert again.picks[0].reason.startswith("disputed by Agent: not decided yet")
    assert worst not in {pick.call_id for pick in last.picks}


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_a_workbook_survives_libreoffice(db: Path, tmp_path: Path) -> None:
    """Filled in, opened and saved by LibreOffice (through its own format and back), then imported."""
    import openpyxl

    with Store(db) as store:
        export.write(store, tmp_path / "review.xlsx", "xlsx")
    book = openpyxl.load_workbook(tmp_path / "review.xlsx")
    heads = {cell.value: cell.column for cell in book["Answers"][1]}
    for row, answer in ((2, "na"), (3, "yes")):
        book["Answers"].cell(row, heads["Correct answer"]).value = answer
        book["Answers"].cell(row, heads["Reviewer"]).value = "Zoë"
    calls = {cell.value: cell.column for cell in book["Calls"][1]}
    book["Calls"].cell(4, calls["Decision"]).value = "disputed"
    book["Calls"].cell(4, calls["Reviewer"]).value = "Omar"
    book.save(tmp_path / "filled.xlsx")
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    for target, source in (("ods", "filled.xlsx"), ("xlsx", "filled.ods")):
        subprocess.run(
            ["soffice", profile, "--headless", "--convert-to", target, source],
            cwd=tmp_path,
            check=True,
            capture_output=True,
            timeout=120,
        )
    with Store(db) as store:
        report = import_reviews(store, [tmp_path / "filled.xlsx"])
        said = {(r.reviewer, r.human_answer, r.state) for r in store.reviews()}
    assert (report.stored, report.rejected) == (3, [])
    assert said == {("Zoë", "na", "submitted"), ("Zoë", "yes", "submitted"), ("Omar", None, "disputed")}
