"""Computes conversation metrics from who spoke when; ``METRICS`` has their definitions and sources.

A speaker's *intervals* are stretches of words without a gap over ``JOIN_GAP_S``; all durations are computed
from them. A metric that the recording cannot tell is None, never zero: overlap and interruptions need one
channel per speaker, and everything in seconds needs times.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.conversation import Role, Transcript, Turn
from pipeline.text.language import LISTED, language_of
from pipeline.text.words import FILLERS, SENTENCE_END, count_words, one_of

JOIN_GAP_S = 1.0  # a pause up to this, such as a breath, does not end an interval
DEAD_AIR_S = 3.0  # dead air: neither side speaks for longer than this (MiiTel)
OVERTALK_S = 1.0  # overtalk: both sides speak for longer than this (MiiTel)
OVERLAP_S = 0.3  # shorter overlaps are not counted: recognisers place word edges only this exactly
BACKCHANNEL_S = 1.0  # speech up to this over the other side's words ("uh huh") is no interruption
RESPONSE_LIMIT_S = 10.0  # speech after a longer pause is not counted as a response
MIN_WPM_S = 5.0  # words per minute need at least this much speech (TMA warns on short calls)

METRICS: Mapping[str, str] = {
    "duration_s": "length of the recording in seconds",
    "turn_count": "turns with words in them",
    "turns_per_minute": "turns with words / minutes of recording",
    "agent_words": "words said by the agent",
    "customer_words": "words said by the customer",
    "agent_talk_s": "talk time: sum of the agent's intervals in seconds (AWS: intervals, not words)",
    "customer_talk_s": "talk time of the customer; the agent's listen time",
    "agent_talk_ratio": "agent talk time / (agent + customer talk time), 0..1",
    "agent_talk_share": "agent talk time / recording, 0..1 (AWS talk %; both shares may sum past 1)",
    "customer_talk_share": "customer talk time / recording, 0..1",
    "silence_s": "seconds in which nobody speaks, hold, the customer's own pauses and redacted spans not "
    "counted",
    "silence_ratio": "silence_s / recording, 0..1",
    "dead_air_count": "silences longer than 3 s between the first and the last word (MiiTel)",
    "dead_air_s": "total of those silences in seconds",
    "dead_air_longest_s": "longest of them in seconds, 0 when there is none",
    "hold_count": "holds: told by the telephone system, announced, or mutual silence too long to be else",
    "hold_s": "total hold in seconds",
    "hold_longest_s": "longest hold in seconds, 0 when there is none",
    "overtalk_count": "stretches longer than 1 s in which both speak (MiiTel)",
    "overtalk_s": "total of those stretches in seconds",
    "overtalk_ratio": "overtalk_s / recording, 0..1",
    "overlap_count": "stretches longer than 0.3 s in which both speak, backchannels too",
    "agent_interruptions": "times the agent started over the customer for over 0.3 s and kept on for over "
    "1 s (TMA: charged to who started second)",
    "customer_interruptions": "times the customer started over the agent likewise",
    "agent_wpm": "agent words / minutes of the agent's own talk time (TMA: utterance time)",
    "customer_wpm": "customer words / minutes of the customer's own talk time",
    "agent_longest_monologue_s": "longest the agent spoke with no word by the customer, in seconds",
    "customer_longest_monologue_s": "longest the customer spoke with no word by the agent, in seconds",
    "agent_response_s": "median silence between the customer's end and the agent's reply, in seconds",
    "customer_response_s": "median silence between the agent's end and the customer's reply, in seconds",
    "agent_questions": "agent turns that ask something",
    "customer_questions": "customer turns that ask something",
    "first_word_s": "seconds to the first word of anyone",
    "greeting_s": "seconds to the agent's first greeting",
    "has_greeting": "1 when the agent greets in the first minute or first three turns, else 0",
    "has_closing": "1 when the agent closes (thanks, wishes well, says goodbye) near the end, else 0",
}


@dataclass(frozen=True, slots=True)
class SpeechInterval:
    """A stretch of one speaker's speech in seconds, and the turn in which it begins."""

    start_s: float
    end_s: float
    turn: int
    role: Role

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.end_s - self.start_s


TimeSpan = tuple[float, float]


def measure(
    transcript: Transcript,
    *,
    hold_spans: Sequence[TimeSpan] = (),
    redacted_spans: Sequence[TimeSpan] = (),
    greeting_turns: Sequence[int] = (),
    closing_turns: Sequence[int] = (),
) -> dict[str, float | None]:
    """Compute every metric of ``METRICS``.

    Args:
        transcript: With roles. Word times give exact values; without them turn times are used.
        hold_spans: Spans (start, end) of hold in seconds; they are not dead air.
        redacted_spans: Spans taken out for privacy; someone spoke there, so they are not dead air.
        greeting_turns: Numbers of the turns in which the agent greets.
        closing_turns: Numbers of the turns in which the agent closes the call.
    """
    spoken = [turn for turn in transcript.turns if turn.text.strip()]
    values: dict[str, float | None] = dict.fromkeys(METRICS)
    values["turn_count"] = float(len(spoken))
    knows_roles = any(turn.role in ("agent", "customer") for turn in spoken)
    if knows_roles:
        for role in ("agent", "customer"):
            texts = [turn.text for turn in spoken if turn.role == role]
            values[f"{role}_words"] = float(sum(map(count_words, texts)))
            values[f"{role}_questions"] = float(sum(map(is_question, texts)))
    values.update(_greeting_and_closing(spoken, greeting_turns, closing_turns, transcript.language))
    speech = intervals(transcript)
    duration_s = transcript.duration_s or max((i.end_s for i in speech), default=0.0)
    if transcript.medium != "voice" or duration_s <= 0:
        return values
    values["duration_s"] = duration_s
    values["turns_per_minute"] = 60 * len(spoken) / duration_s
    values.update(_silences(speech, duration_s, hold_spans, redacted_spans))
    if knows_roles:
        values.update(_talk(transcript, speech, duration_s))
        values.update(_responses(speech))
    if knows_roles and transcript.channels != 1:
        values.update(_overtalk(speech, duration_s))
    return values


def intervals(transcript: Transcript) -> list[SpeechInterval]:
    """The speech intervals of all roles in order of time; turns without times are left out.

    Writing has none: the times of messages tell when they were sent. Words of one role with a gap up to
    ``JOIN_GAP_S`` belong to one interval, across turns as well.
    """
    speech: list[SpeechInterval] = []
    if transcript.medium != "voice":
        return speech
    for role in sorted({turn.role for turn in transcript.turns}):
        pieces = sorted(_pieces(t for t in transcript.turns if t.role == role and t.text.strip()))
        joined: list[SpeechInterval] = []
        for start_s, end_s, turn in pieces:
            if joined and start_s - joined[-1].end_s <= JOIN_GAP_S:
                last = joined[-1]
                joined[-1] = SpeechInterval(last.start_s, max(last.end_s, end_s), last.turn, role)
            else:
                joined.append(SpeechInterval(start_s, end_s, turn, role))
        speech += joined
    return sorted(speech, key=lambda i: (i.start_s, i.end_s, i.turn))


def _pieces(turns: Iterable[Turn]) -> Iterable[tuple[float, float, int]]:
    """Times of words where they are valid, else of turns; a turn that ends before it starts has no length."""
    for turn in turns:
        valid = [word for word in turn.words if word.end_s >= word.start_s]
        if valid:
            for word in valid:
                yield word.start_s, word.end_s, turn.turn
        elif turn.start_s is not None:
            yield turn.start_s, max(turn.start_s, turn.end_s or turn.start_s), turn.turn


def gaps(speech: Sequence[SpeechInterval], duration_s: float) -> list[TimeSpan]:
    """The spans of the recording in which nobody speaks."""
    silences, at = [], 0.0
    for interval in speech:
        if interval.start_s > at:
            silences.append((at, interval.start_s))
        at = max(at, interval.end_s)
    return [*silences, (at, duration_s)] if duration_s > at else silences


def without(spans: Iterable[TimeSpan], taken: Iterable[TimeSpan]) -> list[TimeSpan]:
    """The parts of ``spans`` that no span of ``taken`` covers; ``spans`` are in order and do not overlap."""
    remaining: list[TimeSpan] = []
    coming = deque(sorted(taken))
    within: list[TimeSpan] = []
    for start_s, end_s in spans:
        while coming and coming[0][0] < end_s:
            within.append(coming.popleft())
        within = [(a, b) for a, b in within if b > start_s]
        at = start_s
        for a, b in within:
            if a > at:
                remaining.append((at, a))
            at = max(at, b)
        if end_s > at:
            remaining.append((at, end_s))
    return remaining


def dead_air(
    speech: Sequence[SpeechInterval],
    hold_spans: Sequence[TimeSpan] = (),
    redacted_spans: Sequence[TimeSpan] = (),
) -> list[TimeSpan]:
    """Silences over ``DEAD_AIR_S`` between the first and the last word, without hold and redacted spans."""
    if not speech:
        return []
    end_s = max(interval.end_s for interval in speech)
    inner = [gap for gap in gaps(speech, end_s) if gap[0] >= speech[0].start_s]
    quiet = without(inner, [*hold_spans, *redacted_spans])
    return [(a, b) for a, b in quiet if b - a > DEAD_AIR_S]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A span in which agent and customer both speak; ``second`` is the interval that started later."""

    start_s: float
    end_s: float
    second: SpeechInterval

    @property
    def is_overtalk(self) -> bool:
        """Whether it lasts longer than ``OVERTALK_S``."""
        return self.end_s - self.start_s > OVERTALK_S

    @property
    def is_interruption(self) -> bool:
        """Whether the second speaker went on talking, rather than saying only "uh huh"."""
        return self.second.length_s > BACKCHANNEL_S


def overlaps(speech: Sequence[SpeechInterval]) -> list[Overlap]:
    """All overlaps of agent and customer that last over ``OVERLAP_S``, in order of the agent's intervals."""
    found = []
    customer_speech = [i for i in speech if i.role == "customer"]
    low = 0
    for agent in (i for i in speech if i.role == "agent"):
        while low < len(customer_speech) and customer_speech[low].end_s <= agent.start_s:
            low += 1
        for customer in customer_speech[low:]:
            if customer.start_s >= agent.end_s:
                break
            start_s, end_s = max(agent.start_s, customer.start_s), min(agent.end_s, customer.end_s)
            if end_s - start_s > OVERLAP_S:
                found.append(Overlap(start_s, end_s, max(agent, customer, key=lambda i: i.start_s)))
    return found


ASKS = re.compile(
    r"^(?:(?:and|so|but|okay|ok|well|yeah|yes|hi|hello|sorry|now|then|oh|right|alright|sure|great|"
    rf"{one_of(FILLERS)})[,\s]+)*"
    r"(?:what|what's|when|where|where's|who|who's|whom|whose|why|how|how's|which|"
    r"(?:is|are|am|was|were|do|does|did|can|could|would|will|should|shall|may|might|have|has|had|isn't|"
    r"aren't|don't|doesn't|didn't|can't|couldn't|wouldn't|won't|haven't)\s+"
    r"(?:i|you|he|she|it|we|they|there|this|that|the|my|your|any|anyone|someone)|"
    r"any (?:other|chance|idea)|anything else|kya|kab|kahan|kaun|kyun|kaise|kitna|"
    r"کیا|کب|کہاں|کون|کیوں|کیسے|کتنا)\b",
    re.I,
)


def is_question(text: str) -> bool:
    """Whether a turn asks something: it has a question mark, or a sentence begins the way questions do."""
    if "?" in text or "؟" in text:
        return True
    return any(ASKS.match(part.strip()) for part in SENTENCE_END.split(text))


def _greeting_and_closing(
    spoken: Sequence[Turn], greeting: Sequence[int], closing: Sequence[int], declared: str | None
) -> dict[str, float | None]:
    """Whether the agent greets near the start and closes near the end, given the turns that do.

    None where the agent may do so in a language for which there are no phrase lists.
    """

    def said(turns: Sequence[Turn], those: Sequence[int]) -> float | None:
        agents = [turn for turn in turns if turn.role == "agent"]
        if any(turn.turn in those for turn in turns):
            return 1.0
        return None if any(language_of(turn, declared) not in LISTED for turn in agents) else 0.0

    if not any(turn.role == "agent" for turn in spoken):
        return {}
    early = [t for at, t in enumerate(spoken) if at < 3 or (t.start_s is not None and t.start_s <= 60.0)]
    first = next((turn for turn in early if turn.turn in greeting), None)
    return {
        "greeting_s": first.start_s if first is not None else None,
        "has_greeting": said(early, greeting),
        "has_closing": said(spoken[-6:], closing),
    }


def _talk(
    transcript: Transcript, speech: Sequence[SpeechInterval], duration_s: float
) -> dict[str, float | None]:
    values: dict[str, float | None] = {}
    talk = {role: sum(i.length_s for i in speech if i.role == role) for role in ("agent", "customer")}
    for role, seconds in talk.items():
        values[f"{role}_talk_s"] = seconds
        values[f"{role}_talk_share"] = seconds / duration_s
        words = sum(count_words(t.text) for t in transcript.turns if t.role == role)
        values[f"{role}_wpm"] = 60 * words / seconds if seconds >= MIN_WPM_S else None
        values[f"{role}_longest_monologue_s"] = _longest_monologue(speech, role)
    total = talk["agent"] + talk["customer"]
    values["agent_talk_ratio"] = talk["agent"] / total if total else None
    return values


def _longest_monologue(speech: Sequence[SpeechInterval], role: str) -> float:
    """Seconds of the longest run of one speaker's intervals, which the other side or dead air ends."""
    longest, start_s, end_s = 0.0, None, 0.0
    for interval in speech:
        if interval.role != role:
            start_s = None
            continue
        if start_s is None or interval.start_s - end_s > DEAD_AIR_S:
            start_s = interval.start_s
        end_s = max(end_s, interval.end_s)
        longest = max(longest, end_s - start_s)
    return longest


def _responses(speech: Sequence[SpeechInterval]) -> dict[str, float | None]:
    """Median gap in seconds when the speaker changes; a reply that overlaps counts as zero."""
    waits: dict[str, list[float]] = {"agent": [], "customer": []}
    for before, after in itertools.pairwise(speech):
        gap_s = max(0.0, after.start_s - before.end_s)
        if after.role != before.role and after.role in waits and gap_s <= RESPONSE_LIMIT_S:
            waits[after.role].append(gap_s)
    return {f"{role}_response_s": statistics.median(w) if w else None for role, w in waits.items()}


def _silences(
    speech: Sequence[SpeechInterval],
    duration_s: float,
    hold: Sequence[TimeSpan],
    redacted: Sequence[TimeSpan],
) -> dict[str, float | None]:
    quiet = without(gaps(speech, duration_s), [*hold, *redacted])
    dead = dead_air(speech, hold, redacted)
    silence_s = sum(b - a for a, b in quiet)
    return {
        "first_word_s": speech[0].start_s if speech else None,
        "silence_s": silence_s,
        "silence_ratio": silence_s / duration_s,
        "dead_air_count": float(len(dead)),
        "dead_air_s": sum(b - a for a, b in dead),
        "dead_air_longest_s": max((b - a for a, b in dead), default=0.0),
        "hold_count": float(len(hold)),
        "hold_s": sum(b - a for a, b in hold),
        "hold_longest_s": max((b - a for a, b in hold), default=0.0),
    }


def _overtalk(speech: Sequence[SpeechInterval], duration_s: float) -> dict[str, float | None]:
    found = overlaps(speech)
    overtalk_s = [overlap.end_s - overlap.start_s for overlap in found if overlap.is_overtalk]
    interrupters = [overlap.second.role for overlap in found if overlap.is_interruption]
    return {
        "overlap_count": float(len(found)),
        "overtalk_count": float(len(overtalk_s)),
        "overtalk_s": sum(overtalk_s),
        "overtalk_ratio": sum(overtalk_s) / duration_s,
        "agent_interruptions": float(interrupters.count("agent")),
        "customer_interruptions": float(interrupters.count("customer")),
    }
