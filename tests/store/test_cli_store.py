"""The questions people ask the database from a terminal."""

import datetime as dt
import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.commands import app
from pipeline.cli.store import converse
from pipeline.conversation import Review
from pipeline.errors import CallQAError, StoreError, UsageError
from pipeline.process.batch import Tally
from pipeline.process.cache import StageCache
from pipeline.process.report import conclude
from pipeline.settings import Settings, StoreSettings
from pipeline.store import CallFilter, Store
from pipeline.store.sandbox import Sandbox
from tests.store_factory import RUBRIC, record

RUN = CliRunner()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with two calls, which no command here may change."""
    path = tmp_path_factory.mktemp("store") / "qa.duckdb"
    with Store(path) as store:
        store.load([record("c1"), record("c2", team="red")], [RUBRIC])
    return str(path)


def run(*args: str) -> str:
    """Standard output of a command that succeeds."""
    result = RUN.invoke(app, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_sql_answers_in_each_format(db: str, tmp_path: Path) -> None:
    """Table, CSV, JSON and Parquet hold the same answer."""
    query = (
        "SELECT outcome, count(*) AS n, list(call_id ORDER BY call_id) AS ids FROM v_scorecards GROUP BY 1"
    )
    assert json.loads(run("sql", query, "--db", db, "--json")) == {
        "outcome": "fail",
        "n": 2,
        "ids": ["c1", "c2"],
    }
    assert run("sql", query, "--db", db, "--csv").splitlines() == [
        "outcome,n,ids",
        'fail,2,"[""c1"", ""c2""]"',
    ]
    assert "fail" in run("sql", query, "--db", db)
    file = tmp_path / "answer.parquet"
    run("sql", query, "--db", db, "--parquet", str(file))
    import pyarrow.parquet as pq

    assert pq.read_table(file).to_pylist() == [{"outcome": "fail", "n": 2, "ids": ["c1", "c2"]}]


def test_what_is_written_never_replaces_the_database(db: str) -> None:
    """Neither an export nor a Parquet file, under whatever name the database is given."""
    before, link = Path(db).read_bytes(), Path(f"{db}.link")
    link.symlink_to(db)
    for arguments in (
        ["export", db, "-f", "jsonl"],
        ["export", str(link), "-f", "jsonl"],
        ["sql", "SELECT 1", "--parquet", db],
        ["snapshot", str(link)],
    ):
        refused = RUN.invoke(app, [*arguments, "--db", db])
        assert isinstance(refused.exception, StoreError), arguments
        assert "is the database itself" in refused.exception.message
    assert Path(db).read_bytes() == before
    link.unlink()


def test_values_that_formats_have_no_word_for(db: str) -> None:
    """Intervals are words; in JSON, NaN is null and of two columns of one name none is lost."""
    query = (
        "SELECT 1 AS n, 2 AS n, 'nan'::DOUBLE AS nan, ['-inf'::DOUBLE] AS list, "
        "INTERVAL 3 DAY + INTERVAL 90 MINUTE AS apart, "
        "INTERVAL '-90.5 seconds' AS back, INTERVAL 14 MONTH AS long, INTERVAL 0 DAY AS none"
    )
    intervals = {
        "apart": "3 days 01:30:00",
        "back": "-00:01:30.5",
        "long": "1 year 2 months",
        "none": "00:00:00",
    }
    assert json.loads(run("sql", query, "--db", db, "--json")) == {
        "n": 1, "n_1": 2, "nan": None, "list": [None], **intervals,
    }  # fmt: skip
    for form in ("--csv", "--table"):
        assert "3 days 01:30:00" in run("sql", query, "--db", db, form)


def test_intervals_are_words_in_parquet_and_inside_lists(db: str, tmp_path: Path) -> None:
    """Neither has a type of its own in the formats that other tools read."""
    import pyarrow.parquet as pq

    query = "SELECT INTERVAL 3 DAY AS apart, [INTERVAL 1 MONTH] AS list, NULL::INTERVAL AS none"
    file = tmp_path / "answer.parquet"
    run("sql", query, "--db", db, "--parquet", str(file))
    wanted = {"apart": "3 days", "list": "[1 month]", "none": None}
    assert pq.read_table(file).to_pylist() == [wanted]
    assert json.loads(run("sql", query, "--db", db, "--json")) == wanted


def test_a_field_named_interval_is_none(db: str, tmp_path: Path) -> None:
    """A struct keeps its type, whatever its fields are called."""
    import pyarrow.parquet as pq

    file = tmp_path / "answer.parquet"
    run("sql", "SELECT {'interval': 3} AS s", "--db", db, "--parquet", str(file))
    assert pq.read_table(file).to_pylist() == [{"s": {"interval": 3}}]


def test_a_map_is_an_object_in_every_format(db: str) -> None:
    """As the columns ``extra`` are, empty or not, whatever their keys, also inside lists."""
    query = "SELECT map{} AS none, map{'tier': 'gold'} AS extra, [map{date '2026-03-01': 2}] AS days"
    answer = json.loads(run("sql", query, "--db", db, "--json"))
    assert answer == {"none": {}, "extra": {"tier": "gold"}, "days": [{"2026-03-01": 2}]}
    assert '{},"{""tier"": ""gold""}"' in run("sql", query, "--db", db, "--csv")
    assert '{"tier": "gold"}' in run("sql", query, "--db", db)


def test_csv_has_no_formulas(db: str) -> None:
    """What a stranger wrote never runs in a spreadsheet; numbers and other formats are left alone."""
    query = """SELECT '=HYPERLINK("http://x")' AS agent_name, -5 AS change, '+44 1632' AS customer_ref"""
    assert run("sql", query, "--db", db, "--csv").splitlines()[1].startswith("\"'=HYPERLINK")
    assert run("sql", query, "--db", db, "--csv").splitlines()[1].endswith(",-5,'+44 1632")
    assert json.loads(run("sql", query, "--db", db, "--json"))["customer_ref"] == "+44 1632"


def test_csv_of_sql_loads_no_exports(db: str) -> None:
    """An analyst's question does not wait for workbooks and packets to be imported."""
    code = (
        "import sys; from pipeline.cli.commands import app\n"
        f"app(['sql', 'FROM calls', '--db', {db!r}, '--csv'], standalone_mode=False)\n"
        "sys.exit(str([m for m in sys.modules if m.startswith('pipeline.export')] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("call_id,")
    assert done.stderr.strip() == ""


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM calls",
        "INSERT INTO ledger (path, status) VALUES ('x', 'y')",
        "DROP TABLE calls",
        "CREATE TABLE x (a INT)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "COPY calls TO '{out}'",
        "COPY (SELECT 1) TO '{out}'",
        "EXPORT DATABASE '{out}'",
        "ATTACH '{out}' AS o",
        "ATTACH ':memory:' AS o",
        "SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM '{secret}'",
        "SELECT * FROM glob('/etc/*')",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
        "PRAGMA enable_external_access",
        "INSTALL httpfs",
        "LOAD '{secret}'",
        "CALL enable_logging(storage = 'file', storage_config = {{'path': '{out}'}})",
        "SELECT * FROM enable_logging(storage = 'file', storage_config = {{'path': '{out}'}})",
        "SELECT 1; DELETE FROM calls",
        "CHECKPOINT",
        "UPDATE calls SET client = 'x'",
        "EXPLAIN ANALYZE DELETE FROM calls",
    ],
)
def test_sql_cannot_write_attach_or_reach_files(db: str, tmp_path: Path, statement: str) -> None:
    """Whatever is tried, the database and the disk stay as they were."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    out = tmp_path / "out"
    result = RUN.invoke(app, ["sql", statement.format(out=out, secret=secret), "--db", db])
    assert isinstance(result.exception, StoreError), result.output
    assert result.exception.hint
    assert not out.exists()
    assert json.loads(run("sql", "SELECT count(*) AS n FROM calls", "--db", db, "--json")) == {"n": 2}


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["sql", "SELECT 1; SELECT 2"], "several queries"),
        (["sql", "SELECT 1", "--csv", "--json"], "exclude one another"),
        (["models", "verify", "small"], "is not on this machine"),
        (["watch", ".", "--every", "0"], "--every 0: too short"),
        (["watch", ".", "--settle", "nan"], "--settle nan"),
        (["serve", ".", "--cron", "every night"], "is not a schedule"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], why: str
) -> None:
    """Nothing is downloaded, shown in part, or announced and then refused."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CALLQA_STORE__DB", db)
    result = RUN.invoke(app, command)
    assert isinstance(result.exception, CallQAError)
    assert why in result.exception.message
    assert "serving" not in result.stderr


@pytest.mark.parametrize(
    "query",
    ["SHOW TABLES", "DESCRIBE v_scorecards", "SUMMARIZE calls", "FROM calls", "EXPLAIN FROM calls",
     "VALUES (1)", "PIVOT (SELECT call_id, answer, criterion_id FROM answers) ON answer USING count(*)"],
)  # fmt: skip
def test_sql_understands_friendly_forms(db: str, query: str) -> None:
    """Everything that only reads is welcome."""
    assert run("sql", query, "--db", db, "--csv")


def test_sql_takes_a_query_that_begins_with_a_comment(db: str) -> None:
    """As the files of the cookbook do; a misspelt option is still one."""
    cookbook = Path(__file__).parents[2] / "docs" / "cookbook"
    assert "scored" in run("sql", (cookbook / "coverage.sql").read_text("utf-8"), "--db", db)
    assert RUN.invoke(app, ["sql", "--cvs", "SELECT 1", "--db", db]).exit_code == 2


def test_sql_stops_after_its_time(db: str) -> None:
    """A runaway query ends with one message."""
    query = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range = 3"
    result = RUN.invoke(app, ["sql", query, "--db", db, "--timeout", "0.3"])
    assert isinstance(result.exception, StoreError)
    assert "stopped after 0.3 s" in result.exception.message


def test_sql_reads_a_query_from_a_pipe(db: str) -> None:
    """A file of SQL needs no quoting."""
    result = RUN.invoke(app, ["sql", "--db", db, "--json"], input="SELECT count(*) AS n\nFROM calls;\n")
    assert json.loads(result.stdout) == {"n": 2}


def test_the_prompt_answers_and_survives_mistakes(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A query may span lines; a wrong one, or one that would write, costs a message."""
    lines = iter(
        ["SELECT nothing;", "DROP TABLE calls;", "SELECT count(*) AS calls_there", "FROM calls;", ";", "exit"]
    )

    def read(_: str) -> str:
        return next(lines)

    with Store(db, read_only=True) as store:
        converse(Sandbox(store), read)
    out, err = capsys.readouterr()
    assert "calls_there" in out
    assert "2" in out
    assert "nothing" in err
    assert "DROP is refused" in err


def test_show_gives_quotes_and_the_nearest_miss(db: str) -> None:
    """A scorecard says what was heard, when, and what a miss came close to."""
    out = run("show", "c1", "--db", db)
    for part in (
        "fail",
        "hello this is acme",
        "nearest",
        "this is acme",
        "41%",
        "looked for",
        "disclosure missing",
    ):
        assert part in out
    assert json.loads(run("show", "c1", "--db", db, "--json"))["schema"] == "callqa.scorecard/1"


def test_show_tells_what_people_answered(tmp_path: Path) -> None:
    """The newest answer of each person beside the machine's, and a dispute until it is decided."""
    db = str(tmp_path / "qa.duckdb")
    at = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
    card = record("c1").scorecards[0]
    about = ("c1", card.rubric.hash)
    criterion = card.answers[0].id
    reviews = [
        Review("1", *about, criterion, "yes", "yes", "amira", at),
        Review("2", *about, criterion, "yes", "no", "Amira", at + dt.timedelta(1), "too late"),
        Review("3", *about, None, None, None, "Tom", at, "she did say it", "disputed"),
        Review("4", "c1", "an older form", criterion, "yes", "na", "Zoe", at),
    ]
    with Store(db) as store:
        store.load([record("c1")], [RUBRIC])
        store.save_reviews(reviews)
    out = run("show", "c1", "--db", db)
    assert "Amira: no: too late" in out
    assert "disputed: by Tom, not decided yet: she did say it" in out
    assert "amira" not in out
    assert "Zoe" not in out
    with Store(db) as store:
        newer = replace(card.rubric, version="9", hash="9" * 16)
        store.save_scorecards([replace(card, rubric=newer)], [newer])
    assert "disputed: by Tom, not decided yet: she did say it" in run("show", "c1", "--db", db)
    with Store(db) as store:
        decided = Review("5", *about, None, None, None, "Lead", at + dt.timedelta(2), "", "upheld")
        store.save_reviews([decided])
    assert "disputed" not in run("show", "c1", "--db", db)


def test_show_of_an_unknown_call_says_how_to_list(db: str) -> None:
    """A mistyped call id is a usage error."""
    result = RUN.invoke(app, ["show", "nobody", "--db", db])
    assert isinstance(result.exception, UsageError)


def test_search_finds_turns_whatever_the_case(db: str) -> None:
    """Every word must be there; percent signs are not wild."""
    hits = [json.loads(line) for line in run("search", "BILL wrong", "--db", db, "--json").splitlines()]
    assert [h["call_id"] for h in hits] == ["c1", "c2"]
    assert hits[0]["role"] == "customer"
    assert run("search", "b%l", "--db", db, "--json") == ""
    unknown = RUN.invoke(app, ["search", "bill", "--client", "Acme", "--db", db])
    assert "no client 'Acme' here; did you mean 'acme'?" in unknown.stderr


def test_status_adds_up(db: str) -> None:
    """Files received are what became of them."""
    result = RUN.invoke(app, ["status", "--db", db])
    assert "2 files received = 2 scored" in result.output


@pytest.mark.parametrize(
    "command",
    [
        "sql SELECT",
        "purge --call x --yes",
        "rescore --rubric support",
        "review sample",
        "review import r.csv",
    ],
)
def test_a_missing_database_is_named(tmp_path: Path, command: str) -> None:
    """No file is made by asking, or by a command that would change what is stored."""
    result = RUN.invoke(app, [*command.split(), "--db", str(tmp_path / "no.duckdb")])
    assert isinstance(result.exception, StoreError)
    assert "no database at" in result.exception.message
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["export", "", "-f", "xlsx"], "is a folder"),
        (["export", "r.csv"], "name a file that ends in .xlsx, .html, .jsonl"),
        (["export", "x.pdf"], "or say --format"),
        (["snapshot", ""], "is a folder"),
        (["sql", "SELECT 1", "--parquet", "."], "is a folder"),
        (["backup", __file__], "is a file"),
    ],
)
def test_a_destination_that_cannot_be_is_refused(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], what: str
) -> None:
    """Whatever stands where a file or folder should; nothing is written under another format's ending."""
    monkeypatch.chdir(tmp_path)
    result = RUN.invoke(app, [*command, "--db", db])
    error = result.exception
    said = f"{error.message} {error.hint}" if isinstance(error, UsageError) else result.stderr
    assert what in " ".join(said.split())
    assert result.exit_code != 0
    assert list(tmp_path.iterdir()) == []


def test_the_ending_says_the_format(db: str, tmp_path: Path) -> None:
    """A page that is asked for by name is no workbook."""
    run("export", str(tmp_path / "report.HTML"), "--db", db)
    assert (tmp_path / "report.HTML").read_text("utf-8").startswith("<!doctype html>")


def test_an_empty_draw_is_no_sample(db: str) -> None:
    """The command printed for its packet would fail, because nothing was recorded."""
    result = RUN.invoke(app, ["review", "sample", "--client", "nope", "--db", db])
    assert "no sample recorded" in result.stderr
    assert "review packet" not in result.stderr


def test_backup_restore_and_snapshot_from_the_terminal(db: str, tmp_path: Path) -> None:
    """What goes out comes back."""
    run("backup", str(tmp_path / "folder"), "--db", db)
    again = str(tmp_path / "again.duckdb")
    run("restore", str(tmp_path / "folder"), "--db", again)
    run("snapshot", str(tmp_path / "copy.duckdb"), "--db", again)
    query = "SELECT count(*) AS n FROM v_answers"
    assert json.loads(run("sql", query, "--db", str(tmp_path / "copy.duckdb"), "--json")) == {"n": 6}


def test_a_row_of_a_table_is_one_line(db: str) -> None:
    """Line breaks in what people wrote do not break a table."""
    assert len(run("sql", "SELECT agent_name FROM calls", "--db", db).splitlines()) == 3


def test_purge_proves_what_is_gone(tmp_path: Path) -> None:
    """It refuses to guess, asks first, and prints the proof; stage results and run summaries go too."""
    db = str(tmp_path / "qa.duckdb")
    with Store(db) as store:
        store.load([record("c1"), record("c2", customer_ref="cust-2")], [RUBRIC])
    kept = tmp_path / "qa.duckdb.state" / "calls" / "c2"
    kept.mkdir(parents=True)
    (kept / "transcribe-x.json").write_text("{}")
    tally = Tally(lowest=[(12.0, "c1", "support"), (40.0, "c2", "support"), (50.0, "c2~0123abcd", "sales")])
    conclude(tally, Settings(store=StoreSettings(db=db)))
    (summary,) = (tmp_path / "qa.duckdb.state" / "runs").iterdir()
    for wrong in (
        [],
        ["--customer", "cust-2"],
        *(["--older-than", age, "--yes"] for age in ("soon", "3000y")),
    ):
        result = RUN.invoke(app, ["purge", *wrong, "--db", db])
        assert isinstance(result.exception, (StoreError, UsageError)), wrong
    proof = json.loads(run("purge", "--customer", "cust-2", "--yes", "--db", db, "--json"))
    assert proof["calls"] == ["c2"]
    assert proof["rows_left"] == {}
    assert proof["stage_results_deleted"] == 1
    assert not kept.exists()
    assert [item["call_id"] for item in json.loads(summary.read_text())["lowest"]] == ["c1", "c2~0123abcd"]
    assert summary.stat().st_mode & 0o777 == 0o600
    nobody = RUN.invoke(app, ["purge", "--customer", "nobody", "--yes", "--db", db])
    assert "no call matches; nothing was erased" in nobody.output
    result = RUN.invoke(app, ["purge", "--call", "nope", "--call", "c1", "--yes", "--db", db])
    assert "not in the database: nope\n" in result.stderr
    said = result.stdout
    assert said.startswith("1 call erased: c1\n")
    assert "rows of these calls left: none" in said
    assert "not reached" in said


def test_a_purge_that_misses_a_call_does_not_seem_done(tmp_path: Path) -> None:
    """A mistyped id, or another client's call, is named and ends with exit code 3; erased before is done."""
    db = str(tmp_path / "qa.duckdb")
    with Store(db) as store:
        store.load([record("c1"), record("g1", client="globex")], [RUBRIC])
    purge = ["purge", "--yes", "--db", db, "--call", "c1"]
    first = RUN.invoke(app, [*purge, "--call", "cl", "--json"])
    assert (first.exit_code, json.loads(first.stdout)["not_erased"]) == (3, ["cl"])
    assert json.loads(first.stdout)["calls"] == ["c1"]
    assert RUN.invoke(app, purge).exit_code == 0
    other = RUN.invoke(app, [*purge, "--call", "g1", "--client", "acme"])
    assert other.exit_code == 3
    assert "NOT erased, not in the database or not met by the options: g1" in other.stderr


def test_purge_says_how_many_calls_it_does_not_name(tmp_path: Path) -> None:
    """Else the first twenty would pass for all in the record of what was erased."""
    db = str(tmp_path / "qa.duckdb")
    with Store(db) as store:
        store.load([record(f"c{number:02}") for number in range(23)], [RUBRIC])
    first, *_ = run("purge", "--older-than", "0d", "--yes", "--db", db).splitlines()

    assert first.startswith("23 calls erased: c00 ")
    assert first.endswith(" c19 and 3 more")


def test_a_purge_that_was_disturbed_is_finished_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has the file: kept transcripts go all the same, bytes by the same command again."""
    db = tmp_path / "qa.duckdb"
    ids = ("c1", "call/2")
    with Store(db) as store:
        store.load([record(call_id, customer_ref="+441632960001") for call_id in ids], [RUBRIC])
    kept = [StageCache(tmp_path / "qa.duckdb.state").folder(call_id) for call_id in ids]

    def leave_words() -> None:
        for folder in kept:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "transcribe-x.json").write_text("{}")

    def held(*_: object) -> None:
        raise BlockingIOError

    purge = ["purge", "--customer", "+441632960001", "--yes", "--db", str(db)]
    leave_words()
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.store.files.fcntl.lockf", held)
        first = RUN.invoke(app, purge)
    assert "another process opened it" in str(first.exception)
    assert not any(folder.exists() for folder in kept)
    assert b"441632960001" in db.read_bytes()
    leave_words()  # as a purge that is killed does
    again = RUN.invoke(app, purge)
    assert "no call matches" in again.output
    assert "stage results deleted: 2 calls" in again.output
    assert not any(folder.exists() for folder in kept)
    assert b"441632960001" not in db.read_bytes()


def test_restore_says_which_ledger_rows_another_machine_takes(tmp_path: Path) -> None:
    """Two machines had other calls under one path: both calls stay, but the ledger has one row a path."""
    both = str(tmp_path / "both.duckdb")
    for call_id in ("a1", "b1"):
        call = record(call_id)
        with Store(tmp_path / f"{call_id}.duckdb") as store:
            store.load([replace(call, ledger=replace(call.ledger, path="/rec/1.json"))], [RUBRIC])
        run("backup", str(tmp_path / call_id), "--db", str(tmp_path / f"{call_id}.duckdb"))
    said = [RUN.invoke(app, ["restore", str(tmp_path / name), "--db", both]).stderr for name in ("a1", "b1")]
    assert "ledger any more" not in said[0]
    assert "no row in the ledger any more: 1;" in said[1]


def chat(folder: Path, call_id: str, text: str) -> Path:
    """A transcript file of one turn."""
    file = folder / f"{call_id}.json"
    said = {"turn": 0, "role": "customer", "text": text, "start_s": 0, "end_s": 5}
    file.write_text(json.dumps({"schema": "callqa.transcript/1", "call_id": call_id, "turns": [said]}))
    return file


def test_purge_reaches_each_state_folder_or_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches keep transcripts where their settings say, on two machines; purge has only the database."""
    db, calls = str(tmp_path / "qa.duckdb"), tmp_path / "calls"
    calls.mkdir()
    folders = [tmp_path / name for name in ("here", "away")]
    kept = [folder / "calls" / "c1" / "transcribe-x.json" for folder in folders]

    def batch(at: int) -> None:
        config = tmp_path / f"{at}.toml"
        config.write_text(f"[flow]\nstate_dir = '{folders[at]}'\n")
        with monkeypatch.context() as patched:
            patched.setattr("platform.node", lambda: f"machine-{at}")
            run("run", str(calls), "--db", db, "--local", "--config", str(config))

    for at, call_id in enumerate(("c1", "c2")):
        chat(calls, call_id, "I will sue you")
        batch(at)
        kept[at].parent.mkdir(parents=True)
        kept[at].write_text('{"text": "I will sue you"}')
    folders[1].rename(tmp_path / "not mounted")

    purge = ["purge", "--call", "c1", "--yes", "--db", db]
    assert f"NOT reached, the next batch there deletes its transcripts: {folders[1]} on machine-1" in run(
        *purge
    )
    assert not kept[0].exists()
    (tmp_path / "not mounted").rename(folders[1])
    assert kept[1].exists()
    batch(1)
    assert not kept[1].exists()
    assert "NOT reached" not in RUN.invoke(app, purge).output


def test_purge_keeps_to_one_client(tmp_path: Path) -> None:
    """Two clients may number a customer alike, and have agreed on different ages."""
    db = str(tmp_path / "qa.duckdb")
    with Store(db) as store:
        store.load([record("a1"), record("g1", client="globex"), record("g2", client="globex")], [RUBRIC])
    yes = ["--yes", "--db", db, "--json"]
    assert (
        "no client 'Acme' here; did you mean 'acme'?"
        in RUN.invoke(app, ["purge", "--client", "Acme", *yes]).stderr
    )
    assert json.loads(run("purge", "--customer", "cust-1", "--client", "acme", *yes))["calls"] == ["a1"]
    erased = json.loads(run("purge", "--older-than", "1d", "--client", "globex", *yes))["calls"]
    assert erased == ["g1", "g2"]


def test_an_original_is_heard_again_by_name_and_with_a_reason(tmp_path: Path) -> None:
    """The store holds the placeholder; the command reads the file again and leaves a line of who and why."""
    said = {"role": "customer", "text": "my card number is 4111 1111 1111 1111", "start_s": 0, "end_s": 5}
    chat = tmp_path / "chat.json"
    chat.write_text(
        json.dumps({"schema": "callqa.transcript/1", "call_id": "c9", "turns": [{"turn": 0, **said}]})
    )
    store = str(tmp_path / "qa.duckdb")
    run("run", str(chat), "--db", store, "--local")

    assert "4111" not in run("sql", "SELECT text FROM turns", "--db", store)
    assert "4111 1111 1111 1111" in run("original", "c9", "--reason", "dispute 118", "--db", store)
    record = json.loads((tmp_path / "qa.duckdb.state" / "originals.jsonl").read_text())
    assert (record["call_id"], record["reason"]) == ("c9", "dispute 118")

    blocked = {"CALLQA_FLOW__STATE_DIR": str(chat)}  # a file, where a folder cannot be made
    unlogged = RUN.invoke(app, ["original", "c9", "--reason", "x", "--db", store], env=blocked)
    assert isinstance(unlogged.exception, UsageError)
    assert "cannot log the access" in unlogged.exception.message
    chat.write_text(chat.read_text().replace("4111", "4222"))
    changed = RUN.invoke(app, ["original", "c9", "--reason", "again", "--db", store])
    assert isinstance(changed.exception, UsageError)


@pytest.mark.parametrize(
    "command", ["sql 'FROM v_calls' --csv", "status --calls", "search bill", "show c1", "snapshot copy"]
)
def test_the_settings_file_that_is_named_says_which_database(db: str, tmp_path: Path, command: str) -> None:
    """Of several settings files, one a client, each has its own."""
    (tmp_path / "night.toml").write_text(f"[store]\ndb = {db!r}\n")
    words = [str(tmp_path / word) if word == "copy" else word for word in shlex.split(command)]
    assert "c1" in run(*words, "--config", str(tmp_path / "night.toml")) or (tmp_path / "copy").is_file()


def test_rescore_obeys_the_settings_file_that_is_named(tmp_path: Path) -> None:
    """Its database, and its bound under which recognised words decide nothing."""
    db, strict = str(tmp_path / "qa.duckdb"), tmp_path / "strict.toml"
    run("run", str(chat(tmp_path, "c1", "Thank you for calling Acme.")), "--db", db, "--local")
    strict.write_text(f"[store]\ndb = {db!r}\n[score]\nmin_confidence = 0.9\n")
    run("rescore", "--rubric", "sales", "--all", "--config", str(strict))
    with Store(db) as store:
        (card,) = store.scorecards(CallFilter(rubric="sales"))
    assert card.scorer.endswith("+0.9")


def test_what_leaves_obeys_the_settings_file_that_is_named(tmp_path: Path) -> None:
    """The batch had a laxer policy; exports, packets and imported comments obey the file."""
    db, strict = str(tmp_path / "qa.duckdb"), tmp_path / "strict.toml"
    strict.write_text('[privacy]\nredact = ["email"]\n')
    run("run", str(chat(tmp_path, "c1", "My email is john.smith@gmail.com, thanks.")), "--db", db, "--local")
    named = ["--db", db, "--config", str(strict)]
    run("export", str(tmp_path / "o.jsonl"), *named)
    run("review", "packet", str(tmp_path / "packet"), *named)
    for file in (tmp_path / "o.jsonl", tmp_path / "packet" / "index.html"):
        assert "john.smith" not in file.read_text("utf-8")
    answers = tmp_path / "answers.csv"
    with Store(db) as store:
        card = next(store.scorecards())
    answers.write_text(
        "Call,Rubric,Criterion,Correct answer,Comment,Reviewer\n"
        f"c1,{card.rubric.id},{card.answers[0].id},yes,wrote to john.smith@gmail.com,amira\n"
    )
    run("review", "import", str(answers), *named)
    assert "[EMAIL]" in run("sql", "SELECT * FROM reviews", "--db", db)
