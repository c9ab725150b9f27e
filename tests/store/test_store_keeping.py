"""Nothing is lost: kills, locks, full disks, old and foreign files; and nothing stays that was erased."""

import datetime as dt
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from pipeline.conversation import CallRecord, Doubt, LedgerEntry
from pipeline.errors import MachineError, StoreError, StoreLockedError
from pipeline.store import CallFilter, Store, migrations
from pipeline.store.connection import quoted
from pipeline.store.integrity import REPLACED
from pipeline.store.sandbox import Sandbox
from pipeline.store.search import search
from tests.store_factory import RUBRIC, record

WRITER = [sys.executable, str(Path(__file__).parents[1] / "store_writer.py")]
# More in the nightly run: CALLQA_KILLS=100
KILLS = int(os.environ.get("CALLQA_KILLS", "6"))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A database with three calls of two customers."""
    path = tmp_path / "qa.duckdb"
    with Store(path) as store:
        store.load(
            [
                record("c1"),
                record("c2", customer_ref="cust-2"),
                record("c3", started_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
            ],
            [RUBRIC],
        )
    return path


def test_a_kill_at_any_instant_loses_no_committed_call(tmp_path: Path) -> None:
    """Before, in and after commits: the store opens, adds up, and holds every chunk that was reported."""
    run = subprocess.run([*WRITER, str(tmp_path / "qa.duckdb"), str(KILLS)], capture_output=True, check=True)
    result = json.loads(run.stdout)
    assert result["faults"] == []
    assert result["committed"] > 0
    if KILLS >= 30:
        assert {"loading", "committing", "closing"} <= set(result["died_in"]), result


def test_a_second_writer_waits_and_says_for_whom(db: Path) -> None:
    """It names the holder at once, and goes on when the holder is done."""
    with subprocess.Popen([*WRITER, str(db), "hold", "1"], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        told: list[str] = []
        with (
            pytest.raises(StoreLockedError, match=f"in use by process {holder.pid}") as error,
            Store(db, lock_timeout_s=0.1),
        ):
            pass
        assert "callqa snapshot" in error.value.hint
        with Store(db, lock_timeout_s=30, on_wait=told.append) as store:
            assert store.query("SELECT count(*) AS n FROM calls") == [{"n": 3}]
        assert len(told) == 1
        assert str(holder.pid) in told[0]


def test_readers_share(db: Path) -> None:
    """Any number of readers at a time, and a reader cannot write."""
    with Store(db, read_only=True) as one, Store(db, read_only=True) as two:
        assert one.query("SELECT 1 AS a") == two.query("SELECT 1 AS a")
        with pytest.raises(StoreError, match="read-only"):
            one.load([record("c4")], [RUBRIC])


@pytest.mark.parametrize(
    "content", [b"", b"not a database at all" * 1000, b"SQLite format 3\0" + b"\0" * 5000]
)
def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    """An empty, a text and an SQLite file are named as what they are: not ours."""
    path = tmp_path / "foreign.duckdb"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="not a DuckDB database"), Store(path):
        pass
    assert path.read_bytes() == content


def test_somebody_elses_duckdb_is_refused(tmp_path: Path) -> None:
    """A DuckDB file with other tables is never migrated."""
    path = tmp_path / "other.duckdb"
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE invoices (a INT)")
    with pytest.raises(StoreError, match="not made by callqa: it holds invoices"), Store(path):
        pass


def test_a_damaged_file_gives_one_clear_error(db: Path) -> None:
    """Bytes overwritten in the middle are no traceback."""
    body = bytearray(db.read_bytes())
    body[4096 : len(body)] = os.urandom(len(body) - 4096)
    db.write_bytes(bytes(body))
    with pytest.raises(StoreError) as error, Store(db) as store:
        list(store.conversations())
    assert str(db) in error.value.message


@pytest.mark.parametrize("left", [100, 5000, 300_000, 0.7])
def test_a_database_cut_short_is_damaged(db: Path, left: float) -> None:
    """A copy that was broken off, wherever: its permissions are not at fault."""
    body = db.read_bytes()
    db.write_bytes(body[: int(left * len(body) if left < 1 else left)])
    with pytest.raises(StoreError, match="is damaged") as error, Store(db, read_only=True) as store:
        list(store.conversations())
    assert "restore" in error.value.hint


def test_damage_found_only_on_reading_is_said_in_words(tmp_path: Path) -> None:
    """Whichever block is damaged, reading, searching, checking and SQL either work or name the file."""
    path = tmp_path / "qa.duckdb"
    with Store(path) as store:
        store.load([record(f"c{i}") for i in range(300)], [RUBRIC])
    whole = path.read_bytes()
    block, said = 262_144, []
    for start in range(3 * 4096, len(whole), block):
        path.write_bytes(whole[: start + 2000] + b"\xff" * 5000 + whole[start + 7000 :])
        for ask in (
            lambda store: list(store.conversations()),
            lambda store: list(store.scorecards()),
            lambda store: store.check(),
            lambda store: store.ledger(["/calls/c1.wav"]),
            lambda store: store.query("FROM v_answers"),
            lambda store: Sandbox(store).ask("FROM turns"),
            lambda store: search(store, "bill", CallFilter()),
        ):
            try:
                with Store(path, read_only=True) as store:
                    ask(store)
            except StoreError as error:
                said.append(error.message)
    assert said
    assert [message for message in said if str(path) not in message] == []


def test_a_newer_database_is_refused(db: Path) -> None:
    """Its version and ours are said, and what to do."""
    with Store(db) as store, store.transaction() as connection:
        connection.execute("INSERT INTO schema_migrations VALUES (999, 'future', '', now(), '9.9')")
    with pytest.raises(StoreError, match="schema version 999") as error, Store(db):
        pass
    assert "upgrade callqa" in error.value.hint


@pytest.mark.parametrize("read_only", [False, True])
def test_an_older_database_is_upgraded_and_a_copy_kept(
    db: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    """From every version there ever was, the calls come through."""
    files = migrations.sql_files()
    newest = max(files) + 1
    added = "ALTER TABLE calls ADD COLUMN added VARCHAR; COMMENT ON COLUMN calls.added IS 'new';"
    monkeypatch.setattr(migrations, "sql_files", lambda: {**files, newest: ("added", added)})
    with Store(db, read_only=read_only) as store:
        assert store.query("SELECT count(*) AS n, any_value(added) AS a FROM calls") == [{"n": 3, "a": None}]
        assert store.query("SELECT max(version) AS v FROM schema_migrations") == [{"v": newest}]
    monkeypatch.undo()
    with Store(migrations.backup_path(db, newest - 1), read_only=True) as kept:
        assert kept.query("SELECT count(*) AS n FROM calls") == [{"n": 3}]


def older(path: Path, version: int, rows: str) -> Path:
    """A database as a version left it, with rows inserted by SQL."""
    with duckdb.connect(str(path)) as old:
        old.execute("SET TimeZone = 'UTC'")
        old.execute(migrations.RECORD)
        for number, (name, sql) in migrations.sql_files().items():
            if number <= version:
                old.execute(sql)
                old.execute("INSERT INTO schema_migrations VALUES (?, ?, '', now(), '0')", [number, name])
        old.execute(rows)
    return path


@pytest.mark.parametrize("start", sorted(migrations.sql_files()))
def test_calls_of_every_earlier_version_come_through(tmp_path: Path, start: int) -> None:
    """A database as that version left it is upgraded with its rows, and the views answer."""
    path = older(
        tmp_path / "old.duckdb",
        start,
        "INSERT INTO calls (call_id, started_at, timezone) VALUES "
        "('c1', '2026-03-02 20:00:00+00', 'Asia/Karachi'), "
        "('c2', '2026-03-02 20:00:00+00', 'Mars/Base'), ('c3', NULL, NULL)",
    )
    with Store(path, read_only=True) as store:
        rows = store.query(
            "SELECT call_id, local_hour, CAST(week AS VARCHAR) AS week FROM v_calls ORDER BY call_id"
        )
    hours = {r["call_id"]: r["local_hour"] for r in rows}
    assert len(rows) == 3
    if start < 2:
        assert hours == {"c1": 1, "c2": 20, "c3": None}


def test_warnings_that_answers_depend_on_are_told_from_others_once(tmp_path: Path) -> None:
    """Older stores kept their sentences alone; the upgrade gives each its kind, and whose words it is of."""
    said = (
        "clipped: 5.0 % of samples are at full scale",
        "too quiet: the agent's speech is 64 dB below full scale",
        "too quiet: speech on channel 2 is 60 dB below full scale",
        "a constant offset (DC) was removed",
        "it was heard as en and sounds like ur",
        "recognised weakly (mean word confidence 0.20): it is clipped",
    )
    sentences = ", ".join(f"'{quoted(one)}'" for one in said)
    path = older(
        tmp_path / "old.duckdb",
        6,
        "INSERT INTO calls (call_id, path, transcript_warnings, warnings, loaded_at) VALUES "
        f"('c1', 'c1.wav', [{sentences}], [], now()), ('c2', 'c2.wav', [], [], now())",
    )
    with Store(path) as store:
        told = {about.call_id: about for _, about in store.headings()}
    assert told["c1"].warnings == said
    assert told["c1"].doubts == (
        Doubt("clipped", said[0]),
        Doubt("too_quiet", said[1], "agent"),
        Doubt("too_quiet", said[2]),
        Doubt("other_language", said[4]),
        Doubt("recognised_weakly", said[5]),
    )
    assert told["c2"].doubts == ()


def test_what_answers_wait_for_is_told_by_their_reasons_once(tmp_path: Path) -> None:
    """Older stores kept the reason alone; the upgrade says which were suggestions or not asked."""
    reasons = {
        "away": "it was not heard; the judge could not be asked: it did not answer",
        "graded": "good: a suggestion that does not count, since a judge''s answer leads to it",
        "plain": "not heard",
        "none": "",
    }
    rows = ", ".join(f"('c1', 'h', '{name}', '{reason}')" for name, reason in reasons.items())
    inserted = f"INSERT INTO answers (call_id, rubric_hash, criterion_id, reason) VALUES {rows}"
    with Store(older(tmp_path / "old.duckdb", 6, inserted)) as store:
        told = store.query("SELECT criterion_id, awaits FROM answers")
    awaits = {"away": "judge", "graded": "people", "plain": None, "none": None}
    assert {row["criterion_id"]: row["awaits"] for row in told} == awaits


def test_a_migration_that_fails_changes_nothing(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a migration is undone with its record."""
    files = migrations.sql_files()
    broken = "ALTER TABLE calls ADD COLUMN half VARCHAR; ALTER TABLE nowhere ADD COLUMN x INT;"
    monkeypatch.setattr(migrations, "sql_files", lambda: {**files, max(files) + 1: ("broken", broken)})
    with pytest.raises(StoreError, match="nowhere"), Store(db):
        pass
    monkeypatch.undo()
    with Store(db) as store:
        assert "half" not in {r["column_name"] for r in store.query("DESCRIBE calls")}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file size")
def test_a_full_disk_loses_nothing_that_was_committed(db: Path) -> None:
    """A file-size limit stands for the full disk: one clear error, and the store goes on afterwards."""
    script = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pipeline.store import Store; from pipeline.errors import CallQAError\n"
        "from tests.store_factory import record, RUBRIC\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n"
        "    with Store(sys.argv[1]) as store:\n"
        "        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "        for n in range(200):\n"
        "            store.load([record(f'big{n}-{i}') for i in range(50)], [RUBRIC])\n"
        "except CallQAError as error:\n"
        "    print(type(error).__name__, error.message)\n"
    )
    root = str(Path(__file__).parents[2])
    run = subprocess.run([sys.executable, "-c", script, str(db), root], capture_output=True, text=True)
    assert run.stdout.startswith("MachineError"), run.stdout + run.stderr
    with Store(db) as store:
        assert store.check() == []
        assert {m.call_id for m, _ in store.conversations()} >= {"c1", "c2", "c3"}
        store.load([record("c4")], [RUBRIC])


def test_a_snapshot_is_a_whole_database_of_its_own(db: Path, tmp_path: Path) -> None:
    """The copy answers while the original is being written, and replaces an older copy at once."""
    dest = tmp_path / "copy.duckdb"
    dest.write_bytes(b"older copy")
    with Store(db, read_only=True) as store:
        store.snapshot(dest)
        with pytest.raises(StoreError, match="is the database itself"):
            store.snapshot(db)
    with Store(db) as _, Store(dest, read_only=True) as copy:
        assert copy.check() == []
        assert copy.query("SELECT count(*) AS n FROM calls") == [{"n": 3}]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.duckdb", "qa.duckdb"]


def test_a_snapshot_holds_what_a_killed_writer_committed(db: Path, tmp_path: Path) -> None:
    """What is still in the write-ahead log is in the copy."""
    killed = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pipeline.store import Store\n"
        "from tests.store_factory import record, RUBRIC\n"
        "store = Store(sys.argv[1]).__enter__()\n"
        "store.load([record('c4')], [RUBRIC])\n"
        "os._exit(9)\n"
    )
    subprocess.run([sys.executable, "-c", killed, str(db), str(Path(__file__).parents[2])], check=False)
    assert db.with_name("qa.duckdb.wal").exists()
    with Store(db, read_only=True) as store:
        store.snapshot(tmp_path / "copy.duckdb")
    with Store(tmp_path / "copy.duckdb", read_only=True) as copy:
        assert copy.query("SELECT count(*) AS n FROM calls") == [{"n": 4}]


def test_parquet_goes_out_and_comes_back_the_same(db: Path, tmp_path: Path) -> None:
    """Another store made from the folder holds the same calls, scores and ledger."""
    folder = tmp_path / "lake house's"
    with Store(db) as store:
        store.export_parquet(folder)
        before = [*store.conversations()], [*store.scorecards()], store.query("FROM ledger ORDER BY path")
        first = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.parquet")}
        store.export_parquet(folder)
        assert {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.parquet")} == first
    with Store(tmp_path / "again.duckdb") as again:
        for _ in range(2):  # taking it in twice changes nothing
            again.import_parquet(folder)
            after = [*again.conversations()], [*again.scorecards()], again.query("FROM ledger ORDER BY path")
            assert after == before
        assert again.check() == []
    assert (folder / "calls" / "month=2020-01").is_dir()


def test_parquet_of_an_older_version_comes_back_complete(db: Path, tmp_path: Path) -> None:
    """What columns of later versions hold is worked out for the rows taken in, and for no other."""
    folder = tmp_path / "store"
    with Store(db) as store:
        store.export_parquet(folder)
        store.load([record("c9")], [RUBRIC])
        store.connection.execute("UPDATE calls SET transcript_warnings = ['clipped'] WHERE call_id = 'c9'")
        calls = folder / "calls" / "month=2026-03" / "data_0.parquet"
        written = f"read_parquet('{calls}', hive_partitioning = false)"
        columns = "* EXCLUDE (started_local, transcript_doubts)"
        store.connection.execute(
            f"COPY (SELECT {columns} FROM {written}) TO '{tmp_path / 'old'}' (FORMAT parquet)"
        )
        (tmp_path / "old").replace(calls)
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 1}))
        before = sorted(store.conversations(), key=lambda call: call[0].call_id)
        store.import_parquet(folder)
        assert sorted(store.conversations(), key=lambda call: call[0].call_id) == before
        assert store.query("SELECT count(*) AS n FROM v_calls WHERE local_hour IS NULL") == [{"n": 0}]


@pytest.mark.parametrize("keep_figures", [False, True])
def test_an_older_backup_brings_no_erased_call_back(db: Path, tmp_path: Path, keep_figures: bool) -> None:
    """Nor a copy of its recording, nor the words of figures that were kept; into a new store all comes."""
    with Store(db) as store:
        copy = replace(record("c2").ledger, path="/copy/c2.wav", status="skipped", reason="duplicate")
        store.load([CallRecord(copy)], [RUBRIC])
        store.export_parquet(tmp_path / "older")
        store.purge(CallFilter(call_ids=("c1", "c2")), keep_figures=keep_figures)
        before = {t: store.query(f"FROM {t} ORDER BY ALL") for t in ("calls", "turns", "answers", "ledger")}
        store.export_parquet(tmp_path / "newer")
        for folder in ("older", "newer"):
            store.import_parquet(tmp_path / folder)
            assert store.check() == []
            assert before == {t: store.query(f"FROM {t} ORDER BY ALL") for t in before}
    with Store(tmp_path / "new.duckdb") as fresh:
        fresh.import_parquet(tmp_path / "older")
        assert fresh.count() == 3


def test_a_backup_that_was_killed_at_its_last_step_is_not_lost(db: Path, tmp_path: Path) -> None:
    """The earlier backup had been moved aside: it is back in its place even if the next one fails."""
    with Store(db) as store:
        store.export_parquet(tmp_path / "backup")
        (tmp_path / "backup").rename(tmp_path / ".backup.old")
        with store.transaction() as connection:
            connection.execute("DROP TABLE samples")
        with pytest.raises(StoreError):
            store.export_parquet(tmp_path / "backup")
    with Store(tmp_path / "new.duckdb") as fresh:
        fresh.import_parquet(tmp_path / "backup")
        assert fresh.count() == 3
    assert not list(tmp_path.glob(".backup*"))


def test_parquet_is_readable_by_other_tools(db: Path, tmp_path: Path) -> None:
    """Pandas and plain PyArrow read the hive folders; times carry their zone."""
    pd = pytest.importorskip("pandas")
    with Store(db) as store:
        store.export_parquet(tmp_path / "out")
    calls = pd.read_parquet(tmp_path / "out" / "calls")
    assert sorted(calls.call_id) == ["c1", "c2", "c3"]
    assert set(calls.month) == {"2020-01", "2026-03"}
    assert calls.started_at.dt.tz is not None


def test_parquet_never_overwrites_other_folders(db: Path, tmp_path: Path) -> None:
    """A folder with somebody's files is refused, and so is taking in something else."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with Store(db) as store:
        with pytest.raises(StoreError, match="holds other files"):
            store.export_parquet(tmp_path / "mine")
        with pytest.raises(StoreError, match="not a store written as Parquet"):
            store.import_parquet(tmp_path / "mine")


def test_a_backup_deletes_no_file_but_its_own(db: Path, tmp_path: Path) -> None:
    """What a folder holds beside an earlier backup, at any depth, is kept; so is another tool's manifest."""
    site, backup = tmp_path / "site", tmp_path / "backup [1]"
    site.mkdir()
    (site / "manifest.json").write_text('{"name": "web app"}')
    with Store(db) as store:
        with pytest.raises(StoreError, match=r"site holds other files, e\.g\. manifest\.json"):
            store.export_parquet(site)
        store.export_parquet(backup)
        assert store.export_parquet(backup)["calls"] == 3
        for mine in (backup / "originals.jsonl", backup / "calls" / "month=2026-03" / "notes.txt"):
            mine.write_text("mine")
            with pytest.raises(StoreError, match=str(mine.relative_to(backup))):
                store.export_parquet(backup)
            assert mine.read_text() == "mine"
            mine.unlink()
    assert (site / "manifest.json").read_text() == '{"name": "web app"}'


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda file, _: file.unlink(), "not whole: it has 2 of 6 rows of turns"),
        (lambda file, body: file.write_bytes(body[:-100]), "is damaged: "),
        (lambda file, body: file.write_bytes(body[:200] + bytes(60) + body[260:]), "is damaged: "),
    ],
)
def test_a_backup_that_is_not_whole_is_refused(
    db: Path, tmp_path: Path, damage: Callable[[Path, bytes], object], says: str
) -> None:
    """A file that was not copied, or only half of it: nothing is taken in, and the folder is named."""
    with Store(db) as store:
        store.export_parquet(tmp_path / "out")
    file = tmp_path / "out" / "turns" / "month=2026-03" / "data_0.parquet"
    damage(file, file.read_bytes())
    with Store(tmp_path / "new.duckdb") as store:
        with pytest.raises(StoreError, match=f"out.* {says}"):
            store.import_parquet(tmp_path / "out")
        assert store.count() == 0


def test_an_erased_call_leaves_a_tombstone_and_nothing_else(db: Path) -> None:
    """No row, no quote, no path, and not a byte of its words in the file."""
    secret = record("c9", customer_ref="cust-9", path="/calls/+441632960001.wav")
    turns = tuple(
        replace(t, text="zanzibar marmalade", words=()) for t in secret.conversation.transcript.turns
    )
    transcript = replace(secret.conversation.transcript, turns=turns)
    with Store(db) as store:
        store.load(
            [replace(secret, conversation=replace(secret.conversation, transcript=transcript))], [RUBRIC]
        )
        done = store.purge(CallFilter(customer_ref="cust-9"))
        assert done.erasure.call_ids == ("c9",)
        assert done.erasure.left == {}
        assert done.erasure.deleted["turns"] == 2
        assert done.erasure.tombstones == 1
        assert {m.call_id for m, _ in store.conversations()} == {"c1", "c2", "c3"}
        assert store.check() == []
        row = store.ledger(["/calls/+441632960001.wav"])["/calls/+441632960001.wav"]
        assert (row.status, row.reason) == ("purged", "erased")
    body = db.read_bytes()
    assert b"zanzibar" not in body
    assert b"441632960001" not in body


def test_an_erased_recording_is_never_taken_in_again(db: Path) -> None:
    """Not by its path, not as a copy elsewhere, not under its call id."""
    with Store(db) as store:
        store.purge(CallFilter(call_ids=("c1",)))
        store.load([record("c1")], [RUBRIC])
        store.load([record("other", sha="sha-c1", path="/copy/of/c1.wav")], [RUBRIC])
        store.load([record("c1", sha="sha-new", path="/new.wav")], [RUBRIC])
        assert {m.call_id for m, _ in store.conversations()} == {"c2", "c3"}
        assert store.query("SELECT count(*) AS n FROM answers WHERE call_id IN ('c1', 'other')") == [{"n": 0}]
        assert store.query("SELECT count(*) AS n FROM ledger WHERE status = 'purged'") == [{"n": 3}]


def test_an_erased_id_that_looks_like_a_hash_is_never_taken_in_again(tmp_path: Path) -> None:
    """Such an id is its own hash in the ledger."""
    with Store(tmp_path / "qa.duckdb") as store:
        store.load([record("sha256:abab")], [RUBRIC])
        store.purge(CallFilter(call_ids=("sha256:abab",)))
        store.load([record("sha256:abab", sha="sha-new", path="/new.wav")], [RUBRIC])
        assert not list(store.conversations())


def test_duplicates_of_an_erased_recording_become_tombstones_too(db: Path) -> None:
    """A ledger row of the same audio under another path names nobody any more."""
    copy = LedgerEntry("/copies/c1-Jane-Doe.wav", "sha-c1", "c1", "skipped", "duplicate")
    with Store(db) as store:
        store.load([CallRecord(copy)])
        store.purge(CallFilter(call_ids=("c1",)))
        assert store.query("SELECT count(*) AS n FROM ledger WHERE path LIKE '%Jane%'") == [{"n": 0}]


def test_erasing_a_call_spares_the_recording_that_took_its_place(db: Path) -> None:
    """The file of c1 was written anew and is c4 now: c4 stays, and the sound of c1 is refused elsewhere."""
    with Store(db) as store:
        store.load([record("c4", path="/calls/c1.wav")], [RUBRIC])
        assert {problem.what for problem in store.check()} == {REPLACED}
        assert store.purge(CallFilter(call_ids=("c1",))).erasure.tombstones == 1
        assert store.check() == []
        assert store.ledger(["/calls/c1.wav"])["/calls/c1.wav"].call_id == "c4"
        store.load([record("c9", sha="sha-c1"), record("c4", path="/calls/c1.wav")], [RUBRIC])
        assert {m.call_id for m, _ in store.conversations()} == {"c2", "c3", "c4"}


def test_figures_may_outlive_the_words(db: Path) -> None:
    """Scores and metrics stay in the averages; customer, path, quotes and reasons are gone."""
    with Store(db) as store:
        done = store.purge(CallFilter(call_ids=("c1",)), keep_figures=True)
        assert set(done.erasure.deleted) == {"turns", "findings", "evidence"}
        assert store.query("SELECT count(*) AS n FROM v_scorecards WHERE call_id = 'c1'") == [{"n": 1}]
        row = store.query("SELECT customer_ref, path, extra FROM calls WHERE call_id = 'c1'")[0]
        assert set(row.values()) == {None}
        assert store.check() == []


def test_retention_by_age_and_no_purge_without_a_condition(db: Path) -> None:
    """Only calls older than the limit go; an empty purge is refused."""
    with Store(db) as store:
        with pytest.raises(StoreError, match="no condition"):
            store.purge(CallFilter())
        done = store.purge(CallFilter(), older_than=dt.datetime(2021, 1, 1, tzinfo=dt.UTC))
        assert done.erasure.call_ids == ("c3",)


def test_a_call_without_a_start_is_as_old_as_its_first_load(tmp_path: Path) -> None:
    """Scoring it again, also under another id, makes it no younger; nor does a backup."""
    db, folder = tmp_path / "qa.duckdb", tmp_path / "backup"
    undated = [record(call_id, started_at=None) for call_id in ("u1", "u2")]
    renamed = record("u3", started_at=None)
    renamed = replace(renamed, ledger=replace(undated[1].ledger, call_id="u3"))
    with Store(db) as store:
        store.load(undated, [RUBRIC])
        limit = dt.datetime.now(dt.UTC)
        store.load([undated[0], renamed, record("new", started_at=None)], [RUBRIC])
        store.export_parquet(folder)
        assert store.purge(CallFilter(), older_than=limit).erasure.call_ids == ("u1", "u3")
    with Store(tmp_path / "again.duckdb") as store:
        store.import_parquet(folder)
        assert store.purge(CallFilter(), older_than=limit).erasure.call_ids == ("u1", "u3")


def test_purging_gives_space_back(db: Path) -> None:
    """The file shrinks by what was erased."""
    talkative = [record(f"long-{i}") for i in range(4)]
    for i, call in enumerate(talkative):
        turns = tuple(replace(t, text=os.urandom(500_000).hex()) for t in call.conversation.transcript.turns)
        transcript = replace(call.conversation.transcript, turns=turns)
        talkative[i] = replace(call, conversation=replace(call.conversation, transcript=transcript))
    with Store(db) as store:
        store.load(talkative, [RUBRIC])
        done = store.purge(CallFilter(call_ids=tuple(f"long-{i}" for i in range(4))))
        assert done.bytes_before - done.bytes_after > 2_000_000
        assert len(list(store.conversations())) == 3


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("INSERT INTO calls FROM calls WHERE call_id = 'c1'", "calls: more than one row"),
        ("INSERT INTO answers FROM answers WHERE call_id = 'c1'", "answers: more than one row"),
        ("DELETE FROM calls WHERE call_id = 'c1'", "turns: rows of a call that is not there"),
        ("DELETE FROM scorecards WHERE call_id = 'c1'", "answers: rows of a scorecard that is not there"),
        ("DELETE FROM ledger WHERE call_id = 'c1'", "a call without its row in the ledger"),
        ("DELETE FROM turns WHERE call_id = 'c1' AND turn = 1", "turns missing"),
        ("UPDATE evidence SET end_s = 9999", "a span outside its call"),
        ("UPDATE evidence SET turn = 77", "a turn that is not there"),
        ("UPDATE scorecards SET is_latest = false", "not one newest"),
        ("UPDATE ledger SET status = 'lost'", "a status that does not exist"),
    ],
)
def test_the_check_finds_what_is_wrong(db: Path, damage: str, found: str) -> None:
    """Each promise, broken by hand, is named."""
    with Store(db) as store:
        assert store.check() == []
        with store.transaction() as connection:
            connection.execute(damage)
        assert any(found in problem.what for problem in store.check())


def test_opening_is_quick(db: Path) -> None:
    """Opening for a chunk of calls costs little: nothing is made anew when nothing changed."""
    began = time.perf_counter()
    for _ in range(5):
        with Store(db):
            pass
    assert (time.perf_counter() - began) / 5 < 0.5


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions and a limit on file size")
@pytest.mark.parametrize(
    ("work", "room", "full"),
    [
        ("open()", "path.stat().st_size - 1", "qa.duckdb.v1.bak"),
        ("open().export_parquet(path.with_name('out'))", "512", "out"),
    ],
)
def test_a_full_disk_is_named_where_it_is_full(db: Path, work: str, room: str, full: str) -> None:
    """A copy before an upgrade, or a backup, that finds no room: no half copy, and the store as before."""
    if full.endswith(".bak"):
        db.unlink()
        older(db, 1, "")
    script = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from pipeline.store import Store; from pipeline.errors import MachineError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "path = Path(sys.argv[1]); open = Store(path).__enter__\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room},) * 2)\n"
        f"try: {work}\n"
        "except MachineError as error: print(error.message)\n"
    )
    root = str(Path(__file__).parents[2])
    run = subprocess.run([sys.executable, "-c", script, str(db), root], capture_output=True, text=True)
    assert run.stdout.startswith(f"cannot write {db.parent / full}: "), run.stdout + run.stderr
    assert [f.name for f in db.parent.iterdir()] == [db.name]
    with Store(db) as store:
        assert store.check() == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions")
def test_a_purge_and_an_upgrade_let_in_nobody_new(db: Path) -> None:
    """The rewritten file and the copy before an upgrade have the permissions of the database."""
    db.chmod(0o600)
    owner = 12345 if os.geteuid() == 0 else os.geteuid()  # a root's purge leaves the file its owner
    os.chown(db, owner, -1)
    with Store(db) as store:
        store.purge(CallFilter(call_ids=("c1",)))
    assert (stat.S_IMODE(db.stat().st_mode), db.stat().st_uid) == (0o600, owner)
    old = older(db.with_name("old.duckdb"), 1, "")
    old.chmod(0o640)
    with Store(old):
        assert stat.S_IMODE(migrations.backup_path(old, 1).stat().st_mode) == 0o640


def test_a_disk_error_while_copying_leaves_no_half_copy(db: Path, tmp_path: Path) -> None:
    """A snapshot into a folder that is not there says so."""
    with Store(db, read_only=True) as store, pytest.raises(MachineError, match="cannot write"):
        store.snapshot(tmp_path / "nowhere" / "copy.duckdb")
