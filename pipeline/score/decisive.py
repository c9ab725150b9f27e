"""Finds the words that decide the answers of a call, which are worth recognising a second time.

They are matches that barely count, the nearest candidate that does not count, and words of low confidence
where a check searches. Whether they speak for yes or for no does not matter, so that recognising them again
favours neither answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.conversation import Answer, CallMetadata, Conversation, CriterionAnswer, RoleSpan
from pipeline.rubric import checks as kinds
from pipeline.rubric.checks import Window, parts
from pipeline.rubric.model import Criterion, Rubric
from pipeline.rubric.queries import Matcher
from pipeline.score.call import Call, plan_of
from pipeline.score.phrase_checks import bounds, find_words

MIGHT_COUNT = 0.08
"""Strength from which the best candidate might count if its words were recognised differently."""
FIRM = 0.8
"""Strength from which a match would count even if one of its words were recognised differently."""
DOUBTFUL = 0.3
"""Confidence below which one or more other words may have been said instead."""
EDGE_S = 1.0
"""How far outside a window a word may be and still, if recognised again, begin or end inside it."""


def words_that_decide(
    conversation: Conversation,
    metadata: CallMetadata,
    answered: Sequence[tuple[Rubric, Mapping[str, CriterionAnswer]]],
    *,
    min_confidence: float,
    matcher: Matcher,
) -> list[RoleSpan]:
    """The words that decide the answers of a call; those closest to changing an answer come first.

    ``answered`` has rubrics with all their answers for the call; the rest is as in ``score``.
    """
    distances: dict[RoleSpan, float] = {}
    for rubric, answers in answered:
        call = Call(conversation, metadata, matcher, min_confidence, plan_of(rubric), dict(answers))
        for criterion in rubric.criteria():
            for check in _deciding(criterion, answers[criterion.id].answer):
                if isinstance(check, kinds.WordCheck):
                    words = _undecided(call, check)
                elif isinstance(check, kinds.SentimentCheck):
                    words = _doubtful(call, check.role, None)
                else:
                    continue
                for spoken, distance in words:
                    distances[spoken] = min(distance, distances.get(spoken, distance))
    return sorted(distances, key=lambda spoken: distances[spoken])


def _deciding(criterion: Criterion, answer: Answer) -> Sequence[kinds.BaseCheck]:
    """The checks that decide an answer; for "na" those that could make the criterion apply."""
    if answer != "na":
        return criterion.checks()
    triggers = [part.trigger for check in criterion.checks() for part in parts(check, kinds.ObligationCheck)]
    return [*triggers, *(parts(criterion.when, kinds.BaseCheck) if criterion.when else ())]


def _undecided(call: Call, check: kinds.WordCheck) -> Iterator[tuple[RoleSpan, float]]:
    """Words that could change whether a check is met, each with how far its strength is from that."""
    heard = find_words(call, check)
    enough = check.at_least if check.negate or check.at_most is None else check.at_most + 1
    if heard.absent or sum(hit.evidence.strength >= FIRM for hit in heard.hits) >= enough:
        return
    threshold = check.threshold if isinstance(check, kinds.PhraseCheck) else 0.5
    nearest = max(heard.near, key=lambda hit: hit.evidence.strength, default=None)
    for hit in (*heard.hits, *([nearest] if nearest else [])):
        one = hit.evidence
        if MIGHT_COUNT <= one.strength < FIRM and one.start_s is not None and one.end_s is not None:
            yield (one.role, one.start_s, one.end_s), abs(one.strength - threshold)
    yield from _doubtful(call, check.role, check.window)


def _doubtful(call: Call, role: str, window: Window | None) -> Iterator[tuple[RoleSpan, float]]:
    """Words of low confidence where a check searches, each with a distance above that of any match."""
    span, _, _ = bounds(call, window)
    for turn in call.timeline.turns:
        for word in turn.words if role in ("any", turn.role) else ():
            sure = 1.0 if word.confidence is None else word.confidence
            if sure < DOUBTFUL and span.low - EDGE_S <= word.start_s <= span.high + EDGE_S:
                yield (turn.role, word.start_s, word.end_s), 1 + sure
