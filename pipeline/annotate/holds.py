"""Hold: told by the telephone system, announced by the agent, or silence too long to be anything else.

Holds are not dead air, and neither are pauses the customer takes to find something ("let me look"),
which are no holds either: nobody was put on one. A silence after "bear with me" is a hold from
``DEAD_AIR_S`` on; a mutual silence nobody announced counts from a longer setting on and says so,
because leaving a customer in silence is itself something a supervisor wants to hear of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline import metrics
from pipeline.conversation import Finding, Transcript, Turn
from pipeline.text.words import count_words

OWN_PAUSE_WITHIN_S = 8.0  # what the customer goes to look for, they go for soon
FEW_WORDS = 3  # "sure", "okay one second"
ASKS = re.compile(
    r"\?\s*$|\b(?:can|could|would|will|do) you (?:please )?(?:read|tell|give|check|find|look|have|try|see|"
    r"confirm|open|go|click|press|unplug|turn|restart|reboot)|"
    r"\bwhat(?:'s| is) (?:the|your)|\bread (?:it|that|me)|"
    r"\bgo ahead\b|\btake your time\b",
    re.I,
)
CALLS_OUT = re.compile(r"\b(?:hello|are you (?:still )?there|anybody there|is anyone|you there)\b", re.I)
ANNOUNCED_WITHIN_S = 20.0  # the hold may begin a sentence or two after its announcement


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold and how it is known: ``reported``, ``announced`` or ``unannounced``."""

    start_s: float
    end_s: float
    label: str


def pauses(
    transcript: Transcript,
    found: Sequence[Finding],
    reported: Sequence[metrics.Span],
    redacted_spans: Sequence[metrics.Span],
) -> list[metrics.Span]:
    """Silences that are the customer's own: asked for by them, or spent on finding the agent's answer.

    A silence after the agent's announcement is the agent's, whatever the customer said to it.
    """
    speech = metrics.intervals(transcript)
    holds, asked = _announced(found, "hold"), _announced(found, "pause")
    return [
        (start_s, end_s)
        for start_s, end_s in metrics.dead_air(speech, reported, redacted_spans)
        if not _is_after(holds, start_s, ANNOUNCED_WITHIN_S)
        and (_is_after(asked, start_s, OWN_PAUSE_WITHIN_S) or _is_looking(transcript.turns, start_s, end_s))
    ]


def _announced(found: Sequence[Finding], kind: str) -> list[float]:
    """When the announcements of holds, or of pauses, end."""
    return [f.end_s for f in found if (f.kind, f.label) == (kind, "announced") and f.end_s is not None]


def _is_after(announced: Sequence[float], start_s: float, within_s: float) -> bool:
    return any(start_s - within_s <= said_s <= start_s + 1.0 for said_s in announced)


def _is_looking(turns: Sequence[Turn], start_s: float, end_s: float) -> bool:
    """Whether the agent asked, the customer at most said yes, and the customer broke the silence."""
    before = [t for t in turns if t.end_s is not None and t.end_s <= start_s + 0.5]
    after = [t for t in turns if t.start_s is not None and t.start_s >= end_s - 0.5]
    if not before or not after or after[0].role != "customer" or CALLS_OUT.search(after[0].text):
        return False
    asked = before[-1]
    if asked.role == "customer" and count_words(asked.text) <= FEW_WORDS and len(before) > 1:
        asked = before[-2]
    return asked.role == "agent" and bool(ASKS.search(asked.text))


def detect(
    transcript: Transcript,
    found: Sequence[Finding],
    unannounced_hold_s: float,
    reported: Sequence[metrics.Span],
    redacted_spans: Sequence[metrics.Span],
) -> list[Hold]:
    """Every hold of a call in order of time."""
    holds = [Hold(a, b, "reported") for a, b in reported if b > a]
    announced = _announced(found, "hold")
    for start_s, end_s in metrics.dead_air(metrics.intervals(transcript), reported, redacted_spans):
        if _is_after(announced, start_s, ANNOUNCED_WITHIN_S):
            holds.append(Hold(start_s, end_s, "announced"))
        elif end_s - start_s >= unannounced_hold_s:
            holds.append(Hold(start_s, end_s, "unannounced"))
    return sorted(holds, key=lambda hold: hold.start_s)
