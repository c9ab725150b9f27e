"""One export: what was asked for, and the redacted data of the store that its writer may use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.calibrate import Calibration, calibrate
from pipeline.conversation import Review, Scorecard
from pipeline.export.client_view import ClientView
from pipeline.export.private import Redactor
from pipeline.export.selection import CriterionText, ExportedCall, Texts
from pipeline.store import CallFilter, Store

CHUNK = 200
"""How many calls are read at a time."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One export; the arguments of ``export.write`` are explained there."""

    store: Store
    dest: Path
    filters: CallFilter
    redactor: Redactor
    client_safe: bool
    audio: bool
    packet_link: str
    blind: bool
    progress: Callable[[int, int], None] | None

    def calls(self, *, words: bool = True) -> Iterator[ExportedCall]:
        """The calls, redacted; without ``words`` only their quotes are, and transcripts must not be shown."""
        view = None
        if self.client_safe:
            rows = self.store.query("SELECT DISTINCT agent_name FROM calls WHERE agent_name IS NOT NULL")
            view = ClientView(row["agent_name"] for row in rows)
        for call in self._stored():
            redacted = self.redactor.call(call, words=words)
            yield view.of(redacted) if view else redacted

    def _stored(self) -> Iterator[ExportedCall]:
        """The matching calls in the order they happened, with the scorecards that the filter asks for."""
        where, bound = self.filters.where()
        rows = self.store.query(
            f"SELECT call_id, path FROM calls WHERE {where} ORDER BY started_at NULLS LAST, call_id",  # noqa: S608
            bound,
        )
        progress = self.progress or (lambda done, count: None)
        for start in range(0, len(rows), CHUNK):
            paths = {row["call_id"]: row["path"] for row in rows[start : start + CHUNK]}
            chunk = CallFilter(call_ids=tuple(paths))  # these calls already meet the other conditions
            asked = replace(chunk, rubric=self.filters.rubric, outcome=self.filters.outcome)
            cards: dict[str, list[Scorecard]] = defaultdict(list)
            for card in self.store.scorecards(asked):
                cards[card.call_id].append(card)
            conversations = {pair[0].call_id: pair for pair in self.store.conversations(chunk)}
            for done, (call_id, path) in enumerate(paths.items(), start):
                progress(done, len(rows))
                yield ExportedCall(
                    *conversations[call_id], tuple(cards[call_id]), Path(path) if path else None
                )
        progress(len(rows), len(rows))

    def texts(self) -> Texts:
        """The words for every criterion of every rubric in the store."""
        rows = self.store.query("SELECT * FROM criteria")
        criteria = {
            (rubric_hash, criterion.id): criterion
            for rubric_hash, rubric in self.store.rubrics({row["rubric_hash"] for row in rows}).items()
            for criterion in rubric.criteria()
        }
        texts = {}
        for row in rows:
            key = (row["rubric_hash"], row["criterion_id"])
            words = (row["question"], row["guidance"], row["section_title"])
            texts[key] = CriterionText(*words, criteria.get(key))
        return texts

    def calibration(self) -> Calibration:
        """How far people agree with the machine; empty for clients and blind reviewers."""
        if self.client_safe or self.blind:
            return Calibration()
        return self.redactor.calibration(calibrate(self.store, self.filters))

    def reviews(self) -> list[Review]:
        """All reviews, oldest first; none for clients and blind reviewers."""
        if self.client_safe or self.blind:
            return []
        return [self.redactor.review(review) for review in self.store.reviews(self.filters)]

    def ledger(self) -> list[dict[str, Any]]:
        """Counts of scored and purged files, and a row for each file that needs attention; none for clients.

        A row has status, reason, files, and path, error and hint for a file that needs attention. Where only
        some calls are exported, files of other calls and files that became no call are left out: they may be
        another client's.
        """
        if self.client_safe:
            return []
        where, bound = self.filters.children("ledger")
        return self.store.query(
            f"WITH files AS (FROM ledger WHERE {where}) "  # noqa: S608
            "SELECT status, reason, count(*) AS files, '' AS path, '' AS error, '' AS hint FROM files "
            "WHERE status IN ('scored', 'purged') GROUP BY ALL "
            "UNION ALL SELECT status, reason, 1, path, error, hint FROM files "
            "WHERE status NOT IN ('scored', 'purged') ORDER BY status, reason, path LIMIT 20000",
            bound,
        )
