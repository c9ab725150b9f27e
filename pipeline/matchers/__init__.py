"""Phrases in turns: exact, inflected, misheard, or said in other words.

``load_matcher`` gives what ``pipeline.score`` is handed. Models are loaded when a query first needs
them; where one is missing, phrases are matched letter by letter and sound by sound, and the notes
say so. Every result is kept by query and text, so a sentence said in a thousand calls is compared
once; ``prepare`` judges a batch of calls together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from pipeline.errors import ModelError
from pipeline.matchers import fuzzy, judgement, regexes
from pipeline.matchers.gate import letter_pairs, shared
from pipeline.matchers.meaning import MeaningFinder, load_parser
from pipeline.matchers.reading import KEPT, normal, pieces
from pipeline.matchers.text import joined
from pipeline.rubric.queries import Found, Query

__all__ = ["TextMatcher", "fingerprint", "load_matcher"]

REVISION = "callqa.matchers/4"
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
    kept = judgement.WEIGHTS
    weights = hashlib.sha256(kept.read_bytes()).hexdigest()[:12] if kept.is_file() else "none"
    return f"{REVISION}+{weights}"


class TextMatcher:
    """The matcher of this machine.

    Attributes:
        notes: What it cannot do here, filled when a query first needed it.
    """

    def __init__(self, *, models: bool = True, weights: judgement.Judgement | None = None) -> None:
        self.notes: tuple[str, ...] = ()
        self._models = models
        self._weights = weights  # of a bench; the shipped ones are read when first needed
        self._kept: dict[str, dict[str, tuple[Found, ...]]] = {}
        self._size = 0

    @property
    def fingerprint(self) -> str:
        """Changes when an answer could."""
        return fingerprint() if self._models and not self.notes else f"{REVISION}+words"

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """See ``rubric.queries.Matcher``: all that counts, or else the nearest candidate.

        Raises:
            TooSlowError: A regular expression exceeded its time.
        """
        if query.method == "regex":
            return regexes.find(query, texts)
        self._make_room()
        return self._find(query, texts)

    def _find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        self._prepare([(query, texts)])
        kept = self._kept.get(query.key, {})
        hits: list[Found] = []
        best: tuple[int, Found] | None = None
        for at, text in enumerate(texts):
            for found in kept[text]:
                if found.strength >= query.threshold:
                    hits.append(Found(at, found.start, found.end, found.strength, found.rule))
                elif best is None or found.strength > best[1].strength:
                    best = at, found
        if hits or best is None:
            return hits
        return [replace(best[1], at=best[0])]

    def prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Find many queries in many texts together, so that models and matrix products work in batches."""
        self._make_room()
        self._prepare(asked)

    def _make_room(self) -> None:
        """Forget rather than grow without end; never half-way through a batch."""
        if self._size > 20 * KEPT:
            self._kept.clear()
            self._size = 0

    def _prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        wanted: list[tuple[Query, list[str]]] = []
        for query, texts in asked:
            kept = self._kept.setdefault(query.key, {})
            new = [text for text in dict.fromkeys(texts) if text not in kept]
            if new and query.method != "regex":
                wanted.append((query, new))
                self._size += len(new)
        if not wanted:
            return
        texts = list(dict.fromkeys(text for _, new in wanted for text in new))
        rows = dict(zip(texts, range(len(texts)), strict=True))
        pairs = letter_pairs(list(map(joined, texts)))
        hard: list[tuple[Query, list[str], dict[str, float]]] = []
        for query, new in wanted:
            if query.method in ("fuzzy", "meaning"):
                share = shared(list(map(joined, query.phrases)), pairs[[rows[t] for t in new]])
                hard += self._near_in_letters(query, new, share)
            else:
                kept = self._kept[query.key]
                kept.update((text, tuple(self._by_words(query, text))) for text in new)
        if hard:
            self._by_meaning(hard)

    def _near_in_letters(
        self, query: Query, texts: list[str], share: NDArray[np.float32]
    ) -> list[tuple[Query, list[str], dict[str, float]]]:
        """Settle what letters alone can; for ``meaning``, what is left for the models."""
        kept = self._kept[query.key]
        kept.update(dict.fromkeys(texts, ()))
        nearest = share.max(axis=1)
        worded = query.method == "fuzzy" or self._finder is None or not _latin(query)
        for at in np.flatnonzero(nearest >= FAINT).tolist():
            text, shares = texts[at], share[at].tolist()
            most = max(shares)
            some = [p for p, s in zip(query.phrases, shares, strict=True) if s >= LETTERS] if worded else []
            best = fuzzy.best_of(some, text)
            if best is not None:
                near, phrase = best
                found = Found(0, near.start, near.end, fuzzy.strength(near.similarity), f"fuzzy: {phrase}")
            else:
                phrase = query.phrases[shares.index(most)]
                found = Found(0, 0, len(text), FAINT_WORTH * most, f"nearest to: {phrase}")
            kept[text] = (found,)
        if worded:
            return []
        rest = {
            text: most
            for text, most in zip(texts, nearest.tolist(), strict=True)
            if not (most >= ALMOST and self._literal(query, text))
        }
        return [(query, list(rest), rest)] if rest else []

    def _literal(self, query: Query, text: str) -> bool:
        """Keep a sentence that is nearly one of the phrases, letter by letter."""
        for piece in pieces(text):
            for phrase in query.phrases:
                likeness = fuzz.ratio(normal(phrase), piece.text, score_cutoff=LITERAL)
                if likeness:
                    strength = fuzzy.strength(likeness)
                    found = Found(0, piece.start, piece.end, strength, f"phrase: {phrase}")
                    self._kept[query.key][text] = (found,)
                    return True
        return False

    def _by_words(self, query: Query, text: str) -> list[Found]:
        if query.method == "exact":
            return fuzzy.find_exact(query, [text])
        if self._parser is not None:
            from pipeline.matchers import parsed  # imports spaCy, and that torch

            return parsed.find(query, text, self._parser)
        return fuzzy.find_exact(query, [text]) if query.method == "lemma" else []

    def _by_meaning(self, asked: Sequence[tuple[Query, list[str], dict[str, float]]]) -> None:
        finder = self._finder
        assert finder is not None
        judged = finder.judge([(query, texts, share) for query, texts, share in asked])
        for query, text, found in judged:
            self._kept[query.key][text] = self._excused(query, text, found)

    def _excused(self, query: Query, text: str, found: Found) -> tuple[Found, ...]:
        """Weaken what is nearer to a counter-example than to the phrases."""
        if not query.unless or found.strength < query.threshold:
            return (found,)
        against = Query("meaning", query.unless, key=f"{query.key}/unless")
        counter = max((f.strength for f in self._find(against, [text])), default=0.0)
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
            return MeaningFinder(Reader(encoder.load(), load_parser()), self._weights or judgement.load())
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
