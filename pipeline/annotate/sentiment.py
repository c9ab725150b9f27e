"""Sentiment of a turn, from -1 to 1, by a trained model for the language, if there is one, and a lexicon.

Turns that only acknowledge ("okay", "uh huh") or are mere courtesies ("okay thank you") are not given to the
model: they are neutral, courtesies with a mildly positive score. Formulas in an agent's turn ("sorry about
that") are removed before it is scored. A long turn is scored in pieces of forty words, which are averaged.
The lexicon shifts the model's log-odds, so that a word in it decides where the model is unsure, but does not
override it where it is certain.

Each turn is scored by itself. Taking the sentiment of the turn before into account, of the same speaker or of
anybody, was measured on whole conversations (``tests/dialogue.py``) and gained nothing. ``sentiment_path``
summarises the sentiment over a call.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import yaml
from numpy.typing import NDArray
from spacy.tokens import Doc

from pipeline.annotate.phrases import DATA
from pipeline.conversation import RoleSentiment, Sentiment, SentimentLabel, Turn
from pipeline.encoder import classifier
from pipeline.text.words import FILLERS, NEGATIONS, count_words, spaced, tokens, word_set

LABELS: tuple[SentimentLabel, ...] = ("negative", "neutral", "positive")
NEGATORS = NEGATIONS | word_set("no n't cannot can't don't didn't won't isn't wasn't")
UNKNOWN_ODDS = np.array([0.0, 1.5, 0.0], dtype=np.float32)  # neutral, used where there is no model
LEXICON_WEIGHT = 4.0  # log-odds that a lexicon weight of 1 adds to the model's
LEXICON_ALONE_WEIGHT = 6.0  # the same without a model; a weight of 0.25 is then enough for its label
NEUTRAL = Sentiment(0.0, "neutral")
POLITE = Sentiment(0.2, "neutral")
ACKNOWLEDGEMENTS = FILLERS | word_set(
    "okay ok o k yeah yes yep yup huh oh right alright sure no nope hello hi hey "
    "bye goodbye so and well i see the a correct exactly true really please "
    "acha achha ji jee haan theek thik"
)
COURTESY = re.compile(
    r"\b(?:(?:thank you|thanks)(?: very much| kindly)?"
    r"(?: for (?:calling|holding|waiting|choosing us|your (?:patience|time|call)))?"
    r"|you(?:'re| are) (?:very |most )?welcome|(?:you|same to you) too|you as well|take care|my pleasure"
    r"|no (?:problem|worries)|(?:please )?(?:have|enjoy) (?:a|your|the rest of your) "
    r"(?:(?:very )?(?:good|great|nice|lovely|wonderful|pleasant) )?"
    r"(?:day|evening|night|weekend|afternoon|one|stay|meal|visit)"
    r"|good (?:morning|afternoon|evening|day|night)"
    r"|(?:(?:i'm|i am|we're|we are) )?(?:so |very |really )?sorry "
    r"(?:(?:about|for) (?:that|this|the \w+|any \w+)|to hear (?:about )?that)"
    r"|(?:my apologies|(?:i |we )?(?:do |sincerely )?apologi[sz]e)(?: for (?:that|the \w+|any \w+))?"
    r"|(?:i can|i(?:'d| would) be (?:happy|glad) to) help you with that"
    r"|that(?:'s| is|'ll be| will be| would be| was(?: (?:going to|gonna) be)?) (?:all|it|everything)"
    r"(?: (?:that )?i(?:'ll)? need(?:ed)?)?(?: for)?(?: today| now)?)\b",
    re.I,
)
# An agent who names the caller's feeling does not express it: "I understand that you're disappointed".
NAMED_FEELING = re.compile(
    r"\b(?:(?:i|we)\s+(?:(?:can|could|do|certainly|completely|totally|fully|really|absolutely|just)\s+)*"
    r"(?:understand|see|hear|imagine|know|reali[sz]e|appreciate|tell|get)\s+(?:that|why|how|what|you|your|it|this)"
    r"|(?:(?:i'm|i am|we're|we are)\s+)?(?:(?:so|very|really|truly)\s+)*sorry\s+"
    r"(?:that\s+|to hear\s+(?:that\s+)?)?you"
    r"|(?:that|this|it)\s+(?:must|has to|had to|sounds?|can be)"
    r"|(?:it|that)(?:'s| is)\s+(?:\w+\s+)?understandable"
    r"|you\s+(?:sound|seem|must be)|(?:i|we)(?:'d| would)\s+(?:be|feel))\b"
    r"[^.!?;,]*?(?=$|[.!?;,]|\b(?:but|so (?!\w+(?:ed|ing)\b)|let me|i will|i'll|and i|we will|we'll)\b)",
    re.I,
)
PIECE_WORDS = 40
MAX_PIECES = 12  # pieces scored of a very long turn, spread evenly over it
QUARTERS = 4


@dataclass(frozen=True)
class Scorer:
    """The component that sets ``doc._.sentiment`` of turns, in whole batches.

    Attributes:
        model: The trained model; None for languages without one.
        lexicon: Weights (-1 to 1) of the shipped idioms and the user's phrases, in lower case.
        knows_language: Whether there is a model or a shipped lexicon. If not, a turn without a word of
            the user's lexicon has no sentiment, rather than a neutral one.
    """

    model: classifier.Classifier | None
    lexicon: Mapping[str, float]
    knows_language: bool

    def pipe(self, stream: Iterable[Doc], batch_size: int = 0) -> Iterator[Doc]:
        """Score all turns together; the model itself makes batches by length."""
        docs = list(stream)
        texts = [_scored_text(doc) for doc in docs]
        for doc, text, odds in zip(docs, texts, self.odds(texts), strict=True):
            if odds is not None:
                doc._.sentiment = sentiment_of(odds)
            elif self.knows_language and tokens(doc.text):
                doc._.sentiment = NEUTRAL if text == doc.text else POLITE
            yield doc

    def odds(self, texts: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """Log-odds of the three labels for each text; None for a text that only acknowledges or is empty.

        In an unknown language, also None for a text without a word of the user's lexicon.
        """
        parts_of = {text: pieces_of(text) for text in dict.fromkeys(texts) if is_telling(text)}
        if self.model is None:
            base = dict.fromkeys(parts_of, UNKNOWN_ODDS)
        else:
            pieces = list(dict.fromkeys(piece for parts in parts_of.values() for piece in parts))
            logits = dict(zip(pieces, self.model.logits(pieces), strict=True))
            base = {t: np.mean([logits[part] for part in parts], axis=0) for t, parts in parts_of.items()}
        weight = LEXICON_WEIGHT if self.model else LEXICON_ALONE_WEIGHT
        odds: list[NDArray[np.float32] | None] = []
        for text in texts:
            score = self._lexical(text) if text in base else 0.0
            shift = np.array([max(0.0, -score), 0.0, max(0.0, score)], dtype=np.float32)
            is_known = text in base and (self.knows_language or score)
            odds.append(base[text] + weight * shift if is_known else None)
        return odds

    def _lexical(self, text: str) -> float:
        """Sum of the lexicon's weights, -1 to 1; times -0.5 if a negator is within the three words before."""
        words = [token.text for token in tokens(text)]
        total, at = 0.0, 0
        while at < len(words):
            size, weight = self._entry_at(words, at)
            if weight and NEGATORS.intersection(words[max(0, at - 3) : at]):
                weight = -0.5 * weight
            total += weight
            at += size
        return max(-1.0, min(1.0, total))

    def _entry_at(self, words: Sequence[str], at: int) -> tuple[int, float]:
        """Number of words and weight of the longest lexicon entry at a word; (1, 0.0) if there is none."""
        for size in range(min(5, len(words) - at), 0, -1):
            weight = self.lexicon.get(" ".join(words[at : at + size]))
            if weight is not None:
                return size, weight
        return 1, 0.0


def chances_of(odds: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of negative, neutral and positive (softmax)."""
    weights = np.exp(odds - odds.max())
    chances: NDArray[np.float32] = weights / weights.sum()
    return chances


def sentiment_of(odds: NDArray[np.float32]) -> Sentiment:
    """The most probable label; the score is the probability of positive minus that of negative."""
    chances = chances_of(odds)
    return Sentiment(round(float(chances[2] - chances[0]), 3), LABELS[int(np.argmax(chances))])


def _scored_text(doc: Doc) -> str:
    """The text to score: without the courtesies of agents, and of others who say nothing else."""
    if doc._.role == "agent":
        return without_courtesy(NAMED_FEELING.sub(" ", doc.text.replace("’", "'")))
    rest = without_courtesy(doc.text)
    return doc.text if is_telling(rest) else rest


def without_courtesy(text: str) -> str:
    """The text without polite formulas."""
    return COURTESY.sub(" ", text.replace("’", "'"))


def is_telling(text: str) -> bool:
    """Whether a text says more than that its speaker listens; "no!" and "oh no" count as more."""
    words = [token.text for token in tokens(text)]
    if any(word not in ACKNOWLEDGEMENTS for word in words):
        return True
    return bool(words) and ("!" in text or " ".join(words[:2]) == "oh no")


def pieces_of(text: str) -> list[str]:
    """Pieces of up to forty words; a dozen of them, spread evenly, for very long turns."""
    words = spaced(text)
    if len(words) <= PIECE_WORDS:
        return [text]
    pieces = [" ".join(words[at : at + PIECE_WORDS]) for at in range(0, len(words), PIECE_WORDS)]
    step = max(1.0, len(pieces) / MAX_PIECES)
    return [pieces[int(index * step)] for index in range(min(len(pieces), MAX_PIECES))]


def load_scorer(language: str, lexicon: Mapping[str, float]) -> Scorer:
    """The scorer of a language; the user's lexicon overrides the shipped one."""
    path = DATA / f"lexicon_{language}.yaml"
    shipped = yaml.safe_load(path.read_text("utf-8"))["idiom"] if path.exists() else {}
    model = classifier.load() if language == "en" else None
    words = {**shipped, **{word.lower(): weight for word, weight in lexicon.items()}}
    return Scorer(model, words, knows_language=model is not None or bool(shipped))


def sentiment_path(turns: Sequence[Turn]) -> dict[str, RoleSentiment]:
    """Sentiment of each role over the call.

    Turns are weighted by their words (Contact Lens weights by talk time, but words also work for chats).
    Quarters are those of the call's duration if turns have times, else of its turns. The change is the last
    quarter in which the role spoke minus the first; None if the role spoke in one quarter only.
    """
    scored = [turn for turn in turns if turn.sentiment is not None]
    places = _places(turns)
    return {
        role: _of_role([turn for turn in scored if turn.role == role], places)
        for role in dict.fromkeys(turn.role for turn in scored)
    }


def _places(turns: Sequence[Turn]) -> dict[int, float]:
    """The middle of each turn as a share of the call, 0 to 1, by turn number."""
    times = [(t.start_s + (t.end_s or t.start_s)) / 2 if t.start_s is not None else None for t in turns]
    known = [time for time in times if time is not None]
    if len(known) == len(turns) and known and max(known) > min(known):
        end = max(max(known), max((t.end_s or 0.0) for t in turns))
        return {turn.turn: min(1.0, max(0.0, time / end)) for turn, time in zip(turns, known, strict=True)}
    return {turn.turn: (index + 0.5) / len(turns) for index, turn in enumerate(turns)}


def _of_role(turns: Sequence[Turn], places: dict[int, float]) -> RoleSentiment:
    cells: list[list[Turn]] = [[] for _ in range(QUARTERS)]
    for turn in turns:
        cells[min(QUARTERS - 1, int(places[turn.turn] * QUARTERS))].append(turn)
    first, second, third, last = (_mean(cell) for cell in cells)
    spoken = [value for value in (first, second, third, last) if value is not None]
    lowest = min(turns, key=_score)
    return RoleSentiment(
        score=_mean(turns) or 0.0,
        quarters=(first, second, third, last),
        change=round(spoken[-1] - spoken[0], 3) if len(spoken) > 1 else None,
        lowest_score=_score(lowest),
        lowest_turn=lowest.turn,
    )


def _score(turn: Turn) -> float:
    return turn.sentiment.score if turn.sentiment is not None else 0.0


def _mean(turns: Sequence[Turn]) -> float | None:
    weights = [max(1, count_words(turn.text)) for turn in turns]
    if not weights:
        return None
    return round(sum(_score(t) * w for t, w in zip(turns, weights, strict=True)) / sum(weights), 3)
