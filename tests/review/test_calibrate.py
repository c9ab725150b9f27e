"""Agreement statistics against published examples and other implementations."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline.calibrate import calibrate
from pipeline.calibrate.agreement import (
    cohen_kappa,
    confusion,
    gwet_ac1,
    krippendorff_alpha,
    observed_agreement,
    pabak,
)
from pipeline.cli.commands import app
from pipeline.confidence_intervals import margin_of, mean, wilson
from pipeline.conversation import CriterionAnswer, Review
from pipeline.rubric import Rubric, parse
from pipeline.rubric import load as load_rubric
from pipeline.score import scorecard
from pipeline.store import CallFilter, Store
from tests.example_calls import GRADED, RUBRIC, example_records, graded_records

TABLES = st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3)


def test_kappa_of_a_published_table() -> None:
    """Fleiss, Cohen and Everitt's psychiatric example: κ = 0.429, standard error 0.054."""
    table = 2 * np.array([[53, 5, 2], [11, 14, 5], [1, 6, 3]], dtype=float)
    kappa = cohen_kappa(table)
    assert kappa.value == pytest.approx(0.429, abs=0.001)
    assert (kappa.high - kappa.low) / 2 / 1.96 == pytest.approx(0.054, abs=0.002)


@given(TABLES)
def test_kappa_equals_scikit_learn(cells: list[list[int]]) -> None:
    """Unweighted and with quadratic weights, on any table that has a κ."""
    table = np.array(cells, dtype=float)
    cohen_kappa_score = pytest.importorskip("sklearn.metrics").cohen_kappa_score
    first = np.repeat([0, 0, 0, 1, 1, 1, 2, 2, 2], table.astype(int).ravel())
    second = np.repeat([0, 1, 2] * 3, table.astype(int).ravel())
    for graded, theirs in ((False, None), (True, "quadratic")):
        mine = cohen_kappa(table, graded=graded).value
        if mine is not None:
            expected = cohen_kappa_score(first, second, weights=theirs, labels=[0, 1, 2])
            assert mine == pytest.approx(expected, abs=1e-9)


def test_prevalence_breaks_kappa_but_not_ac1() -> None:
    """Feinstein and Cicchetti's paradox: 85 % agreement, κ 0.32, AC1 0.81 (Gwet's own figures)."""
    table = np.array([[80, 10], [5, 5]], dtype=float)
    assert observed_agreement(table) == 0.85
    assert cohen_kappa(table).value == pytest.approx(0.32, abs=0.01)
    assert gwet_ac1(table).value == pytest.approx(0.81, abs=0.01)
    assert pabak(table) == pytest.approx(0.70)


@pytest.mark.parametrize("measure", [cohen_kappa, gwet_ac1])
def test_intervals_cover_the_truth_as_often_as_they_say(measure: object) -> None:
    """Over 300 simulated samples of 80, the interval holds the truth 90 to 99 % of the time."""
    rng = np.random.default_rng(7)
    shares = np.array([[0.55, 0.08], [0.07, 0.30]])
    truth = measure(shares * 1e9).value
    inside = 0
    for _ in range(300):
        found = measure(rng.multinomial(80, shares.ravel()).reshape(2, 2).astype(float))
        inside += found.low <= truth <= found.high
    assert 0.90 <= inside / 300 <= 0.99


def test_one_constant_answer_has_no_kappa() -> None:
    """Where everyone always says yes, κ is unknown, not zero and not one; agreement is perfect."""
    table = confusion([("yes", "yes")] * 20, ("yes", "no"))
    assert cohen_kappa(table).value is None
    assert observed_agreement(table) == 1.0
    assert gwet_ac1(table).value == 1.0


def test_alpha_of_krippendorffs_own_example() -> None:
    """Krippendorff's four-observer example with missing values: nominal α = 0.743."""
    published = ("12332141 2***", "12332241 25*3", "*3332342 251*", "12332441 251*")
    ratings = [
        [None if r == "*" else r for r in row] for row in (line.replace(" ", "") for line in published)
    ]
    assert krippendorff_alpha(ratings, "12345").value == pytest.approx(0.743, abs=0.001)


def test_alpha_ignores_units_only_one_rater_saw() -> None:
    """Adding answers that a single reviewer gave changes nothing."""
    rng = random.Random(3)
    first = [rng.choice(("yes", "no")) for _ in range(40)]
    second = [r if rng.random() < 0.8 else rng.choice(("yes", "no")) for r in first]
    both = krippendorff_alpha([first, second], ("yes", "no"))
    more = krippendorff_alpha([[*first, "yes"], [*second, None]], ("yes", "no"))
    assert both.value == more.value


@given(st.integers(1, 500), st.data())
def test_wilson_contains_the_estimate(n: int, data: st.DataObject) -> None:
    """The interval lies within 0..1 and around the rate."""
    hits = data.draw(st.integers(0, n))
    interval = wilson(hits, n)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_wilson_of_a_known_case() -> None:
    """8 of 10: 0.490 to 0.943 (Newcombe 1998's method 3)."""
    interval = wilson(8, 10)
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.490, 0.943)


def test_reviewing_everything_leaves_no_doubt() -> None:
    """A census has no margin, an empty sample has no figure."""
    assert margin_of(200, 200) == 0.0
    assert margin_of(0, 200) is None


@given(st.lists(st.floats(0, 100), min_size=2, max_size=50))
def test_mean_interval_contains_the_mean(scores: list[float]) -> None:
    """The t interval is centred on the mean."""
    interval = mean(scores)
    assert interval.low <= interval.estimate + 1e-9
    assert interval.estimate <= interval.high + 1e-9


def review(
    call: int, machine: str, human: str, *, by: str = "Amira", week: int = 45, criterion: str = "empathy"
) -> Review:
    """One answer of one person in one ISO week of 2026."""
    at = dt.datetime.fromisocalendar(2026, week, 2).replace(tzinfo=dt.UTC)
    return Review(
        review_id=f"{call} {by} {criterion}", call_id=f"call-{call:03d}", rubric_hash=RUBRIC.hash,
        criterion_id=criterion, machine_answer=machine, human_answer=human, reviewer=by, reviewed_at=at,
    )  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Sixty stored calls, nobody's reviews yet."""
    with Store(tmp_path / "qa.duckdb") as opened:
        opened.load(example_records(60))
        yield opened


def test_nothing_reviewed_says_what_to_do(store: Store) -> None:
    """An empty calibration is no error; it names the next command."""
    found = calibrate(store)
    assert found.criteria == []
    assert "callqa review" in found.cautions[0]


@pytest.mark.parametrize("answer", ["yes", "no", "na"])
def test_one_answer_throughout_is_agreement(store: Store, answer: str) -> None:
    """Machine and people always say the same, be it that the question never applied: κ has no value."""
    store.save_reviews([review(n, answer, answer) for n in range(40)])
    (row,) = calibrate(store).criteria
    assert (row.agreement.estimate, row.kappa.value, row.ac1.value) == (1.0, None, 1.0)


def test_machine_that_misses_is_told_to_widen(store: Store) -> None:
    """Mostly machine-no, person-yes: the advice says what to change and quotes what was said."""
    missed = store.query(
        "SELECT call_id FROM evidence WHERE criterion_id = 'empathy' AND kind = 'nearest' LIMIT 12"
    )
    numbers = [int(row["call_id"][-3:]) for row in missed]
    store.save_reviews([review(n, "no", "yes") for n in numbers])
    store.save_reviews([review(n, "yes", "yes") for n in range(60) if n not in numbers][:20])
    (row,) = calibrate(store).criteria
    assert (row.n, row.strict, row.lenient) == (20 + len(numbers), len(numbers), 0)
    assert "add phrasings" in row.advice
    assert "“" in row.advice


def test_figures_equal_those_of_the_sql_view(store: Store) -> None:
    """Analysts who ask v_agreement see the same numbers."""
    rng = random.Random(2)
    said = [rng.choice(("yes", "no")) for _ in range(60)]
    store.save_reviews([review(n, rng.choice((word, word, "no")), word) for n, word in enumerate(said)])
    (row,) = calibrate(store).criteria
    (view,) = store.query("SELECT reviews, agreement, kappa, false_yes, false_no FROM v_agreement")
    assert row.kappa.value == pytest.approx(view["kappa"])
    assert row.agreement.estimate == pytest.approx(view["agreement"])
    assert (row.n, row.lenient, row.strict) == (view["reviews"], view["false_yes"], view["false_no"])


def test_a_reviewer_is_one_person_in_any_case(store: Store) -> None:
    """In ``calibrate`` and in v_agreement the later answer counts, however the name is written."""
    first = review(1, "yes", "no", by="Amira Khan")
    later = review(1, "yes", "yes", by="amira khan", week=46)
    store.save_reviews([first, later])
    (row,) = calibrate(store).criteria
    (view,) = store.query("SELECT reviews, agreement FROM v_agreement")
    assert (row.n, row.agreement.estimate) == (view["reviews"], view["agreement"]) == (1, 1.0)


def test_calibrate_lists_a_person_once_however_they_write_their_name(store: Store) -> None:
    """Under the newest spelling."""
    store.save_reviews(
        [review(n, "yes", "no", by=name, week=40 + n) for n, name in enumerate(("ANNA", "anna ", "Anna"))]
    )
    assert [(row.name, row.n) for row in calibrate(store).reviewers] == [("Anna", 3)]


def test_calibrate_names_criteria_whole_and_warns_once(tmp_path: Path) -> None:
    """On a terminal of 80 columns; one answer is one answer."""
    db = tmp_path / "qa.duckdb"
    with Store(db) as opened:
        opened.load(example_records(3))
        opened.save_reviews([review(1, "yes", "no", criterion="offer_more_help")])
    result = CliRunner().invoke(app, ["calibrate", "--db", str(db)], env={"COLUMNS": "80"})
    said = " ".join(result.output.split())
    assert "…" not in said
    assert said.count("(only 1 answer: agreement may be anything") == 1


def test_undetermined_answers_are_counted_apart(store: Store) -> None:
    """Abstaining is neither agreement nor disagreement."""
    store.save_reviews([review(1, "undetermined", "yes"), review(2, "yes", "yes")])
    (row,) = calibrate(store).criteria
    assert (row.n, row.abstained, row.agreement.estimate) == (1, 1, 1.0)


def test_people_who_differ_are_told_to_settle_the_wording(store: Store) -> None:
    """With two blind reviewers there is an α, and a low one blames the question, not the phrases."""
    rng = random.Random(4)
    for by in ("Amira", "Tom"):
        store.save_reviews([review(n, "yes", rng.choice(("yes", "no")), by=by) for n in range(40)])
    found = calibrate(store)
    assert found.people[0].answers == 40
    assert found.people[0].alpha.value < 0.5
    assert "among themselves" in found.criteria[0].advice
    assert {row.name for row in found.reviewers} == {"Amira", "Tom"}


def test_drift_is_told_from_chance(store: Store) -> None:
    """A week in which agreement falls from 95 to 50 % is marked; steady weeks are not."""
    store.save_reviews([review(n, "yes", "no" if n == 0 else "yes", week=44) for n in range(20)])
    store.save_reviews([review(n, "yes", "yes", week=45) for n in range(20, 40)])
    store.save_reviews([review(n, "yes", "yes" if n % 2 else "no", week=46) for n in range(40, 60)])
    assert [(d.week, d.shifted) for d in calibrate(store).drift] == [
        ("2026-W44", False),
        ("2026-W45", False),
        ("2026-W46", True),
    ]


def test_corrections_alone_are_called_biased(store: Store) -> None:
    """Agreement cannot be measured from complaints."""
    store.save_reviews([review(n, "yes", "no") for n in range(5)])
    assert any("no confirmed answers" in caution for caution in calibrate(store).cautions)
    assert any("random sample" in caution for caution in calibrate(store).cautions)


def test_scores_move_with_peoples_answers(tmp_path: Path) -> None:
    """A corrected answer scores the call again with the rubric's own arithmetic."""
    rubric = load_rubric("support")
    answers = {
        c.id: CriterionAnswer(c.id, "yes", c.points, c.points, c.weight, critical=c.critical)
        for c in rubric.criteria()
    }
    record = example_records(1)[0]
    card = scorecard("call-000", rubric, answers)
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([replace(record, scorecards=(card,))], [rubric])
        wrong = replace(review(0, "yes", "no", criterion="greeting"), rubric_hash=rubric.hash)
        store.save_reviews([wrong])
        (moved,) = calibrate(store).scores
    expected = scorecard(
        "call-000", rubric, answers | {"greeting": replace(answers["greeting"], answer="no", points=0.0)}
    )
    assert moved.machine_score == 100
    assert moved.human_score == expected.final_score
    assert moved.deviation < 0


GRADES = ("named the feeling, and why", "said sorry", "none of these")


def graded_review(
    call: int, human: int, *, by: str = "Amira", rubric: str = GRADED.hash, **extra: str
) -> Review:
    """One grade of one person, 0 the best, beside the machine's (which are 0, 1, 2 in turn)."""
    words = {"grade": GRADES[human], "machine_grade": GRADES[call % 3], **extra}
    plain = review(call, "no" if call % 3 == 2 else "yes", "no" if human == 2 else "yes", by=by)
    return replace(plain, review_id=f"{plain.review_id} {rubric} {extra}", rubric_hash=rubric, extra=words)


@pytest.fixture
def graded(tmp_path: Path) -> Iterator[Store]:
    """Sixty stored calls with a graded criterion."""
    with Store(tmp_path / "graded.duckdb") as opened:
        opened.load(graded_records(60), [GRADED])
        yield opened


@pytest.mark.parametrize("grade", [0, 1, 2])
def test_one_grade_throughout_is_agreement(graded: Store, grade: int) -> None:
    """Whichever grade of the scale it is."""
    graded.save_reviews([graded_review(n, grade) for n in range(grade, 60, 3)])
    (row,) = calibrate(graded).criteria
    assert (row.agreement.estimate, row.kappa.value, row.ac1.value) == (1.0, None, 1.0)


def test_grades_of_a_rubric_that_is_not_kept_are_no_figures(graded: Store) -> None:
    """Without its text nobody knows what a grade is worth, nor how near two people are."""
    graded.save_reviews([graded_review(n, n % 2, by=who, rubric="gone") for n in range(9) for who in "AB"])
    found = calibrate(graded)
    assert [row.n for row in found.criteria] == [0]
    assert found.people == []


def test_grades_are_compared_as_grades(graded: Store) -> None:
    """Being one grade off counts half against two off: weighted κ is scikit-learn's quadratic one."""
    rng = random.Random(5)
    said = [min(2, max(0, n % 3 + rng.choice((0, 0, 0, 1, -1)))) for n in range(60)]
    graded.save_reviews([graded_review(n, human) for n, human in enumerate(said)])
    (row,) = calibrate(graded).criteria
    cohen_kappa_score = pytest.importorskip("sklearn.metrics").cohen_kappa_score
    machine = [n % 3 for n in range(60)]
    assert row.weighted_kappa.value == pytest.approx(cohen_kappa_score(machine, said, weights="quadratic"))
    assert row.kappa.value == pytest.approx(cohen_kappa_score(machine, said))
    assert row.weighted_kappa.value > row.kappa.value
    assert row.lenient == sum(h > m for m, h in zip(machine, said, strict=True))
    assert row.strict == sum(h < m for m, h in zip(machine, said, strict=True))
    (view,) = graded.query("SELECT reviews, agreement, kappa FROM v_agreement")
    assert row.kappa.value == pytest.approx(view["kappa"])
    assert (row.n, row.agreement.estimate) == (view["reviews"], pytest.approx(view["agreement"]))


def test_a_grade_moves_the_score_by_its_points(graded: Store) -> None:
    """The machine's best grade becomes the middle one: two of five points are lost."""
    graded.save_reviews([graded_review(0, 1)])
    (moved,) = calibrate(graded).scores
    assert (moved.machine_score, moved.human_score) == (100, pytest.approx(60))


def test_blind_answers_alone_say_how_far_people_agree(graded: Store) -> None:
    """After a session people talk it over and agree on everything; α stays that of the session."""
    rng = random.Random(1)
    for by in ("Amira", "Tom"):
        graded.save_reviews([graded_review(n, rng.randrange(3), by=by, blind="s1") for n in range(30)])
    blind = calibrate(graded).people[0]
    for by in ("Amira", "Tom"):
        talked = [graded_review(n, n % 3, by=by) for n in range(30)]
        later = [replace(r, reviewed_at=r.reviewed_at + dt.timedelta(days=1)) for r in talked]
        graded.save_reviews(later)
    found = calibrate(graded)
    assert found.people[0] == blind
    assert blind.blind
    assert blind.alpha.value < 0.5
    assert found.criteria[0].agreement.estimate == 1.0
    assert not [caution for caution in found.cautions if "--blind" in caution]


def test_versions_are_pooled_only_where_they_ask_the_same(graded: Store) -> None:
    """A new version that rewords one criterion: its old answers are left out and counted, the rest pooled."""
    text = graded.query("SELECT source FROM rubrics")[0]["source"]
    changed = parse(text.replace("How far did", "How well did").replace("'1'", "'2'").replace('"1"', '"2"'))
    assert changed.hash != GRADED.hash
    graded.save_scorecards([r.scorecards[0] for r in graded_records(30, changed)], [changed])
    graded.save_reviews([graded_review(n, n % 3) for n in range(10)])
    graded.save_reviews([graded_review(n, n % 3, rubric=changed.hash) for n in range(10, 16)])
    for text_hash, calls in ((GRADED.hash, range(20, 25)), (changed.hash, range(25, 30))):
        greeted = [review(n, "yes", "yes", criterion="greeting") for n in calls]
        graded.save_reviews([replace(r, rubric_hash=text_hash) for r in greeted])
    rows = {row.name: row for row in calibrate(graded).criteria}
    assert (rows["empathy"].n, rows["greeting"].n) == (6, 10)
    assert any("10 answers to an older wording" in w for w in rows["empathy"].warnings)
    assert any("versions 1, 2" in w for w in rows["greeting"].warnings)


@pytest.fixture
def reworded(graded: Store) -> Rubric:
    """A newer text that asks of empathy in other words and of the greeting alike; it scored all calls."""
    text = graded.query("SELECT source FROM rubrics")[0]["source"]
    newer = parse(text.replace("How far did", "How well did").replace("'1'", "'2'").replace('"1"', '"2"'))
    graded.save_scorecards([r.scorecards[0] for r in graded_records(60, newer)], [newer])
    return newer


def test_a_person_who_answers_a_newer_text_too_counts_once(graded: Store, reworded: Rubric) -> None:
    """Their last word on each call counts, and people are compared with each other over both texts."""
    first = [review(n, "yes", "no", by=who, criterion="greeting") for n in range(3) for who in "AB"]
    graded.save_reviews([replace(r, rubric_hash=GRADED.hash) for r in first])
    again = [review(n, "yes", "yes", by="A", criterion="greeting", week=46) for n in range(2)]
    graded.save_reviews([replace(r, rubric_hash=reworded.hash, review_id=f"{r.review_id} 2") for r in again])
    found = calibrate(graded)
    (row,) = found.criteria
    assert (row.n, row.agreement.estimate) == (6, pytest.approx(2 / 6))
    assert found.people[0].answers == 3


def test_answers_to_an_older_wording_are_left_out_before_anybody_answers_the_newer(
    graded: Store, reworded: Rubric
) -> None:
    """The figures are those of the text that scores the calls now; an older one is asked for by its hash."""
    graded.save_reviews([graded_review(n, n % 3) for n in range(10)])
    found = calibrate(graded)
    (row,) = found.criteria
    assert (row.n, row.title) == (0, "How well did the agent show understanding?")
    assert "10 answers to an older wording" in row.words
    assert "nobody has answered the newest text's questions" in found.cautions[0]
    assert [row.n for row in calibrate(graded, CallFilter(rubric=GRADED.hash)).criteria] == [10]
    assert [row.n for row in calibrate(graded, CallFilter(rubric=reworded.id)).criteria] == [0]
