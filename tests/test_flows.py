"""The batch as a real Prefect flow against callqa's own server."""

import datetime as dt
import errno
import os
import shutil
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flows import doors
from flows.server import quiet_prefect
from pipeline import rubrics
from pipeline.conversation import CallRecord, Transcript
from pipeline.errors import ModelError, RecordingError
from pipeline.process.batch import Batch, Plan, run_batch
from pipeline.process.cache import StageCache
from pipeline.process.tools import Tools
from pipeline.settings import FlowSettings
from pipeline.store import Store
from pipeline.transcribe import Job
from tests.fakes import FakeEngine, fake_received, fake_tools
from tests.test_run import write_calls

pytestmark = pytest.mark.prefect
PAIRS = FlowSettings(window=2)


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One real server for all flow tests, callqa's own with automations; yields its ``PREFECT_HOME``."""
    home = tmp_path_factory.mktemp("prefect")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED", "true")
        with quiet_prefect(home) as server:
            assert server is not None
            server.ready()
            yield home


def make_batch(tmp_path: Path, contents: dict[str, str], engine: FakeEngine | None = None) -> Batch:
    """A batch in windows of two that forgets what it loads."""

    def load(records: Sequence[CallRecord]) -> None:
        assert len(records) <= 2

    received = tuple(fake_received(tmp_path, contents))
    return Batch(
        Plan(received),
        lambda: fake_tools(engine),
        StageCache(tmp_path / "state"),
        load,
        PAIRS,
    )


def run_flow(batch: Batch) -> Any:
    """The flow run's final state."""
    from flows import batch as flow_module
    from flows import handover

    token = handover.batch.set(batch)
    try:
        return flow_module.batch(["somewhere"], return_state=True)
    finally:
        handover.batch.reset(token)


def task_runs(flow_run_id: Any) -> dict[str, Any]:
    """Task runs of a flow run by name, as Prefect's API shows them once it has recorded them."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        for _ in range(100):
            runs = client.read_task_runs(flow_run_filter=mine)
            if runs and all(run.state and run.state.is_final() for run in runs):
                break
            time.sleep(0.1)
    return {run.name: run for run in runs}


def test_tasks_are_named_by_call_and_the_state_is_honest(prefect_home: Path, tmp_path: Path) -> None:
    """Three tasks a window, named by its first call; a quarantined file makes the run PartiallyCompleted."""
    batch = make_batch(tmp_path, {"a.wav": "1", "b.wav": "bad", "c.wav": "3"})
    state = run_flow(batch)
    names = task_runs(state.state_details.flow_run_id)

    assert state.name == "PartiallyCompleted"
    assert state.message == "2 of 3 files scored or knowingly skipped"
    assert set(names) == {
        f"{task} {window}" for task in ("hear", "judge", "load") for window in ("a and 1 more", "c")
    }
    assert batch.tally.statuses == {"scored": 2, "quarantined": 1}


def test_only_transient_faults_are_tried_again(
    prefect_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two stumbles of the machine are retried by Prefect; a refused recording is asked for once."""
    from flows import batch as flow_module

    monkeypatch.setattr(flow_module.hear_window, "retry_delay_seconds", [0, 0])
    stumble = OSError(errno.EIO, "stumble")
    engine = FakeEngine({"a": [stumble, stumble], "b": [RecordingError("nothing said", reason="no_speech")]})
    batch = make_batch(tmp_path, {"a.wav": "1", "b.wav": "2"}, engine)
    state = run_flow(batch)
    (hear,) = [run for name, run in task_runs(state.state_details.flow_run_id).items() if "hear" in name]

    assert state.name == "Completed"
    assert batch.tally.statuses == {"scored": 1, "skipped": 1}
    assert hear.run_count == 3


def test_a_window_that_never_works_becomes_failed_rows(
    prefect_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other windows are scored all the same."""
    from flows import batch as flow_module

    monkeypatch.setattr(flow_module.hear_window, "retry_delay_seconds", [0, 0])
    engine = FakeEngine({"a": [OSError(errno.EIO, "stumble")] * 3})
    batch = make_batch(tmp_path, {"a.wav": "1", "b.wav": "2", "c.wav": "3"}, engine)

    assert run_flow(batch).name == "PartiallyCompleted"
    assert batch.tally.statuses == {"failed": 2, "scored": 1}


def test_nothing_usable_is_a_failed_run(prefect_home: Path, tmp_path: Path) -> None:
    """A folder of broken files does not look like success."""
    assert run_flow(make_batch(tmp_path, {"a.wav": "bad"})).type.value == "FAILED"


def test_what_a_person_must_mend_leaves_the_flow_as_our_error(prefect_home: Path, tmp_path: Path) -> None:
    """The message and hint reach the command line, not a Prefect traceback."""
    from flows.batch import run_handed_over

    fault = ModelError("weights are gone", hint="callqa models pull base")
    batch = make_batch(tmp_path, {"a.wav": "1"}, FakeEngine({"a": [fault]}))
    with pytest.raises(ModelError, match="weights are gone"):
        run_handed_over(batch, ["somewhere"])


def test_no_word_of_a_call_reaches_prefect(prefect_home: Path, tmp_path: Path) -> None:
    """Neither results nor parameters nor logs hold what was said."""
    run_flow(make_batch(tmp_path, {"a.wav": "1", "b.wav": "2"}))

    for file in prefect_home.rglob("*"):
        if file.is_file():
            assert b"how may I help" not in file.read_bytes(), file


def test_the_tables_are_those_of_the_installed_prefect(tmp_path: Path) -> None:
    """The database laid out at a first start is the one that Prefect's own changes end with."""
    from flows import tables

    laid, made = tmp_path / "laid", tmp_path / "made"
    laid.mkdir()
    made.mkdir()

    assert tables.lay(laid)
    assert not tables.lay(laid)
    assert columns_of(laid / "prefect.db") == columns_of(tables.migrated(made))


def columns_of(database: Path) -> list[str]:
    """Every line of what makes a database; Prefect writes a table's constraints in any order."""
    from flows import tables

    return sorted(line.strip(" ,") for line in "\n".join(tables.dump(database)).splitlines())


def gone(home: Path) -> bool:
    """Whether the server of a home leaves within seconds."""
    for _ in range(100):
        if not any(told["home"] == str(home) for told in doors.known()):
            return True
        time.sleep(0.1)
    return False


def test_a_server_waits_for_the_next_run(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run is its guest; it leaves when a newer one has come, and with its home."""
    place = tmp_path_factory.mktemp("wait")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    first, second = place / "first", place / "second"

    def there() -> set[str]:
        return {told["home"] for told in doors.known()}

    with quiet_prefect(first, wait_s=60) as server:
        assert server is not None
        server.ready()
        address = os.environ["PREFECT_API_URL"]
    guest = doors.enter(first)
    assert guest is not None
    with quiet_prefect(first):
        assert os.environ["PREFECT_API_URL"] == address
        assert urllib.request.urlopen(f"{address}/health").status == 200
    with quiet_prefect(second, wait_s=60) as newer:
        assert newer is not None
        newer.ready()
    time.sleep(1)
    assert there() == {str(first), str(second)}
    guest[0].close()
    assert gone(first)
    assert there() == {str(second)}
    shutil.rmtree(second)
    assert gone(second)


def test_the_home_is_private(prefect_home: Path) -> None:
    """Other users of the machine cannot read what was run."""
    import stat

    assert stat.S_IMODE((prefect_home / "prefect.db").stat().st_mode) & 0o077 == 0


class DeadlyEngine(FakeEngine):
    """Kills its worker process on one call, the first time."""

    def __init__(self, marker: Path, forever: bool) -> None:
        super().__init__()
        self.marker, self.forever = marker, forever

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """As fake, or dead."""
        if any(job.call_id == "c" for job in jobs) and (self.forever or not self.marker.exists()):
            self.marker.touch()
            os._exit(9)
        return super().transcribe(jobs)


def deadly_tools(marker: Path, forever: bool) -> Tools:
    """Picklable, as workers need it."""
    return fake_tools(DeadlyEngine(marker, forever))


@pytest.mark.parametrize("runner", ["process", "dask"])
def test_the_same_flow_runs_in_two_workers(prefect_home: Path, tmp_path: Path, runner: str) -> None:
    """Processes, a Dask LocalCluster, Ray: the same rows in the same order as without any."""
    if runner != "process":
        pytest.importorskip(f"prefect_{runner}")
    contents = {f"{n}.wav": f"call {n}" for n in "abcde"} | {"f.wav": "bad"}
    loaded: list[CallRecord] = []
    pairs = FlowSettings.model_validate({"window": 2, "runner": runner, "processes": 2})
    received = tuple(fake_received(tmp_path, contents))
    batch = Batch(Plan(received), fake_tools, StageCache(tmp_path / "state"), loaded.extend, pairs)
    state = run_flow(batch)

    alone: list[CallRecord] = []
    run_batch(Batch(Plan(received), fake_tools, StageCache(tmp_path / "other"), alone.extend, PAIRS))
    assert state.name == "PartiallyCompleted"
    assert [timeless(record) for record in loaded] == [timeless(record) for record in alone]


@pytest.mark.parametrize(
    ("forever", "expected"), [(False, {"scored": 5}), (True, {"scored": 3, "failed": 2})]
)
def test_a_worker_that_dies_is_replaced(
    prefect_home: Path, tmp_path: Path, forever: bool, expected: dict[str, int]
) -> None:
    """Its windows are tried again; a window that kills every worker becomes failed rows."""
    received = tuple(fake_received(tmp_path, {f"{n}.wav": f"call {n}" for n in "abcde"}))
    make_tools = partial(deadly_tools, tmp_path / "died", forever)
    pairs = FlowSettings(window=2, runner="process", processes=1)
    batch = Batch(Plan(received), make_tools, StageCache(tmp_path / "state"), lambda records: None, pairs)
    run_flow(batch)

    assert batch.tally.statuses == expected


def timeless(record: CallRecord) -> CallRecord:
    """A record without the seconds its stages took."""
    return replace(record, stages=())


def events(name: str) -> list[dict[str, Any]]:
    """Events of a name, as Prefect's API shows them once it has recorded them."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for _ in range(100):
            answer = client.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}}})
            if found := answer.json()["events"]:
                break
            time.sleep(0.1)
    return found


def deploy_rescore(parameters: dict[str, Any]) -> Any:
    """The deployment ``rescore`` with its trigger, as prefect.yaml has it; its id."""
    import yaml
    from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger

    from flows.maintenance import rescore_history

    plan = yaml.safe_load((Path(__file__).parents[1] / "prefect.yaml").read_text())
    (deployment,) = [one for one in plan["deployments"] if one["name"] == "rescore"]
    assert deployment["entrypoint"] == "flows/maintenance.py:rescore_history"
    triggers = [DeploymentEventTrigger.model_validate(one) for one in deployment["triggers"]]
    return rescore_history.to_deployment("rescore", triggers=triggers, parameters=parameters).apply()  # type: ignore[arg-type]


def runs_of(deployment_id: Any) -> list[Any]:
    """The flow runs of a deployment, as soon as there are any."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    with get_client(sync_client=True) as client:
        mine = DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id]))
        for _ in range(200):
            if runs := client.read_flow_runs(deployment_filter=mine):
                break
            time.sleep(0.1)
    return runs


def test_a_rubric_that_changed_is_announced_and_history_follows(prefect_home: Path, tmp_path: Path) -> None:
    """As deployed: batch, event, automation, re-score, export, retention, each a flow run with parameters."""
    from flows import batch as flow_module
    from flows.maintenance import export_answers, rescore_history, retain

    shipped = Path(rubrics.__path__[0], "support.yaml").read_text()
    mine = tmp_path / "mine.yaml"
    mine.write_text(shipped)
    manifest = "call_id,file,started_at\n" + "".join(
        f"call-{i:03},call-{i:03}.json,20{24 + i}-05-01T10:00:00Z\n" for i in range(2)
    )
    calls = write_calls(tmp_path / "calls", 2)
    (calls / "manifest.csv").write_text(manifest)
    settings = {
        "store": {"db": str(tmp_path / "qa.duckdb")},
        "score": {"rubrics": [str(mine)]},
        "intake": {"timezone": "UTC"},
    }

    def scored_under() -> set[str]:
        with Store(tmp_path / "qa.duckdb", read_only=True) as store:
            latest = "SELECT version FROM v_scorecards JOIN rubrics USING (rubric_hash)"
            return {row["version"] for row in store.query(latest)}

    rescore_id = deploy_rescore({"settings": settings})
    first = flow_module.batch([str(calls)], settings=settings, return_state=True)
    mine.write_text(shipped.replace('version: "1.0"', 'version: "1.1"'))
    for file in calls.iterdir():
        file.unlink()  # recordings are gone, as they are a month later
    (calls / "notes.txt").write_text("nothing here")
    second = flow_module.batch([str(calls)], settings=settings, return_state=True)
    (event,) = events("callqa.rubric.changed")
    under_old = scored_under()
    (triggered,) = runs_of(rescore_id)
    rescore_history(**triggered.parameters)

    assert (first.name, second.name) == ("Completed", "Completed")
    assert event["resource"]["prefect.resource.id"] == "callqa.rubric.support"
    assert triggered.created_by.type == "AUTOMATION"
    assert (under_old, scored_under()) == ({"1.0"}, {"1.1"})
    assert export_answers(str(tmp_path / "out" / "qa-{date}.xlsx"), settings=settings) == 1
    assert retain(int((dt.datetime.now(dt.UTC).date() - dt.date(2025, 1, 1)).days), settings=settings) == 1
    assert retain(0, settings=settings) == 1
    assert not list((tmp_path / "qa.duckdb.state").glob("calls/*"))
