"""Regular expressions with a time limit: a rubric may hold one that backtracks without end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import regex

from pipeline.rubric.queries import Found, Query, TooSlowError

SECONDS_A_TEXT = 0.1
SECONDS_A_CALL = 1.0
_too_slow: set[str] = set()


def find(query: Query, texts: Sequence[str]) -> list[Found]:
    """Every match in every text.

    Raises:
        TooSlowError: A pattern took longer than 0.1 s on one text or 1 s on the call; this process does not
            try it again.
    """
    found = []
    deadline = time.monotonic() + SECONDS_A_CALL
    for pattern in query.phrases:
        if pattern in _too_slow:
            raise TooSlowError(pattern)
        compiled = _compiled(pattern, query.case_sensitive)
        for at, text in enumerate(texts):
            try:
                matches = compiled.finditer(text, timeout=SECONDS_A_TEXT)
                spans = [m.span() for m in matches if m.end() > m.start()]
                found += [Found(at, start, end, 1.0, f"regex {pattern!r}") for start, end in spans]
                if time.monotonic() > deadline:
                    raise TimeoutError
            except TimeoutError:
                _too_slow.add(pattern)
                raise TooSlowError(pattern) from None
    return found


@lru_cache(maxsize=1024)
def _compiled(pattern: str, case_sensitive: bool) -> Any:
    return regex.compile(pattern, 0 if case_sensitive else regex.IGNORECASE)
