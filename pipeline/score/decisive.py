"""What the answers of a call hang on: words that would answer otherwise if they were heard otherwise.

They are a match that counts by little, the nearest that does not count, and words that were hardly heard
where something decisive may have been said. Whether they speak for yes or for no does not matter: hearing
again must lean towards neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipeline.conversation import Answer, CallMetadata, Conversation, CriterionAnswer, Role
from pipeline.rubric.checks import (
    BaseCheck,
    ObligationCheck,
    PhraseCheck,
    RegexCheck,
    SentimentCheck,
    TokenCheck,
    Window,
    parts,
)
from pipeline.rubric.model import Criterion, Rubric
from pipeline.rubric.queries import Matcher
from pipeline.score.call import Call, plan_of
from pipeline.score.phrase_checks import bounds, find_words

NEARLY = 0.08
"""Strength from which the best candidate might count if its words were heard otherwise."""
FIRM = 0.8
"""Strength from which a match would count even if a word of it were heard otherwise."""
DOUBTFUL = 0.3
"""Confidence of a word below which another, or several, may have been said in its place."""
EDGE_S = 1.0
"""A word this far outside a window may, heard otherwise, begin or end inside."""

Said = tuple[Role, float, float]
"""Whose words, from second, to second."""


def words_that_decide(
    conversation: Conversation,
    metadata: CallMetadata,
    answered: Sequence[tuple[Rubric, Mapping[str, CriterionAnswer]]],
    *,
    min_confidence: float,
    matcher: Matcher,
) -> list[Said]:
    """The words that the answers of a call hang on, those first that more hangs on.

    Args:
        conversation: As annotated.
        metadata: Of the call.
        answered: Rubrics with all their answers.
        min_confidence: As in ``score``.
        matcher: As in ``score``.
    """
    found: dict[Said, float] = {}
    for rubric, answers in answered:
        call = Call(conversation, metadata, matcher, min_confidence, plan_of(rubric), answers)
        for criterion in rubric.criteria():
            for check in _deciding(criterion, answers[criterion.id].answer):
                if isinstance(check, PhraseCheck | RegexCheck | TokenCheck):
                    open_words = _open(call, check)
                elif isinstance(check, SentimentCheck):
                    open_words = _doubtful(call, check.role, None)
                else:
                    continue
                for said, apart in open_words:
                    found[said] = min(apart, found.get(said, apart))
    return sorted(found, key=lambda said: found[said])


def _deciding(criterion: Criterion, answer: Answer) -> Sequence[BaseCheck]:
    """The checks an answer hangs on; where it does not apply, those by which it might."""
    if answer != "na":
        return criterion.checks()
    triggers = [part.trigger for check in criterion.checks() for part in parts(check, ObligationCheck)]
    return [*triggers, *(parts(criterion.when, BaseCheck) if criterion.when else ())]


def _open(call: Call, check: PhraseCheck | RegexCheck | TokenCheck) -> Iterator[tuple[Said, float]]:
    """Words by which a check might come to count or not, each with how far it is from that."""
    heard = find_words(call, check)
    enough = check.at_least if check.negate or check.at_most is None else check.at_most + 1
    if heard.absent or sum(hit.evidence.strength >= FIRM for hit in heard.hits) >= enough:
        return
    threshold = check.threshold if isinstance(check, PhraseCheck) else 0.5
    nearest = max(heard.near, key=lambda hit: hit.evidence.strength, default=None)
    for hit in (*heard.hits, *([nearest] if nearest else [])):
        one = hit.evidence
        if NEARLY <= one.strength < FIRM and one.start_s is not None and one.end_s is not None:
            yield (one.role, one.start_s, one.end_s), abs(one.strength - threshold)
    yield from _doubtful(call, check.role, check.window)


def _doubtful(call: Call, role: str, window: Window | None) -> Iterator[tuple[Said, float]]:
    """Words that were hardly heard, where a check looks."""
    span, _, _ = bounds(call, window)
    for turn in call.timeline.turns:
        for word in turn.words if role in ("any", turn.role) else ():
            sure = 1.0 if word.confidence is None else word.confidence
            if sure < DOUBTFUL and span.low - EDGE_S <= word.start_s <= span.high + EDGE_S:
                yield (turn.role, word.start_s, word.end_s), 1 + sure  # after all that was found
