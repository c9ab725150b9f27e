"""Turns records into table columns: one function per table that gives its rows.

Column names are those of ``sql/``; most are also names of attributes. Column types are read from the database
itself, so each column is declared in only one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Scorecard,
    StageRun,
)
from pipeline.errors import StoreError

T = TypeVar("T")
Key = TypeVar("Key")
Columns = dict[str, list[Any] | pa.Array]
METADATA = (
    "client", "site", "queue", "team", "agent_id", "agent_name", "customer_ref", "direction", "medium",
    "started_at", "timezone", "language", "agent_channel",
)  # fmt: skip
"""Columns of the calls table that are fields of ``CallMetadata``, except its id."""


class Rows(NamedTuple):
    """Rows of a table: the objects they are made of, and the columns that are no attribute of these."""

    items: Sequence[Any]
    given: Columns = {}  # noqa: RUF012 - never changed


def call_id(record: CallRecord) -> str | None:
    """The call id that all rows of a record carry."""
    if record.conversation is not None:
        return record.conversation.transcript.call_id
    return record.ledger.call_id


def texts(values: Sequence[str | None]) -> pa.Array:
    """Strings as an Arrow array, cleaned as the database keeps them."""
    return _array(list(values), pa.string())


def _flatten(groups: Iterable[tuple[Key, Iterable[T]]]) -> tuple[list[Key], list[int], list[T]]:
    """Three parallel lists with one entry per item: its group's key, its index in the group, the item."""
    rows = [(key, index, item) for key, items in groups for index, item in enumerate(items)]
    return [key for key, _, _ in rows], [index for _, index, _ in rows], [item for _, _, item in rows]


def calls(records: Sequence[CallRecord]) -> Rows:
    """The calls table."""
    transcripts = [r.conversation.transcript for r in records if r.conversation]
    metadata = [r.metadata or CallMetadata("") for r in records]
    names = (*METADATA, "started_local", "extra")
    given: Columns = {name: [getattr(m, name) for m in metadata] for name in names}
    given["hold_spans"] = [[_Span(*span) for span in m.hold_spans] for m in metadata]
    given["path"] = [r.ledger.path for r in records]
    given["audio_sha256"] = [r.ledger.audio_sha256 for r in records]
    given["spoken_language"] = [t.language for t in transcripts]
    given["transcript_medium"] = [t.medium for t in transcripts]
    given["engine"] = [t.engine.name for t in transcripts]
    given["model"] = [t.engine.model for t in transcripts]
    given["engine_fingerprint"] = [t.engine.fingerprint for t in transcripts]
    given["turn_count"] = [len(t.turns) for t in transcripts]
    given["transcript_warnings"] = [t.warnings for t in transcripts]
    given["transcript_doubts"] = [t.doubts for t in transcripts]
    given["warnings"] = [r.conversation.warnings for r in records if r.conversation]
    return Rows(transcripts, given)


def turns(records: Sequence[CallRecord]) -> Rows:
    """The turns table."""
    ids, _, spoken = _flatten(
        (call_id(r), r.conversation.transcript.turns) for r in records if r.conversation
    )
    scores = [t.sentiment and t.sentiment.score for t in spoken]
    labels = [t.sentiment and t.sentiment.label for t in spoken]
    return Rows(spoken, {"call_id": ids, "sentiment_score": scores, "sentiment": labels})


def findings(records: Sequence[CallRecord]) -> Rows:
    """The findings table."""
    ids, indexes, items = _flatten((call_id(r), r.conversation.findings) for r in records if r.conversation)
    numbers = [None if isinstance(f.value, str) else f.value for f in items]
    texts = [f.value if isinstance(f.value, str) else None for f in items]
    return Rows(items, {"call_id": ids, "finding": indexes, "value": numbers, "value_text": texts})


def call_metrics(records: Sequence[CallRecord]) -> Rows:
    """The call_metrics table; ``arrow`` splits ``metrics`` into one column per metric."""
    found = [r.conversation for r in records if r.conversation]
    ids = [c.transcript.call_id for c in found]
    return Rows(found, {"call_id": ids, "metrics": [c.metrics for c in found]})


def role_sentiment(records: Sequence[CallRecord]) -> Rows:
    """The role_sentiment table."""
    ids, _, pairs = _flatten(
        (call_id(r), r.conversation.sentiment.items()) for r in records if r.conversation
    )
    sentiments = [sentiment for _, sentiment in pairs]
    quarters: Columns = {f"q{i + 1}": [s.quarters[i] for s in sentiments] for i in range(4)}
    return Rows(sentiments, {"call_id": ids, "role": [role for role, _ in pairs]} | quarters)


def stage_runs(records: Sequence[CallRecord]) -> Rows:
    """The stage_runs table."""
    return stage_rows([(call_id(r), r.stages) for r in records])


def stage_rows(runs: Iterable[tuple[str | None, Sequence[StageRun]]]) -> Rows:
    """The stage_runs table, from pairs of a call id and its stage runs."""
    ids, _, stages = _flatten(runs)
    names = ("rubric_id", "criterion_id", "calls", "prompt_tokens", "answer_tokens", "result")
    of_judge: Columns = {n: [getattr(run, n) if run.criterion_id else None for run in stages] for n in names}
    return Rows(stages, {"call_id": ids} | of_judge)


def _of_cards(cards: Sequence[Scorecard], items: Sequence[Any], **given: list[Any]) -> Rows:
    """Rows that belong to scorecards, given the scorecard of each row."""
    hashes = [card.rubric.hash for card in cards]
    ids = [card.call_id for card in cards]
    return Rows(items, {"call_id": ids, "rubric_hash": hashes, "is_latest": [True] * len(cards), **given})


def scorecards(cards: Sequence[Scorecard]) -> Rows:
    """The scorecards table."""
    versions = [c.rubric.version for c in cards]
    return _of_cards(cards, cards, rubric_id=[c.rubric.id for c in cards], rubric_version=versions)


def sections(cards: Sequence[Scorecard]) -> Rows:
    """The sections table."""
    owners, indexes, items = _flatten((c, c.sections) for c in cards)
    return _of_cards(owners, items, section=indexes, section_id=[s.id for s in items])


def answers(cards: Sequence[Scorecard]) -> Rows:
    """The answers table."""
    owners, indexes, pairs = _flatten((c, [(s.id, a) for s in c.sections for a in s.criteria]) for c in cards)
    items = [answer for _, answer in pairs]
    of_sections = [section for section, _ in pairs]
    ids = [answer.id for answer in items]
    return _of_cards(owners, items, section_id=of_sections, criterion_id=ids, criterion=indexes)


def evidence(cards: Sequence[Scorecard]) -> Rows:
    """The evidence table: the evidence of each answer, and its nearest miss where there is one."""
    quoted = [((c, a.id, "evidence"), a.evidence) for c in cards for a in c.answers]
    quoted += [((c, a.id, "nearest"), (a.nearest,)) for c in cards for a in c.answers if a.nearest]
    owners, indexes, items = _flatten(quoted)
    ids, kinds = [criterion for _, criterion, _ in owners], [kind for _, _, kind in owners]
    return _of_cards([c for c, _, _ in owners], items, criterion_id=ids, kind=kinds, evidence=indexes)


def rubrics(added: Sequence[Any]) -> Rows:
    """The rubrics table; a ``RubricRef`` has no title, pass mark or text."""
    return Rows(
        added,
        {
            "rubric_hash": [r.hash for r in added],
            "rubric_id": [r.id for r in added],
            "title": [getattr(r, "title", "") or r.id for r in added],
            "pass_mark": [getattr(r, "pass_mark", None) for r in added],
            "source": [getattr(r, "text", None) for r in added],
            "file": [getattr(r, "source", None) for r in added],
        },
    )


def criteria(added: Sequence[Any]) -> Rows:
    """The criteria table; a ``RubricRef`` has no criteria."""
    hashes, indexes, pairs = _flatten(
        (r.hash, [(s, c) for s in getattr(r, "sections", ()) for c in s.criteria]) for r in added
    )
    return Rows(
        [criterion for _, criterion in pairs],
        {
            "rubric_hash": hashes,
            "criterion": indexes,
            "criterion_id": [criterion.id for _, criterion in pairs],
            "section_id": [section.id for section, _ in pairs],
            "section_title": [section.title or section.id for section, _ in pairs],
        },
    )


CALL_TABLES: dict[str, Callable[[Sequence[CallRecord]], Rows]] = {
    "calls": calls,
    "findings": findings,
    "call_metrics": call_metrics,
    "role_sentiment": role_sentiment,
    "stage_runs": stage_runs,
    "turns": turns,
}
SCORE_TABLES: dict[str, Callable[[Sequence[Scorecard]], Rows]] = {
    "scorecards": scorecards,
    "sections": sections,
    "answers": answers,
    "evidence": evidence,
}
PER_CALL_TABLES = (*CALL_TABLES, *SCORE_TABLES)
"""Tables whose rows belong to a call and are replaced with it."""
OF_CALLS = (*PER_CALL_TABLES, "reviews", "samples")
"""Tables whose rows belong to a call and are erased with it."""
KEYS = {
    "calls": "call_id",
    "turns": "call_id, turn",
    "findings": "call_id, finding",
    "call_metrics": "call_id",
    "role_sentiment": "call_id, role",
    "stage_runs": "call_id, stage, rubric_id, criterion_id",
    "scorecards": "call_id, rubric_hash",
    "sections": "call_id, rubric_hash, section_id",
    "answers": "call_id, rubric_hash, criterion_id",
    "evidence": "call_id, rubric_hash, criterion_id, kind, evidence",
    "ledger": "path",
    "rubrics": "rubric_hash",
    "criteria": "rubric_hash, criterion_id",
    "reviews": "review_id",
    "samples": "sample_id, call_id",
}
"""The key columns of each table. They are unique in every table except ``stage_runs``."""


def arrow(rows: Rows, schema: pa.Schema) -> pa.Table:
    """Build an Arrow table with the names, order and types of ``schema``.

    A column is given, or else the attribute of its name; where the objects have none, it is NULL.

    Raises:
        StoreError: A value does not fit its column.
    """
    items, given = rows.items, dict(rows.given)
    if "metrics" in given:
        given |= _split_metrics(given.pop("metrics"), schema)

    def column(field: pa.Field) -> pa.Array:
        if field.name in given:
            return _array(given[field.name], field.type)
        if not items or not hasattr(items[0], field.name):
            return pa.nulls(len(items), field.type)
        return _array(list(map(attrgetter(field.name), items)), field.type)

    try:
        return pa.table([column(field) for field in schema], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise StoreError(f"a value does not fit the database: {error}") from error


def _split_metrics(metrics: Iterable[Mapping[str, float | None]], schema: pa.Schema) -> Columns:
    """One column per metric; metrics without a column go to ``other``, names of those None to ``unknown``."""
    names = [n for n in schema.names if n not in {"call_id", "other", "unknown", "loaded_at"}]
    metrics = list(metrics)
    out: Columns = {name: [m.get(name) for m in metrics] for name in names}
    known = set(names)
    out["other"] = [
        {} if known.issuperset(m) else {k: m[k] for k in m if k not in known and m[k] is not None}
        for m in metrics
    ]
    out["unknown"] = [
        sorted(k for k, v in m.items() if v is None) if None in m.values() else [] for m in metrics
    ]
    return out


def _array(values: list[Any] | pa.Array, kind: pa.DataType) -> pa.Array:
    """Values as an Arrow array of a type, texts cleaned where they need it."""
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_map(kind):
        values = [list(mapping.items()) for mapping in values]
    if pa.types.is_struct(kind):
        return _structs(values, kind)
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        offsets = np.zeros(len(values) + 1, np.int32)
        np.cumsum(list(map(len, values)), out=offsets[1:])
        items = _structs(list(chain.from_iterable(values)), kind.value_type)
        return pa.ListArray.from_arrays(pa.array(offsets), items, type=kind)
    try:
        array = pa.array(values, type=kind)
    except UnicodeEncodeError:  # a file name need not be valid Unicode
        return pa.array([clean(v) for v in values], type=kind)
    return pa.array([clean(v) for v in values], type=kind) if _has_nul(array) else array


def _has_nul(array: pa.Array) -> bool:
    """Whether any text holds a NUL character, which lake catalogues, CSV and spreadsheets cannot hold."""
    if pa.types.is_map(array.type):
        return _has_nul(array.keys) or _has_nul(array.items)
    if pa.types.is_list(array.type):
        return _has_nul(array.flatten())
    if not pa.types.is_string(array.type):
        return False
    text = array.buffers()[2]  # the characters of all values in one buffer
    return text is not None and b"\0" in text.to_pybytes()


def _structs(items: list[Any], kind: pa.StructType) -> pa.Array:
    """Dataclasses (or None) as a struct array, built field by field, which is far faster than from dicts."""
    fields = [kind.field(i) for i in range(kind.num_fields)]
    children = [
        _array([None if item is None else getattr(item, f.name) for item in items], f.type) for f in fields
    ]
    missing = pa.array([item is None for item in items], pa.bool_())
    return pa.StructArray.from_arrays(children, fields=fields, mask=missing)


class _Span(NamedTuple):
    """A span in seconds; its field names are those of the ``hold_spans`` column."""

    start_s: float
    end_s: float


def clean(value: Any) -> Any:
    r"""Make text safe for every tool: undecodable bytes of a file name become ``\udcNN``, NUL U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\ufffd")
    if isinstance(value, list | tuple):
        return type(value)(clean(v) for v in value)
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    return value
