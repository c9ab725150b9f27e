"""Makes ``Finding``s of a conversation from facts in its text and from its times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline import metrics
from pipeline.conversation import Finding, RoleSentiment, Transcript, Turn
from pipeline.privacy import PrivateSpan, by_turn, masked
from pipeline.word_times import TurnClock

CUSTOMER_WEIGHT = 2.0  # of a mention by the customer, in the choice of the contact reason
EARLY_WEIGHT = 3.0  # factor for the first mention of the n-th topic, divided by n


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
