"""A rubric that learns from people, tells its author what is too common, and knows its languages."""

import csv
import datetime as dt
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import confidence_intervals, rubric, score
from pipeline.calibrate import tune
from pipeline.cli.commands import app
from pipeline.cli.tuning import converse
from pipeline.confidence_intervals import clopper_pearson_above
from pipeline.conversation import CallMetadata, CallRecord, Conversation, LedgerEntry, Review, Transcript
from pipeline.errors import CallQAError
from pipeline.matching import load_matcher
from pipeline.rubric.checks import learning
from pipeline.rubric.edits import Change, diff, edited
from pipeline.store import Store
from tests import talk

MATCHER = load_matcher()
FORM = """rubric: desk
mode: question
pass_mark: 50
company: [Acme]
sections:
  - id: all
    criteria:
      - id: hold
        question: Did the agent ask the customer to wait?
        check:
          kind: phrases
          any:
            - Please hold the line
            - Bear with me a moment
      - id: farewell
        question: Did the agent say goodbye?
        check:
          kind: phrases
          any: [Thank you, Goodbye]
      - {id: brand, question: "Their name?", check: {kind: phrases, any: ["Welcome to {company}"]}}
"""
WAITS, CHATS = (
    "okay just bear with me one moment please",
    "the river was high this spring and the road closed",
)
ODD = "i'll be right with you in two ticks"


def conversation(name: str, *lines: str, language: str = "en", sure: float | None = None) -> Conversation:
    """A call in which the agent says the lines."""
    turns = talk.turns([("agent", line) for line in lines])
    return Conversation(Transcript(name, turns, language, 5.0 * len(lines), role_confidence=sure))


def review(call: str, answer: str, reviewer: str = "ana", form: str = "h") -> Review:
    """A person's answer to the criterion ``hold``."""
    when = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    return Review(f"{call}{reviewer}", call, form, "hold", "no", answer, reviewer, when)


def test_reviewers_who_differ_teach_nothing() -> None:
    """A call on which two people disagree is counted and left out."""
    said, differ = tune.labels(
        [review("a", "yes"), review("b", "no"), review("c", "yes"), review("c", "no", "bo")], {"h"}
    )
    assert said == {"hold": {"a": True, "b": False}}
    assert differ == {"hold": 1}


def test_the_newest_answer_of_a_person_counts_whatever_the_wording() -> None:
    """Also where the first and the last were given under one text of the rubric, and another between."""
    answers = [("yes", "h"), ("no", "other"), ("yes", "h")]
    said, _ = tune.labels([review("a", answer, form=form) for answer, form in answers], {"h", "other"})
    assert said == {"hold": {"a": True}}


def test_too_few_answers_are_told_and_change_nothing() -> None:
    """Below ten answers there is nothing to measure."""
    form = rubric.parse(FORM)
    calls = {"a": conversation("a", WAITS)}
    (one,) = tune.propose(form, calls, {"hold": {"a": True}}, [], MATCHER, {})
    assert one.change.threshold is None
    assert one.best is None
    assert "10 are needed" in one.note


def test_marked_quotes_become_phrases_and_are_measured_on_calls_they_do_not_come_from() -> None:
    """A wording that people call a yes is proposed, and what it does is told before and after."""
    form = rubric.parse(FORM)
    calls = {f"y{i}": conversation(f"y{i}", ODD, CHATS) for i in range(8)}
    calls |= {f"n{i}": conversation(f"n{i}", CHATS) for i in range(8)}
    said = {"hold": {name: name.startswith("y") for name in calls}}
    marks = [tune.Mark("hold", "y0", ODD, True), tune.Mark("hold", "y1", ODD, True)]

    (one,) = tune.propose(form, calls, said, marks, MATCHER, {})

    assert one.change.phrases == (ODD,)
    assert one.best.cost < one.now.cost
    assert one.best.wrong == 0
    assert "95 % sure" in one.best.statement


def test_a_quote_marked_both_ways_is_left_out() -> None:
    """Contradictory marks teach nothing."""
    check = learning(next(iter(rubric.parse(FORM).criteria())).check)
    assert check is not None
    both = [tune.Mark("hold", "a", ODD, True), tune.Mark("hold", "b", ODD, False)]
    assert tune.learnt(check, both) == check
    (one,) = tune.propose(rubric.parse(FORM), {}, {}, both, MATCHER, {})
    assert one.note.startswith(f"left out, marked both ways: “{ODD}”")


@pytest.mark.parametrize("met", [True, False])
def test_a_bound_moves_only_where_both_answers_are_known(met: bool) -> None:
    """If people only ever said yes, nobody can see which calls a lower bound would make a wrong yes."""
    now, moved = tune.Setting(0.5, 0.35), 0.4 if met else 0.6
    one_sided = [(moved, met)] * 16
    assert tune.best_setting(one_sided, now)[0] == now
    assert tune.best_setting([*one_sided, *[(0.0 if met else 0.9, not met)] * 5], now)[0] != now


def test_a_criterion_that_cannot_learn_or_is_disputed_throughout_is_listed() -> None:
    """Nobody who answered it is told that nobody did."""
    metric = "check: {kind: metric, metric: agent_words, min: 3}}"
    form = rubric.parse(f"{FORM}      - {{id: quick, question: Quick, {metric}\n")
    said = {"quick": dict.fromkeys(["a"], True)}
    told = {one.criterion: one.note for one in tune.propose(
        form, {"a": conversation("a", WAITS)}, said, [], MATCHER, {"hold": 24}
    )}  # fmt: skip
    assert told["quick"].startswith("nothing can be learnt")
    assert told["hold"].startswith("24 calls left out: reviewers differ")


ANCHORED = """
      - id: after_hold
        question: Did the agent say thank you after asking to wait?
        check: {kind: phrases, any: [Thank you], window: {after: {criterion: hold}}}
"""


def test_a_window_after_another_criterion_is_searched_where_that_is_met() -> None:
    """Thanks before the words of the other criterion do not count; without those, nothing is searched."""
    form = rubric.parse(FORM.rstrip() + ANCHORED)
    calls = {
        "after": conversation("after", WAITS, CHATS, "thank you for waiting"),
        "before": conversation("before", "thank you for calling", CHATS, WAITS),
        "never": conversation("never", CHATS, "thank you for calling"),
    }
    (check,) = [learning(c.check) for c in form.criteria() if c.id == "after_hold"]
    assert check is not None
    found = {name: score.find_matches(call, form, check, matcher=MATCHER)[0] for name, call in calls.items()}
    assert {name: len(hits) for name, hits in found.items()} == {"after": 1, "before": 0, "never": 0}
    (asked,) = [
        q for q in tune.questions(form, calls, {}, [], MATCHER, 9) if q[:2] == ("after_hold", "after")
    ]
    assert asked[2].turn == 2
    said = {"after_hold": {"after": True, "before": False}}
    assert tune.propose(form, calls, said, [], MATCHER, {})[0].note.startswith("2 answers of people")


@pytest.mark.parametrize(
    ("wrong", "n", "limit"), [(0, 50, 0.0582), (2, 50, 0.1206), (5, 100, 0.1023), (3, 3, 1.0), (0, 0, 1.0)]
)
def test_the_upper_limit_is_clopper_and_pearsons(wrong: int, n: int, limit: float) -> None:
    """One-sided 95 % limits as tables of the binomial have them."""
    assert confidence_intervals.clopper_pearson_above(wrong, n, confidence=0.95) == pytest.approx(
        limit, abs=5e-4
    )


SEVERAL = FORM.replace(
    """        check:
          kind: phrases
          any:
            - Please hold the line
            - Bear with me a moment
""",
    """        check:
          kind: any_of
          checks:
            - kind: phrases
              match: exact
              any: [wait there]
            - kind: phrases
              any:
                - Please hold the line
                - Bear with me a moment
""",
)


def test_the_part_of_a_check_that_goes_by_meaning_learns() -> None:
    """In an any_of the words go to the part by meaning; what another part meets is not asked about."""
    form = rubric.parse(SEVERAL, "desk.yaml")
    calls = {f"y{i}": conversation(f"y{i}", ODD, CHATS) for i in range(6)}
    calls |= {f"w{i}": conversation(f"w{i}", "just wait there", CHATS) for i in range(3)}
    calls |= {f"n{i}": conversation(f"n{i}", CHATS) for i in range(8)}
    said = {"hold": {name: not name.startswith("n") for name in calls}}
    marks = [tune.Mark("hold", "y0", ODD, True), tune.Mark("hold", "y1", ODD, True)]

    (one,) = tune.propose(form, calls, said, marks, MATCHER, {})

    assert (one.change.phrases, one.best and one.best.wrong) == ((ODD,), 0)
    asked = tune.questions(form, calls, said, [], MATCHER, 50)
    assert "hold" not in {criterion for criterion, call, _ in asked if call.startswith("w")}
    text, by_hand = edited(form, {"hold": Change(0.65, None, (ODD,), ("hold it",))})
    exact, meaning = next(c.check for c in rubric.parse(text).criteria() if c.id == "hold").checks
    assert (exact.any, exact.threshold, by_hand) == (("wait there",), 0.5, [])
    assert (meaning.any[-1], meaning.threshold, meaning.unless) == (ODD, 0.65, ("hold it",))


def test_edits_keep_the_authors_lines() -> None:
    """Phrases go to the end of their list, bounds under the kind; nothing else moves."""
    form = rubric.parse(FORM, "desk.yaml")
    text, by_hand = edited(
        form,
        {
            "hold": Change(0.65, 0.4, (ODD,), ('say "hold" only',)),
            "farewell": Change(phrases=("See you",)),
            "brand": Change(threshold=0.8),
        },
    )
    changed = rubric.parse(text)
    hold, farewell, brand = (c.check for c in changed.criteria())
    assert (hold.threshold, hold.unsure, hold.any[-1], hold.unless) == (0.65, 0.4, ODD, ('say "hold" only',))
    assert farewell.any == ("Thank you", "Goodbye", "See you")
    assert brand.threshold == 0.5
    assert by_hand == ["brand: by hand: threshold: 0.8"]
    removed = [line for line in diff(FORM, text, "desk.yaml").splitlines() if line.startswith("-")]
    assert removed == ["--- desk.yaml", "-          any: [Thank you, Goodbye]"]


def test_an_edit_that_would_land_in_a_comment_is_left_to_be_made_by_hand() -> None:
    """The last bracket of a line need not be the list's."""
    noted = FORM.replace("[Thank you, Goodbye]", "[Thank you, Goodbye]  # see [1]")
    text, by_hand = edited(rubric.parse(noted, "desk.yaml"), {"farewell": Change(phrases=("See you",))})
    assert (text, by_hand) == (noted, ["farewell: by hand: add to any: See you"])


def test_a_bound_that_stands_elsewhere_in_the_file_is_written_into_the_check() -> None:
    """A YAML merge brings the key, but no line of the check."""
    merged = """
rubric: desk
version: "1"
title: Desk
mode: section
sections:
  - id: s
    title: S
    criteria:
      - id: first
        question: q
        check: &base
          kind: phrases
          any: [Hold on a moment]
          threshold: 0.6
      - id: second
        question: q
        check:
          <<: *base
          kind: phrases
          any: [Thank you, Goodbye]
"""
    text, by_hand = edited(rubric.parse(merged), {"second": Change(threshold=0.7)})
    first, second = (c.check for c in rubric.parse(text).criteria())
    assert (first.threshold, second.threshold, by_hand) == (0.6, 0.7, [])


def desk(path: Path) -> Path:
    """A database of three stored calls, scored, one of them answered by a person."""
    form = rubric.parse(FORM)
    with Store(path) as store:
        for name, line in (("a", WAITS), ("b", CHATS), ("c", ODD)):
            call = conversation(name, line, CHATS)
            card = score.score(call, form, CallMetadata(name), min_confidence=0.4, matcher=MATCHER)
            entry = LedgerEntry(f"/{name}.json", name, name, "scored")
            store.load([CallRecord(entry, CallMetadata(name), call, (card,))], [form])
        store.save_reviews([review("a", "yes", form=form.hash)])
    return path


@pytest.fixture(name="db")
def _db(tmp_path: Path) -> Path:
    return desk(tmp_path / "qa.duckdb")


@pytest.fixture(name="form")
def _form(tmp_path: Path) -> Path:
    path = tmp_path / "desk.yaml"
    path.write_text(FORM)
    return path


def invoke(*words: str) -> tuple[int, str, str]:
    """Run a command; the error it ends with becomes text and code as at the command line."""
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, CallQAError):
        return result.exception.exit_code, result.stdout, str(result.exception)
    assert result.exception is None
    return result.exit_code, result.stdout, result.stderr


def test_the_command_asks_about_quotes_and_learns_from_the_marks(
    tmp_path: Path, db: Path, form: Path
) -> None:
    """Quotes go out as CSV, come back marked, and a diff comes out; the rubric itself is left alone."""
    asked = tmp_path / "ask.csv"
    code, out, _ = invoke("rubric", "tune", str(form), "--db", str(db), "--ask", str(asked))
    assert (code, out) == (0, "")
    rows = list(csv.DictReader(asked.open()))
    assert {row["criterion"] for row in rows} >= {"hold"}
    for row in rows:
        row["mark"] = "no" if row["criterion"] == "hold" and row["call_id"] == "a" else ""
    with asked.open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    new = tmp_path / "tuned.yaml"
    code, out, err = invoke(
        "rubric", "tune", str(form), "--db", str(db), "--marks", str(asked), "--write", str(new)
    )
    assert code == 0, err
    assert "+          unless: [" in out
    assert form.read_text() == FORM
    assert rubric.load(str(new)).id == "desk"
    marked = asked.read_text()
    code, _, err = invoke("rubric", "tune", str(form), "--db", str(db), "--ask", str(asked))
    assert code == 2
    assert "has marks, which would be lost" in err
    assert asked.read_text() == marked
    code, _, err = invoke("rubric", "tune", str(form), "--db", str(db), "--ask", str(new))
    assert (code, "holds no quotes to mark" in err) == (2, True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n", "no column"),
        ("criterion,call_id,quote,mark\nnope,a,x,yes\n", "no criterion 'nope'"),
        ("criterion,call_id,quote,mark\nhold,a,x,perhaps\n", "mark is 'perhaps'"),
        ("mark,criterion,call_id,quote\nyes,hold\n", "csv:2: the row needs a quote"),
        ("criterion;call_id;quote;mark\nhold;a; ;yes\n", "csv:2: the row needs a quote"),
        (f"criterion,call_id,quote,mark\nhold,a,{'x' * 501},yes\n", "at most 500 characters"),
    ],
)
def test_marks_that_cannot_be_read_are_told_in_a_sentence(
    tmp_path: Path, db: Path, form: Path, text: str, told: str
) -> None:
    """Usage errors, with line and what to do."""
    marks = tmp_path / "marks.csv"
    marks.write_text(text)
    code, _, err = invoke("rubric", "tune", str(form), "--db", str(db), "--marks", str(marks))
    assert code == 2
    assert told in " ".join(err.split())


def packet(path: Path, *marks: object) -> Path:
    """A packet's download with marks on quotes."""
    path.write_text(json.dumps({"schema": "callqa.review/1", "reviewer": "Ana", "marks": marks}))
    return path


MARK = {"call_id": "c", "rubric_hash": rubric.parse(FORM).hash, "criterion_id": "hold"}
MARK |= {"quote": ODD, "meets": False}


def test_a_packets_marks_are_taken_whatever_the_file_is_called(tmp_path: Path, db: Path, form: Path) -> None:
    """Marks under another rubric are left out and counted; marks cannot be added to the download."""
    marks = packet(tmp_path / "marks.csv", MARK, MARK | {"rubric_hash": "other", "criterion_id": "nope"})
    words = ("rubric", "tune", str(form), "--db", str(db), "--marks", str(marks))
    code, out, err = invoke(*words)
    assert (code, f'+          unless: ["{ODD}"]' in out) == (0, True), err
    assert ": 1; left out, under other rubrics: 1" in " ".join(err.split())
    kept = marks.read_text()
    code, _, err = invoke(*words, "--mark")
    assert (code, "needs a CSV" in err, marks.read_text()) == (2, True, kept)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"criterion_id": "nope"}, "marks[0]: the rubric has no criterion 'nope'"),
        ({"criterion_id": {}}, "no criterion '{}'"),
        *(({"meets": value}, "marks[0] marks no quote") for value in ("yes", 1, None, [], {})),
        *(({"quote": value}, "marks[0] marks no quote") for value in ("", 7, None, ["x"], "x" * 501)),
    ],
)
def test_a_packets_marks_of_the_wrong_kind_are_told_and_do_not_disturb_an_import(
    tmp_path: Path, db: Path, form: Path, change: dict[str, object], told: str
) -> None:
    """A sentence with the place of the mark; what else is in the file is imported all the same."""
    marks = packet(tmp_path / "review.json", MARK | change, 3, None)
    code, _, err = invoke("rubric", "tune", str(form), "--db", str(db), "--marks", str(marks))
    assert (code, told in err) == (2, True), err
    code, out, _ = invoke("review", "import", str(marks), "--db", str(db))
    assert (code, out) == (0, "0 stored, 0 already known, 0 not kept\n")


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"marks": ' + "1" * 5000 + "}", "[]", '{"marks": []}'])
def test_json_that_is_no_packets_download_is_told_in_a_sentence(
    tmp_path: Path, db: Path, form: Path, text: str
) -> None:
    """Cut off, too deep, endless numbers, something else: a usage error for tune and for import."""
    marks = tmp_path / "review.json"
    marks.write_text(text)
    for words in (("rubric", "tune", str(form), "--marks"), ("review", "import")):
        code, _, err = invoke(*words, str(marks), "--db", str(db))
        assert (code, "not readable as JSON" in err or "not a review" in err) == (2, True), err


def test_files_that_cannot_be_used_are_told_in_a_sentence(tmp_path: Path, db: Path, form: Path) -> None:
    """Marks that are no text, a folder that is not there: what cannot be done, and nothing half-written."""
    marks = tmp_path / "marks.csv"
    marks.write_bytes(b"RIFF\x9a\xff\x00criterion")
    words = ("rubric", "tune", str(form), "--db", str(db))
    for option, path, told in (
        ("--marks", marks, "cannot be read"),
        ("--marks", tmp_path / "none.csv", "cannot be read"),
        ("--ask", tmp_path / "none" / "ask.csv", "cannot be written"),
        ("--write", tmp_path / "none" / "new.yaml", "cannot be written"),
        ("--write", form, "exists already"),
    ):
        code, _, err = invoke(*words, option, str(path))
        assert (code, told in err) == (2, True), err
    assert form.read_text() == FORM


def test_marks_are_kept_as_they_are_given(tmp_path: Path) -> None:
    """Leaving in the middle loses none of the answers given before."""
    form, path = rubric.parse(FORM), tmp_path / "marks.csv"
    calls = {name: conversation(name, line) for name, line in (("a", WAITS), ("c", ODD))}
    asked = tune.questions(form, calls, {}, [], MATCHER, 5)
    answers = iter(["y", "", "q"])
    kept = converse(asked, {c.id: c.question for c in form.criteria()}, path, lambda _: next(answers))
    assert [mark.meets for mark in kept] == [True]
    assert len(path.read_text().splitlines()) == 2


def test_check_tells_what_is_too_common_and_where_calls_come_near(db: Path, form: Path) -> None:
    """“Thank you” for a farewell is named, with what to do about it; stored calls show their quotes."""
    code, out, err = invoke("rubric", "check", str(form), "--db", str(db))
    assert code == 0, err
    (thanks,) = [line for line in out.splitlines() if line.startswith("farewell") and "Thank you" in line]
    assert "too common: give it a window" in thanks
    assert any("bear with me one moment" in line for line in out.splitlines())
    code, out, _ = invoke("rubric", "lint", str(form))
    assert code == 0
    assert "“Thank you” is said in" in out


def test_only_the_calls_a_rubric_is_for_are_searched(tmp_path: Path, db: Path, form: Path) -> None:
    """One client's words do not become another's phrases, nor its calls the rates in them."""
    with Store(db) as store:
        for name, client in (("ours", "Acme"), ("theirs", "Zenith")):
            call = conversation(name, f"Hold the line please, {name}.", CHATS)
            entry = LedgerEntry(f"/{name}.json", name, name, "scored")
            store.load([CallRecord(entry, CallMetadata(name, client=client), call, ())], [])
    form.write_text(FORM + "applies_to: {client: [Acme]}\n")
    asked = tmp_path / "ask.csv"

    code, out, err = invoke("rubric", "check", str(form), "--db", str(db), "--json")
    assert code == 0, err
    assert all("in_1_calls" in json.loads(line) for line in out.splitlines())
    code, _, err = invoke("rubric", "tune", str(form), "--db", str(db), "--ask", str(asked))
    assert code == 0, err
    assert {row["call_id"] for row in csv.DictReader(asked.open())} == {"ours", "a"}  # a was reviewed

    form.write_text(FORM + "applies_to: {client: [Nobody]}\n")
    assert "no stored call" in invoke("rubric", "check", str(form), "--db", str(db))[2]


def test_check_shows_no_chance_of_phrases_in_another_language(tmp_path: Path) -> None:
    """A Spanish “Thank you” is not called common for its words in English talk; `check` says why."""
    form = tmp_path / "escritorio.yaml"
    form.write_text(FORM.replace("company:", "language: es\ncompany:"))
    code, out, err = invoke("rubric", "check", str(form))
    assert code == 0, err
    assert "too common" not in out
    assert "chance is not shown: it is measured on English" in " ".join(err.split())
    code, out, _ = invoke("rubric", "lint", str(form))
    assert code == 0
    assert "ordinary calls" not in out


@pytest.mark.parametrize(
    ("phrase", "told"),
    [("This is {foo}", "no slot {foo}"), ("Welcome to {company}", "{company} stands for nothing")],
)
def test_an_unknown_slot_is_an_error_with_its_line(tmp_path: Path, phrase: str, told: str) -> None:
    """The line of the phrase, and which slots there are."""
    form = tmp_path / "desk.yaml"
    form.write_text(FORM.replace("company: [Acme]\n", "").replace("- Bear with me a moment", f'- "{phrase}"'))
    code, _, err = invoke("rubric", "lint", str(form))
    assert code == 2
    assert "desk.yaml:13: " in err
    assert told in " ".join(err.split())

    sentence = f'kind: phrases\n          meaning: "{phrase}"'
    form.write_text(FORM.replace("company: [Acme]\n", "").replace("kind: phrases", sentence, 1))
    code, _, err = invoke("rubric", "lint", str(form))
    assert code == 2
    assert "desk.yaml:11: " in err
    assert told in " ".join(err.split())


def answers(call: Conversation, text: str = FORM) -> dict[str, tuple[str, str]]:
    """Answer and reason of each criterion."""
    form = rubric.parse(text)
    card = score.score(call, form, CallMetadata("x"), min_confidence=0.4, matcher=MATCHER)
    return {a.id: (a.answer, a.reason) for s in card.sections for a in s.criteria}


def test_a_language_the_rubric_does_not_know_is_never_a_no() -> None:
    """A Spanish call under an English rubric is undetermined, says why, and no phrase is heard in it."""
    given = answers(conversation("x", "gracias por llamar", "goodbye amigo", language="es"))
    assert {answer for answer, _ in given.values()} == {"undetermined"}
    assert "100 % of what was searched is in es" in given["hold"][1]
    spanish = FORM.replace("mode: question", "mode: question\nlanguages: [en, es]")
    assert answers(conversation("x", "goodbye amigo", language="es"), spanish)["farewell"][0] == "yes"


def test_unsure_roles_give_no_definite_no() -> None:
    """Where it is not known who the agent is, a miss is undetermined and a hit still counts."""
    given = answers(conversation("x", "goodbye", CHATS, sure=0.45))
    assert given["hold"] == ("undetermined", "who is the agent is only 45 % sure")
    assert given["farewell"][0] == "yes"
    assert answers(conversation("x", "goodbye", CHATS, sure=0.9))["hold"][0] == "no"


def test_between_a_sure_yes_and_a_sure_no_the_quote_is_shown_and_a_person_asked() -> None:
    """A match weaker than the bound and not weak enough is undetermined, with the nearest quote."""
    form = FORM.replace(
        "          kind: phrases\n          any:\n",
        "          kind: phrases\n          threshold: 0.99\n          any:\n",
        1,
    )
    call = conversation("x", "can you just hold on there for me", CHATS)
    card = score.score(call, rubric.parse(form), CallMetadata("x"), min_confidence=0.4, matcher=MATCHER)
    (hold,) = [a for s in card.sections for a in s.criteria if a.id == "hold"]
    assert hold.answer == "undetermined"
    assert "hold" in hold.nearest.quote
    assert card.outcome == "needs_review"


@pytest.mark.parametrize(
    "lines",
    [(), ("",), ("yes",), ("mm hmm",), ("shukriya bohat acha okay thank you",), ("?!",), ("x" * 5000,)],
)
def test_odd_calls_are_answered(lines: tuple[str, ...]) -> None:
    """No turns, empty turns, one word, mixed languages, one endless word: an answer each, no crash."""
    assert set(answers(conversation("x", *lines))) == {"hold", "farewell", "brand"}


def test_a_guarantee_is_rounded_to_the_safe_side() -> None:
    """None wrong of 39 is at most 7.39 % at 95 %: "at most 7 %" would say too much."""
    at_most = clopper_pearson_above(0, 39, confidence=tune.SURE)
    figures = tune.SettingFigures(labels=39, decided=39, wrong=0, kappa=1.0, at_most=at_most)
    assert "at most 8 % of decided answers wrong" in figures.statement
