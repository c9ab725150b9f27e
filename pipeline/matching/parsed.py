"""Checks that need spaCy's analysis: phrases in any inflection, and token patterns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from spacy.matcher import Matcher as TokenMatcher

from pipeline.errors import RubricError
from pipeline.matching.wording import without_overlaps
from pipeline.rubric.queries import Found, Query


def find(query: Query, texts: Sequence[str], parser: Any) -> list[Found]:
    """Every match; of overlapping ones the first, and the longest of those that begin together.

    Raises:
        RubricError: A token pattern is not one of spaCy's.
    """
    found = []
    for at, text in enumerate(texts):
        doc = _analysed(text, parser)
        if query.method == "tokens":
            spans = [(start, end, "token pattern") for _, start, end in _patterns(query, parser)(doc)]
        else:
            spans = _inflected(query.phrases, doc, parser)
        found += [Found(at, doc[start].idx, doc[start:end].end_char, 1.0, rule) for start, end, rule in spans]
    return without_overlaps(found)


def _inflected(phrases: Sequence[str], doc: Any, parser: Any) -> list[tuple[int, int, str]]:
    lemmas = [token.lemma_.lower() for token in doc]
    spans = []
    for phrase in phrases:
        wanted = [t.lemma_.lower() for t in _analysed(phrase, parser) if not t.is_punct]
        size = len(wanted)
        spans += [
            (i, i + size, f"lemma: {phrase}")
            for i in range(len(lemmas) - size + 1)
            if size and lemmas[i : i + size] == wanted
        ]
    return spans


@lru_cache(maxsize=20_000)
def _analysed(text: str, parser: Any) -> Any:
    return parser(text)


@lru_cache(maxsize=1024)
def _patterns(query: Query, parser: Any) -> TokenMatcher:
    matcher = TokenMatcher(parser.vocab, validate=True)
    try:
        matcher.add("pattern", [list(pattern) for pattern in query.patterns])
    except Exception as error:  # spaCy raises errors of its own, ValueError and pydantic's
        raise RubricError(
            f"not a spaCy token pattern: {str(error).splitlines()[0]}",
            hint="see spaCy's rule-based matching: [{LEMMA: refund}, {POS: NOUN, OP: '?'}]",
        ) from error
    return matcher
