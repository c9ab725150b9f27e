"""Search finds what was said, in any form of its words, and nothing that is gone."""

import subprocess
import sys
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


def test_words_keep_their_vowel_signs_and_need_no_accents(tmp_path: Path) -> None:
    """कल (tomorrow) is not कॉल (call); é may be typed e; punctuation of any script parts words."""
    db = tmp_path / "qa.duckdb"
    with Store(db) as store:
        lines = {"hi": "यह कॉल रिकॉर्ड हो रही है।", "hi2": "आप कल करें", "es": "¿Cuál es su número?"}
        store.load([said(*item) for item in lines.items()], [RUBRIC])

    assert (ids(db, "कॉल"), ids(db, "कल"), ids(db, "रही है")) == (["hi"], ["hi2"], ["hi"])
    assert ids(db, "cual numero") == ids(db, "Cuál número") == ["es"]


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


def test_what_is_older_than_the_index_is_found_too(db: Path, tmp_path: Path) -> None:
    """A backup brings back what was said before it, and a clock that was set back hides nothing."""
    with Store(db) as store:
        store.export_parquet(tmp_path / "backup")
        store.load([said("c1", "nothing of the kind")], [RUBRIC])
    assert ids(db, "contract") == []
    with Store(db) as store:
        store.import_parquet(tmp_path / "backup")
    assert ids(db, "contract") == ["c1"]
    with Store(db) as store:
        store.load([said("c4", "my contract, please")], [RUBRIC])
        store.connection.execute("UPDATE turns SET loaded_at = '2020-01-01' WHERE call_id = 'c4'")
    assert sorted(ids(db, "contract")) == ["c1", "c4"]


def test_an_index_that_finds_no_room_leaves_nothing_behind(db: Path) -> None:
    """Matching is plain then, and says why."""
    script = (
        "import resource, signal, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pipeline.store import CallFilter, Store; from pipeline.store.search import search\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
        "with Store(sys.argv[1], read_only=True) as store:\n"
        "    print([hit.call_id for hit in search(store, 'contract', CallFilter(), on_note=print).hits])\n"
    )
    root = str(Path(__file__).parents[2])
    for room in ("512", "300000", "900000"):
        run = subprocess.run(
            [sys.executable, "-c", script, str(db), root, room], capture_output=True, text=True
        )
        assert "no search index can be written to" in run.stdout, run.stdout + run.stderr
        assert run.stdout.endswith("['c1']\n")
        assert [file.name for file in db.parent.iterdir()] == [db.name]


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
