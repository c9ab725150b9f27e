"""Finding what was said: every turn that holds the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.store import read
from pipeline.store.selection import CallFilter
from pipeline.store.store import Store


@dataclass(frozen=True, slots=True)
class Hit:
    """One turn that was found."""

    call_id: str
    turn: int
    role: str
    start_s: float | None
    text: str
    score: float


def search(store: Store, text: str, calls: CallFilter, *, limit: int = 20) -> list[Hit]:
    """Turns that hold every word of ``text``, whatever the case, newest calls first."""
    where, values = calls.where()
    words = [f"%{_escape(word)}%" for word in text.split()]
    condition = " AND ".join("turns.text ILIKE ? ESCAPE '\\'" for _ in words) or "false"
    found: list[dict[str, Any]] = read.rows(
        store.connection,
        "SELECT call_id, turn, role, start_s, turns.text AS text, 1::DOUBLE AS score "  # noqa: S608
        f"FROM turns JOIN calls USING (call_id) WHERE {condition} AND {where} "
        "ORDER BY calls.started_at DESC NULLS LAST, call_id, turn LIMIT ?",
        [*words, *values, limit],
    )
    return [Hit(**row) for row in found]


def _escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
