"""A judge in the main job: what leaves the machine, what is kept, what it costs, and when it is believed."""

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.conversation import Review
from pipeline.store import Store
from tests.command import callqa, callqa_here, write_calls
from tests.judge_server import Model, honest

CARD = "my card is 4111 1111 1111 1111 and it does not work"
RUBRIC = """
rubric: warmth
mode: question
pass_mark: 50
sections:
  - id: s
    criteria:
      - {id: greets, question: Greets, check: {kind: phrases, match: exact, any: ["thank you for calling"]}}
      - id: sorry
        question: Sorry
        WEIGHT
        check: {kind: judge, question: "Did the agent say “sorry to hear”?"}
      - id: refund
        question: Refund
        counts: info
        check: {kind: judge, question: "Did the agent say “REFUND”?"}
"""


@pytest.fixture
def folder(tmp_path: Path, model: Model) -> Path:
    """Calls, a rubric and settings that name the server."""
    write_rubric(tmp_path)
    write_settings(tmp_path, model.url)
    write_calls(tmp_path / "calls", 3, CARD)
    return tmp_path


def write_rubric(folder: Path, weight: str = "weight: 1", refund: str = "refund") -> None:
    """The rubric, as it is or changed."""
    (folder / "r.yaml").write_text(RUBRIC.replace("WEIGHT", weight).replace("REFUND", refund), "utf-8")


def write_settings(folder: Path, url: str, **more: Any) -> None:
    """Settings with a judge."""
    lines = {"url": url, "model": "fake", "timeout_s": 5, **more}
    (folder / "callqa.toml").write_text(
        "[judge]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in lines.items())
    )


def run(folder: Path) -> str:
    """``callqa run``; what it said."""
    done = callqa_here("run", "calls", "--db", "qa.duckdb", "--rubric", "r.yaml", "--local", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def query(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Rows of the database."""
    with Store(folder / "qa.duckdb", read_only=True) as store:
        return store.query(sql)


def test_a_run_asks_once_shows_the_cost_and_sends_no_card(folder: Path, model: Model) -> None:
    """Redacted text goes out, figures a criterion come back in the summary, the store and the status."""
    told = run(folder)

    assert len(model.asked) == 12
    assert not any("4111" in prompt for prompt in model.prompts)
    assert all("[CARD]" in prompt for prompt in model.prompts)
    assert "warmth/sorry: 3 answered; 6 requests, 660 tokens" in told
    rows = query(
        folder,
        "SELECT rubric_id, criterion_id, sum(calls) AS calls, sum(prompt_tokens) AS read, "
        "sum(answer_tokens) AS written, min(seconds) > 0 AS took "
        "FROM stage_runs WHERE stage = 'judge' GROUP BY ALL ORDER BY ALL",
    )
    assert rows == [
        {"rubric_id": "warmth", "criterion_id": name, "calls": 6, "read": 600, "written": 60, "took": True}
        for name in ("refund", "sorry")
    ]
    summary = json.loads(next((folder / "qa.duckdb.state" / "runs").glob("*.json")).read_text())
    assert summary["judge"]["warmth/sorry"]["answered"] == 3
    assert summary["judge"]["warmth/sorry"]["tokens"] == 660
    shown = callqa_here("status", "--db", "qa.duckdb", cwd=folder).stdout
    assert re.search(r"warmth\s+sorry\s+fake\s+3\s+3\s+0\s+0\s+0\s+6\s+660", shown)


def test_a_re_run_asks_nothing_and_a_re_score_only_what_changed(folder: Path, model: Model) -> None:
    """Weights cost nothing, a changed question costs itself."""
    run(folder)
    model.asked.clear()
    run(folder)
    assert model.asked == []

    write_rubric(folder, weight="weight: 3")
    callqa_here("rescore", "--rubric", "r.yaml", "--db", "qa.duckdb", cwd=folder)
    assert model.asked == []
    assert query(folder, "SELECT count(*) AS n FROM scorecards WHERE is_latest")[0]["n"] == 3

    write_rubric(folder, weight="weight: 3", refund="money back")
    done = callqa_here("rescore", "--rubric", "r.yaml", "--db", "qa.duckdb", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(model.asked) == 6
    assert all("money back" in prompt for prompt in model.prompts)
    costs = query(folder, "SELECT count(*) AS n, sum(calls) AS calls FROM stage_runs WHERE stage = 'judge'")
    assert costs == [{"n": 6, "calls": 12}]


def test_the_re_score_flow_keeps_and_asks_for_the_judges_answers(folder: Path, model: Model) -> None:
    """The flow that Prefect starts when a rubric changes does what the command does."""
    from flows.maintenance import rescore_history

    run(folder)
    write_rubric(folder, weight="weight: 3", refund="money back")
    model.asked.clear()
    settings = {"store": {"db": str(folder / "qa.duckdb")}, "score": {"rubrics": [str(folder / "r.yaml")]}}
    rescore_history.fn(config=str(folder / "callqa.toml"), settings=settings)
    assert len(model.asked) == 6
    assert all("money back" in prompt for prompt in model.prompts)
    latest = (
        "SELECT criterion_id, answer, count(*) AS n FROM answers "
        "JOIN scorecards USING (call_id, rubric_hash) WHERE scorecards.is_latest GROUP BY ALL ORDER BY ALL"
    )
    assert [(r["criterion_id"], r["answer"], r["n"]) for r in query(folder, latest)] == [
        ("greets", "yes", 3), ("refund", "no", 3), ("sorry", "yes", 3),
    ]  # fmt: skip


def test_what_could_not_be_asked_is_asked_by_the_next_run_and_nothing_else(
    folder: Path, model: Model
) -> None:
    """An endpoint that is away leaves the rest of the scorecard standing, and says that it was."""
    model.answer = lambda asked: "" if "refund" in asked.split("Question:")[1] else honest(asked)
    write_settings(folder, "http://127.0.0.1:9/v1")
    told = run(folder)
    assert "nothing answers at 127.0.0.1:9" in told
    assert "the next run asks again" in told
    answers = "SELECT criterion_id, answer, count(*) AS n FROM answers GROUP BY ALL ORDER BY ALL"
    assert [(r["criterion_id"], r["answer"]) for r in query(folder, answers)] == [
        ("greets", "yes"), ("refund", "undetermined"), ("sorry", "undetermined"),
    ]  # fmt: skip

    write_settings(folder, model.url, budget_calls=4)
    run(folder)
    assert len(model.asked) == 4
    model.answer = honest
    write_settings(folder, model.url)
    run(folder)
    run(folder)
    assert [(r["criterion_id"], r["answer"], r["n"]) for r in query(folder, answers)] == [
        ("greets", "yes", 3), ("refund", "no", 3), ("sorry", "yes", 3),
    ]  # fmt: skip
    sorry = [p for p in model.prompts if "sorry to hear”" in p.split("Question:")[1]]
    assert len(sorry) == 6  # two each, however many runs it took


def test_answers_count_once_people_have_confirmed_enough_of_them(folder: Path, model: Model) -> None:
    """Until then they are shown as suggestions; a new model has to earn it again on the same calls."""
    write_calls(folder / "calls", 16, CARD)
    run(folder)
    scored = (
        "SELECT count(*) AS n FROM answers JOIN scorecards USING (call_id, rubric_hash) "
        "WHERE criterion_id = 'sorry' AND scored AND scorecards.is_latest"
    )
    assert query(folder, scored)[0]["n"] == 0

    confirm(folder, 13)
    told = callqa_here("calibrate", "--db", "qa.duckdb", cwd=folder)
    assert "people agree with 13 of 13 of its answers, at least 79% (95 % sure)" in told.stderr
    assert "1 more in agreement would do" in told.stderr
    callqa_here("rescore", "--rubric", "r.yaml", "--db", "qa.duckdb", cwd=folder)
    assert query(folder, scored)[0]["n"] == 0

    confirm(folder, 14)
    told = callqa_here("calibrate", "--db", "qa.duckdb", cwd=folder)
    assert "at least 80% (95 % sure): it is scored, from 80%" in told.stderr
    model.asked.clear()
    callqa_here("rescore", "--rubric", "r.yaml", "--db", "qa.duckdb", cwd=folder)
    assert model.asked == []
    assert query(folder, scored)[0]["n"] == 16

    model.models = ("fake", "another")
    write_settings(folder, model.url, model="another")
    told = callqa_here("calibrate", "--db", "qa.duckdb", cwd=folder)
    assert "sorry: nobody has confirmed any of its answers yet" in told.stderr


def confirm(folder: Path, count: int) -> None:
    """A person says yes to so many answers."""
    with Store(folder / "qa.duckdb") as store:
        rubric_hash = store.query("SELECT any_value(rubric_hash) AS h FROM scorecards WHERE is_latest")[0][
            "h"
        ]
        now = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
        store.save_reviews([
            Review(f"r-{n}", f"call-{n:03}", rubric_hash, "sorry", "yes", "yes", "amira", now)
            for n in range(count)
        ])  # fmt: skip


def test_the_user_is_told_when_text_leaves_the_machine(folder: Path, model: Model) -> None:
    """By every run and by doctor, once others than private addresses are allowed."""
    write_settings(folder, model.url, allow_remote=True)
    assert "redacted text of calls leaves this machine for http://127.0.0.1" in run(folder)
    told = callqa_here("doctor", "--db", "qa.duckdb", cwd=folder).stdout
    assert re.search(r"warning\s+judge\s+fake at .* leaves this machine", told)

    write_settings(folder, "http://127.0.0.1:9/v1")
    told = callqa_here("doctor", "--db", "qa.duckdb", cwd=folder).stdout
    assert re.search(r"fault\s+judge\s+nothing answers", told)


def test_the_answers_of_a_call_are_erased_with_it(folder: Path, model: Model) -> None:
    """They hold the model's words about what was said."""
    run(folder)
    kept = sorted((folder / "qa.duckdb.state").rglob("judge.jsonl"))
    assert len(kept) == 3
    callqa_here("purge", "--call", "call-001", "--yes", "--db", "qa.duckdb", cwd=folder)

    assert len(sorted((folder / "qa.duckdb.state").rglob("judge.jsonl"))) == 2


def test_worker_processes_ask_too(folder: Path, model: Model) -> None:
    """Each with its part of what is allowed; the answers are the same."""
    how = ("--db", "qa.duckdb", "--rubric", "r.yaml", "--local", "--runner", "process")
    done = callqa("run", "calls", *how, cwd=folder, CALLQA_FLOW__PROCESSES="2", CALLQA_FLOW__WINDOW="2")

    assert done.returncode == 0, done.stderr
    assert "warmth/sorry: 3 answered; 6 requests" in done.stderr


def test_nothing_of_the_judge_is_imported_where_none_is_configured(tmp_path: Path) -> None:
    """The package, and with it its HTTP client, stays out of the process."""
    write_rubric(tmp_path)
    write_calls(tmp_path / "calls", 1, CARD)
    code = (
        "import sys; from pathlib import Path; from pipeline.process.files import score_files; "
        "from pipeline.settings import load_settings; "
        "list(score_files([Path('calls/call-000.json')], 'r.yaml', load_settings())); "
        "print([name for name in sys.modules if name.startswith('pipeline.judge')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip

    assert done.stdout.strip() == "[]", done.stderr
