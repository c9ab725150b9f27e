"""Makes text safe for every spreadsheet, in exports and in the results of SQL.

Transcripts and metadata come from other people. So everything written to a CSV cell goes through ``inert``.
"""

from __future__ import annotations

import re

FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text: str) -> str:
    """Replace control characters and lone surrogates, which spreadsheets and XML refuse."""
    return CONTROL.sub("�", text)


def inert(value: object) -> object:
    """Turn a value into a CSV cell that no spreadsheet runs as a formula.

    Text that a spreadsheet would read as a formula gets a leading apostrophe, as OWASP advises (CSV
    Injection); spreadsheets then show it as plain text. Numbers stay numbers.
    """
    if not isinstance(value, str):
        return value
    text = clean(value)
    return "'" + text if _is_formula(text) else text


def as_written(text: str) -> str:
    """The text that ``inert`` made this cell of: without its apostrophe, but with one that a person wrote."""
    return text[1:] if text.startswith("'") and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    return text.lstrip(" \xa0").startswith(FORMULA_START)
