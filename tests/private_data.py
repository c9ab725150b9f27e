"""Recall and precision of private-data detection on ``tests/data/private_spoken.jsonl``.

A thing counts as found when every character of it is covered by spans of its own kind; a span is
right when it touches something private of its kind. Used by ``bench/understanding.py`` and a test.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from pipeline import privacy
from pipeline.conversation import Transcript, Turn

DATA = Path(__file__).parent / "data"
SPOKEN = DATA / "private_spoken.jsonl"
BLIND = DATA / "private_blind.jsonl"


@dataclass
class Tally:
    """Counts by kind, and what went wrong."""

    true: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    claimed: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)
    mistakes: list[str] = field(default_factory=list)

    def recall(self, kind: str | None = None) -> float:
        """Of one kind, or of all."""
        if kind:
            return self.found[kind] / max(1, self.true[kind])
        return self.found.total() / max(1, self.true.total())

    def precision(self) -> float:
        """Of all kinds."""
        return self.right.total() / max(1, self.claimed.total())


def measure(path: Path = SPOKEN) -> Tally:
    """Run detection over a whole set."""
    tally = Tally()
    for line in path.read_text("utf-8").splitlines():
        item = json.loads(line)
        turns = tuple(Turn(i, role, text) for i, (role, text) in enumerate(item["turns"]))
        spans = privacy.find(Transcript("bench", turns, language=item.get("language", "en")))
        truth = []
        for turn, kind, text in item["private"]:
            start = turns[turn].text.index(text)
            truth.append((turn, kind, start, start + len(text)))
        for turn, kind, start, end in truth:
            tally.true[kind] += 1
            covered = {c for s in spans if s.turn == turn and s.kind == kind for c in range(s.start, s.end)}
            if all(c in covered for c in range(start, end)):
                tally.found[kind] += 1
            else:
                said = [(s.kind, turns[s.turn].text[s.start : s.end]) for s in spans]
                tally.mistakes.append(
                    f"missed {kind}: {turns[turn].text[start:end]!r} in {item['turns']} got {said}"
                )
        for span in spans:
            tally.claimed[span.kind] += 1
            hit = any(
                t == span.turn and k == span.kind and s < span.end and span.start < e for t, k, s, e in truth
            )
            tally.right[span.kind] += hit
            if not hit:
                text = turns[span.turn].text
                tally.mistakes.append(f"false {span.kind}: {text[span.start : span.end]!r} in {text!r}")
    return tally
