"""One export: what was asked for, and the redacted data that its writer may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.calibrate import Calibration, calibrate
from pipeline.conversation import Review
from pipeline.export.client_view import ClientView
from pipeline.export.private import Redactor
from pipeline.export.selection import Call, Texts, read_calls, read_texts
from pipeline.store import CallFilter, Store


@dataclass(frozen=True, slots=True)
class Job:
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

    @property
    def reviewable(self) -> bool:
        """Whether people can enter corrections."""
        return not self.client_safe

    def calls(self, *, words: bool = True) -> Iterator[Call]:
        """The calls, redacted; without ``words`` only their quotes are, and transcripts must not be shown."""
        view = ClientView() if self.client_safe else None
        for call in read_calls(self.store, self.filters, self.progress):
            redacted = self.redactor.call(call, words=words)
            yield view.of(redacted) if view else redacted

    def texts(self) -> Texts:
        """The rubrics' words for the criteria."""
        return read_texts(self.store)

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

        A row has status, reason, files, and path, error and hint for a file that needs attention.
        """
        if self.client_safe:
            return []
        return self.store.query(
            "SELECT status, reason, count(*) AS files, '' AS path, '' AS error, '' AS hint FROM ledger "
            "WHERE status IN ('scored', 'purged') GROUP BY ALL "
            "UNION ALL SELECT status, reason, 1, path, error, hint FROM ledger "
            "WHERE status NOT IN ('scored', 'purged') ORDER BY status, reason, path LIMIT 20000"
        )
