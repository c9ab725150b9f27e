"""Reports on a finished batch: the run summary, the Prometheus text file, and alerts by webhook or e-mail.

All of it is counts, seconds and call ids, and no word of any call. Nothing is sent unless the settings name
a webhook or an address.
"""

from __future__ import annotations

import datetime as dt
import json
import smtplib
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from pipeline.conversation import LedgerStatus, Outcome
from pipeline.errors import CallQAError, MachineError
from pipeline.process.batch import Tally
from pipeline.process.cache import disk_fault, write_private
from pipeline.process.calls import describe
from pipeline.settings import AlertSettings, Settings

KEPT_SUMMARIES = 400
"""More than a year of nightly batches."""
TIMEOUT_S = 10.0
ENOUGH_FILES, LONGEST_S = 100, 86_400.0
"""Rounds of ``callqa watch`` are judged together until they have so many files or took so long."""


def conclude(tally: Tally, settings: Settings, judged: Tally | None = None) -> list[str]:
    """Write the summary of a batch to ``<state_dir>/runs`` and the metrics file, and send alerts.

    Args:
        tally: Of the batch.
        settings: Where to write, and whom to tell of what.
        judged: What the alerts are about, where that is not this batch alone.

    Returns:
        Alerts and undeliverable messages, one sentence each.

    Raises:
        MachineError: The summary or the metrics file cannot be written; alerts are sent all the same.
    """
    alerts = list(reasons_to_tell(judged or tally, settings.flow.alerts))
    now = dt.datetime.now(dt.UTC)
    summary = {"ended_at": now.isoformat(timespec="seconds"), "db": settings.store.db, **tally.summary()}
    summary["alerts"] = alerts
    try:
        _write_summary(summary, settings.state_dir / "runs" / f"{now:%Y%m%dT%H%M%S%f}.json")
        if settings.flow.metrics_file:
            write_metrics(tally, settings.flow.metrics_file, now)
    finally:
        undelivered = _send(alerts, summary, settings.flow.alerts) if alerts else []
    return alerts + undelivered


class Rounds:
    """Concludes the rounds of ``callqa watch``, often of one file, whose shares are judged together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._judged, self._since = Tally(), clock()

    def conclude(self, tally: Tally, settings: Settings) -> list[str]:
        """Conclude one round; alerts come with the round that makes enough of them."""
        self._judged.add_processed(tally)
        return conclude(tally, settings, judged=self._due() or Tally())

    def overdue(self, settings: Settings) -> list[str]:
        """Alerts about the files of a day, when no further round comes that could bring them."""
        judged = self._due() if self._judged.processed else None
        return conclude(Tally(), settings, judged) if judged else []

    def _due(self) -> Tally | None:
        """What is judged now, if it is enough; then the next files begin."""
        if self._judged.processed < ENOUGH_FILES and self._clock() - self._since < LONGEST_S:
            return None
        judged, self._judged, self._since = self._judged, Tally(), self._clock()
        return judged


def tell_of_failure(error: Exception, settings: Settings) -> list[str]:
    """Send an alert that a batch could not be finished; returns a sentence per undeliverable message."""
    what = error.message if isinstance(error, CallQAError) else describe(error)
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    facts = {"ended_at": now, "db": settings.store.db, "exit_code": getattr(error, "exit_code", 1)}
    return _send([f"the batch could not be finished: {what}"], facts, settings.flow.alerts)


def _write_summary(summary: Mapping[str, Any], path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, json.dumps(summary, indent=1) + "\n")
        for old in sorted(path.parent.glob("*.json"))[:-KEPT_SUMMARIES]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise disk_fault(path, error) from error


def reasons_to_tell(tally: Tally, limits: AlertSettings) -> Iterator[str]:
    """Yield a sentence for each alert threshold that the batch crossed.

    The shares are of the files processed in this batch: of all files in the folder, what fails in one night
    soon is too small a share to be noticed.
    """
    files, cards = max(tally.processed, 1), max(tally.outcomes.total(), 1)
    new = tally.statuses - tally.known_statuses
    shares = (
        ("files failed", new["failed"], files, limits.failed_share),
        ("files were quarantined", new["quarantined"], files, limits.quarantined_share),
        ("scorecards auto-failed", tally.autofails, cards, limits.autofail_share),
    )
    for what, count, total, limit in shares:
        if count / total > limit:
            yield f"{count} of {total} {what}, more than {limit:.0%}"
    if tally.audio_s and tally.wall_s and tally.audio_s / tally.wall_s < limits.min_speed:
        yield f"{tally.audio_s / tally.wall_s:.1f} audio seconds a second, less than {limits.min_speed:g}"


def _send(alerts: Sequence[str], summary: Mapping[str, Any], to: AlertSettings) -> list[str]:
    """Send alerts and the run summary; returns one sentence for each message that could not be delivered."""
    undelivered = []
    if to.webhook:
        try:
            _post(to.webhook, {"text": "callqa: " + "; ".join(alerts), **summary})
        except (OSError, ValueError) as error:
            undelivered.append(f"the alert did not reach {urlsplit(to.webhook).hostname}: {error}")
    if to.email_to:
        try:
            _mail(alerts, summary, to)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            undelivered.append(f"the alert did not reach {', '.join(to.email_to)}: {error}")
    return undelivered


def _post(url: str, body: Mapping[str, Any]) -> None:
    request = urllib.request.Request(  # noqa: S310 - the settings check the scheme
        url, json.dumps(body).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
        pass


def _mail(alerts: Sequence[str], summary: Mapping[str, Any], to: AlertSettings) -> None:
    message = EmailMessage()
    message["Subject"] = f"callqa: {alerts[0]}"
    message["From"], message["To"] = to.email_from, ", ".join(to.email_to)
    message.set_content("\n".join(alerts) + "\n\n" + json.dumps(summary, indent=1) + "\n")
    host, _, port = to.smtp.partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_S) as server:
        server.send_message(message)


def write_metrics(tally: Tally, path: Path, now: dt.datetime) -> None:
    """Write the text file for the textfile collector of the Prometheus node exporter."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, metrics_text(tally, now))
        path.chmod(0o644)  # the collector runs as another user, and the file holds nothing of any call
    except OSError as error:
        raise MachineError(
            f"cannot write {path}: {error.strerror or error}",
            hint="check [flow] metrics_file; the calls are in the database",
        ) from error


def metrics_text(tally: Tally, now: dt.datetime) -> str:
    """The tally of a batch in Prometheus's text format."""
    lines: list[str] = []

    def gauge(name: str, about: str, values: Mapping[str, float]) -> None:
        lines.extend((f"# HELP callqa_batch_{name} {about}", f"# TYPE callqa_batch_{name} gauge"))
        lines.extend(f"callqa_batch_{name}{labels} {value:.10g}" for labels, value in values.items())

    by_status = {f'{{status="{s}"}}': tally.statuses[s] for s in get_args(LedgerStatus)}
    by_outcome = {f'{{outcome="{o}"}}': tally.outcomes[o] for o in get_args(Outcome)}
    gauge("files", "Files of the last batch by ledger status.", by_status)
    gauge("known_files", "Files that needed no work.", {"": tally.known})
    gauge("scorecards", "Scorecards by outcome.", by_outcome)
    gauge("autofails", "Scorecards with an auto-fail.", {"": tally.autofails})
    gauge("audio_seconds", "Length of the recordings transcribed.", {"": tally.audio_s})
    gauge("duration_seconds", "Length of the batch.", {"": tally.wall_s})
    gauge("stage_seconds", "Work by stage.", {f'{{stage="{s}"}}': v for s, v in tally.stage_s.items()})
    gauge("ended_timestamp_seconds", "When the last batch ended.", {"": round(now.timestamp())})
    return "\n".join(lines) + "\n"
