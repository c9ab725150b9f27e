"""Stored calls under another rubric: no audio, no recogniser; old scores stay, flips are told.

Reads conversations from the store a window at a time, scores them, saves each window in one
transaction. A call scored before under the same rubric id is compared with its newest scorecard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline import score
from pipeline.conversation import CriterionAnswer, Scorecard
from pipeline.rubric import Rubric, why_not
from pipeline.rubric.queries import Matcher
from pipeline.store import CallFilter, Store

WINDOW = 200


@dataclass(frozen=True, slots=True)
class Rescored:
    """One call under the new rubric, beside its newest score under the old text of the same rubric.

    Attributes:
        before: The scorecard it had, None for its first.
        after: The new scorecard.
        changes: Criteria answered otherwise than before, with the reason.
    """

    call_id: str
    before: Scorecard | None
    after: Scorecard
    changes: tuple[str, ...]

    @property
    def flipped(self) -> bool:
        """Whether the outcome is another."""
        return self.before is not None and self.before.outcome != self.after.outcome


def rescore(
    store: Store,
    rubric: Rubric,
    matcher: Matcher,
    *,
    min_confidence: float,
    calls: CallFilter | None = None,
    everything: bool = False,
) -> Iterator[Rescored]:
    """Score stored calls and keep the results; yields as windows are saved.

    Args:
        store: Open for writing.
        rubric: The new rubric.
        matcher: Finds phrases.
        min_confidence: As in scoring.
        calls: Which calls; all by default.
        everything: Also calls the rubric does not apply to.

    Raises:
        StoreError: The database refuses; the windows before are kept.
    """
    stored = store.conversations(calls or CallFilter())
    while window := list(islice(stored, WINDOW)):
        chosen = [
            (metadata, conversation)
            for metadata, conversation in window
            if everything
            or not why_not(
                rubric,
                metadata,
                duration_s=conversation.transcript.duration_s,
                language=conversation.transcript.language,
            )
        ]
        if not chosen:
            continue
        score.prepare([c for _, c in chosen], rubric, matcher)
        cards = [
            score.score(conversation, rubric, metadata, min_confidence=min_confidence, matcher=matcher)
            for metadata, conversation in chosen
        ]
        ids = tuple(card.call_id for card in cards)
        earlier = {c.call_id: c for c in store.scorecards(CallFilter(call_ids=ids, rubric=rubric.id))}
        store.save_scorecards(cards, [rubric])
        for card in cards:
            before = earlier.get(card.call_id)
            yield Rescored(card.call_id, before, card, _changes(before, card) if before else ())


def _changes(before: Scorecard, after: Scorecard) -> tuple[str, ...]:
    """Criteria whose answer is another, those that decide the outcome first."""
    old = {a.id: a for s in before.sections for a in s.criteria}
    changed = [
        (a, old.get(a.id)) for s in after.sections for a in s.criteria if _answer(old.get(a.id)) != a.answer
    ]
    changed.sort(key=lambda pair: (not pair[0].critical, -pair[0].weight))
    told = [f"{a.id}: {_answer(b)} → {a.answer}" + (f" ({a.reason})" if a.reason else "") for a, b in changed]
    gone = sorted(set(old) - {a.id for s in after.sections for a in s.criteria})
    told += [f"{name}: no longer asked" for name in gone]
    if not told and before.final_score != after.final_score:
        told.append("same answers, other weights")
    if not told and before.pass_mark != after.pass_mark:
        told.append(f"pass mark {before.pass_mark} → {after.pass_mark}")
    return tuple(told)


def _answer(answer: CriterionAnswer | None) -> str:
    return "not asked" if answer is None else answer.answer
