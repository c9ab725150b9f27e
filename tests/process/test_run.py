"""``callqa run`` as a user meets it: one message a fault, correct exit codes, nothing done twice."""

import contextlib
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pipeline.store import Store
from tests.command import COMMAND, ROOT, callqa, environment, started, write_calls


def tables(db: Path) -> dict[str, list[dict[str, object]]]:
    """What analysts read, without the times of work."""
    with Store(db, read_only=True) as store:
        return {
            "calls": store.query("SELECT call_id, duration_s FROM calls ORDER BY ALL"),
            "turns": store.query("SELECT call_id, turn, role, text FROM turns ORDER BY ALL"),
            "answers": store.query(
                "SELECT call_id, rubric_hash, criterion_id, answer, points FROM answers ORDER BY ALL"
            ),
            "ledger": store.query("SELECT path, call_id, status, fingerprint FROM ledger ORDER BY ALL"),
        }


def test_a_folder_is_scored_and_the_second_run_has_nothing_to_do(tmp_path: Path) -> None:
    """A broken file is quarantined with exit code 3, both times; no work is done twice."""
    calls = write_calls(tmp_path / "calls", 3)
    (calls / "broken.wav").write_text("this is not audio")
    first = callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path)
    before = tables(tmp_path / "qa.duckdb")
    second = callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path)

    assert (first.returncode, second.returncode) == (3, 3)
    assert first.stdout.count("\n") == 4
    assert "quarantined" in first.stdout
    assert second.stdout == ""
    assert "nothing to do" in second.stderr
    assert tables(tmp_path / "qa.duckdb") == before
    assert {row["status"] for row in before["ledger"]} == {"scored", "quarantined"}


def test_a_database_in_the_folder_that_is_run_is_no_call(tmp_path: Path) -> None:
    """Neither the default database nor the transcripts kept beside it are taken in by the next run."""
    speech, rate = soundfile.read(ROOT / "sample_audio" / "support-good.wav", frames=8 * 8000)
    soundfile.write(tmp_path / "a.wav", speech, rate)
    assert callqa("run", ".", "--local", cwd=tmp_path).returncode == 0
    before = tables(tmp_path / "callqa.duckdb")
    assert "nothing to do" in callqa("run", ".", "--local", cwd=tmp_path).stderr
    assert list(tmp_path.glob("callqa.duckdb.state/calls/*/transcribe-*.json"))
    assert tables(tmp_path / "callqa.duckdb") == before
    assert len(before["ledger"]) == 1


def test_a_call_id_that_comes_later_leaves_no_second_call(tmp_path: Path) -> None:
    """A manifest that arrives after the first run renames the call, and its transcript is not made again."""
    folder = tmp_path / "calls"
    folder.mkdir()
    speech, rate = soundfile.read(ROOT / "sample_audio" / "support-good.wav", frames=8 * 8000)
    soundfile.write(folder / "a.wav", speech, rate)
    assert callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path).returncode == 0
    (folder / "manifest.csv").write_text("file,call_id\na.wav,crm-77\n")
    assert callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path).returncode == 0

    assert [row["call_id"] for row in tables(tmp_path / "qa.duckdb")["calls"]] == ["crm-77"]
    assert [folder.name for folder in (tmp_path / "qa.duckdb.state" / "calls").iterdir()] == ["crm-77"]
    (summary,) = sorted((tmp_path / "qa.duckdb.state" / "runs").iterdir())[1:]
    assert json.loads(summary.read_text())["audio_s"] == 0  # nothing was transcribed again
    with Store(tmp_path / "qa.duckdb", read_only=True) as store:
        assert store.check() == []


def test_a_manifest_may_outlive_its_recordings(tmp_path: Path) -> None:
    """What was scored stays scored when the file is deleted; what never came is missing, until it comes."""
    calls = write_calls(tmp_path / "calls", 3)
    (calls / "manifest.csv").write_text("file,team\n" + "".join(f"call-00{i}.json,red\n" for i in range(3)))
    (calls / "call-002.json").rename(tmp_path / "late.json")
    assert callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path).returncode == 3
    before = tables(tmp_path / "qa.duckdb")
    (calls / "call-000.json").unlink()
    assert callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path).returncode == 3
    assert tables(tmp_path / "qa.duckdb") == before
    (tmp_path / "late.json").rename(calls / "call-002.json")
    assert callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path).returncode == 0
    assert [row["status"] for row in tables(tmp_path / "qa.duckdb")["ledger"]] == ["scored"] * 3


def test_a_corrected_manifest_leaves_no_fault_behind(tmp_path: Path) -> None:
    """The ledger says what the manifest says now; the faults of another manifest stay."""
    calls = write_calls(tmp_path / "calls", 2)
    wrong = "file,team\ncall-000.json,red\ncall-000.json,red\ngone.json,red\n,red\n"
    (calls / "manifest.csv").write_text(wrong)
    (calls / "other.csv").write_text("file,team\nlater.json,red\n")
    for paths, faults in (
        (["calls/manifest.csv", "calls/other.csv"], {"duplicate_row", "missing", "bad_row"}),
        (["calls/manifest.csv"], {"missing"}),
    ):
        callqa("run", *paths, "--db", "qa.duckdb", "--local", cwd=tmp_path)
        with Store(tmp_path / "qa.duckdb", read_only=True) as store:
            rows = store.query("SELECT path, reason FROM ledger WHERE reason <> ''")
        assert {row["reason"] for row in rows} == faults
        (calls / "manifest.csv").write_text("file,team\ncall-000.json,red\ncall-001.json,red\n")
    assert [Path(row["path"]).name for row in rows] == ["later.json"]


def test_a_recording_that_is_still_being_written_waits_for_the_next_run(tmp_path: Path) -> None:
    """It is neither half scored nor quarantined, and no alert is sent."""
    (tmp_path / "calls").mkdir()
    sound = soundfile.SoundFile(tmp_path / "calls" / "live.wav", "w", 8000, 1, "PCM_16")
    part = (tmp_path / "calls" / "copied.wav").open("wb")
    whole = (ROOT / "sample_audio" / "billing-mono.wav").read_bytes()
    running = started("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path, stderr=None, text=True)
    with sound, part:
        while running.poll() is None:
            sound.write(np.zeros(800, np.int16))
            sound.flush()
            part.write(whole[part.tell() :][:800])
            part.flush()
            time.sleep(0.05)

    assert running.returncode == 0
    assert running.stdout.read().count("still being written") == 2
    with Store(tmp_path / "qa.duckdb", read_only=True) as store:
        rows = store.query("SELECT status, reason, fingerprint FROM ledger")
    assert rows == [{"status": "skipped", "reason": "still_written", "fingerprint": ""}] * 2


def processes_of(mark: str) -> list[str]:
    """The commands of the processes that were started with this mark in their environment."""
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile, or is another user's
            if f"MARK_OF_RUN={mark}\0".encode() in (process / "environ").read_bytes():
                commands.append((process / "cmdline").read_text("utf-8"))
    return commands


@pytest.mark.prefect
def test_prefect_prints_nothing(tmp_path: Path) -> None:
    """The flow gives the same tables as --local; no banner, no traceback, no process left behind."""
    write_calls(tmp_path / "calls", 3)
    local = callqa("run", "calls", "--db", "local.duckdb", "--local", cwd=tmp_path)
    flow = callqa("run", "calls", "--db", "flow.duckdb", cwd=tmp_path, MARK_OF_RUN=str(tmp_path))
    left = processes_of(str(tmp_path))

    assert (local.returncode, flow.returncode) == (0, 0)
    assert left == []
    assert flow.stdout == local.stdout
    assert "Traceback" not in flow.stderr
    assert "refect" not in flow.stderr
    assert tables(tmp_path / "flow.duckdb") == tables(tmp_path / "local.duckdb")


@pytest.mark.prefect
def test_prefect_forgets_what_ended_a_month_ago(tmp_path: Path) -> None:
    """Prefect's history does not grow for ever: old flow runs go, with their artifacts."""
    home = Path(os.environ["PREFECT_HOME"])  # of all tests: a new one's migrations take half a minute
    for n in (1, 2):
        write_calls(tmp_path / "calls", n)
        assert callqa("run", "calls", "--db", "qa.duckdb", cwd=tmp_path).returncode == 0
        with contextlib.closing(sqlite3.connect(home / "prefect.db")) as history, history:
            sizes = "SELECT (SELECT count(*) FROM flow_run), (SELECT count(*) FROM artifact)"
            kept = history.execute(sizes).fetchone()
            history.execute("UPDATE flow_run SET end_time = '2020-01-01 00:00:00.000000'")

    assert kept == (1, 4)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700  # other users cannot read what was run


@pytest.mark.prefect
def test_without_a_server_the_work_is_done_all_the_same(tmp_path: Path) -> None:
    """A Prefect server that is not there is said in one line, and the calls are scored."""
    write_calls(tmp_path / "calls", 2)
    done = callqa(
        "run", "calls", "--db", "qa.duckdb", cwd=tmp_path, PREFECT_API_URL="http://127.0.0.1:9/api",
        PREFECT_CLIENT_MAX_RETRIES="0",
    )  # fmt: skip

    assert done.returncode == 0
    assert "going on without Prefect" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(tables(tmp_path / "qa.duckdb")["calls"]) == 2


RUBRIC = """
rubric: mine
mode: points
sections:
  - id: only
    criteria:
      - {id: talk, question: "Q?", check: {kind: metric, metric: agent_talk_ratio, max: 0.75}}
"""
FILES = {
    "wrong.yaml": "rubric: wrong\nsections: 3\n",
    "unclosed.yaml": "rubric: [unclosed",
    "surprise.yaml": RUBRIC + "surprise: 1\n",
    "metric.yaml": RUBRIC.replace("agent_talk_ratio", "no_such_metric"),
    "wrong.toml": "[flow]\nfrobnicate = true\n",
    "not-a-database.duckdb": "no database" * 1000,
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a call, a database of a newer version, ``FILES`` and a folder that nobody may read."""
    folder = tmp_path_factory.mktemp("wrong")
    write_calls(folder / "calls", 1)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    with Store(folder / "newer.duckdb") as store:
        store.connection.execute("UPDATE schema_migrations SET version = 999 WHERE version = 1")
    (folder / "closed").mkdir(mode=0)
    return folder


NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("missing-folder", "missing-folder"),
        ("missing-folder --local", "missing-folder"),
        ("calls --rubric no-such-rubric --local", "no-such-rubric"),
        ("calls --rubric wrong.yaml --local", "wrong.yaml:"),
        ("calls --rubric unclosed.yaml", "unclosed.yaml:"),
        ("calls --rubric surprise.yaml", "surprise.yaml:8: surprise: unknown key 'surprise'"),
        ("calls --rubric metric.yaml", "metric.yaml:, no_such_metric"),
        ("calls --config wrong.toml --local", "flow.frobnicate"),
        ("calls --model no-such-model --local", "no-such-model"),
        ("calls --db not-a-database.duckdb", "not-a-database"),
        ("calls --db newer.duckdb", "schema version 999"),
        pytest.param("closed", "closed", marks=NOT_ROOT),
    ],
)
def test_what_was_typed_wrong_is_one_message_with_exit_2(wrong: Path, arguments: str, said: str) -> None:
    """Before any work, with a hint, without a traceback; no database is made, and none is changed."""
    before = {path: path.read_bytes() for path in wrong.glob("*.duckdb")}
    done = callqa("run", *arguments.split(), cwd=wrong)

    assert done.returncode == 2, done.stderr
    assert all(words in done.stderr.replace("\n", " ") for words in said.split(", ")), done.stderr
    assert done.stderr.count("error:") == 1
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in wrong.glob("*.duckdb*")} == before


def as_service_user(command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command by someone whom permissions bind, which root is without these capabilities."""
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    whole = [*bound, *COMMAND, *command.split()]
    return subprocess.run(whole, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("command", "place"),
    [
        ("run closed/calls --local", "closed/calls"),
        ("run calls --local --db closed/qa.duckdb", "closed/qa.duckdb"),
        ("run calls --local --config closed/callqa.toml", "closed/callqa.toml"),
        ("status --db closed/qa.duckdb", "closed/qa.duckdb"),
        ("transcribe closed/a.wav", "closed/a.wav"),
    ],
)
def test_a_place_that_may_not_be_entered_is_no_bug(wrong: Path, command: str, place: str) -> None:
    """A service account often may not enter a folder: its administrator can mend that, callqa cannot."""
    done = as_service_user(command, wrong)

    assert done.returncode == 2, done.stderr
    assert place in done.stderr
    assert "check its permissions" in done.stderr
    assert "internal error" not in done.stderr


def test_links_to_where_one_may_not_look_stop_no_batch(tmp_path: Path) -> None:
    """Each is one row that says so; the calls beside them are scored."""
    calls = write_calls(tmp_path / "calls", 1)
    (calls / "closed").mkdir(mode=0)
    for name in ("link.json", "link.csv"):
        (calls / name).symlink_to(Path("closed", name))
    done = as_service_user("run calls --local --db qa.duckdb", tmp_path)

    assert done.returncode == 3, done.stderr
    with Store(tmp_path / "qa.duckdb", read_only=True) as store:
        rows = store.query("SELECT path, reason FROM ledger WHERE status <> 'scored' ORDER BY path")
    assert [(Path(str(row["path"])).name, row["reason"]) for row in rows] == [
        ("closed", "unreadable"), ("link.csv", "unreadable"), ("link.json", "unreadable"),
    ]  # fmt: skip


@pytest.mark.parametrize("mode", ["--local", ""])
def test_a_locked_database_is_said_with_its_holder(tmp_path: Path, mode: str) -> None:
    """Another writer is named, and nothing is processed in vain."""
    write_calls(tmp_path / "calls", 1)
    with Store(tmp_path / "qa.duckdb"):
        env = {"CALLQA_STORE__LOCK_TIMEOUT_S": "0.2"}
        done = callqa("run", "calls", "--db", "qa.duckdb", *mode.split(), cwd=tmp_path, **env)

    assert done.returncode == 2
    assert str(os.getpid()) in done.stderr
    assert "qa.duckdb" in done.stderr
    assert done.stderr.count("error:") == 1
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_logs_are_one_object_a_line_without_customer_text(tmp_path: Path) -> None:
    """For log collectors: start, each call, end; ids and numbers only."""
    write_calls(tmp_path / "calls", 2)
    done = callqa("run", "calls", "--local", "--log-format", "json", cwd=tmp_path)
    events = [json.loads(line) for line in done.stderr.splitlines()]

    assert [event["event"] for event in events] == ["started", "call", "call", "ended"]
    assert events[-1]["statuses"] == {"scored": 2}
    assert "card does not work" not in done.stderr


@pytest.mark.parametrize("how", [("--local",), ()])
def test_json_logs_hold_the_failure(tmp_path: Path, how: tuple[str, ...]) -> None:
    """The line that matters most has the form of the others; the exit code stays."""
    done = callqa("run", "gone", "--db", "qa.duckdb", "--log-format", "json", *how, cwd=tmp_path)
    (event,) = [json.loads(line) for line in done.stderr.splitlines()]

    assert done.returncode == 2
    assert (event["event"], bool(event["hint"])) == ("failed", True)
    assert "gone does not exist" in event["message"]


def test_a_name_that_the_terminal_cannot_show_ends_no_batch(tmp_path: Path) -> None:
    """It is shown escaped, as on stderr, and every call is scored."""
    (write_calls(tmp_path / "calls", 2) / "call-001.json").rename(tmp_path / "calls" / "کال.json")
    done = callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path, PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert "\\u06a9\\u0627\\u0644.json" in done.stdout
    assert len(tables(tmp_path / "qa.duckdb")["calls"]) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("mode", ["--local", pytest.param("", marks=pytest.mark.prefect)])
def test_a_batch_goes_on_when_its_lines_cannot_be_printed(tmp_path: Path, mode: str) -> None:
    """The disk of its log is full, or its reader has gone: every call is scored, and it is said once."""
    write_calls(tmp_path / "calls", 6)
    command = f'"$0" -m pipeline run calls --db "$1.duckdb" {mode}'
    env = environment(CALLQA_FLOW__WINDOW="2")
    for name, ends in (("full", "> /dev/full; exit $?"), ("gone", "| head -1; exit ${PIPESTATUS[0]}")):
        done = subprocess.run(
            ["bash", "-c", f"{command} {ends}", sys.executable, name],
            cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

        assert done.returncode == 0, done.stderr
        assert done.stderr.count("no more lines about calls are printed") == 1
        assert len(tables(tmp_path / f"{name}.duckdb")["calls"]) == 6


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", ["status", "status --json", "--version", "rubric schema"])
def test_results_that_find_no_room_are_no_bug(undisturbed: Path, arguments: str) -> None:
    """Exit code 2 and what to mend; a reader that has gone is no fault at all."""
    env = environment(CALLQA_STORE__DB="whole.duckdb")
    full, gone = (
        subprocess.run(
            ["bash", "-c", f'"$0" -m pipeline {arguments} {ends}', sys.executable],
            cwd=undisturbed, env=env, capture_output=True, text=True, timeout=60,
        )
        for ends in ("> /dev/full", "| true; exit ${PIPESTATUS[0]}")
    )  # fmt: skip

    assert (full.returncode, gone.returncode) == (2, 0), full.stderr + gone.stderr
    assert "error: cannot write the output: No space left on device" in full.stderr
    assert "Exception ignored" not in full.stderr + gone.stderr


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with forty calls and ``whole.duckdb``, made by one run to the end."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_calls(folder / "calls", 40)
    assert callqa("run", "calls", "--db", "whole.duckdb", "--local", cwd=folder).returncode == 0
    return folder


FULL_DISK = """
mount -t tmpfs -o size=7m none disk && cd disk || exit 9
head -c 7150k /dev/zero > fill; "$@"; echo "$? $(ls)"
rm fill; "$@"; echo "$? $(ls)"
mount -o remount,size=300m . ; "$@"; echo "$? $(ls)"; cp qa.duckdb ..
"""


def on_a_small_disk(script: str, folder: Path, *command: str) -> tuple[list[str], str]:
    """A script around a callqa command, where it may mount: the lines with exit codes, and what was said."""
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "bash", "-c", script, "bash", *COMMAND, *command],
        cwd=folder, env=environment(CALLQA_FLOW__WINDOW="2"), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode == 9 or "unshare" in done.stderr:
        pytest.skip("this machine lets nobody mount a small disk")
    return [line for line in done.stdout.splitlines() if line[0].isdigit()], done.stderr


def test_a_full_disk_ends_the_batch_and_nothing_is_lost(undisturbed: Path) -> None:
    """With no room for a database, then for half the calls, then for all: exit codes 2, 2, 0."""
    (undisturbed / "disk").mkdir()
    codes, told = on_a_small_disk(FULL_DISK, undisturbed, "run", "../calls", "--db", "qa.duckdb", "--local")

    assert codes == ["2 fill", "2 qa.duckdb", "0 qa.duckdb"], told
    assert told.count("disk is full") == 2
    assert "Traceback" not in told
    assert tables(undisturbed / "qa.duckdb") == tables(undisturbed / "whole.duckdb")


FULL_TMPDIR = """
mount -t tmpfs -o size=4m none tmp || exit 9
TMPDIR=$PWD/tmp "$@"; echo "$? $(ls tmp)"
"""


def test_long_sound_that_finds_no_room_is_a_fault_of_the_place(tmp_path: Path) -> None:
    """Sound beyond what memory should hold waits in a temporary file; a full disk is said to be that."""
    soundfile.write(tmp_path / "long.wav", np.zeros(18 * 60 * 8000, np.int16), 8000, subtype="ULAW")
    (tmp_path / "tmp").mkdir()
    codes, told = on_a_small_disk(FULL_TMPDIR, tmp_path, "transcribe", "long.wav")

    assert codes == ["3 "]
    assert told.startswith("error: long.wav: its audio does not fit in ")
    assert "TMPDIR" in told


FULL_EXPORT = """
mount -t tmpfs -o size=1m none exports && cd exports || exit 9
head -c 1020k /dev/zero > fill; "$@"; echo "$? $(find . -type f)"
rm fill; "$@"; echo "$? $(find . -type f)"
"""


@pytest.mark.parametrize("kind", ["xlsx", "jsonl"])
def test_a_full_disk_leaves_no_half_of_an_export(undisturbed: Path, kind: str) -> None:
    """The fault is said and the exit code is 2; with room the same command writes the file."""
    (undisturbed / "exports").mkdir(exist_ok=True)
    codes, told = on_a_small_disk(
        FULL_EXPORT, undisturbed, "export", "out", "--format", kind, "--db", "../whole.duckdb"
    )

    assert codes == ["2 ./fill", "0 ./out"], told
    assert "No space left" in told
    assert "Traceback" not in told


READ_ONLY = """
mount -t tmpfs none share && cp whole.duckdb share && mount -o remount,ro share && cd share || exit 9
"$@" search "card" --db whole.duckdb; echo $?
"$@" snapshot copy.duckdb --db whole.duckdb; echo $?
"$@" run ../calls --db new.duckdb --local; echo $?
"""


def test_a_share_that_is_read_only_can_be_searched(undisturbed: Path) -> None:
    """Without an index, which is said; what cannot be written there is one sentence, before any work."""
    (undisturbed / "share").mkdir()
    codes, told = on_a_small_disk(READ_ONLY, undisturbed)

    assert codes[-3:] == ["0", "2", "2"], told
    assert "no search index can be written to whole.duckdb.search: " in told
    assert "matching plainly instead" in told
    assert "error: cannot write copy.duckdb: Read-only file system" in told
    assert f"error: {undisturbed / 'share'} cannot be written" in told
    assert "internal error" not in told


@pytest.mark.prefect
def test_a_server_that_dies_half_way_does_not_stop_the_batch(undisturbed: Path) -> None:
    """Prefect's server is killed after the first call: the batch ends as it would have, and promptly."""
    run = started("run", "calls", "--db", "orphan.duckdb", cwd=undisturbed)
    run.stdout.readline()
    threads = Path(f"/proc/{run.pid}/task").glob("*/children")
    children = [child for thread in threads for child in thread.read_text().split()]
    (server,) = [
        child for child in children if b"server\0start" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    os.kill(int(server), signal.SIGKILL)
    _, said = run.communicate(timeout=60)

    assert run.returncode == 0, said
    assert b"Traceback" not in said
    assert tables(undisturbed / "orphan.duckdb") == tables(undisturbed / "whole.duckdb")


def heeds_interrupts() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would all it starts in turn."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("sign", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_run_that_is_ended_half_way_is_finished_by_the_next(
    undisturbed: Path, sign: signal.Signals, code: int
) -> None:
    """Whatever ends it, the next run gives the tables of an undisturbed one."""
    db = f"{sign.name}.duckdb"
    run = ("run", "calls", "--db", db, "--local")
    process = started(*run, cwd=undisturbed, preexec_fn=heeds_interrupts)
    process.stdout.readline()  # the first call is in the store
    process.send_signal(sign)
    _, said = process.communicate(timeout=60)
    with Store(undisturbed / db, read_only=True) as store:
        half = len(store.query("SELECT call_id FROM calls"))

    assert 0 < half < 40
    assert b"Traceback" not in said
    assert (b"run the same command again" in said) == (code > 0)
    assert process.returncode == code
    assert callqa(*run, cwd=undisturbed).returncode == 0
    assert tables(undisturbed / db) == tables(undisturbed / "whole.duckdb")


def test_a_second_interrupt_does_not_stop_the_cleaning_up(tmp_path: Path) -> None:
    """Ctrl-C twice, as people do: threads in progress would be torn down, which aborts the process."""
    program = """
import os, signal, sys, time
from pipeline.cli import commands, main

def interrupted_twice(**_):
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)
    finally:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        print("cleaned up")

commands.app = interrupted_twice
main()
"""
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=environment(), cwd=tmp_path, preexec_fn=heeds_interrupts, capture_output=True, text=True,
    )  # fmt: skip

    assert ended.stdout == "cleaned up\n"
    assert ended.stderr.startswith("interrupted: ")
    assert ended.returncode == 130
