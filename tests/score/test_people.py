"""Criteria of the kind ``manual``: what people answered counts once the call is scored again."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import export, rubric
from pipeline.calibrate import calibrate
from pipeline.cli.commands import app
from pipeline.conversation import CallRecord, Scorecard
from pipeline.matching import load_matcher
from pipeline.rescore import rescore
from pipeline.review.import_reviews import Report, import_reviews
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store
from tests.talk import exchange

FORM = """
rubric: desk
version: "1"
mode: question
pass_mark: 60
sections:
  - id: s
    criteria:
      - id: greeting
        question: Greeted?
        check: {kind: phrases, match: fuzzy, any: [thank you for calling]}
      - id: file
        question: Was the customer's file updated?
        check: {kind: manual, required: true}
      - id: closing
        question: Was it said?
        when: {answers: {file: yes}}
        check: {kind: phrases, match: fuzzy, any: [your file is up to date]}
"""
LINES = ("thank you for calling acme", "my address changed", "your file is up to date", "thanks")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two calls that wait for a person's answer."""
    with Store(tmp_path / "qa.duckdb") as opened:
        opened.load([call("one"), call("two")])
        assert {card.outcome for card in scored(opened).values()} == {"needs_review"}
        yield opened


def call(name: str) -> CallRecord:
    """A call of the client acme in which agent and customer take turns."""
    return exchange(name, LINES, client="acme")


def scored(store: Store, text: str = FORM) -> dict[str, Scorecard]:
    """The scorecards of all calls scored again, by call."""
    matcher = load_matcher(models=False)
    done = rescore(store, rubric.parse(text, "desk.yaml"), matcher, min_confidence=0.4)
    return {r.call_id: r.after for r in done}


def said(store: Store, tmp_path: Path, reviewer: str, answer: str, day: int = 2, **more: object) -> Report:
    """Import a packet's download in which somebody answers the manual criterion of the first call."""
    at = dt.datetime(2026, 11, day, 10, tzinfo=dt.UTC).isoformat()
    text = rubric.parse(FORM, "desk.yaml").hash
    given = {"call_id": "one", "rubric_hash": text, "criterion_id": "file", "answer": answer, "at": at}
    document = {"schema": "callqa.review/1", "reviewer": reviewer, "answers": [given], "calls": []} | more
    path = tmp_path / "review.json"
    path.write_text(json.dumps(document), "utf-8")
    return import_reviews(store, [path], privacy=PrivacySettings())


def answered(card: Scorecard) -> dict[str, str]:
    """The answers by criterion id."""
    return {a.id: a.answer for a in card.answers}


def test_a_persons_answer_counts_once_scored_again(store: Store, tmp_path: Path) -> None:
    """It decides score and outcome and what depends on it; its evidence says who answered and when."""
    said(store, tmp_path, "Amira Khan", "yes")
    cards = scored(store)
    assert (cards["one"].outcome, cards["one"].final_score) == ("pass", 100.0)
    assert answered(cards["one"]) == {"greeting": "yes", "file": "yes", "closing": "yes"}
    (evidence,) = cards["one"].answers[1].evidence
    assert (evidence.quote, evidence.rule) == ("Amira Khan: yes", "answered 2026-11-02")
    assert cards["two"].outcome == "needs_review"
    assert scored(store) == cards

    said(store, tmp_path, "Amira Khan", "no", day=3)
    card = scored(store)["one"]
    assert (card.outcome, card.final_score) == ("fail", 50.0)
    assert answered(card) == {"greeting": "yes", "file": "no", "closing": "na"}
    assert [r.human_answer for r in store.reviews()] == ["yes", "no"]


def test_people_who_differ_leave_it_undetermined(store: Store, tmp_path: Path) -> None:
    """Until one of them answers again; the evidence has both."""
    said(store, tmp_path, "Amira Khan", "yes")
    scored(store)
    said(store, tmp_path, "Tom", "no", day=3)
    card = scored(store)["one"]
    assert (card.outcome, answered(card)["file"]) == ("needs_review", "undetermined")
    assert card.review_reasons[0] == "file: people answered it differently"
    assert [e.quote for e in card.answers[1].evidence] == ["Amira Khan: yes", "Tom: no"]
    said(store, tmp_path, "tom", "yes", day=4)
    assert scored(store)["one"].outcome == "pass"


def test_corrections_of_the_machines_answers_change_no_score(store: Store, tmp_path: Path) -> None:
    """Only criteria left to people take people's answers."""
    said(
        store, tmp_path, "Amira", "", answers=[{"call_id": "one", "criterion_id": "greeting", "answer": "no"}]
    )
    assert len(store.reviews()) == 1
    assert answered(scored(store)["one"])["greeting"] == "yes"


def test_an_answer_belongs_to_its_question(store: Store, tmp_path: Path) -> None:
    """Other weights keep it; another question has not been answered."""
    said(store, tmp_path, "Amira", "yes")
    assert scored(store, FORM.replace("pass_mark: 60", "pass_mark: 70"))["one"].outcome == "pass"
    assert scored(store)["one"].outcome == "pass"
    other = scored(store, FORM.replace("file updated", "account closed"))["one"]
    assert (other.outcome, answered(other)["file"]) == ("needs_review", "undetermined")


def test_a_persons_answer_is_never_taken_for_the_machines(store: Store, tmp_path: Path) -> None:
    """Neither a later answer nor a confirmation of the whole call agrees with the machine because of it."""
    said(store, tmp_path, "Amira", "yes")
    scored(store)
    said(store, tmp_path, "Tom", "yes")
    said(store, tmp_path, "Bilal", "", answers=[], calls=[{"call_id": "one", "confirmed": True}])
    given = {(r.reviewer, r.machine_answer) for r in store.reviews() if r.criterion_id == "file"}
    assert given == {("Amira", "undetermined"), ("Tom", "undetermined")}
    (row,) = [row for row in calibrate(store, CallFilter()).criteria if row.name == "file"]
    assert (row.n, row.abstained) == (0, 2)


@pytest.mark.parametrize("answer", ["no", "yes"])
def test_client_safe_exports_name_no_reviewer(store: Store, tmp_path: Path, answer: str) -> None:
    """The client sees the answer, not who gave it."""
    said(store, tmp_path, "Amira Khan", "yes")
    said(store, tmp_path, "Tom Bell", answer)
    scored(store)
    filters = CallFilter(client="acme", rubric="desk")
    for safe in (False, True):
        (path,) = export.write(store, tmp_path / f"{safe}.jsonl", "jsonl", filters, client_safe=safe)
        text = path.read_text("utf-8")
        assert [name in text for name in ("Amira Khan", "Tom Bell")] == [not safe] * 2


def test_the_import_names_the_next_command(store: Store, tmp_path: Path) -> None:
    """Only where a manual criterion was answered."""
    assert said(store, tmp_path, "Amira", "yes").rescore == {"desk"}
    assert said(store, tmp_path, "Amira", "yes").rescore == set()
    said(store, tmp_path, "Tom", "yes")
    path, db = tmp_path / "review.json", tmp_path / "other.duckdb"
    with Store(db) as opened:
        opened.load([call("one")])
        scored(opened)
    done = CliRunner().invoke(app, ["review", "import", str(path), "--db", str(db)], catch_exceptions=False)
    assert "callqa rescore --rubric" in done.stderr


@pytest.mark.parametrize(("condition", "machine"), [("queue: [x]", "undetermined"), ("client: [x]", "na")])
def test_a_persons_answer_counts_whatever_the_condition_says(
    store: Store, tmp_path: Path, condition: str, machine: str
) -> None:
    """Who answered it knew that it applies."""
    when = f"when: {{metadata: {{{condition}}}}}"
    text = FORM.replace("check: {kind: manual", f"{when}\n        check: {{kind: manual")
    assert answered(scored(store, text)["one"])["file"] == machine
    said(store, tmp_path, "Amira", "yes")
    cards = scored(store, text)
    assert (cards["one"].outcome, answered(cards["one"])["file"]) == ("pass", "yes")
    assert answered(cards["two"])["file"] == machine
