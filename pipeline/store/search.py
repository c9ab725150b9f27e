"""Searches what was said, with DuckDB's FTS extension or, where it is missing, by plain substring matching.

The index is a separate file beside the database (``<db>.search``), so it never makes a batch wait and may
be deleted at any time. It is rebuilt only when the turns loaded since its last build are a large share of
all turns; until then these turns are matched plainly. So the cost per turn stays the same as the store
grows. A turn that was replaced or erased since is not found, because every hit is looked up in the live
table by call, turn and load time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.errors import MachineError, StoreError
from pipeline.store import read
from pipeline.store.connection import CONFIG, Connection, load_extension, scalar
from pipeline.store.files import replacing
from pipeline.store.selection import CallFilter
from pipeline.store.store import Store
from pipeline.text.words import MARKS

STEMMER = "english"
BETWEEN_WORDS = r"[^\p{L}\p{M}]+"  # marks are vowels in Indic scripts
UNACCENTED = r"CASE WHEN regexp_matches({0}, '[\x{{900}}-\x{{DFF}}]') THEN {0} ELSE strip_accents({0}) END"
"""SQL for a text whose café is found by cafe; DuckDB would take the vowels of Hindi for accents too."""
TAIL_TURNS = 20_000  # matching this many turns plainly takes about ten milliseconds
TAIL_SHARE = 0.25  # of the indexed turns; the index is rebuilt when the turns it lacks exceed both limits
CANDIDATES = 10_000  # the most hits taken from the index
Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FoundTurn:
    """One turn that was found; ``score`` is BM25, or 0 for a plain match."""

    call_id: str
    turn: int
    role: str
    start_s: float | None
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Hits, best first, and the stems of the words to highlight in them."""

    hits: tuple[FoundTurn, ...]
    stems: tuple[str, ...]


def search(
    store: Store, text: str, calls: CallFilter, *, limit: int = 20, on_note: Note = lambda _: None
) -> SearchResult:
    """Find turns that contain every word of ``text`` in any inflected form, best first.

    A part of the text in double quotes must occur exactly. ``on_note`` is called with a sentence when the
    index is built, or when matching must be plain.
    """
    phrases = [p.lower() for p in re.findall(r'"([^"]+)"', text)]
    words = re.findall(rf"[\w{MARKS}]+", text.lower())
    if not words:
        return SearchResult((), ())
    index = None
    try:
        index = _index(store, on_note)
        stem = f"SELECT list_transform(?::VARCHAR[], lambda w: stem(w, '{STEMMER}'))"
        stems = tuple(scalar(index, stem, [words]))
        candidates = _candidates(index, words)
        since = scalar(index, "SELECT max(loaded_at) FROM entries")
    except StoreError as error:
        on_note(f"{error.message}; matching plainly instead ({error.hint})")
        stems, candidates, since = tuple(words), None, None
    finally:
        if index is not None:
            index.close()
    with store.translating_errors():
        return SearchResult(tuple(_hits(store, calls, stems, phrases, candidates, since, limit)), stems)


def _index(store: Store, on_note: Note) -> Connection:
    """Open the index for reading; rebuild it first when it is missing, damaged or too far behind."""
    path = store.index_path
    turns = int(store.query("SELECT count(*) AS n FROM turns")[0]["n"])
    index = None
    with suppress(duckdb.Error):
        index = _open(path)
        indexed = scalar(index, "SELECT count(*) FROM entries")
        lacks = _loads(store.connection, "turns") - (known := _loads(index, "entries"))
        out_of_turn = known and lacks and min(lacks) <= max(known)  # the clock was set back
        if not out_of_turn and turns - indexed <= max(TAIL_TURNS, TAIL_SHARE * indexed):
            return index
    if index is not None:
        index.close()  # else DuckDB would hand out the old file again when the new one is opened
    on_note(f"indexing {turns} turns for search")
    try:
        _build(store, path)
    except (duckdb.Error, MachineError) as error:
        why = getattr(error.__cause__, "strerror", None) or str(error).splitlines()[0]
        raise StoreError(
            f"no search index can be written to {path}: {why}", hint="check the folder and its space"
        ) from error
    return _open(path)


def _loads(connection: Connection, table: str) -> set[int]:
    """The times at which the rows of a table were loaded, in microseconds."""
    rows = connection.execute(f"SELECT DISTINCT epoch_us(loaded_at) FROM {table}").fetchall()  # noqa: S608
    return {at for (at,) in rows}


def _open(path: Path) -> Connection:
    index = duckdb.connect(str(path), read_only=True, config=CONFIG)
    load_extension(index, "fts")
    return index


def _build(store: Store, path: Path) -> None:
    with replacing(path) as partial, duckdb.connect(str(partial), config=CONFIG) as index:
        _fill(index, store)
        index.execute("CHECKPOINT")  # closing does the same, but says nothing when the disk is full


def _fill(index: Connection, store: Store) -> None:
    load_extension(index, "fts")
    unaccented = UNACCENTED.format("text")
    index.execute(
        "CREATE TABLE entries (id BIGINT, call_id VARCHAR, turn INTEGER, loaded_at TIMESTAMPTZ, text VARCHAR)"
    )
    with store.translating_errors():
        turns = store.connection.execute(
            "SELECT row_number() OVER () AS id, call_id, turn, loaded_at, text FROM turns WHERE text <> ''"
        ).to_arrow_reader(100_000)
        for batch in turns:
            index.register("batch", pa.Table.from_batches([batch]))
            index.execute(f"INSERT INTO entries SELECT * REPLACE ({unaccented} AS text) FROM batch")  # noqa: S608
            index.unregister("batch")
    index.execute(
        f"PRAGMA create_fts_index('entries', 'id', 'text', stemmer = '{STEMMER}', stopwords = 'none', "
        f"ignore = '{BETWEEN_WORDS}', strip_accents = 0)"
    )
    index.execute("ALTER TABLE entries DROP COLUMN text")


def _candidates(index: Connection, words: list[str]) -> pa.Table:
    return index.execute(
        "SELECT call_id, turn, loaded_at, score FROM (SELECT *, fts_main_entries.match_bm25(id, "  # noqa: S608
        f"{UNACCENTED.format('?1')}, conjunctive := 1) AS score FROM entries) "
        "WHERE score IS NOT NULL ORDER BY score DESC, id LIMIT ?2",
        [" ".join(words), CANDIDATES],
    ).to_arrow_table()


def _hits(
    store: Store,
    calls: CallFilter,
    stems: tuple[str, ...],
    phrases: list[str],
    candidates: pa.Table | None,
    since: Any,
    limit: int,
) -> list[FoundTurn]:
    """Candidates of the index that still exist, and plain matches among the turns loaded after it."""
    where, values = calls.where()
    plain = " AND ".join("t.text ILIKE ? ESCAPE '\\'" for _ in stems)
    tail = f"{plain} AND (?::TIMESTAMPTZ IS NULL OR t.loaded_at > ?)"
    columns = "SELECT t.call_id, t.turn, t.role, t.start_s, t.text"
    queries = [f"{columns}, 0::DOUBLE AS score FROM turns AS t WHERE {tail}"]
    bound: list[Any] = [*(f"%{_escape(s)}%" for s in stems), since, since]
    if candidates is not None:
        store.connection.register("candidates", candidates)
        queries.append(f"{columns}, score FROM turns AS t JOIN candidates USING (call_id, turn, loaded_at)")
    exact = "".join(" AND found.text ILIKE ? ESCAPE '\\'" for _ in phrases)
    rows = read.rows(
        store.connection,
        f"SELECT found.* FROM ({' UNION ALL '.join(queries)}) AS found JOIN calls USING (call_id) "  # noqa: S608
        f"WHERE {where}{exact} ORDER BY score DESC, calls.started_at DESC NULLS LAST, call_id, turn LIMIT ?",
        [*bound, *values, *(f"%{_escape(p)}%" for p in phrases), limit],
    )
    if candidates is not None:
        store.connection.unregister("candidates")
    return [FoundTurn(**row) for row in rows]


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
