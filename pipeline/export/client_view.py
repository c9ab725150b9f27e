"""The client-safe view: one client's calls with the agents' names hidden, also where they say them.

An outsourcer's client may see how its calls were handled, not whom to blame.
"""

from __future__ import annotations

import re
from dataclasses import replace

from pipeline.conversation import CriterionAnswer, Finding, Scorecard, Turn
from pipeline.export.selection import Call

INTRODUCED = re.compile(r"(?i)\b(my name(?: is|'s|’s)|(?:speaking|chatting) (?:with|to)) +(?!\[)[^\W\d_]+")
"""Agents use names on the telephone that the records do not know."""


class ClientView:
    """Gives every agent a number, the same in all calls of one export, and takes the names out."""

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def of(self, call: Call) -> Call:
        """The call as the client may see it."""
        meta = call.metadata
        alias = self._alias(meta.agent_id or meta.agent_name)
        names = _names(meta.agent_name, meta.agent_id)
        hidden = replace(
            meta, agent_id=alias, agent_name=alias, team=None, site=None, customer_ref=None, extra={}
        )
        conversation = call.conversation
        if conversation is not None:
            transcript = conversation.transcript
            turns = tuple(_turn(t, names) for t in transcript.turns)
            conversation = replace(
                conversation,
                transcript=replace(transcript, turns=turns, warnings=(), doubts=()),
                findings=tuple(_finding(f, names) for f in conversation.findings),
                warnings=(),
            )
        cards = tuple(_card(card, names) for card in call.scorecards)
        # No recording: the agent's name is heard in it, and may stand in its file name.
        return replace(call, metadata=hidden, conversation=conversation, scorecards=cards, recording=None)

    def _alias(self, agent: str | None) -> str | None:
        if agent is None:
            return None
        return self._numbers.setdefault(agent, f"Agent {len(self._numbers) + 1}")


def _names(*names: str | None) -> re.Pattern[str] | None:
    """Any part of the agent's name (or the id) as a whole word; initials would hide too much."""
    parts = {part for name in names if name for part in (name, *re.split(r"[\s,]+", name)) if len(part) > 2}
    if not parts:
        return None
    return re.compile(r"(?i)\b(" + "|".join(map(re.escape, sorted(parts, key=len, reverse=True))) + r")\b")


def _hide(text: str, names: re.Pattern[str] | None) -> str:
    named = names.sub("[AGENT]", text) if names else text
    return INTRODUCED.sub(r"\1 [AGENT]", named)


def _turn(turn: Turn, names: re.Pattern[str] | None) -> Turn:
    words = tuple(replace(word, text=_hide(word.text, names)) for word in turn.words)
    return replace(turn, text=_hide(turn.text, names), words=words)


def _finding(finding: Finding, names: re.Pattern[str] | None) -> Finding:
    value = _hide(finding.value, names) if isinstance(finding.value, str) else finding.value
    return replace(finding, text=_hide(finding.text, names), value=value)


def _card(card: Scorecard, names: re.Pattern[str] | None) -> Scorecard:
    return card.with_answers(lambda answer: _answer(answer, names))


def _answer(answer: CriterionAnswer, names: re.Pattern[str] | None) -> CriterionAnswer:
    hidden = answer.with_evidence(lambda evidence: replace(evidence, quote=_hide(evidence.quote, names)))
    return replace(hidden, reason=_hide(answer.reason, names))
