"""Private data on the way out: policy is applied again, whatever was in force when a call was stored.

Calls are redacted before they are stored; a database filled under a laxer policy, or before a pattern
was known, must still not leak through an export.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline import privacy as private_data
from pipeline.conversation import (
    CriterionAnswer,
    Evidence,
    Finding,
    Scorecard,
    SectionScore,
    Transcript,
    Turn,
)
from pipeline.export.selection import Call
from pipeline.settings import PrivacySettings

DIGITS = re.compile(
    r"\d|(?i:\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)\b)|[\u0660-\u06ff]"
)


class Redactor:
    """Applies one privacy policy to everything that leaves.

    Args:
        policy: ``redact`` lists the kinds of private data that must not be in an export.
    """

    def __init__(self, policy: PrivacySettings) -> None:
        self._policy = policy
        self.covers_with = policy.audio

    def spans(self, transcript: Transcript) -> list[tuple[float, float]] | None:
        """Seconds that must not be heard; None when something private has no times."""
        found = [s for s in private_data.find(transcript) if s.kind in self._policy.redact]
        timed = [(s.start_s, s.end_s) for s in found if s.start_s is not None and s.end_s is not None]
        return timed if len(timed) == len(found) else None

    def call(self, call: Call) -> Call:
        """The call without what policy forbids: words, findings, quotes and reasons."""
        if call.conversation is None:
            return replace(call, scorecards=tuple(self._card(card) for card in call.scorecards))
        conversation = call.conversation
        transcript = conversation.transcript
        if self._suspicious(transcript.turns):
            transcript, _ = private_data.redact(transcript, self._policy)
        conversation = replace(
            conversation,
            transcript=transcript,
            findings=tuple(self._finding(f) for f in conversation.findings),
        )
        return replace(
            call, conversation=conversation, scorecards=tuple(self._card(card) for card in call.scorecards)
        )

    def text(self, text: str) -> str:
        """One piece of text on its own."""
        if len(DIGITS.findall(text)) < 3:
            return text
        turn = Turn(turn=0, role="unknown", text=text)
        redacted, _ = private_data.redact(Transcript(call_id="", turns=(turn,)), self._policy)
        return redacted.turns[0].text

    def _suspicious(self, turns: Sequence[Turn]) -> bool:
        """Whether enough digits are said for a number worth hiding; looking properly costs far more."""
        return sum(len(DIGITS.findall(turn.text)) for turn in turns) >= 3

    def _finding(self, finding: Finding) -> Finding:
        return replace(finding, text=self.text(finding.text))

    def _card(self, card: Scorecard) -> Scorecard:
        return replace(card, sections=tuple(self._section(section) for section in card.sections))

    def _section(self, section: SectionScore) -> SectionScore:
        return replace(section, criteria=tuple(self._answer(answer) for answer in section.criteria))

    def _answer(self, answer: CriterionAnswer) -> CriterionAnswer:
        return replace(
            answer,
            evidence=tuple(self._evidence(e) for e in answer.evidence),
            nearest=self._evidence(answer.nearest) if answer.nearest else None,
            reason=self.text(answer.reason),
        )

    def _evidence(self, evidence: Evidence) -> Evidence:
        return replace(evidence, quote=self.text(evidence.quote), rule=self.text(evidence.rule))
