"""Redact exports again, by the policy in force now.

Calls are redacted before they are stored. But a database may have been filled under a laxer policy, or by a
version that did not know a pattern yet; its exports must not leak either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline import privacy as private_data
from pipeline.calibrate import Calibration
from pipeline.conversation import CriterionAnswer, Evidence, Review, Scorecard, Transcript
from pipeline.export.selection import ExportedCall, with_words
from pipeline.privacy import languages
from pipeline.settings import PrivacySettings
from pipeline.word_times import TurnClock

NUMERIC = frozenset({"card", "cvv", "expiry", "pin"})
_NUMBER = (
    r"(?:\d+|\b(?:zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|\w+ty"
    r"|double|triple|treble|jan\w*|feb\w*|mar\w*|apr\w*|may|june?|july?|aug\w*|sep\w*|oct\w*|nov\w*|dec\w*"
    r")\b|[\u0600-\u06ff]+)"
)
SUSPICIOUS = re.compile(rf"(?i)\d{{3}}|{_NUMBER}\W+(?:\w+\W+){{0,2}}?{_NUMBER}")
"""Three digits, or two number words near each other; text without them holds nothing ``NUMERIC``."""


class Redactor:
    """Applies one privacy policy to everything that is exported."""

    def __init__(self, policy: PrivacySettings) -> None:
        self._policy = policy
        self._numeric_only = set(policy.redact) <= NUMERIC
        self.covers_with = policy.audio

    def spans(self, transcript: Transcript) -> list[tuple[float, float]] | None:
        """Spans (start, end) in seconds to silence in the recording; None when private data has no times.

        A turn without word times is covered as a whole: its text is already redacted, so the position of the
        private part cannot be estimated from its letters.
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

    def call(self, call: ExportedCall, *, words: bool = True) -> ExportedCall:
        """The call with transcript, findings, quotes and reasons redacted.

        Without ``words`` the transcript itself is not exported: tables show only quotes, and searching every
        word of ten thousand calls would take most of their time.
        """
        transcript = call.conversation.transcript
        redacted_turns: dict[int, str] = {}
        shown = [turn.text for turn in transcript.turns] if words else _quotes(call.scorecards)
        if transcript.language in languages.TABLES or self._may_be_private("\n".join(shown)):
            redacted, _ = private_data.redact(transcript, self._policy)
            pairs = zip(transcript.turns, redacted.turns, strict=True)
            redacted_turns = {new.turn: new.text for old, new in pairs if old.text != new.text}
            transcript = redacted
        findings = tuple(with_words(f, self.text) for f in call.conversation.findings)
        conversation = replace(call.conversation, transcript=transcript, findings=findings)
        cards = tuple(self._card(card, redacted_turns) for card in call.scorecards)
        extra = {name: self.text(str(value)) for name, value in call.metadata.extra.items()}
        metadata = replace(call.metadata, extra=extra)
        return replace(call, metadata=metadata, conversation=conversation, scorecards=cards)

    def review(self, review: Review) -> Review:
        """The review with its reason redacted."""
        return replace(review, reason=self.text(review.reason))

    def calibration(self, calibration: Calibration) -> Calibration:
        """The calibration with its advice redacted, because advice quotes callers."""
        return replace(
            calibration,
            criteria=[replace(row, advice=self.text(row.advice)) for row in calibration.criteria],
            reviewers=[replace(row, advice=self.text(row.advice)) for row in calibration.reviewers],
        )

    def text(self, text: str) -> str:
        """A single text, redacted without its context."""
        return private_data.redact_text(text, self._policy) if self._may_be_private(text) else text

    def _may_be_private(self, text: str) -> bool:
        """Whether the text may hold private data; real detection costs a hundred times as much."""
        return not self._numeric_only or SUSPICIOUS.search(text) is not None

    def _card(self, card: Scorecard, redacted_turns: Mapping[int, str]) -> Scorecard:
        return replace(
            card.with_answers(lambda answer: self._answer(answer, redacted_turns)),
            autofail_reasons=tuple(map(self.text, card.autofail_reasons)),
            review_reasons=tuple(map(self.text, card.review_reasons)),
        )

    def _answer(self, answer: CriterionAnswer, redacted_turns: Mapping[int, str]) -> CriterionAnswer:
        redacted = answer.with_evidence(lambda evidence: self._evidence(evidence, redacted_turns))
        return replace(redacted, reason=self.text(answer.reason))

    def _evidence(self, evidence: Evidence, redacted_turns: Mapping[int, str]) -> Evidence:
        """The evidence with its quote redacted, or replaced by its whole turn where that was redacted.

        A part of a number that runs over several turns looks harmless when it is read alone.
        """
        quote = self.text(evidence.quote)
        turn = redacted_turns.get(evidence.turn) if evidence.turn is not None else None
        if turn is not None and (self._may_be_private(quote) or quote not in turn):
            quote = turn
        return replace(evidence, quote=quote, rule=self.text(evidence.rule))


def _quotes(cards: Sequence[Scorecard]) -> list[str]:
    answers = [answer for card in cards for answer in card.answers]
    quotes = [evidence.quote for answer in answers for evidence in answer.evidence]
    return quotes + [answer.nearest.quote for answer in answers if answer.nearest]
