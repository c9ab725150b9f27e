"""Phrases in turns: exact, inflected, misheard, or said in other words.

``load_matcher`` gives what ``pipeline.score`` is handed. Results are cached by text and query, so
a sentence said in a thousand calls is compared once.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.matchers import fuzzy, regexes
from pipeline.rubric.queries import Found, Query

__all__ = ["TextMatcher", "load_matcher"]


class TextMatcher:
    """The matcher of this machine.

    Attributes:
        notes: What it cannot do here.
    """

    fingerprint = "callqa.matchers/1"

    def __init__(self, notes: tuple[str, ...] = ()) -> None:
        self.notes = notes

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """See ``rubric.queries.Matcher``.

        Raises:
            TooSlowError: A regular expression exceeded its time.
        """
        if query.method == "regex":
            return regexes.find(query, texts)
        if query.method == "exact":
            return fuzzy.find_exact(query, texts)
        return fuzzy.find_fuzzy(query, texts)


def load_matcher() -> TextMatcher:
    """The best matcher this machine can run."""
    return TextMatcher()
