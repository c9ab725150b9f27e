"""Nouns to columns: one function a table, lists in the order of the rows.

Column names are those of ``sql/``; types come from the database itself, so a column is declared
in one place.
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
"""Columns of the calls table that are fields of ``CallMetadata``, but its id."""


def call_id(record: CallRecord) -> str | None:
    """The id a record's rows carry."""
    if record.conversation is not None:
        return record.conversation.transcript.call_id
    return record.ledger.call_id


def _pick(items: Sequence[Any], names: Sequence[str]) -> Columns:
    """One list a field."""
    return {name: list(map(attrgetter(name), items)) for name in names}


def texts(values: Sequence[str | None]) -> pa.Array:
    """Strings as the database keeps them."""
    return _array(list(values), pa.string())


def _flat(groups: Iterable[tuple[Key, Iterable[T]]]) -> tuple[list[Key], list[int], list[T]]:
    """The items of all groups, and beside each the key of its group and its place there, from 0."""
    rows = [(key, place, item) for key, items in groups for place, item in enumerate(items)]
    return [key for key, _, _ in rows], [place for _, place, _ in rows], [item for _, _, item in rows]


def _of_cards(cards: Sequence[Scorecard]) -> Columns:
    """The columns that say which scorecard each row is of."""
    return {"call_id": [c.call_id for c in cards], "rubric_hash": [c.rubric.hash for c in cards]}


def calls(records: Sequence[CallRecord]) -> Columns:
    """The calls table."""
    metadata = [r.metadata for r in records]
    transcripts = [r.conversation.transcript for r in records if r.conversation]
    rows: Columns = {"call_id": [t.call_id for t in transcripts]}
    for name in (*METADATA, "started_local"):
        rows[name] = [getattr(m, name) if m else None for m in metadata]
    rows["hold_spans"] = [[_Span(*span) for span in m.hold_spans] if m else [] for m in metadata]
    rows["extra"] = [list(m.extra.items()) if m else [] for m in metadata]
    rows["path"] = [r.ledger.path for r in records]
    rows["audio_sha256"] = [r.ledger.audio_sha256 for r in records]
    rows |= _pick(transcripts, ("duration_s", "channels", "role_confidence"))
    rows["spoken_language"] = [t.language for t in transcripts]
    rows["transcript_medium"] = [t.medium for t in transcripts]
    rows["engine"] = [t.engine.name for t in transcripts]
    rows["model"] = [t.engine.model for t in transcripts]
    rows["engine_fingerprint"] = [t.engine.fingerprint for t in transcripts]
    rows["turn_count"] = [len(t.turns) for t in transcripts]
    rows["transcript_warnings"] = [t.warnings for t in transcripts]
    rows["transcript_doubts"] = [t.doubts for t in transcripts]
    rows["warnings"] = [r.conversation.warnings for r in records if r.conversation]
    return rows


def turns(records: Sequence[CallRecord]) -> Columns:
    """The turns table."""
    ids, _, spoken = _flat((call_id(r), r.conversation.transcript.turns) for r in records if r.conversation)
    names = ("turn", "role", "channel", "start_s", "end_s", "text", "confidence", "language", "words")
    return {
        "call_id": ids,
        **_pick(spoken, names),
        "sentiment_score": [t.sentiment and t.sentiment.score for t in spoken],
        "sentiment": [t.sentiment and t.sentiment.label for t in spoken],
    }


def findings(records: Sequence[CallRecord]) -> Columns:
    """The findings table."""
    ids, places, found = _flat((call_id(r), r.conversation.findings) for r in records if r.conversation)
    return {
        "call_id": ids,
        "finding": places,
        **_pick(found, ("kind", "label", "turn", "start_s", "end_s", "text", "source")),
        "value": [None if isinstance(f.value, str) else f.value for f in found],
        "value_text": [f.value if isinstance(f.value, str) else None for f in found],
    }


def call_metrics(records: Sequence[CallRecord]) -> Columns:
    """The call_metrics table: ``metrics`` is split into columns by ``arrow``."""
    rows = [(r.conversation.transcript.call_id, r.conversation.metrics) for r in records if r.conversation]
    return {"call_id": [c for c, _ in rows], "metrics": [m for _, m in rows]}


def role_sentiment(records: Sequence[CallRecord]) -> Columns:
    """The role_sentiment table."""
    ids, _, pairs = _flat((call_id(r), r.conversation.sentiment.items()) for r in records if r.conversation)
    felt = [s for _, s in pairs]
    return {
        "call_id": ids,
        "role": [role for role, _ in pairs],
        **_pick(felt, ("score", "change", "lowest_score", "lowest_turn")),
        **{f"q{i + 1}": [s.quarters[i] for s in felt] for i in range(4)},
    }


def stage_runs(records: Sequence[CallRecord]) -> Columns:
    """The stage_runs table."""
    return stage_rows([(call_id(r), r.stages) for r in records])


def stage_rows(runs: Sequence[tuple[str | None, Sequence[StageRun]]]) -> Columns:
    """Rows of the stage_runs table, by call id."""
    ids, _, made = _flat(runs)
    rows: Columns = {"call_id": ids, **_pick(made, ("stage", "fingerprint", "engine", "model", "seconds"))}
    for name in ("rubric_id", "criterion_id", "calls", "prompt_tokens", "answer_tokens", "result"):
        rows[name] = [getattr(run, name) if run.criterion_id else None for run in made]
    return rows


def scorecards(cards: Sequence[Scorecard]) -> Columns:
    """The scorecards table."""
    names = (
        "call_id", "raw_score", "final_score", "critical_score", "pass_mark", "outcome", "autofail_reasons",
        "review_reasons", "warnings", "scorer", "why",
    )  # fmt: skip
    return {
        **_pick(cards, names),
        "rubric_hash": [c.rubric.hash for c in cards],
        "rubric_id": [c.rubric.id for c in cards],
        "rubric_version": [c.rubric.version for c in cards],
        "is_latest": [True] * len(cards),
    }


def sections(cards: Sequence[Scorecard]) -> Columns:
    """The sections table."""
    own, places, parts = _flat((c, c.sections) for c in cards)
    return {
        **_of_cards(own),
        "section": places,
        "section_id": [s.id for s in parts],
        **_pick(parts, ("score", "weight", "auto_failed")),
        "is_latest": [True] * len(parts),
    }


def answers(cards: Sequence[Scorecard]) -> Columns:
    """The answers table."""
    own, places, found = _flat((c, [(s.id, a) for s in c.sections for a in s.criteria]) for c in cards)
    given = [a for _, a in found]
    names = ("answer", "points", "max_points", "weight", "critical", "scored", "reason", "awaits", "searched")
    return {
        **_of_cards(own),
        "section_id": [section for section, _ in found],
        "criterion_id": [a.id for a in given],
        "criterion": places,
        **_pick(given, names),
        "is_latest": [True] * len(given),
    }


def evidence(cards: Sequence[Scorecard]) -> Columns:
    """The evidence table: what an answer rests on, and the nearest miss."""
    quoted = [((c, a.id, "evidence"), a.evidence) for c in cards for a in c.answers]
    quoted += [((c, a.id, "nearest"), (a.nearest,)) for c in cards for a in c.answers if a.nearest]
    own, places, found = _flat(quoted)
    return {
        **_of_cards([card for card, _, _ in own]),
        "criterion_id": [criterion for _, criterion, _ in own],
        "kind": [kind for _, _, kind in own],
        "evidence": places,
        **_pick(found, ("turn", "role", "start_s", "end_s", "quote", "rule", "strength")),
    }


def ledger(entries: Sequence[LedgerEntry]) -> Columns:
    """The ledger table."""
    names = (
        "path", "audio_sha256", "call_id", "status", "reason", "stage", "error", "hint", "size_bytes",
        "mtime_ns", "warnings", "fingerprint",
    )  # fmt: skip
    return _pick(entries, names)


def rubrics(kept: Sequence[Any]) -> Columns:
    """The rubrics table; what is only a reference to a rubric has no text."""
    return {
        "rubric_hash": [r.hash for r in kept],
        "rubric_id": [r.id for r in kept],
        "version": [r.version for r in kept],
        "title": [getattr(r, "title", "") or r.id for r in kept],
        "pass_mark": [getattr(r, "pass_mark", None) for r in kept],
        "source": [getattr(r, "text", None) for r in kept],
        "file": [getattr(r, "source", None) for r in kept],
    }


def criteria(kept: Sequence[Any]) -> Columns:
    """The criteria table."""
    names = ("question", "guidance", "points", "weight", "counts", "critical")
    rows = [
        (r.hash, i, section, c)
        for r in kept
        for i, (section, c) in enumerate((s, c) for s in getattr(r, "sections", ()) for c in s.criteria)
    ]
    return {
        "rubric_hash": [rubric_hash for rubric_hash, _, _, _ in rows],
        "criterion": [i for _, i, _, _ in rows],
        "criterion_id": [c.id for _, _, _, c in rows],
        "section_id": [s.id for _, _, s, _ in rows],
        "section_title": [s.title or s.id for _, _, s, _ in rows],
        **_pick([c for _, _, _, c in rows], names),
    }


def reviews(given: Sequence[Review]) -> Columns:
    """The reviews table."""
    same = (
        "review_id", "call_id", "rubric_hash", "criterion_id", "machine_answer", "human_answer", "reviewer",
        "reviewed_at", "reason", "state", "source",
    )  # fmt: skip
    return {**_pick(given, same), "extra": [list(r.extra.items()) for r in given]}


def samples(drawn: Sequence[SampledCall]) -> Columns:
    """The samples table."""
    same = ("sample_id", "call_id", "method", "stratum", "seed", "probability", "reason", "created_at")
    return {**_pick(drawn, same), "extra": [list(s.extra.items()) for s in drawn]}


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
OF_CALLS = (*CALL_TABLES, *SCORE_TABLES)
"""Tables whose rows come and go with their calls."""
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
"""What tells the rows of each table apart; only of ``stage_runs`` may several share it."""


def arrow(rows: Mapping[str, list[Any] | pa.Array], schema: pa.Schema) -> pa.Table:
    """Columns as an Arrow table with the names, order and types of the database's own; NULL where not given.

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
    """Metrics by column; those without a column go to ``other``, those without a value to ``unknown``."""
    own = [n for n in schema.names if n not in {"call_id", "other", "unknown", "loaded_at"}]
    metrics = list(metrics)
    out: Columns = {name: [m.get(name) for m in metrics] for name in own}
    known = set(own)
    out["other"] = [
        [] if known.issuperset(m) else [(k, m[k]) for k in m if k not in known and m[k] is not None]
        for m in metrics
    ]
    out["unknown"] = [
        sorted(k for k, v in m.items() if v is None) if None in m.values() else [] for m in metrics
    ]
    return out


def _array(values: list[Any] | pa.Array, kind: pa.DataType) -> pa.Array:
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
    except UnicodeEncodeError:  # names of files need not be valid text
        return pa.array([clean(v) for v in values], type=kind)
    return pa.array([clean(v) for v in values], type=kind) if _has_nul(array) else array


def _has_nul(array: pa.Array) -> bool:
    """Whether a text holds a NUL, which catalogues, CSV and spreadsheets cannot."""
    if pa.types.is_map(array.type):
        return _has_nul(array.keys) or _has_nul(array.items)
    if pa.types.is_list(array.type):
        return _has_nul(array.flatten())
    if not pa.types.is_string(array.type):
        return False
    text = array.buffers()[2]  # all of the column's characters, one after the other
    return text is not None and b"\0" in text.to_pybytes()


def _structs(items: list[Any], kind: pa.StructType) -> pa.Array:
    """Dataclasses (or None) as structs, built a field at a time: far faster than from dicts."""
    fields = [kind.field(i) for i in range(kind.num_fields)]
    children = [
        _array([None if item is None else getattr(item, f.name) for item in items], f.type) for f in fields
    ]
    missing = pa.array([item is None for item in items], pa.bool_())
    return pa.StructArray.from_arrays(children, fields=fields, mask=missing)


class _Span(NamedTuple):
    """Seconds, with the names of the column's fields."""

    start_s: float
    end_s: float


def clean(value: Any) -> Any:
    r"""Text every tool can hold: undecodable bytes of a file name become ``\udcNN``, NUL becomes U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\ufffd")
    if isinstance(value, list | tuple):
        return type(value)(clean(v) for v in value)
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    return value
