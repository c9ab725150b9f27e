"""The query that a check of words gives to a matcher, and the matches that come back.

This is the interface between ``score``, which knows windows, roles and confidence but no language, and
``matching``, which knows language but no call.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from string import capwords
from typing import Any, Literal, Protocol

from pipeline.rubric.checks import RegexCheck, TokenCheck, WordCheck

Method = Literal["exact", "lemma", "fuzzy", "meaning", "regex", "tokens"]


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What is searched for; a match of any of its phrases is enough.

    Attributes:
        method: How freely the words are matched.
        phrases: Phrases, or regular expressions.
        unless: Counter-examples; speech nearer to one of these does not count.
        meaning: The act in a sentence, or "".
        patterns: spaCy token patterns (method ``tokens``).
        case_sensitive: For regular expressions.
        company: Names that ``{company}`` stands for, one of which must be said if the phrase has it.
        threshold: Strength from which a match counts.
        key: Hash of everything that can change a match, for caches.
        what: The query in words, for ``Searched``.
    """

    method: Method
    phrases: tuple[str, ...]
    unless: tuple[str, ...] = ()
    meaning: str = ""
    patterns: tuple[tuple[dict[str, Any], ...], ...] = ()
    case_sensitive: bool = False
    company: tuple[str, ...] = ()
    threshold: float = 0.5
    key: str = field(default="", kw_only=True)
    what: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Found:
    """A match in a text, which may be too weak to count.

    ``start`` and ``end`` are character offsets in text number ``at``; a ``strength`` (0..1) counts from the
    query's threshold on; ``rule`` says which phrase matched and how; ``struck``: it would count but for a
    counter-example.
    """

    at: int
    start: int
    end: int
    strength: float
    rule: str
    struck: bool = False


class Matcher(Protocol):
    """Finds queries in texts; ``pipeline.matching`` implements it."""

    @property
    def fingerprint(self) -> str:
        """Changes when answers could change."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What it cannot do on this machine, in sentences for people, such as a missing model."""

    def find(self, query: Query, texts: Sequence[str]) -> list[Found]:
        """The matches that count or, if there are none, the nearest candidates, in any order."""


COMPANY = "{company}"


def queries(check: WordCheck, company: Sequence[str] = ()) -> tuple[Query, ...]:
    """The queries of a check, which is met only if each has a match; ``{company}`` stands for ``company``."""
    if isinstance(check, RegexCheck):
        return (_query("regex", check.any, case_sensitive=check.case_sensitive),)
    if isinstance(check, TokenCheck):
        return (_query("tokens", (), patterns=check.any),)
    company = [capwords(name) if name.islower() else name for name in company]  # a capital tells a name
    more = {
        "unless": _named(check.unless, company),
        "meaning": check.meaning or "",
        "threshold": check.threshold,
    }
    if any(COMPANY in phrase for phrase in (*check.any, *check.all)):
        more["company"] = tuple(company)
    anyone = (_query(check.match, _named(check.any, company), **more),) if check.any else ()
    return (*anyone, *(_query(check.match, _named((one,), company), **more) for one in check.all))


def _named(phrases: Sequence[str], company: Sequence[str]) -> tuple[str, ...]:
    """Phrases with ``{company}`` replaced by each of the company's names."""
    return tuple(
        named
        for phrase in phrases
        for named in ([phrase.replace(COMPANY, name) for name in company] if COMPANY in phrase else [phrase])
    )


def _query(method: Method, phrases: tuple[str, ...], **more: Any) -> Query:
    body = json.dumps([method, phrases, more], sort_keys=True, default=list)
    key = hashlib.sha256(body.encode()).hexdigest()[:16]
    how = {"meaning": "by meaning", "fuzzy": "allowing recognition errors", "lemma": "in any inflection"}
    listed = ", ".join(f"“{p}”" for p in phrases[:3]) + (
        f" and {len(phrases) - 3} more" if phrases[3:] else ""
    )
    what = {
        "regex": f"regular expression {listed}",
        "tokens": "spaCy token patterns",
    }.get(method, f"{listed} {how.get(method, 'in exactly these words')}")
    return Query(method, phrases, key=key, what=what, **more)


class TooSlowError(Exception):
    """A regular expression exceeded its time limit, so its check is undetermined."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.pattern = pattern
