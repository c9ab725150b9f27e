"""Text that is safe in every spreadsheet, for exports and for the answers of SQL.

Transcripts and metadata come from strangers. Everything that leaves through a CSV cell passes ``inert``.
"""

from __future__ import annotations

import re

FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Text without control characters and lone surrogates, which spreadsheets and XML refuse."""
    return CONTROL.sub("�", text)


def inert(value: object) -> object:
    """A CSV cell that no spreadsheet runs as a formula.

    Text that a spreadsheet would read as a formula gets a leading apostrophe, the escape that
    OWASP advises (CSV Injection) and spreadsheets show as plain text. Numbers stay numbers.
    """
    if not isinstance(value, str):
        return value
    text = clean(value)
    return "'" + text if text.lstrip(" \xa0").startswith(FORMULA_START) else text
