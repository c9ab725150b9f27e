"""Turns records into table columns: one function per table, each giving lists in the order of the rows.

Column names are those of ``sql/``. Column types are read from the database itself, so each column is
declared in only one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from pipeline.conversation import CallRecord, LedgerEntry, Review, SampledCall, Scorecard, StageRun
from pipeline.errors import StoreError

T = TypeVar("T")
Key = TypeVar("Key")
Columns = dict[str, list[Any] | pa.Array]
METADATA = (
    "client", "site", "queue", "team", "agent_id", "agent_name", "customer_ref", "direction", "medium",
    "started_at", "timezone", "language", "agent_channel",
)  # fmt: skip
"""Columns of the calls table that are fields of ``CallMetadata``, except its id."""


def call_id(record: CallRecord) -> str | None:
    """The call id that all rows of a record carry."""
    if record.conversation is not None:
        return record.conversation.transcript.call_id
    return record.ledger.call_id


def _pick(items: Sequence[Any], *names: str, **fields: str) -> Columns:
    """One column per field of the same name, and per field, or field of a field, of another name."""
    fields = dict(zip(names, names, strict=True)) | fields
    return {name: list(map(attrgetter(field), items)) for name, field in fields.items()}


def texts(values: Sequence[str | None]) -> pa.Array:
    """Strings as an Arrow array, cleaned as the database keeps them."""
    return _array(list(values), pa.string())


def _flatten(groups: Iterable[tuple[Key, Iterable[T]]]) -> tuple[list[Key], list[int], list[T]]:
    """Three parallel lists with one entry per item: its group's key, its index in the group, the item."""
    rows = [(key, index, item) for key, items in groups for index, item in enumerate(items)]
    return [key for key, _, _ in rows], [index for _, index, _ in rows], [item for _, _, item in rows]


def _scorecard_keys(cards: Sequence[Scorecard]) -> Columns:
    """The key columns of rows that belong to scorecards, given the scorecard of each row."""
    return _pick(cards, "call_id", rubric_hash="rubric.hash")


def calls(records: Sequence[CallRecord]) -> Columns:
    """The calls table."""
    metadata = [r.metadata for r in records]
    transcripts = [r.conversation.transcript for r in records if r.conversation]
    rows: Columns = {"call_id": [t.call_id for t in transcripts]}
    for name in (*METADATA, "started_local"):
        rows[name] = [getattr(m, name) if m else None for m in metadata]
    rows["hold_spans"] = [[_HoldSpan(*span) for span in m.hold_spans] if m else [] for m in metadata]
    rows["extra"] = [list(m.extra.items()) if m else [] for m in metadata]
    rows["turn_count"] = [len(t.turns) for t in transcripts]
    rows |= _pick(records, path="ledger.path", audio_sha256="ledger.audio_sha256")
    rows |= _pick(records, warnings="conversation.warnings")
    rows |= _pick(transcripts, "duration_s", "channels", "role_confidence", spoken_language="language")
    rows |= _pick(transcripts, transcript_medium="medium", transcript_warnings="warnings")
    rows |= _pick(transcripts, transcript_doubts="doubts", engine="engine.name", model="engine.model")
    return rows | _pick(transcripts, engine_fingerprint="engine.fingerprint")


def turns(records: Sequence[CallRecord]) -> Columns:
    """The turns table."""
    ids, _, spoken = _flatten(
        (call_id(r), r.conversation.transcript.turns) for r in records if r.conversation
    )
    names = ("turn", "role", "channel", "start_s", "end_s", "text", "confidence", "language", "words")
    return {
        "call_id": ids,
        **_pick(spoken, *names),
        "sentiment_score": [t.sentiment and t.sentiment.score for t in spoken],
        "sentiment": [t.sentiment and t.sentiment.label for t in spoken],
    }


def findings(records: Sequence[CallRecord]) -> Columns:
    """The findings table."""
    ids, indexes, items = _flatten((call_id(r), r.conversation.findings) for r in records if r.conversation)
    return {
        "call_id": ids,
        "finding": indexes,
        **_pick(items, "kind", "label", "turn", "start_s", "end_s", "text", "source"),
        "value": [None if isinstance(f.value, str) else f.value for f in items],
        "value_text": [f.value if isinstance(f.value, str) else None for f in items],
    }


def call_metrics(records: Sequence[CallRecord]) -> Columns:
    """The call_metrics table; ``arrow`` splits ``metrics`` into one column per metric."""
    rows = [(r.conversation.transcript.call_id, r.conversation.metrics) for r in records if r.conversation]
    return {"call_id": [c for c, _ in rows], "metrics": [m for _, m in rows]}


def role_sentiment(records: Sequence[CallRecord]) -> Columns:
    """The role_sentiment table."""
    ids, _, pairs = _flatten(
        (call_id(r), r.conversation.sentiment.items()) for r in records if r.conversation
    )
    sentiments = [sentiment for _, sentiment in pairs]
    return {
        "call_id": ids,
        "role": [role for role, _ in pairs],
        **_pick(sentiments, "score", "change", "lowest_score", "lowest_turn"),
        **{f"q{i + 1}": [s.quarters[i] for s in sentiments] for i in range(4)},
    }


def stage_runs(records: Sequence[CallRecord]) -> Columns:
    """The stage_runs table."""
    return stage_rows([(call_id(r), r.stages) for r in records])


def stage_rows(runs: Sequence[tuple[str | None, Sequence[StageRun]]]) -> Columns:
    """The stage_runs table, from pairs of a call id and its stage runs."""
    ids, _, stages = _flatten(runs)
    rows: Columns = {"call_id": ids, **_pick(stages, "stage", "fingerprint", "engine", "model", "seconds")}
    for name in ("rubric_id", "criterion_id", "calls", "prompt_tokens", "answer_tokens", "result"):
        rows[name] = [getattr(run, name) if run.criterion_id else None for run in stages]
    return rows


def scorecards(cards: Sequence[Scorecard]) -> Columns:
    """The scorecards table."""
    names = (
        "call_id", "raw_score", "final_score", "critical_score", "pass_mark", "outcome", "autofail_reasons",
        "review_reasons", "warnings", "scorer", "why",
    )  # fmt: skip
    rubric = {"rubric_hash": "rubric.hash", "rubric_id": "rubric.id", "rubric_version": "rubric.version"}
    return {**_pick(cards, *names, **rubric), "is_latest": [True] * len(cards)}


def sections(cards: Sequence[Scorecard]) -> Columns:
    """The sections table."""
    owners, indexes, items = _flatten((c, c.sections) for c in cards)
    return {
        **_scorecard_keys(owners),
        "section": indexes,
        **_pick(items, "score", "weight", "auto_failed", section_id="id"),
        "is_latest": [True] * len(items),
    }


def answers(cards: Sequence[Scorecard]) -> Columns:
    """The answers table."""
    owners, indexes, pairs = _flatten((c, [(s.id, a) for s in c.sections for a in s.criteria]) for c in cards)
    items = [answer for _, answer in pairs]
    names = ("answer", "points", "max_points", "weight", "critical", "scored", "reason", "awaits", "searched")
    return {
        **_scorecard_keys(owners),
        "section_id": [section for section, _ in pairs],
        "criterion": indexes,
        **_pick(items, *names, criterion_id="id"),
        "is_latest": [True] * len(items),
    }


def evidence(cards: Sequence[Scorecard]) -> Columns:
    """The evidence table: the evidence of each answer, and its nearest miss where there is one."""
    quoted = [((c, a.id, "evidence"), a.evidence) for c in cards for a in c.answers]
    quoted += [((c, a.id, "nearest"), (a.nearest,)) for c in cards for a in c.answers if a.nearest]
    owners, indexes, items = _flatten(quoted)
    return {
        **_scorecard_keys([card for card, _, _ in owners]),
        "criterion_id": [criterion for _, criterion, _ in owners],
        "kind": [kind for _, _, kind in owners],
        "evidence": indexes,
        **_pick(items, "turn", "role", "start_s", "end_s", "quote", "rule", "strength"),
    }


def ledger(entries: Sequence[LedgerEntry]) -> Columns:
    """The ledger table."""
    return _pick(entries, *LedgerEntry.__dataclass_fields__)


def rubrics(added: Sequence[Any]) -> Columns:
    """The rubrics table; a ``RubricRef`` has no title, pass mark or text."""
    return {
        **_pick(added, "version", rubric_hash="hash", rubric_id="id"),
        "title": [getattr(r, "title", "") or r.id for r in added],
        "pass_mark": [getattr(r, "pass_mark", None) for r in added],
        "source": [getattr(r, "text", None) for r in added],
        "file": [getattr(r, "source", None) for r in added],
    }


def criteria(added: Sequence[Any]) -> Columns:
    """The criteria table; a ``RubricRef`` has no criteria."""
    hashes, indexes, pairs = _flatten(
        (r.hash, [(s, c) for s in getattr(r, "sections", ()) for c in s.criteria]) for r in added
    )
    names = ("question", "guidance", "points", "weight", "counts", "critical")
    return {
        "rubric_hash": hashes,
        "criterion": indexes,
        "section_id": [section.id for section, _ in pairs],
        "section_title": [section.title or section.id for section, _ in pairs],
        **_pick([criterion for _, criterion in pairs], *names, criterion_id="id"),
    }


def reviews(given: Sequence[Review]) -> Columns:
    """The reviews table."""
    return {**_pick(given, *Review.__dataclass_fields__), "extra": [list(r.extra.items()) for r in given]}


def samples(drawn: Sequence[SampledCall]) -> Columns:
    """The samples table."""
    return {
        **_pick(drawn, *SampledCall.__dataclass_fields__),
        "extra": [list(s.extra.items()) for s in drawn],
    }


CALL_TABLES: dict[str, Callable[[Sequence[CallRecord]], Columns]] = {
    "calls": calls,
    "findings": findings,
    "call_metrics": call_metrics,
    "role_sentiment": role_sentiment,
    "stage_runs": stage_runs,
    "turns": turns,
}
SCORE_TABLES: dict[str, Callable[[Sequence[Scorecard]], Columns]] = {
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
    "state_folders": "folder_id",
}
"""The key columns of each table. They are unique in every table except ``stage_runs``."""


def arrow(rows: Mapping[str, list[Any] | pa.Array], schema: pa.Schema) -> pa.Table:
    """Build an Arrow table with the names, order and types of ``schema``; columns not in ``rows`` are NULL.

    Raises:
        StoreError: A value does not fit its column.
    """
    rows = dict(rows)
    if "metrics" in rows:
        rows |= _split_metrics(rows.pop("metrics"), schema)
    length = len(next(iter(rows.values())))
    try:
        columns = [
            _array(rows[f.name], f.type) if f.name in rows else pa.nulls(length, f.type) for f in schema
        ]
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise StoreError(f"a value does not fit the database: {error}") from error
    return pa.table(columns, schema=schema)


def _split_metrics(metrics: Iterable[Mapping[str, float | None]], schema: pa.Schema) -> Columns:
    """One column per metric; metrics without a column go to ``other``, names of those None to ``unknown``."""
    names = [n for n in schema.names if n not in {"call_id", "other", "unknown", "loaded_at"}]
    metrics = list(metrics)
    out: Columns = {name: [m.get(name) for m in metrics] for name in names}
    known = set(names)
    out["other"] = [
        [] if known.issuperset(m) else [(k, m[k]) for k in m if k not in known and m[k] is not None]
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


class _HoldSpan(NamedTuple):
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
