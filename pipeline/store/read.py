"""Turns rows back into the objects of ``pipeline.conversation``, exactly as they were loaded.

Calls are read in the order they were loaded, a chunk at a time. The rows of a chunk lie together in the
file, so reading all calls is one pass over it, however large it is.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.conversation import (
    CallMetadata,
    Conversation,
    CriterionAnswer,
    Doubt,
    Engine,
    Evidence,
    Finding,
    LedgerEntry,
    Review,
    RoleSentiment,
    RubricRef,
    Scorecard,
    Searched,
    SectionScore,
    Sentiment,
    Transcript,
    Turn,
    Word,
)
from pipeline.errors import RubricError
from pipeline.store.columns import METADATA, clean
from pipeline.store.connection import Connection
from pipeline.store.erase import digest
from pipeline.store.selection import CallFilter

if TYPE_CHECKING:
    from pipeline.rubric import Rubric

CHUNK = 200
Row = dict[str, Any]


def rows(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[Row]:
    """Run a query; returns one dict per row."""
    cursor = connection.execute(sql, list(values))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def headings(connection: Connection, calls: CallFilter) -> Iterator[tuple[CallMetadata, Transcript]]:
    """Metadata and transcript, without its turns, of every matching call whose words were not erased."""
    for chunk in _picked(connection, calls, "path IS NOT NULL"):
        ids = [call_id for call_id, _ in chunk]
        found = _rows_by_call(connection, "calls", [chunk[0][1], chunk[-1][1], ids])
        yield from ((_metadata(found[i][0]), _transcript(found[i][0], [])) for i in ids)


def _picked(connection: Connection, calls: CallFilter, more: str) -> Iterator[list[tuple[str, Any]]]:
    """Id and ``loaded_at`` of the calls that match the filter and the SQL condition ``more``, in chunks."""
    where, values = calls.where()
    picked = connection.execute(
        f"SELECT call_id, loaded_at FROM calls WHERE {where} AND {more} ORDER BY loaded_at, call_id",  # noqa: S608
        values,
    ).fetchall()
    for start in range(0, len(picked), CHUNK):
        yield picked[start : start + CHUNK]


@dataclass(frozen=True, slots=True)
class StoredCalls:
    """A chunk of calls as rows of the database, which are cheap to send to another process.

    Attributes:
        ids: Ids of the calls, in their order.
        turns: One row per turn, with its words; the rows have no order.
        others: Rows of the other tables, by table and call id.
    """

    ids: list[str]
    turns: pa.Table
    others: Mapping[str, Mapping[str, list[Row]]]

    def parts(self, size: int) -> Iterator[StoredCalls]:
        """The same calls in parts of at most ``size``: cheaper than a query per part."""
        import pyarrow.compute as pc  # here, because it takes a tenth of a second and few callers need it

        for start in range(0, len(self.ids), size):
            ids = self.ids[start : start + size]
            in_part = pc.is_in(self.turns.column("call_id"), pa.array(ids, pa.string()))
            others = {table: {i: calls[i] for i in ids if i in calls} for table, calls in self.others.items()}
            yield StoredCalls(ids, self.turns.filter(in_part), others)


_TURNS_SQL = """
SELECT call_id, turn, role, text, start_s, end_s, channel, confidence, language, sentiment_score, sentiment,
       words
FROM turns WHERE loaded_at BETWEEN ? AND ? AND call_id IN (SELECT unnest(?::VARCHAR[]))"""
_ORDER = {"calls": "call_id", "findings": "finding", "call_metrics": "call_id", "role_sentiment": "role"}


def stored(connection: Connection, calls: CallFilter) -> Iterator[StoredCalls]:
    """Every matching call as rows, a chunk at a time."""
    for chunk in _picked(connection, calls, "true"):
        ids = [call_id for call_id, _ in chunk]
        values = [chunk[0][1], chunk[-1][1], ids]
        turns = connection.execute(_TURNS_SQL, values).to_arrow_table()
        others = {table: _rows_by_call(connection, table, values) for table in _ORDER}
        yield StoredCalls(ids, turns, others)


def _rows_by_call(connection: Connection, table: str, values: list[Any]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows(
        connection,
        f"SELECT * EXCLUDE (loaded_at) FROM {table} WHERE loaded_at BETWEEN ? AND ? "  # noqa: S608
        f"AND call_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY {_ORDER[table]}",
        values,
    ):
        grouped[row["call_id"]].append(row)
    return dict(grouped)


def conversations_of(chunk: StoredCalls) -> Iterator[tuple[CallMetadata, Conversation]]:
    """Turn a chunk of calls from ``stored`` into metadata and conversations."""
    turns = _turns(chunk.turns)
    others = chunk.others
    for call_id in chunk.ids:
        call = others["calls"][call_id][0]
        yield (
            _metadata(call),
            Conversation(
                transcript=_transcript(call, turns.get(call_id, [])),
                findings=tuple(map(_finding, others["findings"].get(call_id, ()))),
                metrics=_metrics(others["call_metrics"].get(call_id, [])),
                sentiment={s["role"]: _role_sentiment(s) for s in others["role_sentiment"].get(call_id, ())},
                warnings=tuple(call["warnings"]),
            ),
        )


def _metadata(call: Row) -> CallMetadata:
    return CallMetadata(
        call_id=call["call_id"],
        **{name: call[name] for name in METADATA},
        hold_spans=tuple((span["start_s"], span["end_s"]) for span in call["hold_spans"] or ()),
        extra=dict(call["extra"] or {}),
    )


def _transcript(call: Row, turns: list[Turn]) -> Transcript:
    return Transcript(
        call_id=call["call_id"],
        turns=tuple(turns),
        language=call["spoken_language"],
        duration_s=call["duration_s"],
        engine=Engine(call["engine"], call["model"], call["engine_fingerprint"]),
        channels=call["channels"],
        role_confidence=call["role_confidence"],
        medium=call["transcript_medium"],
        warnings=tuple(call["transcript_warnings"]),
        doubts=tuple(Doubt(**doubt) for doubt in call["transcript_doubts"] or ()),
    )


def _turns(table: pa.Table) -> dict[str, list[Turn]]:
    """Turns by call id, in order. No dicts: a chunk has thousands of turns and ten times as many words."""
    *columns, word_lists = (column.combine_chunks() for column in table.columns)
    words = list(map(Word, *(word_lists.values.field(f.name).to_pylist() for f in fields(Word))))
    word_spans = pairwise(word_lists.offsets.to_pylist())
    rows = list(zip(*(column.to_pylist() for column in columns), word_spans, strict=True))
    grouped: dict[str, list[Turn]] = defaultdict(list)
    for at in table.column("turn").to_numpy().argsort(kind="stable").tolist():
        call_id, *turn, score, label, (first, end) = rows[at]
        number, role, text, start_s, end_s, channel, confidence, language = turn
        sentiment = Sentiment(score, label) if label is not None else None
        said = tuple(words[first:end])
        grouped[call_id].append(
            Turn(number, role, text, start_s, end_s, channel, confidence, said, language, sentiment)
        )
    return grouped


def _finding(row: Row) -> Finding:
    names = ("kind", "label", "turn", "start_s", "end_s", "text", "source")
    value = row["value"] if row["value_text"] is None else row["value_text"]
    return Finding(**{name: row[name] for name in names}, value=value)


def _metrics(metric_rows: list[Row]) -> Mapping[str, float | None]:
    if not metric_rows:
        return {}
    row = metric_rows[0]
    known = {k: v for k, v in row.items() if k not in {"call_id", "other", "unknown"} and v is not None}
    return known | dict(row["other"] or {}) | dict.fromkeys(row["unknown"] or ())


def _role_sentiment(row: Row) -> RoleSentiment:
    names = ("score", "change", "lowest_score", "lowest_turn")
    return RoleSentiment(
        **{name: row[name] for name in names}, quarters=(row["q1"], row["q2"], row["q3"], row["q4"])
    )


def scorecards(connection: Connection, calls: CallFilter) -> Iterator[Scorecard]:
    """Every matching scorecard: the newest under each rubric id, or those under exactly one rubric hash."""
    condition, more = calls.scorecards()
    where, values = replace(calls, rubric=None, outcome=None).children("scorecards")
    picked = rows(
        connection,
        f"SELECT * FROM scorecards WHERE {condition} AND {where} ORDER BY loaded_at, call_id, rubric_id",  # noqa: S608
        [*more, *values],
    )
    for start in range(0, len(picked), CHUNK):
        yield from _scorecard_chunk(connection, picked[start : start + CHUNK])


_CARD_PART_SQL = """
SELECT call_id, rubric_hash, {columns} FROM {table}
WHERE loaded_at BETWEEN ? AND ? AND call_id IN (SELECT unnest(?::VARCHAR[])) ORDER BY {order}"""
_SECTION = "section_id, score, weight, auto_failed"
_ANSWER = (
    "section_id, criterion_id, answer, points, max_points, weight, critical, scored, reason, awaits, "
    "searched.what, searched.role, searched.start_s, searched.end_s, searched.turns"
)
_EVIDENCE = "criterion_id, kind, turn, role, start_s, end_s, quote, rule, strength"


def _scorecard_chunk(connection: Connection, cards: list[Row]) -> Iterator[Scorecard]:
    """Build whole scorecards. No dicts: a call has dozens of answers and quotes."""
    values = [cards[0]["loaded_at"], cards[-1]["loaded_at"], list({c["call_id"] for c in cards})]

    def parts(table: str, columns: str, order: str) -> list[Any]:
        sql = _CARD_PART_SQL.format(table=table, columns=columns, order=order)
        return connection.execute(sql, values).fetchall()

    quotes: dict[tuple[str, ...], list[Evidence]] = defaultdict(list)
    for call_id, rubric, criterion, kind, *quote in parts(
        "evidence", _EVIDENCE, "criterion_id, kind, evidence"
    ):
        quotes[call_id, rubric, criterion, kind].append(Evidence(*quote))
    answers: dict[tuple[str, ...], list[CriterionAnswer]] = defaultdict(list)
    for call_id, rubric, section, *answer in parts("answers", _ANSWER, "criterion"):
        criterion, *points, reason, awaits, what, role, start_s, end_s, turns = answer
        nearest = quotes.get((call_id, rubric, criterion, "nearest"))
        evidence = tuple(quotes.get((call_id, rubric, criterion, "evidence"), ()))
        searched = None if what is None else Searched(what, role, start_s, end_s, turns)
        answers[call_id, rubric, section].append(
            CriterionAnswer(*[criterion, *points, evidence, searched, nearest and nearest[0], reason, awaits])
        )
    sections: dict[tuple[str, str], list[SectionScore]] = defaultdict(list)
    for call_id, rubric, section, score, weight, auto_failed in parts("sections", _SECTION, "section"):
        criteria = tuple(answers[call_id, rubric, section])
        sections[call_id, rubric].append(SectionScore(section, score, criteria, weight, auto_failed))
    for card in cards:
        yield _scorecard(card, sections[card["call_id"], card["rubric_hash"]])


def _scorecard(card: Row, sections: list[SectionScore]) -> Scorecard:
    names = ("raw_score", "final_score", "outcome", "critical_score", "pass_mark", "scorer")
    return Scorecard(
        call_id=card["call_id"],
        rubric=RubricRef(card["rubric_id"], card["rubric_version"], card["rubric_hash"]),
        **{name: card[name] for name in names},
        sections=tuple(sections),
        autofail_reasons=tuple(card["autofail_reasons"]),
        review_reasons=tuple(card["review_reasons"]),
        warnings=tuple(card["warnings"]),
    )


def reviews(connection: Connection, calls: CallFilter) -> list[Review]:
    """Reviews of matching calls, oldest first."""
    where, values = calls.children("reviews")
    found = rows(
        connection,
        f"SELECT * EXCLUDE (loaded_at, sample_id) FROM reviews WHERE {where} ORDER BY reviewed_at, review_id",  # noqa: S608
        values,
    )
    return [Review(**{**row, "extra": dict(row["extra"] or {})}) for row in found]


def rubrics(connection: Connection, hashes: Iterable[str]) -> dict[str, Rubric]:
    """Rubrics by hash, oldest first; a text of another version that can no longer be parsed is left out."""
    from pipeline.rubric import parse  # here, because callers that only run SQL need not wait for it

    stored = rows(
        connection,
        "SELECT rubric_hash, source FROM rubrics WHERE source IS NOT NULL "
        "AND rubric_hash IN (SELECT unnest(?::VARCHAR[])) ORDER BY loaded_at, version",
        [list(hashes)],
    )
    parsed = {}
    for row in stored:
        with contextlib.suppress(RubricError):
            parsed[row["rubric_hash"]] = parse(row["source"])
    return parsed


def ledger(connection: Connection, paths: Sequence[str]) -> dict[str, LedgerEntry]:
    """Ledger rows by the path the caller gave, tombstones of erased recordings included."""
    asked = {str(clean(p)): p for p in paths} | {digest(p): p for p in paths}
    found = rows(
        connection,
        "SELECT * EXCLUDE (recorded_at) FROM ledger WHERE path IN (SELECT unnest(?::VARCHAR[])) "
        "ORDER BY status <> 'purged'",  # a row of the file itself counts more than a tombstone
        [list(asked)],
    )
    return {
        asked[row["path"]]: LedgerEntry(**{**row, "warnings": tuple(row["warnings"] or ())}) for row in found
    }
