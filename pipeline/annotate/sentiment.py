"""The feeling of a turn, -1 to 1: a trained model where the language has one, a lexicon on top.

Turns that only acknowledge ("okay", "uh huh") are neutral by rule and never reach the model; a
long turn is scored in pieces of about forty words and averaged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.annotate.phrases import DATA
from pipeline.conversation import Sentiment, SentimentLabel

LABELS: tuple[SentimentLabel, ...] = ("negative", "neutral", "positive")
NEGATORS = frozenset(
    [
        "not",
        "no",
        "never",
        "n't",
        "cannot",
        "can't",
        "don't",
        "didn't",
        "won't",
        "isn't",
        "wasn't",
        "nahi",
        "nahin",
        "نہیں",
        "نہ",
    ]
)
LEXICON_LIMIT = 0.25  # a score past this on either side earns its label, where no model speaks
PIECE_WORDS = 40
MAX_PIECES = 12  # of the longest turns, spread evenly: a monologue of an hour costs no more
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Model(Protocol):
    """Texts to probabilities of negative, neutral, positive."""

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]: ...  # noqa: D102


@dataclass(frozen=True)
class Lexicon:
    """Weighted words and phrases.

    Attributes:
        weights: Phrase in lower case to its weight, -1..1.
    """

    weights: Mapping[str, float]

    def score(self, text: str) -> float:
        """Sum of the weights found, -1..1; a negator within three words before turns a weight around."""
        words = [match.group().lower().replace("’", "'") for match in WORD.finditer(text)]
        total, at = 0.0, 0
        while at < len(words):
            size, weight = self._at(words, at)
            if weight and NEGATORS.intersection(words[max(0, at - 3) : at]):
                weight = -0.5 * weight
            total += weight
            at += size
        return max(-1.0, min(1.0, total))

    def _at(self, words: Sequence[str], at: int) -> tuple[int, float]:
        for size in range(min(5, len(words) - at), 0, -1):
            weight = self.weights.get(" ".join(words[at : at + size]))
            if weight is not None:
                return size, weight
        return 1, 0.0


@dataclass(frozen=True)
class Scorer:
    """Turns to sentiments.

    Attributes:
        model: None for languages without a trained one.
        lexicon: Shipped idiom and the user's words.
    """

    model: Model | None
    lexicon: Lexicon

    def score(self, texts: Sequence[str]) -> list[Sentiment | None]:
        """A sentiment a text; None for texts with no word in them."""
        return [self._by_lexicon(text) for text in texts]

    def _by_lexicon(self, text: str) -> Sentiment | None:
        if not WORD.search(text):
            return None
        score = self.lexicon.score(text)
        label = LABELS[0 if score <= -LEXICON_LIMIT else 2 if score >= LEXICON_LIMIT else 1]
        return Sentiment(round(score, 3), label)


def load_scorer(language: str, lexicon: Mapping[str, float]) -> Scorer:
    """The scorer of a language, the user's words over the shipped ones."""
    path = DATA / f"lexicon_{language}.yaml"
    shipped = yaml.safe_load(path.read_text("utf-8"))["idiom"] if path.exists() else {}
    return Scorer(None, Lexicon({**shipped, **{word.lower(): weight for word, weight in lexicon.items()}}))
