"""The store keeps what it is given, once, and gives it back exactly."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipeline.conversation import CallRecord, Finding, LedgerEntry, Review, RubricRef, SampledCall, StageRun
from pipeline.errors import StoreError
from pipeline.store import CallFilter, Store
from tests.store_factory import RUBRIC, START, metadata, record, scorecard

TABLES = (
    "calls", "turns", "findings", "call_metrics", "role_sentiment", "stage_runs", "scorecards", "sections",
    "answers", "evidence", "rubrics", "ledger",
)  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A database that does not exist yet."""
    return tmp_path / "qa.duckdb"


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    """An open store with two calls."""
    with Store(db) as store:
        store.load([record("c1"), record("c2", team="red", agent_id="a2")], [RUBRIC])
        yield store


def counts(store: Store) -> dict[str, int]:
    """Rows of every table."""
    return {t: store.query(f"SELECT count(*) AS n FROM {t}")[0]["n"] for t in TABLES}


def test_a_call_comes_back_exactly_as_it_was_loaded(store: Store) -> None:
    """Words, findings, unknown metrics, awkward text and the start's instant survive the trip."""
    wanted = record("c1")
    ((meta, conversation),) = store.conversations(CallFilter(call_ids=("c1",)))
    assert meta == wanted.metadata
    assert conversation == wanted.conversation
    assert list(store.scorecards(CallFilter(call_ids=("c1",)))) == list(wanted.scorecards)


def test_a_call_without_metadata_keeps_its_turns(db: Path) -> None:
    """Nothing but a transcript is enough."""
    bare = replace(record("c9"), metadata=None, scorecards=(), stages=())
    with Store(db) as store:
        store.load([bare])
        ((meta, conversation),) = store.conversations()
    assert conversation == bare.conversation
    assert meta.call_id == "c9"
    assert meta.started_at is None


def test_a_nul_in_a_text_becomes_a_visible_mark(db: Path) -> None:
    """No catalogue, CSV or spreadsheet can hold NUL, so none gets in."""
    with Store(db) as store:
        store.load([record("c1", agent_name="a\0b", extra={"k\0": "v\0"})], [RUBRIC])
        ((meta, _),) = store.conversations()
    assert (meta.agent_name, meta.extra) == ("a\ufffdb", {"k\ufffd": "v\ufffd"})


def test_loading_twice_changes_nothing(store: Store) -> None:
    """The same chunk again leaves the same number of rows everywhere."""
    before = counts(store)
    store.load([record("c1"), record("c2", team="red", agent_id="a2")], [RUBRIC])
    assert counts(store) == before


def test_a_call_processed_again_replaces_itself(store: Store) -> None:
    """New results of the same file take the place of the old ones."""
    store.load([record("c1", team="green")], [RUBRIC])
    assert [m.team for m, _ in store.conversations(CallFilter(call_ids=("c1",)))] == ["green"]
    assert store.query("SELECT count(*) AS n FROM turns WHERE call_id = 'c1'")[0]["n"] == 2


def test_the_last_record_of_a_call_counts_within_a_chunk(db: Path) -> None:
    """Two records of one call in one load leave one call, that of the later one."""
    with Store(db) as store:
        store.load([record("c1"), record("c1", team="red")], [RUBRIC])
        assert store.check() == []
        assert store.query("SELECT team FROM calls") == [{"team": "red"}]


def test_many_records_are_kept_a_chunk_at_a_time(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is that of one chunk after the other, and a fault leaves the chunks before it."""
    monkeypatch.setattr("pipeline.store.store.CHUNK", 2)
    clash = record("c1", sha="beefcafe99", path="/other/c1.wav")
    given = [record(f"c{i}") for i in range(9)] + [clash, record("c2", team="red"), record("c9")]
    with Store(db) as store:
        store.load(given, [RUBRIC])
        assert store.check() == []
        assert counts(store)["calls"] == 11
        assert store.query("SELECT team FROM calls WHERE call_id = 'c2'") == [{"team": "red"}]
        assert store.query("SELECT count(DISTINCT recorded_at) AS n FROM ledger") == [{"n": 6}]
        bad = record("c20", agent_channel=2**40)
        with pytest.raises(StoreError, match="does not fit"):
            store.load([*(record(f"c{i}") for i in range(10, 14)), bad], [RUBRIC])
        assert counts(store)["calls"] == counts(store)["ledger"] == 15


def test_chunks_of_one_session_know_what_those_before_brought(store: Store, tmp_path: Path) -> None:
    """Neither a chunk, nor a folder that was taken in, nor an erasure between them makes a row twice."""
    other = record("c3", sha="beefcafe99", path="/other/c3.wav")
    with Store(tmp_path / "elsewhere.duckdb") as elsewhere:
        elsewhere.load([record("c4")], [RUBRIC])
        elsewhere.export_parquet(tmp_path / "parquet")
    for chunk in ([record("c3")], [other, record("c1")], [other]):
        store.load(chunk, [RUBRIC])
    store.import_parquet(tmp_path / "parquet")
    store.load([record("c4"), record("c3~beefcafe", sha="beefcafe99", path="/other/c3.wav")], [RUBRIC])
    store.purge(CallFilter(call_ids=("c1",)))
    for chunk in ([record("c2")], [record("c1")], [record("c1"), record("c2")]):
        store.load(chunk, [RUBRIC])
    assert store.check() == []
    assert {m.call_id for m, _ in store.conversations()} == {"c2", "c3", "c3~beefcafe", "c4"}
    assert counts(store)["ledger"] == 5


def test_a_recording_that_comes_under_a_new_call_id_is_stored_once(store: Store) -> None:
    """What people answered and drew moves to the new id; a call that another file still holds stays."""
    review = Review("r1", "c1", RUBRIC.hash, "greeting", "yes", "no", "amira", START)
    store.save_reviews([review])
    store.save_sample([SampledCall("s1", "c1", "random", "a1 2026-W10", 7, 0.5, None, START)])
    store.load([record("c2", path="/copy/c2.wav")], [RUBRIC])

    def renamed(call_id: str, old: str) -> CallRecord:
        return record(call_id, sha=f"sha-{old}", path=f"/calls/{old}.wav")

    store.load([renamed("crm-1", "c1"), renamed("crm-2", "c2")], [RUBRIC])
    store.load([renamed("crm-1", "c1"), record("c3")], [RUBRIC])
    assert store.check() == []
    assert {m.call_id for m, _ in store.conversations()} == {"crm-1", "c2", "crm-2", "c3"}
    assert [r.call_id for r in store.reviews()] == ["crm-1"]
    assert store.query("SELECT call_id FROM samples") == [{"call_id": "crm-1"}]


def test_two_recordings_that_claim_one_call_id_are_both_kept(store: Store) -> None:
    """The second keeps an id of its own, and its ledger row says so; loading it again adds nothing."""
    other = record("c1", sha="beefcafe99", path="/other/c1.wav")
    store.load([other], [RUBRIC])
    store.load([other], [RUBRIC])
    assert {m.call_id for m, _ in store.conversations()} == {"c1", "c2", "c1~beefcafe"}
    entry = store.ledger(["/other/c1.wav"])["/other/c1.wav"]
    assert entry.call_id == "c1~beefcafe"
    assert "already that of /calls/c1.wav" in entry.warnings[-1]
    assert store.query("SELECT count(*) AS n FROM v_scorecards WHERE call_id = 'c1~beefcafe'")[0]["n"] == 1


def test_two_recordings_of_one_call_id_in_one_chunk_are_both_kept(db: Path) -> None:
    """A clash inside a chunk is no different."""
    with Store(db) as store:
        store.load([record("c1"), record("c1", sha="beefcafe99", path="/other/c1.wav")], [RUBRIC])
        assert counts(store)["calls"] == 2


def test_a_file_that_became_no_call_has_its_ledger_row(store: Store) -> None:
    """Quarantined and failed files are counted, and a later success replaces the row."""
    path = "/calls/bad\udcff.wav"
    entry = LedgerEntry(path, None, None, "quarantined", "truncated", "audio", "ends early", "copy it again")
    store.load([CallRecord(entry)])
    assert store.ledger([path])[path].reason == "truncated"
    store.load([record("c3", path=path)], [RUBRIC])
    assert store.ledger([path])[path].status == "scored"
    assert counts(store)["ledger"] == 3


def test_a_time_without_zone_is_taken_in_the_sites_zone_and_said(db: Path) -> None:
    """Half past nine in Karachi is half past four UTC."""
    naive = record("c1")
    naive = replace(naive, metadata=metadata("c1", started_at=dt.datetime(2026, 3, 2, 9, 30)))  # noqa: DTZ001
    with Store(db) as store:
        store.load([naive], [RUBRIC])
        ((meta, _),) = store.conversations()
        warnings = store.ledger(["/calls/c1.wav"])["/calls/c1.wav"].warnings
    assert meta.started_at == dt.datetime(2026, 3, 2, 4, 30, tzinfo=dt.UTC)
    assert "start time had no zone; taken as Asia/Karachi" in warnings


def test_the_week_and_hour_are_the_sites_own(db: Path) -> None:
    """Sunday evening in London is Monday in Karachi; an unknown zone counts as UTC and breaks no view."""
    sunday = dt.datetime(2026, 3, 1, 20, 30, tzinfo=dt.UTC)
    with Store(db) as store:
        store.load(
            [
                record("a", started_at=sunday, timezone="Asia/Karachi"),
                record("b", started_at=sunday, timezone="Mars/Base"),
            ],
            [RUBRIC],
        )
        rows = store.query("SELECT call_id, local_hour, week FROM v_calls ORDER BY call_id")
    assert [(r["call_id"], r["local_hour"], r["week"]) for r in rows] == [
        ("a", 1, dt.date(2026, 3, 2)),
        ("b", 20, dt.date(2026, 2, 23)),
    ]


def test_a_start_in_the_future_is_kept_and_warned_of(db: Path) -> None:
    """A recorder's wrong clock is visible in the ledger."""
    with Store(db) as store:
        store.load([record("c1", started_at=dt.datetime(2199, 1, 1, tzinfo=dt.UTC))], [RUBRIC])
        assert "lies in the future" in store.ledger(["/calls/c1.wav"])["/calls/c1.wav"].warnings[-1]


def test_old_scores_stay_when_a_rubric_changes_and_flips_are_listed(store: Store) -> None:
    """A new version of a rubric is the newest; the old outcome is still there to compare."""
    second = RubricRef("support", "2", "hash-support-2")
    store.save_scorecards([scorecard("c1", rubric=second, outcome="pass", final=90.0)], [second])
    flips = store.query("SELECT call_id, old_outcome, new_outcome, change FROM v_flips")
    assert flips == [{"call_id": "c1", "old_outcome": "fail", "new_outcome": "pass", "change": 90.0}]
    newest = {c.call_id: c.rubric.version for c in store.scorecards()}
    assert newest == {"c1": "2", "c2": "1"}
    old = list(store.scorecards(CallFilter(rubric=RUBRIC.hash)))
    assert {c.call_id for c in old} == {"c1", "c2"}
    assert store.query("SELECT count(*) AS n FROM v_answers WHERE call_id = 'c1'")[0]["n"] == 3


def test_another_rubric_does_not_supersede(store: Store) -> None:
    """Two rubrics on one call are both newest."""
    sales = RubricRef("sales", "1", "hash-sales")
    store.save_scorecards([scorecard("c1", rubric=sales, outcome="pass")], [sales])
    assert store.query("SELECT count(*) AS n FROM v_scorecards WHERE call_id = 'c1'")[0]["n"] == 2


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        (CallFilter(), {"c1", "c2"}),
        (CallFilter(team="red"), {"c2"}),
        (CallFilter(client="acme", agent_id="a1"), {"c1"}),
        (CallFilter(outcome="fail"), {"c1", "c2"}),
        (CallFilter(outcome="pass"), set()),
        (CallFilter(rubric="support"), {"c1", "c2"}),
        (CallFilter(rubric="other"), set()),
        (CallFilter(since=START), {"c1", "c2"}),
        (CallFilter(until=START), set()),
        (CallFilter(call_ids=()), set()),
        (CallFilter(team="x' OR '1'='1"), set()),
    ],
)
def test_filters_choose_calls(store: Store, calls: CallFilter, found: set[str]) -> None:
    """Every part of a filter narrows, and none of it is SQL."""
    assert {m.call_id for m, _ in store.conversations(calls)} == found
    assert {s.call_id for s in store.scorecards(calls)} == found


def test_a_day_is_the_sites_own_day(tmp_path: Path) -> None:
    """As in the columns that show it: half an hour after midnight in Karachi is the day before in UTC."""
    karachi, new_york = (
        record(name, timezone=zone, started_at=dt.datetime(2026, 4, 6, 0, 30, tzinfo=ZoneInfo(zone)))
        for name, zone in (("khi", "Asia/Karachi"), ("nyc", "America/New_York"))
    )
    late = record("late", timezone="America/New_York", started_at=dt.datetime(2026, 4, 7, 3, tzinfo=dt.UTC))
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([karachi, new_york, late], [RUBRIC])
        day = CallFilter(since=dt.datetime(2026, 4, 6), until=dt.datetime(2026, 4, 7))  # noqa: DTZ001
        assert {m.call_id for m, _ in store.conversations(day)} == {"khi", "nyc", "late"}
        in_utc = replace(day, since=dt.datetime(2026, 4, 6, tzinfo=dt.UTC))
        assert {m.call_id for m, _ in store.conversations(in_utc)} == {"nyc", "late"}


def test_a_chunk_that_fails_leaves_nothing(store: Store) -> None:
    """One impossible value, and no row of its chunk is kept."""
    before = counts(store)
    bad = replace(record("c4"), ledger=replace(record("c4").ledger, size_bytes=2**80))
    with pytest.raises(StoreError, match="does not fit"):
        store.load([record("c3"), bad], [RUBRIC])
    assert counts(store) == before
    store.load([record("c3")], [RUBRIC])
    assert counts(store)["calls"] == 3


def test_what_a_judge_cost_is_replaced_for_its_own_criterion_alone(store: Store) -> None:
    """Two rubrics may name a criterion alike, and of another call the same one may not have been asked."""

    def cost(rubric: str, criterion: str, calls: int) -> StageRun:
        return StageRun("judge", "f", "e", "m", 1.0, rubric, criterion, calls=calls, result="answered")

    store.save_stage("judge", {"c1": [cost("a", "x", 1), cost("b", "x", 2)], "c2": [cost("a", "y", 3)]})
    store.save_stage("judge", {"c1": [cost("a", "x", 4), cost("a", "y", 5)], "c2": [cost("a", "x", 6)]})

    rows = store.query("SELECT * FROM stage_runs WHERE stage = 'judge'")
    kept = {(r["call_id"], r["rubric_id"], r["criterion_id"]): r["calls"] for r in rows}
    assert len(rows) == len(kept)
    assert kept == {
        ("c1", "a", "x"): 4,
        ("c1", "b", "x"): 2,
        ("c1", "a", "y"): 5,
        ("c2", "a", "y"): 3,
        ("c2", "a", "x"): 6,
    }


def test_every_view_answers(store: Store) -> None:
    """No view is broken."""
    views = [r["view_name"] for r in store.query("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
    assert {
        "v_calls",
        "v_scorecards",
        "v_agent_week",
        "v_team_week",
        "v_criterion_rates",
        "v_coverage",
    } <= set(views)
    assert {"v_flips", "v_agreement", "v_sentiment_path"} <= set(views)
    for view in views:
        store.query(f"SELECT * FROM {view}")


def test_the_worst_moment_is_quoted_until_its_words_are_erased(db: Path) -> None:
    """As annotation masked it; a role without a negative turn, and an erased call, have no quote."""
    call = record("c1")
    worst = Finding("lowest_point", "customer", 1, 5.0, 9.25, "my card [CARD] is blocked", -0.5, "v1")
    call = replace(call, conversation=replace(call.conversation, findings=(worst,)))
    path = "SELECT role, lowest_start_s AS at, lowest_quote AS quote FROM v_sentiment_path ORDER BY role"
    with Store(db) as store:
        store.load([call], [RUBRIC])
        silent = {"role": "agent", "at": None, "quote": None}
        said = {"role": "customer", "at": 5.0, "quote": "my card [CARD] is blocked"}
        assert store.query(path) == [silent, said]
        store.purge(CallFilter(call_ids=("c1",)), keep_figures=True)
        assert store.query(path) == [silent, {**silent, "role": "customer"}]


def test_every_table_and_column_is_explained(store: Store) -> None:
    """Comments are the schema's documentation."""
    silent = store.query(
        "SELECT table_name AS name FROM duckdb_tables() WHERE comment IS NULL "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NULL "
        "UNION ALL SELECT table_name || '.' || column_name FROM duckdb_columns() "
        "WHERE NOT internal AND comment IS NULL"
    )
    assert silent == []
