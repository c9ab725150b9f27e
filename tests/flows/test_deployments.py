"""What ``prefect.yaml`` deploys, on the server that ``callqa serve`` starts."""

import contextlib
import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from flows.environment import prefect_server, quiet_prefect
from flows.launch import events_are_sent
from pipeline import rubrics
from pipeline.store import Store
from tests.command import write_calls

pytestmark = pytest.mark.prefect
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The server that ``callqa serve`` starts, which knows schedules and automations."""
    from prefect.context import refresh_global_settings_context

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("server") / "prefect"))
        with quiet_prefect(), prefect_server() as answers:
            answers()
            refresh_global_settings_context()  # where another test has imported Prefect already
            yield
            assert events_are_sent()  # or what Prefect still holds goes to the next test's server
    refresh_global_settings_context()


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

    plan = yaml.safe_load((Path(__file__).parents[2] / "prefect.yaml").read_text())
    (deployment,) = [one for one in plan["deployments"] if one["name"] == "rescore"]
    assert deployment["entrypoint"] == "flows/maintenance.py:rescore_history"
    triggers = [DeploymentEventTrigger.model_validate(one) for one in deployment["triggers"]]
    return rescore_history.to_deployment("rescore", triggers=triggers, parameters=parameters).apply()


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


def test_a_rubric_that_changed_is_announced_and_history_follows(server: None, tmp_path: Path) -> None:
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
    state = tmp_path / "qa.duckdb.state"
    assert not list(state.glob("calls/*"))
    assert not [run for run in state.glob("runs/*.json") if "call-00" in run.read_text()]


def opened(history: Path) -> sqlite3.Connection:
    """Prefect's database, for reading."""
    return sqlite3.connect(f"file:{history}?mode=ro", uri=True)


def test_two_serves_of_one_user_keep_their_own_folders(tmp_path: Path) -> None:
    """The second gets a deployment of its own; it does not put its paths into that of the first."""
    history = tmp_path / "prefect" / "prefect.db"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(history.parent)}
    serving = []
    deployed: list[tuple[str]] = []
    try:
        for number, folder in enumerate(("here", "there"), start=1):
            command = [sys.executable, "-m", "pipeline", "serve", folder, "--db", f"{folder}.duckdb"]
            quiet = subprocess.DEVNULL
            serving.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=quiet))
            deadline = time.monotonic() + 120
            while len(deployed) < number and time.monotonic() < deadline:
                time.sleep(0.5)
                with contextlib.suppress(sqlite3.OperationalError), closing(opened(history)) as db:
                    deployed = db.execute("SELECT parameters FROM deployment ORDER BY created").fetchall()
    finally:
        for process in serving:
            process.terminate()
        for process in serving:
            process.wait(60)

    assert [json.loads(parameters)["paths"] for (parameters,) in deployed] == [
        [str(tmp_path / "here")], [str(tmp_path / "there")]
    ]  # fmt: skip
    assert not list(history.parent.glob("server-*.log"))
