"""What the documents say about the database is what the database says."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.conversation import RubricRef
from pipeline.metrics import METRICS
from pipeline.store import CallFilter, Store
from pipeline.store.sandbox import Sandbox
from tests.store_factory import RUBRIC, START, record, scorecard

ROOT = Path(__file__).parents[2]
COOKBOOK = sorted((ROOT / "docs" / "cookbook").glob("*.sql"))


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """What an analyst has: read-only questions to a store with some calls."""
    path = tmp_path_factory.mktemp("cookbook") / "qa.duckdb"
    with Store(path) as store:
        store.load([record(f"c{i}", agent_id=f"a{i % 2}") for i in range(12)], [RUBRIC])
    with Store(path, read_only=True) as store:
        yield Sandbox(store)


def test_every_metric_has_a_column_with_its_definition(tmp_path: Path) -> None:
    """A new metric needs a migration that gives it a column."""
    with Store(tmp_path / "qa.duckdb") as store:
        rows = store.query(
            "SELECT column_name AS n, comment AS c FROM duckdb_columns() WHERE table_name = 'call_metrics'"
        )
    columns = {r["n"]: r["c"] for r in rows}
    assert {name: columns.get(name) for name in METRICS} == dict(METRICS)


@pytest.mark.parametrize("path", COOKBOOK, ids=lambda p: p.stem)
def test_every_question_of_the_cookbook_runs(path: Path, sandbox: Sandbox) -> None:
    """As it is printed, through the read-only door, and it is in the document."""
    sql = path.read_text("utf-8")
    assert sandbox.ask(sql).num_columns > 0
    question = sql.splitlines()[0].removeprefix("-- ")
    query = "\n".join(line for line in sql.splitlines() if not line.startswith("-- "))
    document = (ROOT / "docs" / "cookbook.md").read_text("utf-8")
    assert question in document
    assert query in document


def test_the_cookbook_answers_at_least_twenty_questions() -> None:
    """And each one answers for a league table with its interval."""
    assert len(COOKBOOK) >= 20


def test_the_league_table_has_its_interval(sandbox: Sandbox) -> None:
    """Two agents of six calls each, all failed with 0."""
    answer = sandbox.ask((ROOT / "docs" / "cookbook" / "agent-league.sql").read_text("utf-8")).to_pylist()
    rows = {r["agent_id"]: (r["calls"], r["score"], r["low"], r["high"]) for r in answer}
    assert rows == {"a0": (6, 0.0, 0.0, 0.0), "a1": (6, 0.0, 0.0, 0.0)}


def test_the_league_table_counts_a_call_of_two_rubrics_once(tmp_path: Path) -> None:
    """Five calls under two rubrics are five, and four are too few."""
    sales = RubricRef("sales", "1", "hash-sales-1")
    records = []
    for agent, count in (("a1", 5), ("a2", 4)):
        for i in range(count):
            of_both = (scorecard(f"{agent}-{i}"), scorecard(f"{agent}-{i}", rubric=sales))
            records.append(replace(record(f"{agent}-{i}", agent_id=agent), scorecards=of_both))
    path = tmp_path / "qa.duckdb"
    with Store(path) as store:
        store.load(records, [RUBRIC, replace(RUBRIC, id="sales", hash="hash-sales-1")])
    with Store(path, read_only=True) as store:
        answer = Sandbox(store).ask((ROOT / "docs" / "cookbook" / "agent-league.sql").read_text("utf-8"))
    assert [(row["agent_id"], row["calls"]) for row in answer.to_pylist()] == [("a1", 5)]


def test_calls_without_a_score_lower_no_mean(tmp_path: Path) -> None:
    """Scores of 100 and 0, and four calls that could not be scored: the mean is 50."""
    scores = [(0, "red", 100.0, "pass"), (0, "blue", 0.0, "fail")]
    scores += [(0, "blue", None, "not_scored")] * 3 + [(1, "blue", None, "not_scored")]
    records = [
        replace(
            record(f"c{i}", team=team, started_at=START + dt.timedelta(weeks=week)),
            scorecards=(scorecard(f"c{i}", final=final, outcome=outcome),),
        )
        for i, (week, team, final, outcome) in enumerate(scores)
    ]
    path = tmp_path / "qa.duckdb"
    with Store(path) as store:
        store.load(records, [RUBRIC])
    ask = {f.stem: f.read_text("utf-8") for f in COOKBOOK}
    with Store(path, read_only=True) as store:
        sandbox = Sandbox(store)
        trend = sandbox.ask(ask["score-trend"]).to_pylist()
        weeks = store.query("SELECT team, sum(scored) AS n FROM v_agent_week GROUP BY team ORDER BY team")
        (league,) = sandbox.ask(ask["agent-league"].replace("client, team, agent_id", "agent_id")).to_pylist()
    assert [(row["calls"], row["score"], row["moving_average"]) for row in trend] == [
        (5, 50.0, 50.0),
        (1, None, 50.0),
    ]
    assert weeks == [{"team": "blue", "n": 1}, {"team": "red", "n": 1}]
    assert (league["calls"], league["score"], league["pass_percent"]) == (6, 50.0, 50.0)


def test_a_voicemail_counts_in_no_rate(tmp_path: Path) -> None:
    """Its answers can be read, but nobody missed a disclosure, even once its words are erased."""
    voicemail = scorecard("v1", final=None, outcome="not_scored")
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([record("c1"), replace(record("v1"), scorecards=(voicemail,))], [RUBRIC])
        missed = (ROOT / "docs" / "cookbook" / "missed-disclosure.sql").read_text("utf-8")
        assert [row["call_id"] for row in store.query(missed)] == ["c1"]
        assert len(store.query("FROM v_answers WHERE call_id = 'v1'")) == 3
        for _ in range(2):
            assert {row["answers"] for row in store.query("FROM v_criterion_rates")} == {1}
            store.purge(CallFilter(call_ids=("v1",)), keep_figures=True)


def test_answers_say_of_which_rubric_they_are(tmp_path: Path) -> None:
    """Two clients' rubrics may both ask for a greeting."""
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([record("c1")], [RUBRIC])
        for view in ("v_answers", "v_criterion_rates"):
            assert store.query(f"SELECT DISTINCT rubric_id FROM {view}") == [{"rubric_id": "support"}]
