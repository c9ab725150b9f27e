"""The marks in real talk that the encoder was trained on."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from training.criteria import read
from training.marked_talk import HERE, MarkedTalk
from training.ordinary_talk import HELD_OUT, turns


def marks() -> list[list[str]]:
    """The rows of the file: meeting, number of the turn, act, sign and words."""
    return [line.split("\t") for line in (HERE / "meeting_acts.tsv").read_text("utf-8").splitlines()]


def test_every_mark_is_of_an_act_with_phrases() -> None:
    """Each act has phrases and marks of both kinds; no mark is of an unknown act or twice there."""
    acts, rows = read(HERE / "meeting_acts.txt"), marks()
    assert all(one.phrases for one in acts.values())
    seen = Counter((act, sign) for _, _, act, sign, _ in rows)
    assert set(seen) == {(act, sign) for act in acts for sign in "+-"}
    assert len(rows) == len({tuple(row) for row in rows})


@pytest.mark.data
def test_marks_quote_turns_and_leave_the_tests_meetings_alone(shared_data: Path) -> None:
    """Each mark is found in its turn; no turn was read of meetings that the bench measures on."""
    talk = shared_data / "meeting_talk" / "turns.tsv.gz"
    kept = {name for at, name in enumerate(turns(talk)) if at % HELD_OUT}
    assert {row[0] for row in marks()} <= kept
    drawn = MarkedTalk(talk).draw(random.Random(0))  # fails where a quote is not in its turn
    asked = [line for line in drawn if line.asks]
    assert all(0 <= line.first < line.last <= len(line.said) for line in drawn)
    assert all(any(line.does & other.does for other in drawn if not other.asks) for line in asked)
