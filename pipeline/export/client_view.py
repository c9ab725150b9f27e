"""The client-safe view: one client's calls with agents' names hidden, also where they are spoken.

An outsourcer's client may see how its calls were handled, but not by which agent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pipeline.conversation import CriterionAnswer, Turn
from pipeline.export.selection import Call, with_words
from pipeline.word_times import TurnClock

INTRODUCED = re.compile(
    r"(?i)\b(?P<by>my name(?: is|'s|’s)|(?:speaking|chatting) (?:with|to)) +(?P<name>(?!\[)[^\W\d_]+)"
)
"""A name after words of introduction; agents use names on the telephone that the metadata does not have."""
Hide = Callable[[str], str]


class ClientView:
    """Replaces agents' names; each agent has the same number in all calls of one export."""

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def of(self, call: Call) -> Call:
        """The call as the client may see it."""
        meta, transcript = call.metadata, call.conversation.transcript
        alias = self._alias(meta.agent_id or meta.agent_name)
        hide = _hiding(meta.agent_name, meta.agent_id)
        hidden = replace(
            meta, agent_id=alias, agent_name=alias, team=None, site=None, customer_ref=None, extra={}
        )
        turns = tuple(_turn(turn, hide) for turn in transcript.turns)
        conversation = replace(
            call.conversation,
            transcript=replace(transcript, turns=turns, warnings=(), doubts=()),
            findings=tuple(with_words(finding, hide) for finding in call.conversation.findings),
            warnings=(),
        )
        cards = tuple(card.with_answers(lambda a: _answer(a, hide)) for card in call.scorecards)
        # No recording: the agent's name can be heard in it and may be part of its file name.
        return replace(call, metadata=hidden, conversation=conversation, scorecards=cards, recording=None)

    def _alias(self, agent: str | None) -> str | None:
        if agent is None:
            return None
        return self._numbers.setdefault(agent, f"Agent {len(self._numbers) + 1}")


def _hiding(*names: str | None) -> Hide:
    """A function that hides the names and their parts as whole words; initials would hide too much."""
    parts = {part for name in names if name for part in (name, *re.split(r"[\s,]+", name)) if len(part) > 2}
    longest_first = map(re.escape, sorted(parts, key=len, reverse=True))
    named = re.compile(r"(?i)\b(" + "|".join(longest_first) + r")\b") if parts else None

    def hide(text: str) -> str:
        return INTRODUCED.sub(r"\g<by> [AGENT]", named.sub("[AGENT]", text) if named else text)

    return hide


def _turn(turn: Turn, hide: Hide) -> Turn:
    """The turn with names hidden, in its words too, which do not say by themselves that they are a name."""
    introduced = [match.span("name") for match in INTRODUCED.finditer(turn.text)]
    places = TurnClock(turn).places
    if places is None:
        words = () if introduced else tuple(replace(word, text=hide(word.text)) for word in turn.words)
    else:
        is_name = [any(a < end and start < b for start, end in introduced) for a, b in places]
        words = tuple(
            replace(word, text="[AGENT]" if name else hide(word.text))
            for word, name in zip(turn.words, is_name, strict=True)
        )
    return replace(turn, text=hide(turn.text), words=words)


def _answer(answer: CriterionAnswer, hide: Hide) -> CriterionAnswer:
    hidden = answer.with_evidence(lambda evidence: replace(evidence, quote=hide(evidence.quote)))
    return replace(hidden, reason=hide(answer.reason))
