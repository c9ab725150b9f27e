"""The main job from outside: real recordings through ``callqa run``, seen as a user sees it."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import jiwer
import pytest
import yaml
from whisper.normalizers import EnglishTextNormalizer

from pipeline.child_processes import cores
from tests import command

pytestmark = pytest.mark.whisper

OUTCOMES = {
    "nw-1001": "pass", "nw-1002": "fail", "nw-1003": "pass", "nw-1004": "fail", "nw-1005": "pass",
    "nw-1006": "pass", "nw-1007": "pass", "nw-1008": "pass", "nw-1009": "pass", "nw-1010": "fail",
}  # fmt: skip
BROKEN = {"broken-truncated.wav", "broken-text.wav"}
SOME = ("nw-1002", "nw-1006", "nw-1008", "nw-1012")
plain = EnglishTextNormalizer()


callqa = partial(command.callqa, timeout_s=600, COLUMNS="140", OMP_NUM_THREADS=str(cores()))


def rows(db: Path, sql: str) -> list[dict[str, Any]]:
    """Ask the store as an analyst would."""
    done = command.callqa_here("sql", sql, "--db", db, "--json", cwd=db.parent)
    assert done.returncode == 0, done.stderr
    text = done.stdout.strip()
    return json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]


def word_error_rate(said: list[str], heard: list[str]) -> float:
    """WER of a whole call under Whisper's own English normaliser."""
    return float(jiwer.wer(plain(" ".join(said)), plain(" ".join(heard))))


@pytest.fixture(scope="module")
def scored(sample_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The sample calls after ``callqa run``, orchestrated by Prefect."""
    db = tmp_path_factory.mktemp("main") / "qa.duckdb"
    return db, callqa("run", sample_audio, "--db", db, cwd=db.parent)


def test_the_broken_files_are_quarantined_and_the_exit_code_says_so(scored: tuple[Path, Any]) -> None:
    """Ten calls are scored, two files quarantined, and what is no call is skipped: each with a reason."""
    db, done = scored

    ledger = rows(db, "select path, status, reason from ledger")

    assert done.returncode == 3, done.stderr
    assert {Path(r["path"]).name for r in ledger if r["status"] == "quarantined"} == BROKEN
    assert all(r["reason"] for r in ledger if r["status"] != "scored")
    assert sum(r["status"] == "scored" for r in ledger) == len(OUTCOMES)
    assert {r["reason"] for r in ledger if r["status"] == "skipped"} == {"not_a_call"}


def test_no_traceback_banner_or_telemetry_reaches_the_user(scored: tuple[Path, Any]) -> None:
    """What the run prints is about calls."""
    _, done = scored

    for alien in ("Traceback", "prefect", "CancelledError", "http://", "UserWarning", "DeprecationWarning"):
        assert alien.lower() not in (done.stdout + done.stderr).lower(), done.stderr


def test_every_sample_call_is_heard(scored: tuple[Path, Any], sample_audio: Path) -> None:
    """Word error rate stays within 0.12 on each call and 0.06 over all."""
    db, _ = scored
    with (sample_audio / "manifest.csv").open(encoding="utf-8") as manifest:
        names = {r["call_id"]: r["file"] for r in csv.DictReader(manifest)}
    heard: dict[str, list[str]] = {}
    for row in rows(db, "select call_id, text from turns order by call_id, turn"):
        heard.setdefault(row["call_id"], []).append(row["text"])
    said = {
        call: [
            t["text"]
            for t in json.loads((sample_audio / names[call]).with_suffix(".expected.json").read_text())[
                "turns"
            ]
        ]
        for call in OUTCOMES
    }

    rates = {call: word_error_rate(said[call], heard[call]) for call in OUTCOMES}

    assert max(rates.values()) <= 0.12, rates
    assert sum(rates.values()) / len(rates) <= 0.06, rates


def test_outcomes_are_those_the_dialogues_were_written_for(scored: tuple[Path, Any]) -> None:
    """Good calls pass, poor ones fail, and the collections call without its disclosure fails outright."""
    db, _ = scored

    cards = rows(db, "select call_id, outcome, final_score, raw_score, autofail_reasons from v_scorecards")

    assert {c["call_id"]: c["outcome"] for c in cards} == OUTCOMES
    missing = next(c for c in cards if c["call_id"] == "nw-1004")
    assert missing["autofail_reasons"]
    assert missing["final_score"] < missing["raw_score"]


def test_every_answer_is_what_a_person_says(scored: tuple[Path, Any]) -> None:
    """Each criterion of each sample call, heard by Whisper, as ``answers.yaml`` has it."""
    db, _ = scored
    expected = yaml.load((Path(__file__).parent / "answers.yaml").read_text("utf-8"), yaml.BaseLoader)
    given: dict[str, dict[str, str]] = {}
    for row in rows(db, "select call_id, criterion_id, answer from answers where is_latest"):
        given.setdefault(row["call_id"], {})[row["criterion_id"]] = row["answer"]
    assert given == expected


def test_every_quote_has_a_time_inside_its_call(scored: tuple[Path, Any]) -> None:
    """Evidence can be listened to."""
    db, _ = scored

    quotes = rows(
        db, "select e.quote, e.start_s, e.end_s, c.duration_s from evidence e join calls c using (call_id)"
    )

    assert quotes
    for quote in quotes:
        assert quote["quote"].strip()
        assert (
            quote["start_s"] is None or 0 <= quote["start_s"] <= quote["end_s"] <= quote["duration_s"] + 0.1
        )


def test_a_card_number_spoken_in_a_call_is_not_kept_anywhere(scored: tuple[Path, Any]) -> None:
    """The test card number of the sample calls is in no file that the run left behind."""
    db, _ = scored

    left = b"".join(p.read_bytes() for p in db.parent.rglob("*") if p.is_file())

    assert b"90139424" not in left
    assert not rows(db, "select * from turns where regexp_replace(text, '[^0-9]', '', 'g') like '%90139424%'")


def test_running_again_does_nothing_and_says_so(scored: tuple[Path, Any], sample_audio: Path) -> None:
    """A second run loads no model and leaves every score as it was."""
    db, _ = scored
    before = rows(db, "select * from scorecards order by all")

    again = callqa("run", sample_audio, "--db", db, cwd=db.parent)

    assert again.returncode == 3
    assert "nothing" in again.stderr.lower()
    assert rows(db, "select * from scorecards order by all") == before


def test_show_search_status_and_exports_answer(scored: tuple[Path, Any]) -> None:
    """The commands of the quick start work on the store the run made."""
    db, _ = scored
    out = db.parent / "out"

    shown = callqa("show", "nw-1004", "--db", db, cwd=db.parent)
    found = callqa("search", "anything else", "--db", db, cwd=db.parent)
    status = callqa("status", "--db", db, cwd=db.parent)
    book = callqa("export", out / "review.xlsx", "--format", "xlsx", "--db", db, cwd=db.parent)
    page = callqa("export", out / "report.html", "--format", "html", "--db", db, cwd=db.parent)

    assert shown.returncode == 0
    assert "auto-fail" in shown.stdout
    assert "anything else" in found.stdout.lower()
    assert "quarantined" in status.stdout
    assert book.returncode == page.returncode == 0, book.stderr + page.stderr
    assert (out / "review.xlsx").stat().st_size > 5_000
    assert "nw-1004" in (out / "report.html").read_text("utf-8")


def some_of_the_samples(sample_audio: Path, calls: Path) -> None:
    """Three sample calls and a broken file in a folder of their own, with their rows of the manifest."""
    calls.mkdir()
    header, *lines = (sample_audio / "manifest.csv").read_text("utf-8").splitlines(keepends=True)
    chosen = [line for line in lines if line.split(",")[1] in SOME]
    (calls / "manifest.csv").write_text("".join([header, *chosen]), "utf-8")
    for line in chosen:
        name = line.split(",")[0]
        shutil.copy(sample_audio / name, calls / name)


def test_a_killed_run_loses_nothing(sample_audio: Path, scored: tuple[Path, Any], tmp_path: Path) -> None:
    """SIGKILL half-way, run again: the answers equal those of the undisturbed run."""
    db, calls = tmp_path / "qa.duckdb", tmp_path / "calls"
    some_of_the_samples(sample_audio, calls)
    run = ("run", str(calls), "--db", str(db), "--local")
    nowhere = subprocess.DEVNULL
    env = command.environment(CALLQA_FLOW__WINDOW="2", OMP_NUM_THREADS=str(cores()))
    victim = command.started(*run, cwd=tmp_path, stdout=nowhere, stderr=nowhere, env=env)
    deadline = time.monotonic() + 300
    while not list(Path(f"{db}.state").rglob("transcribe-*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    victim.send_signal(signal.SIGKILL)
    victim.wait()

    again = callqa(*run, cwd=tmp_path, CALLQA_FLOW__WINDOW="2")

    assert again.returncode == 3, again.stderr
    for question in (
        f"select call_id, turn, role, text from turns where call_id in {SOME} order by all",
        f"select call_id, criterion_id, answer, points from answers where call_id in {SOME} order by all",
        f"select call_id, status, reason from ledger where call_id in {SOME} order by all",
    ):
        assert rows(db, question)
        assert rows(db, question) == rows(scored[0], question)


@pytest.mark.data
def test_real_telephone_speech_is_heard_within_five_per_cent(shared_data: Path, tmp_path: Path) -> None:
    """The three real-speech calls reach a word error rate of at most 0.05."""
    db = tmp_path / "x.duckdb"
    done = callqa("run", "--local", shared_data / "calls", "--db", db, cwd=tmp_path)
    said: list[str] = []
    for truth in sorted((shared_data / "calls").glob("*.truth.json")):
        said += [t["text"] for t in json.loads(truth.read_text("utf-8"))["turns"]]

    heard = [
        r["text"] for r in rows(db, "select text from turns join calls using (call_id) order by path, turn")
    ]

    assert done.returncode == 0, done.stderr
    assert word_error_rate(said, heard) <= 0.05
