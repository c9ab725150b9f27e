"""Selects calls by one filter that queries, exports, samples, rescoring and erasure share."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Selects the calls that match every given field; with no field given, every call.

    Attributes:
        since: Calls that started at this time or later: without a zone, on the site's own clock, as days and
            weeks are counted everywhere. A call without a start time does not match.
        until: Calls that started before this time, likewise.
        outcome: Outcome of the newest scorecard (under ``rubric`` where given).
        rubric: Id of a rubric in any version, or the hash of exactly one.
        call_ids: Only these calls.
    """

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    client: str | None = None
    site: str | None = None
    team: str | None = None
    queue: str | None = None
    agent_id: str | None = None
    customer_ref: str | None = None
    direction: str | None = None
    outcome: str | None = None
    rubric: str | None = None
    call_ids: tuple[str, ...] | None = None

    def where(self) -> tuple[str, list[Any]]:
        """The condition on ``calls`` as SQL with its parameter values."""
        terms: list[str] = []
        values: list[Any] = []
        for name in ("client", "site", "team", "queue", "agent_id", "customer_ref", "direction"):
            if (value := getattr(self, name)) is not None:
                terms.append(f"calls.{name} = ?")
                values.append(value)
        for limit, comparison in ((self.since, ">="), (self.until, "<")):
            if limit is not None:
                clock = "started_at" if limit.tzinfo else "started_local"
                terms.append(f"calls.{clock} {comparison} ?")
                values.append(limit)
        if self.call_ids is not None:
            terms.append("calls.call_id IN (SELECT unnest(?::VARCHAR[]))")
            values.append(list(self.call_ids))
        if self.outcome is not None or self.rubric is not None:
            condition, more = self.scorecards()
            terms.append(f"calls.call_id IN (SELECT call_id FROM scorecards WHERE {condition})")  # noqa: S608
            values += more
        return " AND ".join(terms) or "true", values

    def children(self, table: str) -> tuple[str, list[Any]]:
        """The condition on a table whose rows belong to calls; a filter by ids alone needs no ``calls``."""
        if self == CallFilter(call_ids=self.call_ids):
            if self.call_ids is None:
                return "true", []
            return f"{table}.call_id IN (SELECT unnest(?::VARCHAR[]))", [list(self.call_ids)]
        where, values = self.where()
        return f"{table}.call_id IN (SELECT call_id FROM calls WHERE {where})", values  # noqa: S608

    def scorecards(self) -> tuple[str, list[Any]]:
        """The condition on ``scorecards`` by rubric and outcome; only the newest, unless a hash is given."""
        terms: list[str] = []
        values: list[Any] = []
        if self.rubric is None:
            terms.append("is_latest")
        else:
            terms.append("(rubric_hash = ? OR (rubric_id = ? AND is_latest))")
            values += [self.rubric, self.rubric]
        if self.outcome is not None:
            terms.append("outcome = ?")
            values.append(self.outcome)
        return " AND ".join(terms), values
