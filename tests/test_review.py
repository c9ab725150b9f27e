"""The human loop: what is drawn for review, and what comes back from people."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pipeline.conversation import Review, SampledCall
from pipeline.store import CallFilter, Store
from tests.example_calls import RUBRIC, example_records


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A database of thirty calls of three agents and two clients."""
    path = tmp_path / "qa.duckdb"
    with Store(path) as store:
        store.load(example_records(30))
    return path


def a_review(call_id: str, answer: str, reviewer: str = "Amira", minute: int = 0) -> Review:
    """One answer of one person."""
    return Review(
        review_id=f"{call_id} {reviewer} {minute}",
        call_id=call_id,
        rubric_hash=RUBRIC.hash,
        criterion_id="empathy",
        machine_answer="yes",
        human_answer=answer,
        reviewer=reviewer,
        reviewed_at=dt.datetime(2026, 11, 1, 9, minute, tzinfo=dt.UTC),
        reason="said sorry at 0:12",
    )


def test_reviews_are_kept_beside_the_machines_answer(db: Path) -> None:
    """Saving twice changes nothing; the machine's own answers stay as they were."""
    review = a_review("call-001", "no")
    with Store(db) as store:
        before = list(store.scorecards())
        assert store.save_reviews([review]) == 1
        assert store.save_reviews([review]) == 0
        assert store.reviews(CallFilter(call_ids=("call-001",))) == [review]
        assert list(store.scorecards()) == before


def test_agreement_counts_each_reviewers_last_word(db: Path) -> None:
    """Someone who changes her mind is counted once."""
    with Store(db) as store:
        store.save_reviews([a_review("call-001", "no"), a_review("call-001", "yes", minute=5)])
        store.save_reviews([a_review("call-002", "no", reviewer="Tom")])
        rows = store.query("SELECT reviews, agreement FROM v_agreement")
    assert rows == [{"reviews": 2, "agreement": 0.5}]


def test_a_draw_is_recorded_with_its_probabilities(db: Path) -> None:
    """The same draw recorded twice is one draw."""
    now = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    drawn = [SampledCall("s1", "call-004", "random", "a-101 2026-W41", 7, 0.5, "random: 2 of 4", now)]
    with Store(db) as store:
        store.save_sample(drawn)
        store.save_sample(drawn)
        rows = store.query("SELECT call_id, probability, seed FROM samples")
    assert rows == [{"call_id": "call-004", "probability": 0.5, "seed": 7}]
