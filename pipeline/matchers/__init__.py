"""Phrases in turns: exact, inflected, misheard, or said in other words.

``load_matcher`` gives what ``pipeline.score`` is handed. Models are loaded when a query first needs
them; where one is missing, phrases are matched letter by letter and sound by sound, and the notes
say so. Every result is kept by query and text, so a sentence said in a thousand calls is compared
once; ``prepare`` judges a batch of calls together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from rapidfuzz import fuzz

from pipeline.errors import ModelError
from pipeline.matchers import fuzzy, parsed, regexes
from pipeline.matchers.meaning import MeaningFinder, load_parser
from pipeline.matchers.reading import KEPT, normal, pieces
from pipeline.rubric.queries import Found, Query

__all__ = ["TextMatcher", "fingerprint", "load_matcher"]

REVISION = "callqa.matchers/2"
LITERAL = 92.0
"""A sentence this like a phrase (rapidfuzz ratio), neither much longer, is that phrase: no model is asked."""


def fingerprint() -> str:
    """Changes when an answer could; loads no model."""
    from pipeline.matchers.judgement import WEIGHTS

    return f"{REVISION}+{WEIGHTS.stat().st_size if WEIGHTS.is_file() else 'none'}"


class TextMatcher:
    """The matcher of this machine.

    Attributes:
        notes: What it cannot do here, filled when a query first needed it.
    """

    def __init__(self, *, models: bool = True) -> None:
        self.notes: tuple[str, ...] = ()
        self._models = models
        self._kept: dict[tuple[str, str], tuple[Found, ...]] = {}

    @property
    def fingerprint(self) -> str:
        """Changes when an answer could."""
        return fingerprint() if self._finder_loaded() else f"{REVISION}+words"

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """See ``rubric.queries.Matcher``.

        Raises:
            TooSlowError: A regular expression exceeded its time.
        """
        if query.method == "regex":
            return regexes.find(query, texts)
        self.prepare([(query, texts)])
        kept = self._kept
        return [replace(f, at=at) for at, text in enumerate(texts) for f in kept[query.key, text]]

    def prepare(self, asked: Iterable[tuple[Query, Sequence[str]]]) -> None:
        """Find many queries in many texts together, so that models work in batches."""
        hard: list[tuple[Query, list[str]]] = []
        for query, texts in asked:
            if query.method == "regex":
                continue
            new = [t for t in dict.fromkeys(texts) if (query.key, t) not in self._kept]
            if len(self._kept) > 20 * KEPT:
                self._kept.clear()
            if query.method == "meaning":
                rest = [t for t in new if not self._literal(query, t)]
                if rest:
                    hard.append((query, rest))
            else:
                for text in new:
                    self._kept[query.key, text] = tuple(self._by_words(query, text))
        if hard:
            self._by_meaning(hard)

    def _literal(self, query: Query, text: str) -> bool:
        """Keep a sentence that is nearly one of the phrases, letter by letter."""
        for piece in pieces(text):
            for phrase in query.phrases:
                likeness = fuzz.ratio(normal(phrase), piece.text, score_cutoff=LITERAL)
                if likeness:
                    strength = fuzzy.strength(likeness)
                    found = Found(0, piece.start, piece.end, strength, f"phrase: {phrase}")
                    self._kept[query.key, text] = (found,)
                    return True
        return False

    def _by_words(self, query: Query, text: str) -> list[Found]:
        if query.method == "exact":
            return fuzzy.find_exact(query, [text])
        if query.method in ("lemma", "tokens") and self._parser is not None:
            return parsed.find(query, text, self._parser)
        if query.method == "tokens":
            return []
        return fuzzy.find_fuzzy(query, [text])

    def _by_meaning(self, asked: Sequence[tuple[Query, list[str]]]) -> None:
        finder = self._finder if any(_latin(q) for q, _ in asked) else None
        if finder is not None:
            finder.prepare([(q, texts) for q, texts in asked if _latin(q)])
        for query, texts in asked:
            for text in texts:
                if finder is not None and _latin(query):
                    found = tuple(finder.find(query, [text]))
                else:
                    found = tuple(fuzzy.find_fuzzy(query, [text]))
                self._kept[query.key, text] = self._excused(query, text, found)

    def _excused(self, query: Query, text: str, found: tuple[Found, ...]) -> tuple[Found, ...]:
        """Weaken what is nearer to a counter-example than to the phrases."""
        if not query.unless or not found or found[0].strength < query.threshold:
            return found
        against = Query("meaning", query.unless, key=f"{query.key}/unless")
        counter = max((f.strength for f in self.find(against, [text])), default=0.0)
        if counter < found[0].strength:
            return found
        rule = f"{found[0].rule} (nearer to a counter-example)"
        return (replace(found[0], strength=min(0.99 * query.threshold, 1 - counter), rule=rule),)

    @cached_property
    def _finder(self) -> MeaningFinder | None:
        if not self._models:
            return None
        from pipeline import encoder
        from pipeline.matchers import judgement
        from pipeline.matchers.reading import Reader

        try:
            return MeaningFinder(Reader(encoder.load(), load_parser()), judgement.load())
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

    def _finder_loaded(self) -> bool:
        return self.__dict__.get("_finder") is not None

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
