"""Telling somebody: a webhook or an e-mail, only where the settings name one."""

from __future__ import annotations

import json
import smtplib
import urllib.request
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from pipeline.settings import AlertSettings

TIMEOUT_S = 10.0


def send(alerts: Sequence[str], summary: Mapping[str, Any], to: AlertSettings) -> list[str]:
    """Deliver alerts; a message that cannot be delivered never fails a batch.

    Args:
        alerts: Sentences.
        summary: The run summary: counts, seconds and call ids.
        to: Where they go.

    Returns:
        What could not be delivered, a sentence each.
    """
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
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ValueError("a webhook must be an http or https URL")
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked above
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
