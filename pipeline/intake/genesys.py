"""Genesys Cloud's conversation records: what they say of a call, as one flat record.

Beside a recording lies its metadata (flat: ``agentIds``, ``queueIds``, ``initialDirection``, …) or the
whole conversation with its participants. Sources: https://help.mypurecloud.com/?p=292632 and the
``participants`` that post-call analytics reads (aws-samples/amazon-transcribe-post-call-analytics).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_AGENTS = ("agent", "user")  # not sets: a stranger's JSON may say a list, which no set can be asked for
_CUSTOMERS = ("customer", "external")


def is_conversation(document: Mapping[str, Any]) -> bool:
    """Whether a sidecar is a conversation with participants."""
    return isinstance(document.get("participants"), list) and "conversationId" in document


def flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """Agents, queues, direction and the customer's number out of the participants."""
    people = [p for p in document["participants"] if isinstance(p, dict)]
    agents = [p.get("userId") for p in people if p.get("purpose") in _AGENTS]
    queues = [part.get("queueId") for person in people for part in _segments(person)]
    direction = document.get("originatingDirection") or document.get("initialDirection")
    said = {name: value for name, value in document.items() if not isinstance(value, dict | list)}
    said |= {"agentIds": agents, "queueIds": queues, "initialDirection": direction}
    number = next((_number(p, direction) for p in people if p.get("purpose") in _CUSTOMERS), "")
    return said | {"customerNumber": number.removeprefix("tel:")}


def _segments(person: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for session in _dicts(person.get("sessions")):
        yield from _dicts(session.get("segments"))


def _number(person: Mapping[str, Any], direction: object) -> str:
    """The number at the customer's end: who called, or who was called."""
    name = "dnis" if direction == "outbound" else "ani"
    numbers = (session.get(name) for session in _dicts(person.get("sessions")))
    return next((number for number in numbers if isinstance(number, str)), "")


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
