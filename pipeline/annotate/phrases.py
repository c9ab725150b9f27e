"""Finds the phrases of phrase lists in turns.

In a phrase, ``(a|b)`` gives alternatives, ``(a|)`` makes a part optional, and ``...`` stands for up to four
words. A list may also hold spaCy token patterns (``ORTH`` in lower case). Both are matched with a turn's
*fluent* words (see ``components``), so fillers, punctuation, case and contractions make no difference.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from spacy.language import Language
from spacy.matcher import Matcher
from spacy.tokens import Doc

from pipeline.annotate.findings import Fact
from pipeline.errors import UsageError
from pipeline.text.words import NEGATIONS, word_set

Read = TypeVar("Read")
DATA = Path(__file__).parent / "data"
MAX_EXPANSIONS = 10_000  # a phrase with more readings than this is a mistake
NEGATORS = NEGATIONS | word_set("without mat")
NEGATION_REACH = 3  # words before a find in which a negator denies it: "do not want to cancel"
SPEAKER = word_set("i my me mine myself we our us he she his her")
SUBJECT_REACH = 5  # words before a find in which the person it is about is looked for
IT_IS = re.compile(r"(?<!\S)(it|that|this|what|who|where|there|here|how|he|she) is(?!\S)")


class PhraseList(BaseModel):
    """One list of a YAML file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    kind: str
    label: str
    role: Literal["agent", "customer", "any"] = "any"
    negation: Literal["clears", "ignore"] = "clears"
    phrases: tuple[str, ...] = ()
    patterns: tuple[tuple[dict[str, Any], ...], ...] = ()
    not_of: tuple[str, ...] = ()
    """Persons whom the phrases are not about: "you", so that "you are going bankrupt" is no find."""


def read_lists(path: Path) -> tuple[PhraseList, ...]:
    """The phrase lists of a YAML file.

    Raises:
        UsageError: The file cannot be read, or is wrong; up to eight problems are named.
    """
    return _read(path, TypeAdapter(tuple[PhraseList, ...]))


def read_topics(path: Path) -> tuple[PhraseList, ...]:
    """The topics of a YAML file (label: phrases) as lists of kind ``topic``.

    Raises:
        UsageError: The file cannot be read, or is wrong.
    """
    topics = _read(path, TypeAdapter(dict[str, tuple[str, ...]]))
    return tuple(PhraseList(kind="topic", label=label, phrases=p) for label, p in topics.items())


def _read(path: Path, adapter: TypeAdapter[Read]) -> Read:
    try:
        return adapter.validate_python(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: cannot be read: {error}", hint="it must be YAML in UTF-8") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:8])
        raise UsageError(f"{path}: {problems}", hint=f"compare with the shipped lists in {DATA}") from error


def readings(phrase: str) -> list[str]:
    """Every reading of a phrase, that is, with every combination of its alternatives.

    Raises:
        UsageError: The brackets do not balance, or there are too many readings.
    """
    parts = re.split(r"\(([^()]*)\)", phrase)
    if any(bracket in "".join(parts[0::2]) for bracket in "()"):
        raise UsageError(f"phrase {phrase!r}: brackets do not balance or are nested", hint="write (a|b)")
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    total = math.prod(map(len, choices))
    if total > MAX_EXPANSIONS:
        raise UsageError(f"phrase {phrase!r} has {total} readings", hint="split it into several phrases")
    return [" ".join("".join(pick).split()) for pick in itertools.product(*choices)]


class PhraseFinder:
    """The component that sets ``doc._.facts`` to what the phrase lists find.

    Readings without a gap are looked up in a dictionary. spaCy's PhraseMatcher would find the same, but takes
    seconds to build for the seventy thousand readings of the shipped lists. Readings with a gap and token
    patterns are left to spaCy's Matcher.

    Raises:
        UsageError: spaCy does not accept a token pattern.
    """

    def __init__(self, nlp: Language, lists: Sequence[PhraseList]) -> None:
        self._lists = tuple(lists)
        self._readings: dict[str, list[int]] = {}
        self._matcher = Matcher(nlp.vocab)
        for number, entry in enumerate(self._lists):
            for reading in {r for phrase in entry.phrases for r in readings(phrase)}:
                if "..." in reading:
                    self._matcher.add(str(number), [_gap_pattern(nlp, reading)])
                    continue
                for form in _forms(nlp, reading):
                    self._readings.setdefault(form, []).append(number)
            if entry.patterns:
                self._add_patterns(str(number), entry)
        self._first_words = {reading.split(" ", 1)[0] for reading in self._readings}
        self._most_words = max((reading.count(" ") + 1 for reading in self._readings), default=0)

    def __call__(self, doc: Doc) -> Doc:
        """Find the lists that apply to the role of one turn; overlapping finds of a list are joined."""
        fluent, places = doc._.fluent, doc._.fluent.user_data["places"]
        words = [token.text for token in fluent]
        found: dict[int, list[tuple[int, int]]] = {}
        for number, start, end in self._hits(fluent, words):
            if self._lists[number].role in ("any", doc._.role) or doc._.role == "unknown":
                found.setdefault(number, []).append((start, end))
        doc._.facts = []
        for number, spans in found.items():
            entry = self._lists[number]
            for start, end in _merged(spans):
                before = words[max(0, start - NEGATION_REACH) : start]
                is_denied = entry.negation == "clears" and NEGATORS.intersection(before)
                if not is_denied and not _is_of_another(entry, words, start, end):
                    fact = Fact(entry.kind, entry.label, places[start][0], places[end - 1][1])
                    doc._.facts.append(fact)
        return doc

    def _hits(self, fluent: Doc, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
        """Number of the list, first word and end of every occurrence of a phrase or pattern."""
        for start, word in enumerate(words):
            if word not in self._first_words:
                continue
            text = ""
            for end in range(start, min(len(words), start + self._most_words)):
                text = f"{text} {words[end]}" if text else word
                for number in self._readings.get(text, ()):
                    yield number, start, end + 1
        if len(self._matcher):
            for key, start, end in self._matcher(fluent):
                yield int(fluent.vocab.strings[key]), start, end

    def _add_patterns(self, key: str, entry: PhraseList) -> None:
        try:
            self._matcher.add(key, [list(pattern) for pattern in entry.patterns])
        except (ValueError, TypeError) as error:  # spaCy's MatchPatternError is a ValueError
            raise UsageError(
                f"pattern of {entry.kind} {entry.label!r} is no spaCy token pattern: {error}",
                hint="see https://spacy.io/usage/rule-based-matching",
            ) from error


def _is_of_another(entry: PhraseList, words: Sequence[str], start: int, end: int) -> bool:
    """Whether the last person named in a find, or shortly before it, is one that the list excludes."""
    for word in reversed(words[max(0, start - SUBJECT_REACH) : end]):
        if word in SPEAKER:
            return False
        if word in entry.not_of:
            return True
    return False


def _fluent(nlp: Language, text: str) -> str:
    """The words of a phrase in the form of fluent words: normalised, contractions in full."""
    return " ".join(filter(None, [_of_chunk(nlp, chunk) for chunk in text.lower().split()]))


@lru_cache(maxsize=20_000)
def _of_chunk(nlp: Language, chunk: str) -> str:
    return " ".join(t.norm_ for t in nlp.make_doc(chunk) if not (t.is_punct or t.is_space))


def _forms(nlp: Language, reading: str) -> Iterator[str]:
    """The fluent words of a reading, and the same with "it's" for "it is" if that occurs in it."""
    full = _fluent(nlp, reading)
    if full:
        yield full
        if " is" in full and (contracted := IT_IS.sub(r"\1 's", full)) != full:
            yield contracted


def _gap_pattern(nlp: Language, reading: str) -> list[dict[str, Any]]:
    pattern: list[dict[str, Any]] = []
    for index, part in enumerate(reading.split("...")):
        if index:
            pattern += [{"OP": "?"}] * 4
        pattern += [{"ORTH": word} for word in _fluent(nlp, part).split()]
    return pattern


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans with overlapping ones joined, so that the quote shows all of them."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
