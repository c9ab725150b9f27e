"""Private data on the way out: policy is applied again, whatever was in force when a call was stored.

Calls are redacted before they are stored; a database filled under a laxer policy, or before a pattern
was known, must still not leak through an export.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline import privacy as private_data
from pipeline.calibrate import Calibration
from pipeline.conversation import CriterionAnswer, Evidence, Review, Scorecard, Transcript, Turn
from pipeline.export.selection import Call, with_words
from pipeline.settings import PrivacySettings
from pipeline.word_times import TurnClock

NUMERIC = frozenset({"card", "cvv", "expiry", "pin"})
_NUMBER = (
    r"(?:\d+|\b(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty"
    r"|double|triple|treble|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*"
    r")\b|[\u0600-\u06ff]+)"
)
SUSPICIOUS = re.compile(rf"(?i)\d{{3}}|{_NUMBER}\W+(?:\w+\W+){{0,2}}?{_NUMBER}")
"""Two number words near each other, or three digits: else nothing of the ``NUMERIC`` kinds is there."""


class Redactor:
    """Applies one privacy policy to everything that leaves.

    Args:
        policy: ``redact`` lists the kinds of private data that must not be in an export.
    """

    def __init__(self, policy: PrivacySettings) -> None:
        self._policy = policy
        self._numeric_only = set(policy.redact) <= NUMERIC
        self.covers_with = policy.audio

    def spans(self, transcript: Transcript) -> list[tuple[float, float]] | None:
        """Seconds that must not be heard; None when something private has no times.

        Where a turn has no word times all of it is covered: its text is redacted, so that where in it
        the private part was said can no longer be told from its letters.
        """
        timed = []
        for span in private_data.find(transcript):
            if span.kind in self._policy.redact:
                turn = transcript.turns[span.turn]
                exact = TurnClock(turn).places
                start_s, end_s = (span.start_s, span.end_s) if exact else (turn.start_s, turn.end_s)
                if start_s is None or end_s is None:
                    return None
                timed.append((start_s, end_s))
        return timed

    def call(self, call: Call, *, words: bool = True) -> Call:
        """The call without what policy forbids: words, findings, quotes and reasons.

        Args:
            call: As stored.
            words: Whether the transcript itself leaves; tables show quotes only, and looking through
                every word of ten thousand calls would take most of their time.
        """
        transcript = call.conversation.transcript
        safe: dict[int, str] = {}
        shown = [turn.text for turn in transcript.turns] if words else _quotes(call.scorecards)
        if self._may_be_private("\n".join(shown)):
            redacted, _ = private_data.redact(transcript, self._policy)
            pairs = zip(transcript.turns, redacted.turns, strict=True)
            safe = {new.turn: new.text for old, new in pairs if old.text != new.text}
            transcript = redacted
        findings = tuple(with_words(f, self.text) for f in call.conversation.findings)
        conversation = replace(call.conversation, transcript=transcript, findings=findings)
        cards = tuple(self._card(card, safe) for card in call.scorecards)
        extra = {name: self.text(str(value)) for name, value in call.metadata.extra.items()}
        metadata = replace(call.metadata, extra=extra)
        return replace(call, metadata=metadata, conversation=conversation, scorecards=cards)

    def review(self, review: Review) -> Review:
        """What a person wrote, without what policy forbids."""
        return replace(review, reason=self.text(review.reason))

    def calibration(self, found: Calibration) -> Calibration:
        """Figures whose advice quotes callers, without what policy forbids."""
        return replace(
            found,
            criteria=[replace(row, advice=self.text(row.advice)) for row in found.criteria],
            reviewers=[replace(row, advice=self.text(row.advice)) for row in found.reviewers],
        )

    def text(self, text: str) -> str:
        """One piece of text on its own."""
        if not self._may_be_private(text):
            return text
        turn = Turn(turn=0, role="unknown", text=text)
        redacted, _ = private_data.redact(Transcript(call_id="", turns=(turn,)), self._policy)
        return redacted.turns[0].text

    def _may_be_private(self, text: str) -> bool:
        """Whether it is worth looking properly, which costs a hundred times as much."""
        return not self._numeric_only or SUSPICIOUS.search(text) is not None

    def _card(self, card: Scorecard, safe: Mapping[int, str]) -> Scorecard:
        return replace(
            card.with_answers(lambda answer: self._answer(answer, safe)),
            autofail_reasons=tuple(map(self.text, card.autofail_reasons)),
            review_reasons=tuple(map(self.text, card.review_reasons)),
        )

    def _answer(self, answer: CriterionAnswer, safe: Mapping[int, str]) -> CriterionAnswer:
        redacted = answer.with_evidence(lambda evidence: self._evidence(evidence, safe))
        return replace(redacted, reason=self.text(answer.reason))

    def _evidence(self, evidence: Evidence, safe: Mapping[int, str]) -> Evidence:
        """A quote on its own; where its turn held something private, the turn as it may be read.

        Part of a number that runs over several turns is harmless-looking alone.
        """
        quote = self.text(evidence.quote)
        if evidence.turn is not None and evidence.turn in safe and self._may_be_private(quote):
            quote = safe[evidence.turn]
        return replace(evidence, quote=quote, rule=self.text(evidence.rule))


def _quotes(cards: Sequence[Scorecard]) -> list[str]:
    answers = [answer for card in cards for answer in card.answers]
    found = [evidence.quote for answer in answers for evidence in answer.evidence]
    return found + [answer.nearest.quote for answer in answers if answer.nearest]
