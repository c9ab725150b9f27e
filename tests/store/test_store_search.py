"""Search finds what was said, in any form of its words, and nothing that is gone."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.conversation import CallRecord
from pipeline.store import CallFilter, Store, connection
from pipeline.store import search as searching
from pipeline.store.files import index_path
from pipeline.store.search import search
from tests.store_factory import RUBRIC, conversation, record


def said(call_id: str, *lines: str, **changes: object) -> CallRecord:
    """A call with these turns."""
    return replace(record(call_id, **changes), conversation=conversation(call_id, lines))


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Three calls about cancelling."""
    path = tmp_path / "qa.duckdb"
    with Store(path) as store:
        store.load(
            [
                said("c1", "good morning", "I want to cancel my contract right now"),
                said("c2", "your cancellation is done", "thank you", team="red"),
                said("c3", "we talked about the 100% discount", "and under_score"),
            ],
            [RUBRIC],
        )
    return path


def ids(db: Path, text: str, calls: CallFilter | None = None) -> list[str]:
    """Calls found, best first."""
    with Store(db, read_only=True) as store:
        return [hit.call_id for hit in search(store, text, calls or CallFilter()).hits]


def test_every_form_of_a_word_is_found(db: Path) -> None:
    """Cancel finds cancellation, through the extension installed from its wheel."""
    assert sorted(ids(db, "cancelling")) == ["c1", "c2"]
    assert ids(db, "cancel contract") == ["c1"]
    assert ids(db, "cancel", CallFilter(team="red")) == ["c2"]
    assert index_path(db).exists()


def test_quoted_words_must_occur_as_they_are(db: Path) -> None:
    """A phrase in quotes is exact."""
    assert ids(db, '"right now"') == ["c1"]
    assert ids(db, '"now right"') == []


@pytest.mark.parametrize("text", ["", "%", "'; DROP TABLE calls; --", '"', "\\", "😀", "zebra", "\0"])
def test_odd_questions_find_nothing_and_break_nothing(db: Path, text: str) -> None:
    """Punctuation is not SQL."""
    assert ids(db, text) == []


def test_new_calls_are_found_without_a_new_index(db: Path) -> None:
    """What was loaded since the index was built is matched plainly; nothing is found twice."""
    ids(db, "cancel")
    built = index_path(db).stat().st_mtime_ns
    with Store(db) as store:
        store.load([said("c4", "please cancel it")], [RUBRIC])
    assert sorted(ids(db, "cancel")) == ["c1", "c2", "c4"]
    assert index_path(db).stat().st_mtime_ns == built


def test_the_index_is_built_again_when_it_is_far_behind(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once enough is new, the index takes it in."""
    ids(db, "cancel")
    built = index_path(db).stat().st_mtime_ns
    monkeypatch.setattr(searching, "TAIL_TURNS", 1)
    with Store(db) as store:
        store.load([said(f"n{i}", "please cancel it", "no") for i in range(3)], [RUBRIC])
    with Store(db, read_only=True) as store:
        hits = search(store, "cancel", CallFilter()).hits
    assert len(hits) == 5
    assert all(hit.score > 0 for hit in hits)  # ranked by the new index at once
    assert index_path(db).stat().st_mtime_ns > built


def test_replaced_and_erased_turns_are_not_found(db: Path) -> None:
    """A hit is looked up in the live store; erasing deletes the index, which holds words."""
    ids(db, "cancel")
    with Store(db) as store:
        store.load([said("c1", "nothing of the kind")], [RUBRIC])
    assert ids(db, "cancel") == ["c2"]
    with Store(db) as store:
        store.purge(CallFilter(call_ids=("c2",)))
    assert not index_path(db).exists()
    assert ids(db, "cancel") == []


def test_a_damaged_index_is_built_again(db: Path) -> None:
    """The index is derived: any fault in it is mended by building it."""
    index_path(db).write_bytes(b"broken")
    assert sorted(ids(db, "cancel")) == ["c1", "c2"]


def test_without_the_extension_plain_matching_does_and_says_so(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are matched as they are, and a note tells what to install."""
    monkeypatch.setitem(connection.WHEELS, "no_such_extension", "duckdb-extension-fts")
    load = connection.load_extension
    monkeypatch.setattr("pipeline.store.search.load_extension", lambda con, _: load(con, "no_such_extension"))
    notes: list[str] = []
    with Store(db, read_only=True) as store:
        found = search(store, "Cancel contract", CallFilter(), on_note=notes.append)
    assert [h.call_id for h in found.hits] == ["c1"]
    assert "pip install duckdb-extension-fts" in notes[-1]
