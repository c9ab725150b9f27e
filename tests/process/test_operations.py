"""Running it every night: summaries, metrics, alerts, the drop folder, schedules, the doctor."""

import datetime as dt
import email
import email.policy
import http.server
import importlib.metadata
import json
import os
import re
import socketserver
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from flows.serve import check_schedule
from pipeline.conversation import CallRecord, LedgerEntry
from pipeline.errors import MachineError, UsageError
from pipeline.process.batch import Tally, Unobserved
from pipeline.process.doctor import examine
from pipeline.process.report import Rounds, conclude, metrics_text, reasons_to_tell
from pipeline.process.watch import watch
from pipeline.process.workers import open_workers, threads_per_worker, worker_count
from pipeline.settings import AlertSettings, FlowSettings, Settings, load_settings
from pipeline.store import CallFilter, Store
from pipeline.store.integrity import REPLACED
from tests.command import callqa, write_calls
from tests.store_factory import RUBRIC, record

ROOT = Path(__file__).parents[2]


def tally_of(**statuses: int) -> Tally:
    """A tally with so many files of each status."""
    tally = Tally()
    for status, count in statuses.items():
        for i in range(count):
            tally.add(CallRecord(LedgerEntry(f"{status}{i}", None, None, status, reason="why")))
    return tally


def test_the_ledger_adds_up() -> None:
    """Statuses sum to the files received, and every unscored file has its reason."""
    tally = tally_of(scored=5, skipped=2, failed=1, quarantined=3)

    assert tally.files == 11
    assert sum(tally.reasons.values()) == 6
    assert tally.exit_code == 3


@pytest.mark.parametrize(
    ("statuses", "limits", "alerts"),
    [
        ({"scored": 98, "failed": 2}, {}, 0),
        ({"scored": 97, "failed": 3}, {}, 1),
        ({"scored": 85, "quarantined": 12, "failed": 3}, {}, 2),
        ({"scored": 85, "quarantined": 12, "failed": 3}, {"quarantined_share": 0.2, "failed_share": 0.1}, 0),
        ({}, {}, 0),
    ],
)
def test_somebody_is_told_when_a_threshold_is_crossed(
    statuses: dict[str, int], limits: dict[str, float], alerts: int
) -> None:
    """Not at the threshold, only beyond it."""
    assert len(list(reasons_to_tell(tally_of(**statuses), AlertSettings(**limits)))) == alerts


def test_an_erased_call_is_met_under_any_name_before_any_work(tmp_path: Path) -> None:
    """A renamed copy is not scored; another conversation under the name of the erased one is."""
    calls, elsewhere = write_calls(tmp_path / "calls", 1), tmp_path / "elsewhere"
    (file,) = calls.iterdir()
    words = file.read_text()
    erased = words.replace('"call_id"', '"x"')  # known by its content alone
    file.write_text(erased)

    def run(folder: Path) -> tuple[str, dict[str, int]]:
        done = callqa("run", folder, "--db", "qa.duckdb", "--local", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        (newest,) = sorted((tmp_path / "qa.duckdb.state" / "runs").iterdir())[-1:]
        return done.stdout, json.loads(newest.read_text())["statuses"]

    run(calls)
    with Store(tmp_path / "qa.duckdb") as store:
        store.purge(CallFilter(call_ids=tuple(m.call_id for m, _ in store.conversations())))
    elsewhere.mkdir()
    (elsewhere / "renamed.json").write_text(erased)
    said, statuses = run(elsewhere)
    assert "erased: renamed.json is the recording of an erased call" in said
    assert statuses == {"purged": 1}

    file.write_text(words.replace("my card", "my other card"))
    assert run(calls)[1] == {"scored": 1}
    file.write_text(erased)
    assert run(calls)[1] == {"purged": 1}
    assert run(calls)[0] == ""  # known now
    with Store(tmp_path / "qa.duckdb") as store:
        assert {problem.what for problem in store.check()} <= {REPLACED}
        assert store.query("SELECT count(*) AS n FROM calls") == [{"n": 1}]


def test_slow_batches_are_told() -> None:
    """Throughput below the minimum is an alert with both figures."""
    tally = tally_of(scored=1)
    tally.audio_s, tally.wall_s = 100.0, 50.0

    assert list(reasons_to_tell(tally, AlertSettings(min_speed=5))) == [
        "2.0 audio seconds a second, less than 5"
    ]


def test_one_bad_night_is_told_whatever_the_folder_holds() -> None:
    """Shares are of the night's files; what was quarantined before is not told again."""
    tally = Tally()
    known = [LedgerEntry(f"old{i}", None, None, "scored") for i in range(10_000)]
    tally.add_known([*known, LedgerEntry("bad", None, None, "quarantined", reason="truncated")])
    assert list(reasons_to_tell(tally, AlertSettings())) == []
    for i in range(20):
        tally.add(CallRecord(LedgerEntry(f"new{i}", None, None, "quarantined", reason="truncated")))
    assert list(reasons_to_tell(tally, AlertSettings())) == ["20 of 20 files were quarantined, more than 10%"]


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[Any]]]:
    """A listener and what it was posted."""
    posted: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", posted
        server.shutdown()


def test_a_batch_leaves_a_summary_metrics_and_an_alert(
    tmp_path: Path, webhook: tuple[str, list[Any]]
) -> None:
    """The summary is private, the metrics are for the collector, the webhook gets counts and ids."""
    url, posted = webhook
    flow = FlowSettings(
        state_dir=tmp_path / "state",
        metrics_file=tmp_path / "m" / "callqa.prom",
        alerts=AlertSettings(webhook=url),
    )
    told = conclude(tally_of(scored=1, failed=1), Settings(flow=flow))
    (summary,) = (tmp_path / "state" / "runs").glob("*.json")

    assert told == ["1 of 2 files failed, more than 2%"]
    assert posted[0]["text"] == "callqa: 1 of 2 files failed, more than 2%"
    assert posted[0]["statuses"] == {"failed": 1, "scored": 1}
    assert json.loads(summary.read_text())["schema"] == "callqa.run/1"
    assert stat.S_IMODE(summary.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "m" / "callqa.prom").stat().st_mode) == 0o644


def test_a_metrics_file_that_cannot_be_written_is_named(
    tmp_path: Path, webhook: tuple[str, list[Any]]
) -> None:
    """The alert and the summary come all the same."""
    url, posted = webhook
    (tmp_path / "file").touch()
    metrics = tmp_path / "file" / "callqa.prom"
    flow = FlowSettings(state_dir=tmp_path, metrics_file=metrics, alerts=AlertSettings(webhook=url))
    with pytest.raises(MachineError, match=f"cannot write {metrics}"):
        conclude(tally_of(failed=1), Settings(flow=flow))

    assert len(posted) == len(list((tmp_path / "runs").iterdir())) == 1


def test_a_run_that_cannot_finish_is_told_and_one_without_work_is_on_record(
    tmp_path: Path, webhook: tuple[str, list[Any]]
) -> None:
    """By webhook, as nobody reads the terminal at night; a quiet night does not look like a dead machine."""
    url, posted = webhook
    settings = {"CALLQA_FLOW__ALERTS__WEBHOOK": url, "CALLQA_FLOW__METRICS_FILE": "callqa.prom"}
    gone = callqa("run", "unmounted", "--db", "qa.duckdb", "--local", cwd=tmp_path, **settings)

    assert gone.returncode == 2
    assert posted[0]["exit_code"] == 2
    assert "the batch could not be finished: " in posted[0]["text"]
    assert "unmounted does not exist" in posted[0]["text"]

    (tmp_path / "empty").mkdir()
    quiet = callqa("run", "empty", "--db", "qa.duckdb", "--local", cwd=tmp_path, **settings)
    assert quiet.returncode == 0
    assert len(posted) == 1
    assert 'callqa_batch_files{status="scored"} 0' in (tmp_path / "callqa.prom").read_text()
    assert len(list((tmp_path / "qa.duckdb.state" / "runs").iterdir())) == 1


def test_a_fault_that_stays_is_told_once(tmp_path: Path, webhook: tuple[str, list[Any]]) -> None:
    """A recording that a manifest names but nobody copied, and a row without a name; the rest comes later."""
    url, posted = webhook
    calls = write_calls(tmp_path / "calls", 2)
    (calls / "call-001.json").rename(tmp_path / "late.json")
    (calls / "manifest.csv").write_text("file,agent_id\ncall-000.json,7\ncall-001.json,7\n,7\n")

    def run() -> int:
        settings = {"CALLQA_FLOW__ALERTS__WEBHOOK": url}
        return callqa("run", "calls", "--db", "qa.duckdb", "--local", cwd=tmp_path, **settings).returncode

    assert [run(), run()] == [3, 3]
    assert [one["text"] for one in posted] == [
        "callqa: 1 of 3 files failed, more than 2%; 1 of 3 files were quarantined, more than 10%"
    ]
    (tmp_path / "late.json").rename(calls / "call-001.json")
    (calls / "manifest.csv").write_text("file,agent_id\ncall-000.json,7\ncall-001.json,7\n")
    assert run() == 0
    assert len(posted) == 1


def test_shares_of_a_drop_folder_are_of_many_rounds(tmp_path: Path) -> None:
    """One bad file among the last hundred, or of a day, is no "1 of 1 files"; no further round is needed."""
    settings, times = Settings(flow=FlowSettings(state_dir=tmp_path)), [0.0]
    rounds = Rounds(clock=lambda: times[-1])

    def alerts(**statuses: int) -> list[str]:
        return rounds.conclude(tally_of(**statuses), settings)

    assert alerts(quarantined=1) == []
    assert alerts(scored=99) == []
    assert alerts(quarantined=11) == []
    assert alerts(scored=89) == ["11 of 100 files were quarantined, more than 10%"]
    assert alerts(quarantined=5) == []
    times.append(86_400.0)
    assert alerts(scored=5) == ["5 of 10 files were quarantined, more than 10%"]
    assert alerts(failed=60) == rounds.overdue(settings) == []
    times.append(2 * 86_400.0)
    assert rounds.overdue(settings) == ["60 of 60 files failed, more than 2%"]
    times.append(4 * 86_400.0)
    assert rounds.overdue(settings) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "http://nobody.invalid/"])
def test_an_alert_that_cannot_be_delivered_does_not_fail_the_batch(tmp_path: Path, url: str) -> None:
    """It is said beside the alert itself."""
    flow = FlowSettings(state_dir=tmp_path, alerts=AlertSettings(webhook=url))
    told = conclude(tally_of(failed=1), Settings(flow=flow))

    assert len(told) == 2
    assert "did not reach" in told[1]


class MailServer(socketserver.StreamRequestHandler):
    """Takes one e-mail, as SMTP asks; ``letters`` are what arrived."""

    letters: ClassVar[list[str]] = []

    def handle(self) -> None:
        """One session."""
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line.upper().startswith(b"DATA"):
                self.wfile.write(b"354 go on\r\n")
                self.letters.append(b"".join(iter(self.rfile.readline, b".\r\n")).decode())
            self.wfile.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 ok\r\n")


def test_an_alert_is_mailed_to_everybody(tmp_path: Path) -> None:
    """Subject, recipients and the counts arrive at the mail server of the settings."""
    with socketserver.TCPServer(("127.0.0.1", 0), MailServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        alerts = AlertSettings(
            email_to=("qa@example.com", "ops@example.com"), smtp=f"127.0.0.1:{server.server_address[1]}"
        )
        flow = FlowSettings(state_dir=tmp_path, alerts=alerts)
        told = conclude(tally_of(scored=1, failed=1), Settings(flow=flow))
        server.shutdown()
    letter = email.message_from_string(MailServer.letters[0], policy=email.policy.default)

    assert told == ["1 of 2 files failed, more than 2%"]
    assert letter["Subject"] == "callqa: 1 of 2 files failed, more than 2%"
    assert letter["To"] == "qa@example.com, ops@example.com"
    assert '"failed": 1' in letter.get_content()


def test_metrics_are_read_by_prometheus() -> None:
    """Its own parser takes the file."""
    text = metrics_text(tally_of(scored=3, failed=1), dt.datetime.now(dt.UTC))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    files = {sample.labels["status"]: sample.value for sample in families["callqa_batch_files"].samples}

    assert files == {"scored": 3, "skipped": 0, "failed": 1, "quarantined": 0, "purged": 0}


def test_a_drop_folder_waits_for_files_to_settle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that has just been touched waits for a later round; nothing is processed twice."""
    monkeypatch.chdir(tmp_path)
    folder = write_calls(tmp_path / "in", 2)
    old = time.time() - 60
    os.utime(folder / "call-000.json", (old, old))
    settings = load_settings(store={"db": str(tmp_path / "qa.duckdb")})
    naps = 0

    def nap(_seconds: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 1:
            os.utime(folder / "call-001.json", (old, old))
        if naps == 3:
            raise KeyboardInterrupt

    folder = Path("..", tmp_path.name, "in")
    rounds = watch([folder], settings, Unobserved(), settle_s=30, every_s=0, sleep=nap)

    assert [next(rounds).processed, next(rounds).processed] == [1, 1]
    with pytest.raises(KeyboardInterrupt):
        next(rounds)


def test_a_clock_that_is_ahead_keeps_no_file_waiting(tmp_path: Path) -> None:
    """A file dated tomorrow is taken once, when seen unchanged for long enough; the database never is."""
    folder = write_calls(tmp_path / "in", 1)
    tomorrow = time.time() + 86_400
    os.utime(folder / "call-000.json", (tomorrow, tomorrow))
    settings = load_settings(store={"db": str(folder / "qa.duckdb")})
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 20:
            raise KeyboardInterrupt

    rounds = watch(
        [folder], settings, Unobserved(), settle_s=1.0, every_s=0.25, sleep=nap, clock=lambda: sum(naps)
    )
    assert next(rounds).processed == 1
    assert sum(naps) == 1.0
    with pytest.raises(KeyboardInterrupt):
        next(rounds)


def test_a_drop_folder_takes_what_has_no_file_of_its_own(tmp_path: Path) -> None:
    """The second dialog of a vCon, and manifest rows that name no file: each comes up once."""
    folder = write_calls(tmp_path / "in", 1)
    dialogs = [{"type": "recording", "mediatype": "audio/wav", "encoding": "none", "body": b} for b in "ab"]
    parties = {"vcon": "0.4.0", "uuid": "two", "parties": [{"name": "Ann"}], "dialog": dialogs}
    (folder / "two.vcon.json").write_text(json.dumps(parties))
    (folder / "manifest.csv").write_text("file,agent_id\ncall-000.json,7\ngone.wav,7\n,7\n")
    settings = load_settings(store={"db": str(tmp_path / "qa.duckdb")})
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 1:
            write_calls(folder, 2)
        if len(naps) == 3:
            raise KeyboardInterrupt

    rounds = watch([folder], settings, Unobserved(), settle_s=0, every_s=0, sleep=nap)

    assert next(rounds).processed == 5
    with Store(tmp_path / "qa.duckdb") as store:
        names = {Path(row["path"]).name for row in store.query("SELECT path FROM ledger")}
    assert names == {
        "call-000.json", "gone.wav", "manifest.csv row 4", "two.vcon.json", "two.vcon.json#dialog-1",
    }  # fmt: skip
    assert next(rounds).processed == 1
    with pytest.raises(KeyboardInterrupt):
        next(rounds)


def test_a_drop_folder_waits_for_a_manifest_that_is_being_copied(tmp_path: Path) -> None:
    """An empty one, the first moment of every copy, is said; the calls come in once it is whole."""
    folder = write_calls(tmp_path / "in", 1)
    manifest = folder / "manifest.csv"
    manifest.touch()
    old = time.time() - 60
    os.utime(folder / "call-000.json", (old, old))
    settings = load_settings(store={"db": str(tmp_path / "qa.duckdb")})
    said: list[str] = []

    def nap(_seconds: float) -> None:
        assert len(said) == 1
        manifest.write_text("file,call_id\ncall-000.json,whole\n")
        os.utime(manifest, (old, old))

    rounds = watch([folder], settings, Unobserved(), settle_s=30, every_s=0, on_wait=said.append, sleep=nap)

    assert next(rounds).processed == 1
    assert "manifest.csv: no column names the files" in said[0]
    with Store(tmp_path / "qa.duckdb") as store:
        assert store.query("SELECT call_id FROM calls") == [{"call_id": "whole"}]


def an_analyst(db: Path, *, read_only: bool) -> subprocess.Popen[str]:
    """A process that has the database open until ``communicate`` ends it."""
    code = "import duckdb, sys; db = duckdb.connect(sys.argv[1], read_only=%s); print('held', flush=True); "
    command = [sys.executable, "-c", code % read_only + "sys.stdin.read()", str(db)]
    analyst = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert analyst.stdout.readline() == "held\n"
    return analyst


def test_a_drop_folder_outlasts_a_locked_database(tmp_path: Path) -> None:
    """An analyst's long query costs the round, not the process that watches."""
    folder, db = write_calls(tmp_path / "in", 1), tmp_path / "qa.duckdb"
    settings = load_settings(store={"db": str(db), "lock_timeout_s": 0.1})
    with Store(db):
        pass
    analyst = an_analyst(db, read_only=False)
    said: list[str] = []
    rounds = watch(
        [folder], settings, Unobserved(), settle_s=0, every_s=0, on_wait=said.append,
        sleep=lambda _: print(analyst.communicate()),
    )  # fmt: skip

    assert next(rounds).processed == 1
    assert f"process {analyst.pid}" in said[-1]
    assert "trying again" in said[-1]


@pytest.mark.parametrize(
    ("cron", "zone"),
    [
        ("0 25 * * *", "UTC"),
        ("often", "UTC"),
        ("0 2 * * *", "Mars/Olympus"),
        ("", "UTC"),
        ("0 30 2 * * *", "UTC"),
        ("0 2 LW * *", "UTC"),
        ("0 2 * * 5L", "UTC"),
    ],
)
def test_a_wrong_schedule_is_refused_before_anything_starts(cron: str, zone: str) -> None:
    """With a line to copy."""
    with pytest.raises(UsageError) as refused:
        check_schedule(cron, zone)
    assert refused.value.hint


def test_a_right_schedule_passes() -> None:
    """The example of the documentation."""
    check_schedule("0 2 * * *", "Asia/Karachi")


def test_servers_that_do_not_answer_are_named(tmp_path: Path) -> None:
    """A Prefect server of the user's own that is down; `run` goes on without it, `serve` cannot."""
    write_calls(tmp_path / "calls", 1)
    home = {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_HOME": str(tmp_path / "prefect")}
    served = callqa("serve", "calls", "--db", "qa.duckdb", cwd=tmp_path, **home)

    assert served.returncode == 2, served.stderr
    assert "error: Prefect's server at http://127.0.0.1:9/api does not take the schedule" in served.stderr


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nowhere"])
def test_a_cluster_that_does_not_answer_is_named(address: str) -> None:
    """Its address and the setting that holds it, not a bug of callqa."""
    pytest.importorskip("distributed")
    import dask

    flow = FlowSettings(runner="dask", cluster=address)
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(MachineError, match=f"no dask workers at {address}: "),
        open_workers(flow),
    ):
        pass


def test_workers_share_the_machine() -> None:
    """At least one worker, never more threads than cores."""
    chosen = FlowSettings(runner="process")

    assert worker_count(chosen) >= 1
    assert worker_count(chosen) * threads_per_worker(chosen) <= max(1, os.cpu_count() or 1)
    assert worker_count(FlowSettings(processes=7)) == 7


def test_the_doctor_names_every_fault_with_its_fix(tmp_path: Path) -> None:
    """A wrong zone, a missing model and a damaged database are found in one go."""
    (tmp_path / "bad.duckdb").write_text("no database" * 1000)
    settings = load_settings(
        store={"db": str(tmp_path / "bad.duckdb")},
        intake={"timezone": "Mars/Olympus"},
        transcribe={"model": "no-such-model"},
    )
    found = {finding.name: finding for finding in examine(settings)}

    assert {name for name, finding in found.items() if finding.state == "fault"} == {
        "model",
        "database",
        "zones",
    }
    assert all(finding.fix for finding in found.values() if finding.state != "ok")


def test_a_sound_machine_is_told_so(tmp_path: Path) -> None:
    """Nothing is written by looking."""
    settings = load_settings(store={"db": str(tmp_path / "qa.duckdb")})
    states = {finding.name: finding.state for finding in examine(settings)}

    assert "fault" not in {state for name, state in states.items() if name != "model"}
    assert {states[name] for name in ("database", "rubrics", "judge", "codecs", "zones", "prefect")} == {"ok"}
    assert not list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_looks_beside_others_who_read(tmp_path: Path) -> None:
    """An analyst who has the database open is no fault, and the doctor waits for nobody."""
    db = tmp_path / "qa.duckdb"
    with Store(db):
        pass
    analyst = an_analyst(db, read_only=True)
    found = {one.name: one for one in examine(load_settings(store={"db": str(db), "lock_timeout_s": 0.2}))}
    analyst.communicate()

    assert (found["database"].state, found["database"].found) == ("ok", f"{db} adds up")


def test_the_doctor_finds_a_database_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before the first run has made it."""
    monkeypatch.setattr("os.access", lambda path, _mode: path != tmp_path)
    found = {one.name: one for one in examine(load_settings(store={"db": str(tmp_path / "qa.duckdb")}))}

    assert (found["database"].state, found["database"].found) == ("fault", f"{tmp_path} cannot be written")


def test_a_recording_written_anew_is_no_damage(tmp_path: Path) -> None:
    """The call that lay under the path before is told with what can be done, and the exit code stays 0."""
    db = tmp_path / "qa.duckdb"
    with Store(db) as store:
        store.load([record("c1")], [RUBRIC])
        store.load([record("c2", path="/calls/c1.wav")], [RUBRIC])
    found = {one.name: one for one in examine(load_settings(store={"db": str(db)}))}

    assert found["database"].state == "warning"
    assert "callqa purge --call" in found["database"].fix


@pytest.mark.parametrize(
    ("version", "state"), [("2.1rc1", "fault"), ("2.1.0b2", "fault"), ("2", "ok"), ("2.0.58+local.1", "ok")]
)
def test_the_doctor_compares_any_form_of_version(
    monkeypatch: pytest.MonkeyPatch, version: str, state: str
) -> None:
    """A pre-release of a version that is too new is too new."""
    real = importlib.metadata.version
    monkeypatch.setattr(
        "pipeline.process.doctor.importlib.metadata.version",
        lambda name: version if name == "sqlalchemy" else real(name),
    )
    (found,) = (finding for finding in examine(load_settings()) if finding.name == "prefect")

    assert found.state == state, found.found


def test_deployments_point_at_flows_that_exist() -> None:
    """Every entrypoint of prefect.yaml is a flow, and its parameters are the flow's."""
    import importlib

    document = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    for deployment in document["deployments"]:
        file, name = deployment["entrypoint"].split(":")
        flow = getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)
        assert set(deployment["parameters"]) <= set(flow.parameters.properties), deployment["name"]
        for schedule in deployment.get("schedules", []):
            check_schedule(schedule["cron"], schedule["timezone"])


def test_the_date_of_an_export_is_the_sites(tmp_path: Path) -> None:
    """Two places 26 hours apart never have the same date."""
    from flows.maintenance import export_answers

    with Store(tmp_path / "qa.duckdb") as store:
        store.load([record("c1")], [RUBRIC])
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        settings = {"store": {"db": str(tmp_path / "qa.duckdb")}, "intake": {"timezone": zone}}
        export_answers.fn(str(tmp_path / "out" / "{date}.jsonl"), "jsonl", settings=settings)

    assert len(list((tmp_path / "out").iterdir())) == 2


def test_container_and_unit_files_parse() -> None:
    """Compose is YAML with the command it starts; the unit tolerates exit code 3."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())

    assert compose["services"]["callqa"]["command"][0] == "serve"
    unit = (ROOT / "deploy" / "callqa.service").read_text()
    assert "SuccessExitStatus=3" in unit


def test_the_unit_may_write_the_metrics_of_the_documentation() -> None:
    """Else each night would end with exit code 2 after all its work."""
    unit = (ROOT / "deploy" / "callqa.service").read_text()
    (writable,) = re.findall("^ReadWritePaths=(.*)", unit, re.MULTILINE)
    operations = (ROOT / "docs" / "operations.md").read_text()
    (metrics,) = re.findall('^metrics_file = "(.*)"', operations, re.MULTILINE)

    assert any(Path(metrics).is_relative_to(at.removeprefix("-")) for at in writable.split())


def test_the_container_checks_its_health_without_measuring() -> None:
    """The check runs beside a batch that needs every core, so it loads no numeric library."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    (check,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", dockerfile, re.M)
    command, *arguments = json.loads(check)
    assert command == "callqa"
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", *arguments],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not re.search(r"\| +(torch|numpy|duckdb)$", run.stderr, re.M)
