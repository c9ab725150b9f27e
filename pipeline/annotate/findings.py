"""Makes ``Finding``s of a conversation from facts in its text and from its times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline import metrics
from pipeline.conversation import Finding, RoleSentiment, Transcript, Turn
from pipeline.privacy import PrivateSpan, by_turn, masked
from pipeline.text.words import count_words
from pipeline.word_times import TurnClock

CUSTOMER_WEIGHT = 2.0  # of a mention by the customer, in the choice of the contact reason
EARLY_WEIGHT = 3.0  # factor for the first mention of the n-th topic, divided by n
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


@dataclass(frozen=True, slots=True)
class Fact:
    """Something found in a turn's text, from character ``start`` to ``end`` (exclusive)."""

    kind: str
    label: str
    start: int
    end: int
    value: str | None = None


def of_text(
    turns: Sequence[Turn], facts: Sequence[Sequence[Fact]], private_of: Mapping[int, Sequence[PrivateSpan]]
) -> list[Finding]:
    """Facts and private data as findings with quotes and times; quotes never show private data."""
    found: list[Finding] = []
    for position, turn in enumerate(turns):
        spans = private_of.get(position, [])
        if not (facts[position] or spans):
            continue
        clock = TurnClock(turn)
        for fact in facts[position]:
            if fact.kind == "pii" or not _in_place(fact.kind, position, len(turns)):
                continue
            start_s, end_s = clock.when(fact.start, fact.end)
            quote, value = masked(turn.text, fact.start, fact.end, spans), fact.value
            if fact.kind == "promise" and quote != turn.text[fact.start : fact.end]:
                value = quote  # the description would show what the quote hides
            label = fact.label if fact.kind != "promise" or value is fact.value else "promise"
            source = f"callqa.{fact.kind}.v1"
            found.append(Finding(fact.kind, label, turn.turn, start_s, end_s, quote, value, source))
        for span in spans:
            start_s, end_s = clock.when(span.start, span.end)
            found.append(
                Finding("pii", span.kind, turn.turn, start_s, end_s, span.placeholder, None, "callqa.pii.v1")
            )
    return found


def lowest_points(
    path: Mapping[str, RoleSentiment], turns: Sequence[Turn], private_of: Mapping[int, Sequence[PrivateSpan]]
) -> Iterator[Finding]:
    """The turn with the lowest sentiment of each role that has a negative turn."""
    positions = {turn.turn: position for position, turn in enumerate(turns)}
    for role, sentiment in path.items():
        position = positions[sentiment.lowest_turn]
        turn = turns[position]
        if turn.sentiment is not None and turn.sentiment.label == "negative":
            quote = masked(turn.text, 0, len(turn.text), private_of.get(position, []))
            yield Finding(
                "lowest_point", role, turn.turn, turn.start_s, turn.end_s, quote, sentiment.lowest_score,
                "callqa.sentiment.v1",
            )  # fmt: skip


def _in_place(kind: str, position: int, count: int) -> bool:
    """Whether a greeting is in the first half, a closing in the last: "thanks for calling" may be either."""
    after_middle = 2 * position - (count - 1)
    return not (kind == "greeting" and after_middle > 0) and not (kind == "closing" and after_middle < 0)


def with_names(
    private: Sequence[PrivateSpan], turns: Sequence[Turn], facts: Sequence[Sequence[Fact]]
) -> dict[int, list[PrivateSpan]]:
    """By position of the turn, private spans and the entity recogniser's names that overlap none of them."""
    spans_of = by_turn(private)
    for position, turn in enumerate(turns):
        for fact in facts[position]:
            spans = spans_of.setdefault(position, [])
            if fact.kind == "pii" and all(fact.end <= s.start or s.end <= fact.start for s in spans):
                when = TurnClock(turn).when(fact.start, fact.end)
                spans.append(PrivateSpan(fact.label, position, fact.start, fact.end, *when, turn.channel))
    return {position: sorted(spans, key=lambda s: s.start) for position, spans in spans_of.items()}


def holds_and_pauses(
    transcript: Transcript,
    found: Sequence[Finding],
    unannounced_hold_s: float,
    reported: Sequence[metrics.TimeSpan],
    redacted_spans: Sequence[metrics.TimeSpan],
) -> Iterator[tuple[str, str, metrics.TimeSpan]]:
    """Kind, label and span of every hold (reported, announced, unannounced) and pause of the customer.

    A hold is not dead air. Nor is a pause that the customer announced ("let me look") or spent looking up
    what the agent asked for, which is no hold either. A silence after "bear with me" is a hold from
    ``DEAD_AIR_S`` on, one that nobody announced only from ``unannounced_hold_s`` on; it has a label of its
    own, because a supervisor wants to know when a customer was left in silence.
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


def of_time(
    transcript: Transcript, hold_spans: Sequence[metrics.TimeSpan], redacted: Sequence[metrics.TimeSpan]
) -> Iterator[Finding]:
    """Dead air, overtalk and interruptions."""
    speech = metrics.intervals(transcript)
    for span in metrics.dead_air(speech, hold_spans, redacted):
        yield timed("silence", "dead_air", span)
    if transcript.channels == 1:
        return
    for overlap in metrics.overlaps(speech):
        role, turn, span = overlap.second.role, overlap.second.turn, (overlap.start_s, overlap.end_s)
        if overlap.is_overtalk:
            yield timed("overtalk", role, span, turn)
        if overlap.is_interruption:
            yield timed("interruption", role, span, turn)


def timed(kind: str, label: str, span: metrics.TimeSpan, turn: int | None = None) -> Finding:
    """A finding without words, whose value is its length in seconds."""
    length_s = round(span[1] - span[0], 2)
    return Finding(kind, label, turn, *span, "", length_s, f"callqa.{kind}.v1")


def contact_reason(found: Sequence[Finding], turns: Sequence[Turn]) -> Iterator[Finding]:
    """The topic of greatest weight: mentions add up; the customer's and the first of a topic weigh more."""
    roles = {turn.turn: turn.role for turn in turns}
    weights: dict[str, float] = {}
    first: dict[str, Finding] = {}
    for finding in found:
        if finding.kind != "topic":
            continue
        weight = CUSTOMER_WEIGHT if finding.turn is not None and roles[finding.turn] == "customer" else 1.0
        if finding.label not in weights:
            weight *= EARLY_WEIGHT / (1 + len(weights))
        weights[finding.label] = weights.get(finding.label, 0.0) + weight
        first.setdefault(finding.label, finding)
    if weights:
        label = max(weights, key=weights.__getitem__)
        share = round(weights[label] / sum(weights.values()), 3)
        kind, source = "contact_reason", "callqa.contact_reason.v1"
        yield replace(first[label], kind=kind, value=share, source=source)
