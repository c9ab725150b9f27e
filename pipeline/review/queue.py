"""Draws review queues from the store and records how each call was chosen."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import Conversation, SampledCall, Scorecard
from pipeline.review.sampling import Candidate, Pick, Precision, precision, random_sample, risk_queue
from pipeline.store import CallFilter, Store


@dataclass(frozen=True, slots=True)
class Queue:
    """Calls to review, with what the random part of them will be able to say."""

    sample_id: str
    picks: Sequence[Pick]
    precision: Sequence[Precision]
    population: int


def draw(
    store: Store, filters: CallFilter, *, per_week: int, risky: int, seed: int, now: dt.datetime
) -> Queue:
    """Draw a random sample per agent and week, and the riskiest calls beside it; record both.

    Args:
        store: Open for writing.
        filters: Calls that may be drawn.
        per_week: Random calls per agent and week; 0 for none.
        risky: Length of the risk-ranked queue; 0 for none.
        seed: Of the random draw.
        now: Time of the draw; part of its name.
    """
    candidates = _candidates(store, filters, with_words=risky > 0)
    random_picks = (
        random_sample([c.metadata for c in candidates], per_stratum=per_week, seed=seed) if per_week else []
    )
    risk_picks = risk_queue(candidates, limit=risky) if risky else []
    sample_id = f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{seed}"
    picks = [*random_picks, *risk_picks]
    store.save_sample([_recorded(pick, sample_id, seed, now) for pick in picks])
    bought = precision(random_picks, len(candidates)) if random_picks else []
    return Queue(sample_id, picks, bought, len(candidates))


def sampled_calls(store: Store, sample_id: str) -> tuple[str, ...]:
    """Ids of the calls of one recorded draw."""
    rows = store.query(
        "SELECT DISTINCT call_id FROM samples WHERE sample_id = ? ORDER BY call_id", [sample_id]
    )
    return tuple(row["call_id"] for row in rows)


def _candidates(store: Store, filters: CallFilter, *, with_words: bool) -> list[Candidate]:
    cards: dict[str, list[Scorecard]] = defaultdict(list)
    if with_words:
        for card in store.scorecards(filters):
            cards[card.call_id].append(card)
    # Words are dropped as soon as their signs are read: of a month of calls only turns' confidence is kept.
    return [
        Candidate(metadata, tuple(cards[metadata.call_id]), _light(conversation) if with_words else None)
        for metadata, conversation in store.conversations(filters)
    ]


def _light(conversation: Conversation) -> Conversation:
    transcript = conversation.transcript
    turns = tuple(replace(turn, text="", words=()) for turn in transcript.turns)
    return replace(conversation, transcript=replace(transcript, turns=turns))


def _recorded(pick: Pick, sample_id: str, seed: int, now: dt.datetime) -> SampledCall:
    return SampledCall(
        sample_id=sample_id,
        call_id=pick.call_id,
        method="random" if pick.method == "random" else "risk",
        stratum=pick.stratum,
        seed=seed if pick.method == "random" else None,
        probability=pick.probability,
        reason=pick.reason,
        created_at=now,
        extra={"risk": f"{pick.risk:g}"} if pick.risk else {},
    )
