"""Short conversations for tests: who says what, with times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pipeline.conversation import CallMetadata, CallRecord, Conversation, LedgerEntry, Transcript, Turn, Word


def turns(
    said: Iterable[tuple[str, str]], *, every_s: float | None = 5.0, last_s: float = 4.0, **more: Any
) -> tuple[Turn, ...]:
    """Turns of (role, text) that begin ``every_s`` seconds after each other; None: without times."""
    made = []
    for number, (role, text) in enumerate(said):
        times = (None, None) if every_s is None else (number * every_s, number * every_s + last_s)
        made.append(Turn(number, role, text, *times, **more))
    return tuple(made)


def word_by_word(
    *said: tuple[str, str], word_s: float = 0.4, gap_s: float = 0.5, language: str = "en"
) -> Transcript:
    """Turns of (role, text) on two channels with a gap between them; each word has its time."""
    made, at = [], 0.0
    for number, (role, text) in enumerate(said):
        words = tuple(Word(w, at + i * word_s, at + i * word_s + word_s) for i, w in enumerate(text.split()))
        end_s = at + word_s * len(words)
        made.append(Turn(number, role, text, at, end_s, words=words))
        at = end_s + gap_s
    return Transcript("c", tuple(made), duration_s=at, channels=2, language=language)


def exchange(name: str, lines: Iterable[str], **about: Any) -> CallRecord:
    """A stored call without a scorecard, in which agent and customer take turns."""
    said = turns([("customer" if i % 2 else "agent", line) for i, line in enumerate(lines)], confidence=0.9)
    conversation = Conversation(Transcript(name, said, "en", 5.0 * len(said), channels=2))
    entry = LedgerEntry(f"{name}.json", f"sha-{name}", name, "scored")
    return CallRecord(entry, CallMetadata(name, **about), conversation)
