"""The batch as a real Prefect flow, against servers that Prefect itself starts."""

import errno
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipeline.conversation import CallRecord, Transcript
from pipeline.errors import ModelError, RecordingError
from pipeline.process import loop
from pipeline.process.batch import Batch, Plan
from pipeline.process.cache import StageCache
from pipeline.process.loop import run_batch
from pipeline.process.stages import Stages
from pipeline.settings import FlowSettings
from pipeline.transcribe import Job
from tests.fakes import LINES, FakeEngine, fake_received, fake_stages, faulty_batch

pytestmark = pytest.mark.prefect
PAIRS = FlowSettings(window=2)


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    """Prefect's own harness: an ephemeral server on an empty database."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(120):
        yield


def make_batch(tmp_path: Path, contents: dict[str, str], engine: FakeEngine | None = None) -> Batch:
    """A batch in groups of two that forgets what it loads."""

    def load(records: Sequence[CallRecord]) -> None:
        assert len(records) <= 2

    received = tuple(fake_received(tmp_path, contents))
    return Batch(Plan(received), lambda: fake_stages(engine), StageCache(tmp_path / "state"), load, PAIRS)


def run_flow(batch: Batch) -> Any:
    """The flow run's final state."""
    from flows.batch import run_prepared

    return run_prepared(batch, ["somewhere"])


def task_runs(flow_run_id: Any) -> list[Any]:
    """Task runs of a flow run, as Prefect's API shows them once it has recorded them."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        mine = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        for _ in range(100):
            runs = client.read_task_runs(flow_run_filter=mine)
            if runs and all(run.state and run.state.is_final() for run in runs):
                break
            time.sleep(0.1)
    return runs


def test_tasks_are_named_by_call_and_the_state_is_honest(prefect: None, tmp_path: Path) -> None:
    """Three tasks a group, named by its first call; a quarantined file makes the run PartiallyCompleted."""
    batch = make_batch(tmp_path, {"a.wav": "1", "b.wav": "bad", "c.wav": "3"})
    state = run_flow(batch)
    names = [run.name for run in task_runs(state.state_details.flow_run_id)]

    assert state.name == "PartiallyCompleted"
    assert state.message == "2 of 3 files scored or knowingly skipped"
    assert sorted(names) == sorted(
        f"{task} {group}" for task in ("transcribe", "score", "load") for group in ("a and 1 more", "c")
    )
    assert batch.tally.statuses == {"scored": 2, "quarantined": 1}


def test_only_transient_faults_are_tried_again(
    prefect: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every try is a task run that can be seen; a refused recording is asked for once."""
    monkeypatch.setattr(loop, "RETRY_DELAYS_S", (0.0, 0.0))
    fault = OSError(errno.EIO, "a transient fault")
    engine = FakeEngine({"a": [fault, fault], "b": [RecordingError("nothing said", reason="no_speech")]})
    batch = make_batch(tmp_path, {"a.wav": "1", "b.wav": "2"}, engine)
    state = run_flow(batch)
    tries = [run for run in task_runs(state.state_details.flow_run_id) if "transcribe" in run.name]

    assert state.name == "Completed"
    assert batch.tally.statuses == {"scored": 1, "skipped": 1}
    assert sorted(run.state_name for run in tries) == ["Completed", "Failed", "Failed"]


@pytest.mark.parametrize("step", ["transcribe", "score", "load"])
@pytest.mark.parametrize(("n_faults", "expected"), [(2, {"scored": 3}), (3, {"failed": 2, "scored": 1})])
def test_every_step_is_tried_three_times(
    prefect: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    n_faults: int,
    expected: dict[str, int],
) -> None:
    """The same as without Prefect."""
    monkeypatch.setattr(loop, "RETRY_DELAYS_S", (0.0, 0.0))
    batch = faulty_batch(tmp_path, step, [OSError(errno.EIO, "a transient fault") for _ in range(n_faults)])

    assert run_flow(batch).name == ("PartiallyCompleted" if "failed" in expected else "Completed")
    assert batch.tally.statuses == expected


def test_nothing_usable_is_a_failed_run(prefect: None, tmp_path: Path) -> None:
    """A folder of broken files does not look like success."""
    assert run_flow(make_batch(tmp_path, {"a.wav": "bad"})).type.value == "FAILED"


def test_what_a_person_must_mend_leaves_the_flow_as_our_error(prefect: None, tmp_path: Path) -> None:
    """The message and hint reach the command line, not a Prefect traceback."""
    fault = ModelError("weights are gone", hint="callqa models pull base")
    batch = make_batch(tmp_path, {"a.wav": "1"}, FakeEngine({"a": [fault]}))
    with pytest.raises(ModelError, match="weights are gone"):
        run_flow(batch)


def test_settings_that_became_wrong_are_said(
    prefect: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A scheduled batch whose settings file was damaged since the start says so in its line."""
    from flows.batch import batch

    config = tmp_path / "callqa.toml"
    config.write_text("nonsense = [")
    state = batch([str(tmp_path)], config=str(config), return_state=True)
    said = capsys.readouterr().err

    assert state.is_failed()
    assert f"batch failed: {config}: " in said
    assert "it must be TOML" in said


def test_no_word_of_a_call_reaches_prefect(prefect: None, tmp_path: Path) -> None:
    """Neither results nor parameters nor logs hold what was said; the database holds the calls' names."""
    from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL

    state = run_flow(make_batch(tmp_path, {"mute-call.wav": "1", "b.wav": "2"}))
    assert task_runs(state.state_details.flow_run_id)
    folder = Path(
        str(PREFECT_SERVER_DATABASE_CONNECTION_URL.value()).removeprefix("sqlite+aiosqlite:///")
    ).parent
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())

    assert b"mute-call" in kept
    assert b"how may I help" not in kept
    for role, words in LINES[:-1]:
        assert words.encode() not in kept, role


class WorkerKillingEngine(FakeEngine):
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


def worker_killing_stages(marker: Path, forever: bool) -> Stages:
    """Picklable, as workers need it."""
    return fake_stages(WorkerKillingEngine(marker, forever))


@pytest.mark.parametrize("runner", ["process", "dask"])
def test_the_same_flow_runs_in_two_workers(prefect: None, tmp_path: Path, runner: str) -> None:
    """Processes, a Dask LocalCluster, Ray: the same rows in the same order as without any."""
    if runner != "process":
        pytest.importorskip("distributed")
    contents = {f"{n}.wav": f"call {n}" for n in "abcde"} | {"f.wav": "bad"}
    loaded: list[CallRecord] = []
    pairs = FlowSettings.model_validate({"window": 2, "runner": runner, "processes": 2})
    received = tuple(fake_received(tmp_path, contents))
    batch = Batch(Plan(received), fake_stages, StageCache(tmp_path / "state"), loaded.extend, pairs)
    state = run_flow(batch)

    alone: list[CallRecord] = []
    run_batch(Batch(Plan(received), fake_stages, StageCache(tmp_path / "other"), alone.extend, PAIRS))
    assert state.name == "PartiallyCompleted"
    assert [timeless(record) for record in loaded] == [timeless(record) for record in alone]


@pytest.mark.parametrize(
    ("forever", "expected"), [(False, {"scored": 5}), (True, {"scored": 3, "failed": 2})]
)
def test_a_worker_that_dies_is_replaced(
    prefect: None, tmp_path: Path, forever: bool, expected: dict[str, int]
) -> None:
    """Its groups are tried again; a group that kills every worker becomes failed rows."""
    received = tuple(fake_received(tmp_path, {f"{n}.wav": f"call {n}" for n in "abcde"}))
    load_stages = partial(worker_killing_stages, tmp_path / "died", forever)
    pairs = FlowSettings(window=2, runner="process", processes=1)
    batch = Batch(Plan(received), load_stages, StageCache(tmp_path / "state"), lambda records: None, pairs)
    run_flow(batch)

    assert batch.tally.statuses == expected


def timeless(record: CallRecord) -> CallRecord:
    """A record without the seconds its stages took."""
    return replace(record, stages=())
