"""Checks that need spaCy's analysis: phrases in any inflection, and token patterns."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from spacy.matcher import Matcher as TokenMatcher

from pipeline.errors import RubricError
from pipeline.rubric.queries import Found, Query


def find(query: Query, text: str, parser: Any) -> list[Found]:
    """Every match in a text; of overlapping ones the first, and the longest of those that begin together.

    Raises:
        RubricError: A token pattern is not one of spaCy's.
    """
    doc = _analysed(text, parser)
    if query.method == "tokens":
        spans = [(start, end, "token pattern") for _, start, end in _patterns(query, parser)(doc)]
    else:
        spans = []
        lemmas = [token.lemma_.lower() for token in doc]
        for phrase in query.phrases:
            wanted = [t.lemma_.lower() for t in _analysed(phrase, parser) if not t.is_punct]
            size = len(wanted)
            spans += [
                (i, i + size, f"lemma: {phrase}")
                for i in range(len(lemmas) - size + 1)
                if size and lemmas[i : i + size] == wanted
            ]
    found = []
    last_end = -1
    for start, end, rule in sorted(spans, key=lambda s: (s[0], -s[1])):
        if start >= last_end:
            span = doc[start:end]
            found.append(Found(0, span.start_char, span.end_char, 1.0, rule))
            last_end = end
    return found


@lru_cache(maxsize=20_000)
def _analysed(text: str, parser: Any) -> Any:
    return parser(text)


_MATCHERS: dict[str, TokenMatcher] = {}


def _patterns(query: Query, parser: Any) -> TokenMatcher:
    if query.key not in _MATCHERS:
        matcher = TokenMatcher(parser.vocab, validate=True)
        try:
            matcher.add("pattern", [list(pattern) for pattern in query.patterns])
        except Exception as error:  # spaCy raises errors of its own, ValueError and pydantic's
            raise RubricError(
                f"not a spaCy token pattern: {str(error).splitlines()[0]}",
                hint="see spaCy's rule-based matching: [{LEMMA: refund}, {POS: NOUN, OP: '?'}]",
            ) from error
        _MATCHERS[query.key] = matcher
    return _MATCHERS[query.key]
