"""The same store on a lake: one catalogue, Parquet files, several machines that write at once."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from pyarrow import fs
from typer.testing import CliRunner

from pipeline.cli.commands import app
from pipeline.errors import StoreError
from pipeline.store import CallFilter, open_store
from pipeline.store.sandbox import Sandbox
from pipeline.store.search import search
from tests.store_factory import RUBRIC, record

pytest.importorskip("duckdb_extension_ducklake", reason="DuckLake's wheel is not installed (callqa[lake])")
WRITER = """
import sys; sys.path.insert(0, sys.argv[3])
from pipeline.store import open_store
from tests.store_factory import RUBRIC, record
with open_store(sys.argv[1], lock_timeout_s=60) as store:
    for chunk in range(int(sys.argv[4])):
        store.load([record(f"{sys.argv[2]}-{chunk}-{i}") for i in range(5)], [RUBRIC])
"""


def postgres_programs() -> Path | None:
    """Where PostgreSQL's own programs are, from Debian's packages or the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[str]:
    """A catalogue on a PostgreSQL started for this test, reached by its socket."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip(
        "duckdb_extension_postgres_scanner", reason="its wheel is not installed (callqa[lake])"
    )
    home = Path(os.environ.get("TMPDIR", "/tmp")) / f"callqa-pg-{os.getpid()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    # PostgreSQL will not run as root
    who = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if who:
        shutil.chown(home, "postgres")
    data = home / "data"

    def run(*command: str) -> None:
        subprocess.run([*who, *command], check=True, capture_output=True, cwd=home, timeout=60)

    try:
        run(str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "callqa", "-N")
        options = f"-k {home} -c listen_addresses='' -c fsync=off"
        run(str(programs / "pg_ctl"), "-D", str(data), "-w", "-l", str(home / "log"), "-o", options, "start")
        yield f"ducklake:postgres:dbname=postgres user=callqa host={home}?data_path={tmp_path / 'data'}/"
    finally:
        stop = [str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop"]
        subprocess.run([*who, *stop], check=False, capture_output=True, cwd=home, timeout=60)
        shutil.rmtree(home, ignore_errors=True)


def write_at_once(db: str, chunks: int) -> None:
    """Two processes load their own calls at the same time."""
    wait_for(writer(db, name, chunks) for name in "ab")


def writer(db: str, name: str, chunks: int) -> subprocess.Popen[bytes]:
    """A process that loads chunks of calls."""
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, db, name, root, str(chunks)], stderr=subprocess.PIPE
    )


def wait_for(writers: Iterable[subprocess.Popen[bytes]]) -> None:
    """Wait until processes end without an error; all are started before."""
    for writer in [*writers]:
        _, complaint = writer.communicate(timeout=300)
        assert writer.returncode == 0, complaint.decode()


def assert_holds_both(db: str, calls: int) -> None:
    """Everything of both writers is there, once, and comes back as it was."""
    with open_store(db, read_only=True) as store:
        assert store.check() == []
        assert store.query("SELECT count(*) AS n FROM v_scorecards") == [{"n": calls}]
        ((meta, conversation),) = store.conversations(CallFilter(call_ids=("a-0-0",)))
        wanted = record("a-0-0")
        assert (meta, conversation) == (wanted.metadata, wanted.conversation)
        assert list(store.scorecards(CallFilter(call_ids=("a-0-0",)))) == list(wanted.scorecards)


def test_two_processes_write_at_once_through_postgresql(postgres: str) -> None:
    """Neither waits for the other to finish, and nothing is lost or doubled."""
    write_at_once(postgres, 2)
    assert_holds_both(postgres, 20)


def test_two_processes_of_one_machine_write_through_sqlite(tmp_path: Path) -> None:
    """No server is needed on one machine."""
    pytest.importorskip("duckdb_extension_sqlite_scanner", reason="callqa[lake] is not installed")
    db = f"ducklake:sqlite:{tmp_path / 'cat.sqlite'}?data_path={tmp_path / 'data'}/"
    write_at_once(db, 1)
    assert_holds_both(db, 10)


def test_calls_are_erased_while_another_process_writes(tmp_path: Path) -> None:
    """A request for erasure, or the monthly retention, comes while a batch runs."""
    pytest.importorskip("duckdb_extension_sqlite_scanner", reason="callqa[lake] is not installed")
    db = f"ducklake:sqlite:{tmp_path / 'cat.sqlite'}?data_path={tmp_path / 'data'}/"
    old = [f"old-{i}" for i in range(5)]
    with open_store(db) as store:
        store.load([record(call_id) for call_id in old], [RUBRIC])
    batch = writer(db, "a", 6)
    for call_id in old:
        with open_store(db, lock_timeout_s=60) as store:
            assert store.purge(CallFilter(call_ids=(call_id,))).erasure.left == {}
    wait_for([batch])
    with open_store(db, read_only=True) as store:
        assert store.check() == []
        assert store.query("SELECT count(*) AS n FROM calls") == [{"n": 30}]


@pytest.fixture
def lake(tmp_path: Path) -> str:
    """A lake with two calls and a DuckDB catalogue."""
    db = f"ducklake:{tmp_path / 'cat.ducklake'}?data_path={tmp_path / 'data'}/"
    with open_store(db) as store:
        store.load([record("c1"), record("c2", customer_ref="cust-2")], [RUBRIC])
    return db


def test_loading_again_and_erasing_work_on_a_lake(lake: str, tmp_path: Path) -> None:
    """Idempotent there too; erased rows are gone from the catalogue's history and from the folder."""
    with open_store(lake) as store:
        store.load([record("c1"), record("c2", customer_ref="cust-2")], [RUBRIC])
        assert store.check() == []
        done = store.purge(CallFilter(customer_ref="cust-2"))
        assert done.erasure.left == {}
        assert [m.call_id for m, _ in store.conversations()] == ["c1"]
    held = [p for p in (tmp_path / "data").rglob("*.parquet") if b"cust-2" in p.read_bytes()]
    assert held == []


def test_a_snapshot_of_a_lake_is_a_file_with_everything(lake: str, tmp_path: Path) -> None:
    """Analysts get one database file with the same calls, and full text search."""
    copy = tmp_path / "copy.duckdb"
    with open_store(lake, read_only=True) as store:
        store.snapshot(copy)
        before = [*store.conversations()], [*store.scorecards()], store.query("FROM ledger ORDER BY path")
    with open_store(copy, read_only=True) as store:
        assert store.check() == []
        after = [*store.conversations()], [*store.scorecards()], store.query("FROM ledger ORDER BY path")
        notes: list[str] = []
        assert len(search(store, "bills", CallFilter(), on_note=notes.append).hits) == 2
    assert after == before
    assert not any("plainly" in note for note in notes)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[fs.FileSystem]:
    """A bucket on an S3-compatible server of this test's own, named as AWS's tools name one."""
    server = pytest.importorskip("moto.server", reason="an S3 server for tests (callqa[dev])")
    pytest.importorskip("duckdb_extension_httpfs", reason="its wheel is not installed (callqa[lake])")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    server_at = f"localhost:{running.get_host_and_port()[1]}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server_at}")
    store = fs.S3FileSystem(endpoint_override=server_at, scheme="http", allow_bucket_creation=True)
    store.create_dir("callqa")
    yield fs.SubTreeFileSystem("callqa", store)
    running.stop()


def test_rows_may_lie_in_an_object_store(bucket: fs.FileSystem, tmp_path: Path) -> None:
    """Loading, asking and erasing work over S3, and erased rows are gone from the bucket."""
    db = f"ducklake:{tmp_path / 'cat.ducklake'}?data_path=s3://callqa/qa/"
    with open_store(db) as store:
        store.load([record("c1"), record("c2", customer_ref="cust-2")], [RUBRIC])
        assert store.check() == []
        store.purge(CallFilter(customer_ref="cust-2"))
    with open_store(db, read_only=True) as store:
        assert list(store.scorecards()) == list(record("c1").scorecards)
        sandbox = Sandbox(store)
        assert sandbox.ask("SELECT DISTINCT call_id FROM v_answers").to_pylist() == [{"call_id": "c1"}]
        with pytest.raises(StoreError):
            sandbox.ask("FROM read_text('s3://another/file')")
    files = [f.path for f in bucket.get_file_info(fs.FileSelector("qa", recursive=True)) if f.is_file]
    assert any(name.endswith(".parquet") for name in files)
    assert not any(b"cust-2" in bucket.open_input_file(name).read() for name in files)


@pytest.mark.parametrize("kind", ["", "sqlite:"])
def test_a_lake_made_with_relative_paths_is_used_from_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As cron does; another folder for the rows is answered with the one that the catalogue keeps."""
    if kind:
        pytest.importorskip("duckdb_extension_sqlite_scanner", reason="callqa[lake] is not installed")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    with open_store(f"ducklake:{kind}cat?data_path=data/") as store:
        store.load([record("c1")], [RUBRIC])
    monkeypatch.chdir(tmp_path / "other")
    for db in (f"ducklake:{kind}../cat?data_path=../data", f"ducklake:{kind}{tmp_path}/cat"):
        with open_store(db) as store:
            assert [meta.call_id for meta, _ in store.conversations()] == ["c1"]
    with (
        pytest.raises(StoreError, match=f"has its rows in {tmp_path}/data/"),
        open_store(f"ducklake:{kind}../cat?data_path=data/"),
    ):
        pass
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(StoreError, match=r"its file .*\.parquet is not there"), open_store(db):
        pass


def test_questions_to_a_lake_only_read(lake: str, tmp_path: Path) -> None:
    """The sandbox reads the lake's own folder, writes nowhere, and sees no other file."""
    run = CliRunner()
    ask = ["--db", lake, "--json"]
    result = run.invoke(app, ["sql", "SELECT count(*) AS n FROM v_answers", *ask], catch_exceptions=False)
    assert json.loads(result.stdout) == {"n": 6}
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for statement in (
        f"FROM read_csv('{secret}')",
        f"COPY (SELECT 1) TO '{tmp_path}/data/x.csv'",
        "DELETE FROM calls",
        "CALL ducklake_expire_snapshots('lake', older_than => now())",
        "FROM ducklake_expire_snapshots('lake', older_than => now())",
    ):
        assert isinstance(run.invoke(app, ["sql", statement, *ask]).exception, StoreError), statement
    assert run.invoke(app, ["status", "--db", lake]).exit_code == 0
    found = run.invoke(app, ["search", "bill", "--db", lake])
    assert "my bill is wrong" in found.output
    assert "callqa snapshot" in found.output
    assert run.invoke(app, ["show", "c1", "--db", lake]).exit_code == 0
