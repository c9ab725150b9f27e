"""Choose calls for people to check: a random sample for rates, a risk-ranked queue for rare failures.

The two are kept apart because only the random sample shows how often something happens: there every call had
a known probability of being drawn. ``draw`` makes both and records in the store how each call was chosen.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.confidence_intervals import margin_of
from pipeline.conversation import CallMetadata, Conversation, Review, SampledCall, Scorecard
from pipeline.store import CallFilter, Store

DECISIONS = ("upheld", "overturned")
"""The states of a review that end a dispute."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One chosen call and how it was chosen.

    Attributes:
        method: Drawn at random, or taken from the top of the risk queue.
        stratum: Agent and week it was drawn from; "" for the risk queue.
        probability: Probability that the call was drawn, 0..1; None for the risk queue.
        risk: Points that rank it in the risk queue; 0 for random picks.
    """

    call_id: str
    method: Literal["random", "risk"]
    stratum: str
    probability: float | None
    reason: str
    risk: float = 0.0


@dataclass(frozen=True, slots=True)
class RatePrecision:
    """How exactly a sample shows a rate: ``margin`` is the half width of its 95 % interval near one half."""

    group: str
    sampled: int
    population: int
    margin: float | None


@dataclass(frozen=True, slots=True)
class ReviewQueue:
    """The calls to review, and how exactly the random ones will show a rate.

    ``reviewed`` is how many calls are not in the risk queue because people have answered them already.
    """

    sample_id: str
    picks: Sequence[Pick]
    precision: Sequence[RatePrecision]
    reviewed: int = 0


def draw(
    store: Store, filters: CallFilter, *, per_week: int, risky: int, seed: int, now: dt.datetime
) -> ReviewQueue:
    """Draw a random sample per agent and week, add the riskiest calls, and record both in the store.

    ``per_week`` is the number of random calls per agent and week, ``risky`` the length of the risk queue.
    """
    cards: dict[str, list[Scorecard]] = defaultdict(list)
    for card in store.scorecards(filters) if risky else ():
        cards[card.call_id].append(card)
    reviews: dict[str, list[Review]] = defaultdict(list)
    for review in store.reviews(filters) if risky else ():
        reviews[review.call_id].append(review)
    ids = rubric_ids(store)
    calls, risks, reviewed = [], [], 0
    for metadata, conversation in store.conversations(filters):
        calls.append(metadata)
        call_id = metadata.call_id
        disputes = open_disputes(reviews[call_id], ids).values()
        if risky and (pick := _risk(call_id, cards[call_id], disputes, conversation)).risk:
            if not disputes and _is_reviewed(cards[call_id], reviews[call_id]):
                reviewed += 1
            else:
                risks.append(pick)
    drawn = random_sample(calls, per_stratum=per_week, seed=seed) if per_week else []
    picks = [*drawn, *sorted(risks, key=lambda pick: (-pick.risk, pick.call_id))[:risky]]
    sample_id = f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{seed}"
    while sampled_calls(store, sample_id):  # drawn within the same second
        sample_id += "b"
    store.save_sample([_recorded(pick, sample_id, seed, now) for pick in picks])
    return ReviewQueue(sample_id, picks, precision(drawn, len(calls)) if drawn else [], reviewed)


def _recorded(pick: Pick, sample_id: str, seed: int, now: dt.datetime) -> SampledCall:
    return SampledCall(
        sample_id=sample_id,
        call_id=pick.call_id,
        method=pick.method,
        stratum=pick.stratum,
        seed=seed if pick.method == "random" else None,
        probability=pick.probability,
        reason=pick.reason,
        created_at=now,
        extra={"risk": f"{pick.risk:g}"} if pick.risk else {},
    )


def sampled_calls(store: Store, sample_id: str) -> tuple[str, ...]:
    """Ids of the calls of one recorded sample."""
    sql = "SELECT DISTINCT call_id FROM samples WHERE sample_id = ? ORDER BY call_id"
    return tuple(row["call_id"] for row in store.query(sql, [sample_id]))


def stratum_of(metadata: CallMetadata) -> str:
    """Agent with client, and ISO week in the site's time zone, e.g. ``a-101 (acme) 2026-W47``."""
    agent = metadata.agent_id or metadata.agent_name or "unknown agent"
    if metadata.client:  # two clients may use the same ids
        agent = f"{agent} ({metadata.client})"
    local = metadata.started_local
    return f"{agent} {local:%G-W%V}" if local else f"{agent} undated"


def random_sample(calls: Iterable[CallMetadata], *, per_stratum: int, seed: int) -> list[Pick]:
    """Draw ``per_stratum`` calls of every agent and week, each call of a stratum with equal probability.

    The draw of a stratum depends only on the seed and on that stratum's calls, so next week's calls do not
    change what was drawn before. The same seed and calls give the same sample.
    """
    strata: dict[str, list[str]] = defaultdict(list)
    for metadata in calls:
        strata[stratum_of(metadata)].append(metadata.call_id)
    picks = []
    for stratum, ids in sorted(strata.items()):
        count = min(per_stratum, len(ids))
        stratum_seed = hashlib.sha256(f"{seed} {stratum}".encode("utf-8", "replace")).digest()
        drawn = random.Random(stratum_seed).sample(sorted(ids), count)  # noqa: S311
        reason = f"random: {count} of {len(ids)} calls of {stratum}"
        picks += [Pick(call_id, "random", stratum, count / len(ids), reason) for call_id in sorted(drawn)]
    return picks


def precision(picks: Sequence[Pick], population: int) -> list[RatePrecision]:
    """Precision of the whole sample of ``population`` calls, then of each agent's part of it."""
    agents: dict[str, list[Pick]] = defaultdict(list)
    for pick in picks:
        agents[pick.stratum.rsplit(" ", 1)[0]].append(pick)
    rows = [RatePrecision("all calls", len(picks), population, margin_of(len(picks), population))]
    for agent, drawn in sorted(agents.items()):
        calls = round(sum(1 / pick.probability for pick in drawn if pick.probability))
        rows.append(RatePrecision(agent, len(drawn), calls, margin_of(len(drawn), calls)))
    return rows


# Points that each sign of risk adds. The more it costs to miss a sign, the more points it has: most for a
# dispute that waits for its decision, a wrongly failed call or a missed disclosure, least for moods. Points
# rank calls; they are no probability.
RISK_POINTS = {
    "disputed": 60,
    "autofail": 50,
    "undetermined": 12,
    "low_confidence": 15,
    "legal": 30,
    "churn": 20,
    "other_risk": 10,
    "collapse": 15,
    "near_mark": 18,
}
LEGAL = {"legal", "legal_threat", "regulator", "complaint", "vulnerable", "vulnerability"}
WEAK_CONFIDENCE = 0.55
COLLAPSE = -0.6
NEAR_POINTS = 5.0


def _risk(
    call_id: str, cards: Sequence[Scorecard], disputes: Iterable[Review], conversation: Conversation
) -> Pick:
    """A call with its signs of risk, gravest first; without any its ``risk`` is 0."""
    waiting = (f"disputed by {review.reviewer}: not decided yet" for review in disputes)
    signs = [(RISK_POINTS["disputed"], why) for why in waiting]
    signs += [*_card_signs(cards), *_conversation_signs(conversation)]
    reason = "; ".join(why for _, why in sorted(signs, key=lambda s: -s[0]))
    return Pick(call_id, "risk", "", None, reason, float(sum(points for points, _ in signs)))


def rubric_ids(store: Store) -> dict[str, str]:
    """The rubric's id of every text that calls were scored with, by the text's hash."""
    rows = store.query("SELECT DISTINCT rubric_hash, rubric_id FROM scorecards")
    return {row["rubric_hash"]: row["rubric_id"] for row in rows}


def open_disputes(reviews: Sequence[Review], ids: Mapping[str, str]) -> dict[str, Review]:
    """A call's newest dispute of each rubric that nobody decided since, by the rubric's id.

    ``reviews`` come oldest first. A dispute also waits where the call was scored again under a newer text,
    and may be decided there; ``ids`` has the rubric's id of each text.
    """
    waiting: dict[str, Review] = {}
    for review in reviews:
        rubric = ids.get(review.rubric_hash, review.rubric_hash)
        if review.state == "disputed":
            waiting[rubric] = review
        elif review.state in DECISIONS:
            waiting.pop(rubric, None)
    return waiting


def _is_reviewed(cards: Sequence[Scorecard], reviews: Sequence[Review]) -> bool:
    """Whether people have answered each scorecard of a call, or decided it."""
    answered = {r.rubric_hash for r in reviews if r.human_answer or r.state in DECISIONS}
    return bool(cards) and {card.rubric.hash for card in cards} <= answered


def _card_signs(cards: Sequence[Scorecard]) -> Iterator[tuple[int, str]]:
    for card in cards:
        unsure = [a.id for a in card.answers if a.answer == "undetermined"]
        if unsure:
            yield RISK_POINTS["undetermined"] * min(len(unsure), 3), f"undetermined: {', '.join(unsure[:5])}"
        score, mark = card.final_score, card.pass_mark
        if card.autofail_reasons:
            yield RISK_POINTS["autofail"], f"auto-fail: {', '.join(card.autofail_reasons)}"
        elif score is not None and mark is not None and abs(score - mark) <= NEAR_POINTS:
            near = f"score {score:.1f} is within {NEAR_POINTS:g} of the pass mark {mark:g}"
            yield RISK_POINTS["near_mark"], near


def _conversation_signs(conversation: Conversation) -> Iterator[tuple[int, str]]:
    known = [t.confidence for t in conversation.transcript.turns if t.confidence is not None]
    if known and (mean := sum(known) / len(known)) < WEAK_CONFIDENCE:
        yield RISK_POINTS["low_confidence"], f"speech was recognised weakly ({mean:.2f})"
    risks = {f.label for f in conversation.findings if f.kind == "risk"}
    legal, churn = risks & LEGAL, {label for label in risks if label.startswith("churn")}
    for kind, labels in (("legal", legal), ("churn", churn), ("other_risk", risks - legal - churn)):
        if labels:
            yield RISK_POINTS[kind], f"heard: {', '.join(sorted(labels)).replace('_', ' ')}"
    customer = conversation.sentiment.get("customer")
    if customer and customer.change is not None and customer.change <= COLLAPSE:
        yield RISK_POINTS["collapse"], f"the customer's mood fell by {-customer.change:.1f}"
