"""Regular expressions with a time limit: a rubric may hold one that backtracks without end."""

from __future__ import annotations

import time
from collections.abc import Sequence

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
        compiled: regex.Pattern[str] = regex.compile(pattern, 0 if query.case_sensitive else regex.IGNORECASE)
        for at, text in enumerate(texts):
            try:
                spans = [m.span() for m in compiled.finditer(text, timeout=SECONDS_A_TEXT) if m.group()]
                if time.monotonic() > deadline:
                    raise TimeoutError
            except TimeoutError:
                _too_slow.add(pattern)
                raise TooSlowError(pattern) from None
            found += [Found(at, start, end, 1.0, f"regex {pattern!r}") for start, end in spans]
    return found
