"""Finds holds: reported by the telephone system, announced by the agent, or very long silences.

A hold is not dead air. Nor is a pause in which the customer looks for something ("let me look"), which is
no hold either. A silence after "bear with me" is a hold from ``DEAD_AIR_S`` on. A silence that nobody
announced is a hold only from a longer time on, which is a setting; it is labelled ``unannounced``, because
a supervisor wants to know when a customer was left in silence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline import metrics
from pipeline.conversation import Finding, Transcript, Turn
from pipeline.text.words import count_words

CUSTOMER_PAUSE_WITHIN_S = 8.0  # a customer's pause begins at most this long after its announcement
FEW_WORDS = 3  # of a reply that only agrees: "sure", "okay one second"
ASKS = re.compile(
    r"\?\s*$|\b(?:can|could|would|will|do) you (?:please )?(?:read|tell|give|check|find|look|have|try|see|"
    r"confirm|open|go|click|press|unplug|turn|restart|reboot)|"
    r"\bwhat(?:'s| is) (?:the|your)|\bread (?:it|that|me)|"
    r"\bgo ahead\b|\btake your time\b",
    re.I,
)
CALLS_OUT = re.compile(r"\b(?:hello|are you (?:still )?there|anybody there|is anyone|you there)\b", re.I)
ANNOUNCED_WITHIN_S = 20.0  # a hold may begin a sentence or two after its announcement


def detect(
    transcript: Transcript,
    found: Sequence[Finding],
    unannounced_hold_s: float,
    reported: Sequence[metrics.TimeSpan],
    redacted_spans: Sequence[metrics.TimeSpan],
) -> Iterator[tuple[str, str, metrics.TimeSpan]]:
    """Kind, label and span of every hold (reported, announced, unannounced) and pause of the customer.

    A pause was announced by the customer, or spent looking up what the agent asked for.
    """
    yield from (("hold", "reported", (a, b)) for a, b in reported if b > a)
    turns, holds, pauses = transcript.turns, _announced(found, "hold"), _announced(found, "pause")
    for start_s, end_s in metrics.dead_air(metrics.intervals(transcript), reported, redacted_spans):
        if _is_after(holds, start_s, ANNOUNCED_WITHIN_S):
            yield "hold", "announced", (start_s, end_s)
        elif _is_after(pauses, start_s, CUSTOMER_PAUSE_WITHIN_S) or _is_looking(turns, start_s, end_s):
            yield "pause", "customer", (start_s, end_s)
        elif end_s - start_s >= unannounced_hold_s:
            yield "hold", "unannounced", (start_s, end_s)


def _announced(found: Sequence[Finding], kind: str) -> list[float]:
    """When the announcements of a kind (``hold`` or ``pause``) end, in seconds."""
    return [f.end_s for f in found if (f.kind, f.label) == (kind, "announced") and f.end_s is not None]


def _is_after(announced: Sequence[float], start_s: float, within_s: float) -> bool:
    return any(start_s - within_s <= said_s <= start_s + 1.0 for said_s in announced)


def _is_looking(turns: Sequence[Turn], start_s: float, end_s: float) -> bool:
    """Whether the agent asked for something, the customer at most agreed, and then ended the silence."""
    before = [t for t in turns if t.end_s is not None and t.end_s <= start_s + 0.5]
    after = [t for t in turns if t.start_s is not None and t.start_s >= end_s - 0.5]
    if not before or not after or after[0].role != "customer" or CALLS_OUT.search(after[0].text):
        return False
    asked = before[-1]
    if asked.role == "customer" and count_words(asked.text) <= FEW_WORDS and len(before) > 1:
        asked = before[-2]
    return asked.role == "agent" and bool(ASKS.search(asked.text))
