"""Hold: told by the telephone system, announced by the agent, or silence too long to be anything else.

Holds are not dead air. A silence after "bear with me" is a hold from ``DEAD_AIR_S`` on; a mutual
silence nobody announced counts from a longer setting on and says so, because leaving a customer
in silence is itself something a supervisor wants to hear of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline import metrics
from pipeline.conversation import CallMetadata, Finding, Transcript

ANNOUNCED_WITHIN_S = 20.0  # the hold may begin a sentence or two after its announcement


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold and how it is known: ``reported``, ``announced`` or ``unannounced``."""

    start_s: float
    end_s: float
    label: str


def detect(
    transcript: Transcript,
    metadata: CallMetadata | None,
    found: Sequence[Finding],
    unannounced_hold_s: float,
    redacted_spans: Sequence[metrics.Span] = (),
) -> list[Hold]:
    """Every hold of a call in order of time."""
    reported = metadata.hold_spans if metadata else ()
    holds = [Hold(a, b, "reported") for a, b in reported if b > a]
    speech = metrics.intervals(transcript)
    if not speech:
        return holds
    announced = [f for f in found if (f.kind, f.label) == ("hold", "announced")]
    ends_s = [f.end_s for f in announced if f.end_s is not None]
    for start_s, end_s in metrics.dead_air(speech, reported, redacted_spans):
        if any(start_s - ANNOUNCED_WITHIN_S <= said_s <= start_s + 1.0 for said_s in ends_s):
            holds.append(Hold(start_s, end_s, "announced"))
        elif end_s - start_s >= unannounced_hold_s:
            holds.append(Hold(start_s, end_s, "unannounced"))
    return sorted(holds, key=lambda hold: hold.start_s)
