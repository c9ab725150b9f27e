"""What a batch says of its progress and, at its end, of itself."""

from dataclasses import replace

import pytest

from pipeline.cli import batch_view
from pipeline.cli.batch_view import BatchView
from pipeline.process.batch import Tally
from tests.store_factory import record


def paces(monkeypatch: pytest.MonkeyPatch, total: int, arrivals_s: list[float]) -> list[str]:
    """The pace after each file, files arriving at these moments of a clock that the test sets."""
    now = [0.0]
    monkeypatch.setattr(batch_view.time, "monotonic", lambda: now[0])
    view = BatchView()
    view.started(total, 0)
    told = []
    for number, at in enumerate(arrivals_s):
        now[0] = at
        view.finished(record(f"c{number}"))
        told.append(view._pace())
    return told


def test_no_time_left_is_told_before_enough_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first files of a group took the whole group's time: no estimate can be made of them."""
    told = paces(monkeypatch, 24, [60 + 0.01 * n for n in range(24)])

    assert [pace for pace in told if "left" in pace] == []


def test_after_whole_groups_the_time_left_is_about_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten groups of 60 s with 10 files each: after the first, nine minutes less what is gone."""
    told = paces(monkeypatch, 100, [60.0 * w for w in range(1, 4) for _ in range(10)])

    assert [pace for pace in told[:10] if "left" in pace] == []
    assert told[10].endswith("8:00 left")
    assert told[20].endswith("7:00 left")


def test_one_of_a_thousand_files_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the files must be done, whatever the first took."""
    told = paces(monkeypatch, 1000, [5.0 * n for n in range(1, 121)])

    assert "left" not in told[99]
    assert "left" in told[101]


def test_totals_in_a_log_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal, no figure is broken in two."""
    tally = Tally(stage_s={f"stage{n}": 1.5 for n in range(12)})
    tally.add(record("c1"))
    BatchView().ended(tally)

    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("time")]
    assert line.count(" 1.5 s") == 13


def test_calls_of_unknown_length_have_no_speed(capsys: pytest.CaptureFixture[str]) -> None:
    """Of transcripts the length may not be known: neither the bar nor the totals say that it is nothing."""
    call = record("c1")
    transcript = replace(call.conversation.transcript, duration_s=None)
    call = replace(call, stages=(), conversation=replace(call.conversation, transcript=transcript))
    view, tally = BatchView(), Tally(wall_s=2.0)
    view.finished(call)
    tally.add(call)
    view.ended(tally)

    assert "audio" not in view._pace()
    said = capsys.readouterr().err
    assert "audio" not in said
    assert "2.0 s in all" in said
