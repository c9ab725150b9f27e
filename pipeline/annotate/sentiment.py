"""The feeling of a turn, -1 to 1: a trained model where the language has one, a lexicon on top.

Turns that only acknowledge ("okay", "uh huh") are neutral by rule and never reach the model; a
long turn is scored in pieces of forty words and averaged. The lexicon moves the model's log-odds,
so a word of the user's own outweighs doubt, not certainty.
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
from pipeline.privacy.numbers import word_set

LABELS: tuple[SentimentLabel, ...] = ("negative", "neutral", "positive")
NEGATORS = word_set("not no never n't cannot can't don't didn't won't isn't wasn't nahi nahin نہیں نہ")
# What follows what (rows before, columns after), and what is usual. Set by hand to the mild persistence
# reported for spoken dialogue, not fitted: we hold no labelled dialogue to fit it on.
PERSISTENCE = np.array([[0.45, 0.37, 0.18], [0.24, 0.57, 0.19], [0.22, 0.40, 0.38]], dtype=np.float32)
USUAL = np.array([0.298, 0.471, 0.231], dtype=np.float32)  # the stationary distribution of PERSISTENCE
UNKNOWN_ODDS = np.array([0.0, 1.5, 0.0], dtype=np.float32)  # neutral, until a lexicon says otherwise
LEXICON_ALONE_WEIGHT = 6.0  # where no model speaks, a weight of 0.25 earns its label
LEXICON_WEIGHT = 4.0  # log-odds a weight of 1 is worth
NEUTRAL = Sentiment(0.0, "neutral")
ACKNOWLEDGEMENTS = word_set(
    "okay ok o k yeah yes yep yup uh huh um mm mhm hmm hm ah oh right alright sure no nope hello hi hey "
    "bye goodbye so and well i see the a correct exactly true really please"
)
PIECE_WORDS = 40
MAX_PIECES = 12  # of the longest turns, spread evenly: a monologue of an hour costs no more
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Model(Protocol):
    """Texts to calibrated log-odds of negative, neutral, positive: float32, shape (n_texts, 3)."""

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]: ...  # noqa: D102


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
    """Turns to the chances of each label.

    Attributes:
        model: None for languages without a trained one.
        lexicon: Shipped idiom and the user's words.
    """

    model: Model | None
    lexicon: Lexicon

    def odds(self, texts: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """Log-odds of the three labels for each text; None where it only acknowledges or says nothing."""
        said = {text: pieces_of(text) for text in dict.fromkeys(texts) if is_telling(text)}
        if self.model is None:
            base = dict.fromkeys(said, UNKNOWN_ODDS)
        else:
            pieces = list(dict.fromkeys(piece for parts in said.values() for piece in parts))
            heard = dict(zip(pieces, self.model.logits(pieces), strict=True))
            base = {text: np.mean([heard[piece] for piece in parts], axis=0) for text, parts in said.items()}
        weight = LEXICON_WEIGHT if self.model else LEXICON_ALONE_WEIGHT
        return [base[text] + weight * self._push(text) if text in base else None for text in texts]

    def _push(self, text: str) -> NDArray[np.float32]:
        score = self.lexicon.score(text)
        return np.array([max(0.0, -score), 0.0, max(0.0, score)], dtype=np.float32)


def feeling(odds: NDArray[np.float32], before: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Chances of the labels, given the same speaker's feeling a turn before.

    Feelings last: the turn before moves the odds by what ``PERSISTENCE`` expects to follow it,
    relative to what is usual.
    """
    if before is not None:
        odds = odds + np.log(before @ PERSISTENCE / USUAL)
    chances = np.exp(odds - odds.max())
    share: NDArray[np.float32] = chances / chances.sum()
    return share


def sentiment_of(chances: NDArray[np.float32]) -> Sentiment:
    """The likeliest label, and the chance of positive less that of negative."""
    return Sentiment(round(float(chances[2] - chances[0]), 3), LABELS[int(np.argmax(chances))])


def is_telling(text: str) -> bool:
    """Whether a text says more than that its speaker listens."""
    words = [match.group().lower() for match in WORD.finditer(text)]
    return any(word not in ACKNOWLEDGEMENTS for word in words)


def pieces_of(text: str) -> list[str]:
    """Pieces of up to forty words; of very long turns a dozen, spread evenly."""
    words = text.split()
    if len(words) <= PIECE_WORDS:
        return [text]
    pieces = [" ".join(words[at : at + PIECE_WORDS]) for at in range(0, len(words), PIECE_WORDS)]
    step = max(1.0, len(pieces) / MAX_PIECES)
    return [pieces[int(index * step)] for index in range(min(len(pieces), MAX_PIECES))]


def load_scorer(language: str, lexicon: Mapping[str, float]) -> Scorer:
    """The scorer of a language, the user's words over the shipped ones."""
    path = DATA / f"lexicon_{language}.yaml"
    shipped = yaml.safe_load(path.read_text("utf-8"))["idiom"] if path.exists() else {}
    model: Model | None = None
    if language == "en":
        from pipeline.encoder import classifier

        model = classifier.load()
    return Scorer(model, Lexicon({**shipped, **{word.lower(): weight for word, weight in lexicon.items()}}))
