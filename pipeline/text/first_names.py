"""First names, by which a person's name is told from other words."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pipeline.text.words import word_set

FIRST_NAMES = Path(__file__).with_name("first_names.txt")
COMMON_TOO = word_set(
    "art bill bob chance chase chip chuck cliff crystal dale dawn don drew faith frank gene glen grace grant "
    "guy heath holly hope ivy jack joy lance major mark max miles pat penny ray reed rich rob rose ruby "
    "sandy skip sue summer wade ward wayne will"
)
"""First names that are ordinary words too."""


@cache
def first_names() -> frozenset[str]:
    """First names in lower case without the commonest words of ordinary talk (``NOTICE``)."""
    return frozenset(FIRST_NAMES.read_text("utf-8").split())
