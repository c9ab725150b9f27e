"""Nouns to columns: one function a table, lists in the order of the rows.

Column names are those of ``sql/``; types come from the database itself, so a column is declared
in one place.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.conversation import CallRecord, Evidence, LedgerEntry, Review, SampledCall, Scorecard
from pipeline.errors import StoreError

Columns = dict[str, list[Any]]


def call_id(record: CallRecord) -> str | None:
    """The id a record's rows carry."""
    if record.conversation is not None:
        return record.conversation.transcript.call_id
    return record.ledger.call_id


def zone(name: str | None) -> zoneinfo.ZoneInfo:
    """A site's zone; UTC where it is not given or unknown."""
    try:
        return zoneinfo.ZoneInfo(name or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def calls(records: Sequence[CallRecord]) -> Columns:
    """The calls table."""
    metadata = [r.metadata for r in records]
    transcripts = [r.conversation.transcript for r in records if r.conversation]
    rows: Columns = {"call_id": [t.call_id for t in transcripts]}
    for name in (
        "client", "site", "queue", "team", "agent_id", "agent_name", "customer_ref", "direction", "medium",
        "started_at", "timezone", "language", "agent_channel",
    ):  # fmt: skip
        rows[name] = [getattr(m, name) if m else None for m in metadata]
    rows["hold_spans"] = [
        [{"start_s": a, "end_s": b} for a, b in m.hold_spans] if m else [] for m in metadata
    ]
    rows["extra"] = [list(m.extra.items()) if m else [] for m in metadata]
    rows["path"] = [r.ledger.path for r in records]
    rows["audio_sha256"] = [r.ledger.audio_sha256 for r in records]
    rows["duration_s"] = [t.duration_s for t in transcripts]
    rows["channels"] = [t.channels for t in transcripts]
    rows["spoken_language"] = [t.language for t in transcripts]
    rows["transcript_medium"] = [t.medium for t in transcripts]
    rows["engine"] = [t.engine.name for t in transcripts]
    rows["model"] = [t.engine.model for t in transcripts]
    rows["engine_fingerprint"] = [t.engine.fingerprint for t in transcripts]
    rows["turn_count"] = [len(t.turns) for t in transcripts]
    rows["transcript_warnings"] = [t.warnings for t in transcripts]
    rows["warnings"] = [r.conversation.warnings for r in records if r.conversation]
    return rows


def turns(records: Sequence[CallRecord]) -> Columns:
    """The turns table."""
    pairs = [
        (r.conversation.transcript.call_id, t)
        for r in records
        if r.conversation
        for t in r.conversation.transcript.turns
    ]
    all_turns = [t for _, t in pairs]
    rows: Columns = {"call_id": [c for c, _ in pairs]}
    for name in ("turn", "role", "channel", "start_s", "end_s", "text", "confidence", "language"):
        rows[name] = [getattr(t, name) for t in all_turns]
    rows["sentiment_score"] = [t.sentiment.score if t.sentiment else None for t in all_turns]
    rows["sentiment"] = [t.sentiment.label if t.sentiment else None for t in all_turns]
    rows["words"] = [t.words for t in all_turns]
    return rows


def findings(records: Sequence[CallRecord]) -> Columns:
    """The findings table."""
    rows = [
        (r.conversation.transcript.call_id, i, f)
        for r in records
        if r.conversation
        for i, f in enumerate(r.conversation.findings)
    ]
    out: Columns = {"call_id": [c for c, _, _ in rows], "finding": [i for _, i, _ in rows]}
    for name in ("kind", "label", "turn", "start_s", "end_s", "text", "source"):
        out[name] = [getattr(f, name) for _, _, f in rows]
    out["value"] = [None if isinstance(f.value, str) else f.value for _, _, f in rows]
    out["value_text"] = [f.value if isinstance(f.value, str) else None for _, _, f in rows]
    return out


def call_metrics(records: Sequence[CallRecord]) -> Columns:
    """The call_metrics table: ``metrics`` is split into columns by ``arrow``."""
    rows = [(r.conversation.transcript.call_id, r.conversation.metrics) for r in records if r.conversation]
    return {"call_id": [c for c, _ in rows], "metrics": [m for _, m in rows]}


def role_sentiment(records: Sequence[CallRecord]) -> Columns:
    """The role_sentiment table."""
    rows = [
        (r.conversation.transcript.call_id, role, s)
        for r in records
        if r.conversation
        for role, s in r.conversation.sentiment.items()
    ]
    out: Columns = {"call_id": [c for c, _, _ in rows], "role": [role for _, role, _ in rows]}
    for name in ("score", "change", "lowest_score", "lowest_turn"):
        out[name] = [getattr(s, name) for _, _, s in rows]
    for quarter in range(4):
        out[f"q{quarter + 1}"] = [s.quarters[quarter] for _, _, s in rows]
    return out


def stage_runs(records: Sequence[CallRecord]) -> Columns:
    """The stage_runs table."""
    rows = [(call_id(r), s) for r in records for s in r.stages]
    out: Columns = {"call_id": [c for c, _ in rows]}
    for name in ("stage", "fingerprint", "engine", "model", "seconds"):
        out[name] = [getattr(s, name) for _, s in rows]
    return out


def scorecards(cards: Sequence[Scorecard]) -> Columns:
    """The scorecards table."""
    out: Columns = {
        "call_id": [c.call_id for c in cards],
        "rubric_hash": [c.rubric.hash for c in cards],
        "rubric_id": [c.rubric.id for c in cards],
        "rubric_version": [c.rubric.version for c in cards],
        "is_latest": [True] * len(cards),
    }
    for name in (
        "raw_score", "final_score", "critical_score", "pass_mark", "outcome", "autofail_reasons",
        "review_reasons", "warnings",
    ):  # fmt: skip
        out[name] = [getattr(c, name) for c in cards]
    return out


def sections(cards: Sequence[Scorecard]) -> Columns:
    """The sections table."""
    rows = [(c, i, s) for c in cards for i, s in enumerate(c.sections)]
    return {
        "call_id": [c.call_id for c, _, _ in rows],
        "rubric_hash": [c.rubric.hash for c, _, _ in rows],
        "section_id": [s.id for _, _, s in rows],
        "section": [i for _, i, _ in rows],
        "score": [s.score for _, _, s in rows],
        "weight": [s.weight for _, _, s in rows],
        "auto_failed": [s.auto_failed for _, _, s in rows],
        "is_latest": [True] * len(rows),
    }


def answers(cards: Sequence[Scorecard]) -> Columns:
    """The answers table."""
    rows = [
        (c, section.id, i, a)
        for c in cards
        for i, (section, a) in enumerate((s, a) for s in c.sections for a in s.criteria)
    ]
    out: Columns = {
        "call_id": [c.call_id for c, _, _, _ in rows],
        "rubric_hash": [c.rubric.hash for c, _, _, _ in rows],
        "section_id": [s for _, s, _, _ in rows],
        "criterion_id": [a.id for _, _, _, a in rows],
        "criterion": [i for _, _, i, _ in rows],
        "is_latest": [True] * len(rows),
    }
    for name in ("answer", "points", "max_points", "weight", "critical", "scored", "reason"):
        out[name] = [getattr(a, name) for _, _, _, a in rows]
    out["searched"] = [
        {"what": s.what, "role": s.role, "start_s": s.start_s, "end_s": s.end_s, "turns": s.turns}
        if s
        else None
        for s in (a.searched for _, _, _, a in rows)
    ]
    return out


def evidence(cards: Sequence[Scorecard]) -> Columns:
    """The evidence table: what an answer rests on, and the nearest miss."""
    rows: list[tuple[Scorecard, str, str, int, Evidence]] = []
    for card in cards:
        for section in card.sections:
            for answer in section.criteria:
                rows += [(card, answer.id, "evidence", i, e) for i, e in enumerate(answer.evidence)]
                if answer.nearest is not None:
                    rows.append((card, answer.id, "nearest", 0, answer.nearest))
    out: Columns = {
        "call_id": [c.call_id for c, *_ in rows],
        "rubric_hash": [c.rubric.hash for c, *_ in rows],
        "criterion_id": [r[1] for r in rows],
        "kind": [r[2] for r in rows],
        "evidence": [r[3] for r in rows],
    }
    for name in ("turn", "role", "start_s", "end_s", "quote", "rule", "strength"):
        out[name] = [getattr(r[4], name) for r in rows]
    return out


def ledger(entries: Sequence[LedgerEntry]) -> Columns:
    """The ledger table."""
    return {
        name: [getattr(e, name) for e in entries]
        for name in (
            "path", "audio_sha256", "call_id", "status", "reason", "stage", "error", "hint", "size_bytes",
            "mtime_ns", "warnings", "fingerprint",
        )
    }  # fmt: skip


def rubrics(kept: Sequence[Any]) -> Columns:
    """The rubrics table."""
    return {
        "rubric_hash": [r.hash for r in kept],
        "rubric_id": [r.id for r in kept],
        "version": [r.version for r in kept],
        "title": [getattr(r, "title", None) or r.id for r in kept],
        "source": [getattr(r, "text", None) or getattr(r, "source", None) for r in kept],
    }


def reviews(given: Sequence[Review]) -> Columns:
    """The reviews table."""
    same = (
        "review_id", "call_id", "rubric_hash", "criterion_id", "machine_answer", "human_answer", "reviewer",
        "reviewed_at", "reason", "state", "source",
    )  # fmt: skip
    rows: Columns = {name: [getattr(r, name) for r in given] for name in same}
    rows["extra"] = [list(r.extra.items()) for r in given]
    return rows


def samples(drawn: Sequence[SampledCall]) -> Columns:
    """The samples table."""
    same = ("sample_id", "call_id", "method", "stratum", "seed", "probability", "reason", "created_at")
    rows: Columns = {name: [getattr(s, name) for s in drawn] for name in same}
    rows["extra"] = [list(s.extra.items()) for s in drawn]
    return rows


CALL_TABLES: dict[str, Callable[[Sequence[CallRecord]], Columns]] = {
    "calls": calls,
    "turns": turns,
    "findings": findings,
    "call_metrics": call_metrics,
    "role_sentiment": role_sentiment,
    "stage_runs": stage_runs,
}
SCORE_TABLES: dict[str, Callable[[Sequence[Scorecard]], Columns]] = {
    "scorecards": scorecards,
    "sections": sections,
    "answers": answers,
    "evidence": evidence,
}


def arrow(rows: Mapping[str, list[Any]], schema: pa.Schema) -> pa.Table:
    """Columns as an Arrow table of the database's own types.

    Raises:
        StoreError: A value does not fit its column.
    """
    rows = dict(rows)
    if "metrics" in rows:
        rows |= _split_metrics(rows.pop("metrics"), schema)
    try:
        return pa.table({name: _array(values, schema.field(name).type) for name, values in rows.items()})
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise StoreError(f"a value does not fit the database: {error}") from error


def _split_metrics(metrics: Iterable[Mapping[str, float | None]], schema: pa.Schema) -> Columns:
    """Metrics by column; those without a column go to ``other``, those without a value to ``unknown``."""
    own = [n for n in schema.names if n not in {"call_id", "other", "unknown", "loaded_at"}]
    metrics = list(metrics)
    out: Columns = {name: [m.get(name) for m in metrics] for name in own}
    known = set(own)
    out["other"] = [[(k, v) for k, v in m.items() if k not in known and v is not None] for m in metrics]
    out["unknown"] = [sorted(k for k, v in m.items() if v is None) for m in metrics]
    return out


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return _structs(values, kind)
    try:
        return pa.array(values, type=kind)
    except UnicodeEncodeError:  # names of files need not be valid text
        return pa.array([clean(v) for v in values], type=kind)


def _structs(values: list[Any], kind: pa.DataType) -> pa.Array:
    """A list of structs a row, built flat: ten times faster than from dicts."""
    offsets, flat = [0], []
    for value in values:
        flat += value
        offsets.append(len(flat))
    get: Callable[[Any, str], Any] = dict.get if flat and isinstance(flat[0], dict) else getattr
    fields = [kind.value_type.field(i) for i in range(kind.value_type.num_fields)]
    children = [_array([get(item, f.name) for item in flat], f.type) for f in fields]
    structs = pa.StructArray.from_arrays(children, fields=fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs, type=kind)


def clean(value: Any) -> Any:
    r"""Text that UTF-8 can hold; undecodable bytes of a file name become ``\udcNN``."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, dict):
        return {clean(k): clean(v) for k, v in value.items()}
    return value
