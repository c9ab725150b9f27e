"""Phrases in turns: exact, inflected, misheard, or said in other words.

``load_matcher`` gives what ``pipeline.score`` is handed. Models are loaded when a query first needs
them; where one is missing, phrases are matched letter by letter and sound by sound, and the notes
say so. Every result is kept by query and text, so a sentence said in a thousand calls is compared
once; ``prepare`` judges a batch of calls together.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property

import numpy as np
from rapidfuzz import fuzz

from pipeline.errors import ModelError
from pipeline.matchers import fuzzy, judgement, regexes
from pipeline.matchers.gate import letter_pairs, shared
from pipeline.matchers.meaning import MeaningFinder, load_parser
from pipeline.matchers.reading import ENCODER, KEPT, normal, pieces
from pipeline.matchers.sheet import NOTHING, Marks, Rows, Sheet
from pipeline.matchers.text import joined, place
from pipeline.rubric.queries import Found, Query

__all__ = ["TextMatcher", "fingerprint", "load_matcher", "load_parser"]

REVISION = "callqa.matchers/7"
LETTERS = 0.45
"""Share of a phrase's letter pairs below which a text is not compared; misheard ones keep over half."""
FAINT, FAINT_WORTH = 0.3, 0.15
"""From this share on a text is worth showing as nearest, far below any threshold."""
ALMOST = 0.85
LITERAL = 92.0
"""A sentence this like a phrase (rapidfuzz ratio), neither much longer, is that phrase: no model is asked."""


@cache
def fingerprint() -> str:
    """Changes when an answer could; loads no model."""
    kept = b"".join(path.read_bytes() for path in (ENCODER, judgement.WEIGHTS) if path.is_file())
    return f"{REVISION}+{hashlib.sha256(kept).hexdigest()[:12]}"


class TextMatcher:
    """The matcher of this machine.

    Attributes:
        notes: What it cannot do here, filled when a query first needed it.
    """

    def __init__(self, *, models: bool = True) -> None:
        self.notes: tuple[str, ...] = ()
        self._models = models
        self._sheet = Sheet()

    @property
    def fingerprint(self) -> str:
        """Changes when an answer could."""
        return fingerprint() if self._models and not self.notes else f"{REVISION}+words"

    def load(self) -> None:
        """Load now the models that a query for meaning will need."""
        _ = self._finder

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """See ``rubric.queries.Matcher``: all that counts, or else the nearest candidate.

        Raises:
            TooSlowError: A regular expression exceeded its time.
        """
        if query.method == "regex":
            return regexes.find(query, texts)
        if not texts:
            return []
        rows, marks = self._sheet.rows(texts), self._sheet.marks(query)
        strength = marks.strength[rows]
        best = int(strength.argmax())  # of a NaN, if there is one
        most = float(strength[best])
        if math.isnan(most):
            self.prepare([(query, texts)])
            return self.find(query, texts)
        if most == NOTHING:
            return []
        if most < query.threshold:
            near = max(marks.places(int(rows[best]), texts[best]), key=lambda f: f.strength)
            return [Found(best, near.start, near.end, near.strength, near.rule)]
        return [
            Found(at, found.start, found.end, found.strength, found.rule)
            for at in np.flatnonzero(strength >= query.threshold).tolist()
            for found in marks.places(int(rows[at]), texts[at])
            if found.strength >= query.threshold
        ]

    def prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Find many queries in many texts together, so that models and matrix products work in batches."""
        if len(self._sheet.texts) > KEPT:
            self._sheet = Sheet()  # forget rather than grow without end; never half-way through a batch
        self._prepare(asked)

    def _prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        by_letters: list[tuple[Marks, Rows]] = []
        for query, texts in asked:
            if query.method == "regex" or not texts:
                continue
            rows = self._sheet.rows(texts)
            marks = self._sheet.marks(query)
            rows = marks.unasked(rows)
            if query.method in ("fuzzy", "meaning"):
                by_letters.append((marks, rows))
                continue
            for row in rows.tolist():
                marks.keep(row, tuple(self._by_words(query, self._sheet.texts[row])))
        if any(len(rows) for _, rows in by_letters):
            self._near_in_letters(by_letters)

    def _near_in_letters(self, wanted: Sequence[tuple[Marks, Rows]]) -> None:
        """Settle what letters alone can; for ``meaning``, ask the models about what is left."""
        every = np.unique(np.concatenate([rows for _, rows in wanted]))
        plain = [joined(self._sheet.texts[row]) for row in every.tolist()]
        phrases = list(dict.fromkeys(joined(phrase) for marks, _ in wanted for phrase in marks.query.phrases))
        column = dict(zip(phrases, range(len(phrases)), strict=True))
        shares = shared(phrases, letter_pairs(plain))
        hard: list[tuple[Query, dict[str, float]]] = []
        may = np.zeros(shares.shape, bool)
        by_letters: list[tuple[Marks, Rows]] = []
        for marks, rows in wanted:
            query, at = marks.query, np.searchsorted(every, rows)
            columns = [column[joined(phrase)] for phrase in query.phrases]
            share = shares[columns][:, at]
            most = share.max(axis=0)
            marks.strength[rows] = np.where(most >= FAINT, FAINT_WORTH * most.astype(np.float64), NOTHING)
            marks.nearest[rows] = share.argmax(axis=0)
            if query.method == "meaning" and self._finder is not None and _latin(query):
                texts = [self._sheet.texts[row] for row in rows.tolist()]
                rest = {
                    text: near
                    for text, near, row in zip(texts, most.tolist(), rows.tolist(), strict=True)
                    if not (near >= ALMOST and self._literal(marks, row, text))
                }
                hard.append((query, rest))
                continue
            may[np.array(columns)[:, None], at] |= share >= np.float64(LETTERS)
            by_letters.append((marks, rows))
        near: dict[str, list[tuple[int, fuzzy.Near]]] = defaultdict(list)
        for which, where, found in fuzzy.nearest(phrases, plain, may):
            near[phrases[which]].append((int(every[where]), found))
        self._keep_nearest(by_letters, near)
        if any(rest for _, rest in hard):
            self._by_meaning(hard)

    def _keep_nearest(
        self, wanted: Sequence[tuple[Marks, Rows]], near: Mapping[str, Sequence[tuple[int, fuzzy.Near]]]
    ) -> None:
        """Of a query's phrases, in each text the first that is most alike in letters or sounds."""
        for marks, rows in wanted:
            asked = set(rows.tolist())
            best: dict[int, tuple[str, fuzzy.Near]] = {}
            for phrase in marks.query.phrases:
                for row, found in near.get(joined(phrase), ()):
                    if row in asked and (row not in best or found.similarity > best[row][1].similarity):
                        best[row] = phrase, found
            for row, (phrase, found) in best.items():
                start, end = place(self._sheet.texts[row], found.first, found.last)
                strength = fuzzy.strength(found.similarity)
                marks.keep(row, (Found(0, start, end, strength, f"fuzzy: {phrase}"),))

    def _literal(self, marks: Marks, row: int, text: str) -> bool:
        """Keep a sentence that is nearly one of the phrases, letter by letter."""
        for piece in pieces(text):
            for phrase in marks.query.phrases:
                likeness = fuzz.ratio(normal(phrase), piece.text, score_cutoff=LITERAL)
                if likeness:
                    strength = fuzzy.strength(likeness)
                    marks.keep(row, (Found(0, piece.start, piece.end, strength, f"phrase: {phrase}"),))
                    return True
        return False

    def _by_words(self, query: Query, text: str) -> list[Found]:
        if query.method == "exact":
            return fuzzy.find_exact(query, [text])
        if self._parser is not None:
            from pipeline.matchers import parsed  # imports spaCy, and that torch

            return parsed.find(query, text, self._parser)
        return fuzzy.find_exact(query, [text]) if query.method == "lemma" else []

    def _by_meaning(self, asked: Sequence[tuple[Query, dict[str, float]]]) -> None:
        finder = self._finder
        assert finder is not None
        for query, text, found in finder.judge(asked):
            row = int(self._sheet.rows([text])[0])
            self._sheet.marks(query).keep(row, self._excused(query, text, found))

    def _excused(self, query: Query, text: str, found: Found) -> tuple[Found, ...]:
        """Weaken what is nearer to a counter-example than to the phrases."""
        if not query.unless or found.strength < query.threshold:
            return (found,)
        against = Query("meaning", query.unless, key=f"{query.key}/unless")
        self._prepare([(against, [text])])
        counter = float(self._sheet.marks(against).strength[self._sheet.rows([text])[0]])
        if counter < found.strength:
            return (found,)
        rule = f"{found.rule} (nearer to a counter-example)"
        return (replace(found, strength=min(0.99 * query.threshold, 1 - counter), rule=rule),)

    @cached_property
    def _finder(self) -> MeaningFinder | None:
        if not self._models:
            return None
        from pipeline import encoder
        from pipeline.matchers.reading import Reader

        try:
            return MeaningFinder(Reader(encoder.load(ENCODER), load_parser()), judgement.load())
        except (ModelError, ImportError) as error:
            self._note(f"phrases were matched by their words and sounds, not by meaning: {error}")
            return None

    @cached_property
    def _parser(self) -> object | None:
        try:
            return load_parser() if self._models else None
        except ModelError as error:
            self._note(f"lemma and token patterns need the spaCy model: {error}")
            return None

    def _note(self, text: str) -> None:
        self.notes = tuple(dict.fromkeys((*self.notes, text)))


def _latin(query: Query) -> bool:
    """Whether the English models can read a query: other scripts go by words."""
    return all(phrase.isascii() for phrase in query.phrases)


def load_matcher(*, models: bool = True) -> TextMatcher:
    """The best matcher this machine can run.

    Args:
        models: False: words and sounds only, no model is loaded.
    """
    return TextMatcher(models=models)
