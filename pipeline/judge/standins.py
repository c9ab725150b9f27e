"""Replaces names, titles and pronouns by neutral words, and finds places of the new text in the old.

The model must not see the name or gender of anybody, so that its answer cannot depend on them: two calls that
differ in nothing else become the same text. A place in that text, such as that of a quote, can be converted
to a place in the transcript.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline import privacy
from pipeline.conversation import Transcript, Turn
from pipeline.text.words import word_set

NAME, COMPANY, TITLE, REFERENCE = "[NAME]", "[COMPANY]", "[TITLE]", "[REFERENCE]"
FindNames = Callable[[str], Iterable[tuple[int, int]]]
"""Finds the names in a text, as (start, end) in characters."""
TITLES = re.compile(r"\b(?:sir|ma['’]?am|madam|mr|mrs|ms|mister|missus)\b\.?|\bMiss\b", re.IGNORECASE)
PRONOUNS = {
    "he": "they", "she": "they", "him": "them", "his": "them", "her": "them", "hers": "them",
    "himself": "themself", "herself": "themself",
}  # fmt: skip
"""English only. "his" becomes "them" like "her", since "her" may mean "him" or "his"."""
PRONOUN = re.compile(r"\b(?:" + "|".join(PRONOUNS) + r")\b", re.IGNORECASE)
NO_NAMES = word_set("agent user test team support desk sales service the and not known unknown")
"""Words that metadata often has in place of an agent's name."""
SURNAME = re.compile(r"(?:\s+|-)[A-Z][^\W\d_]+(?:['’-][^\W\d_]+)*")


class _TextPiece(NamedTuple):
    """Text sent, ``start`` to ``end``, that is or replaces ``place`` to ``until`` of the turn."""

    start: int
    end: int
    place: int
    until: int
    is_standin: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A turn as it is sent to the model; ``text`` is one line, with names replaced, made of ``pieces``."""

    turn: Turn
    text: str
    pieces: tuple[_TextPiece, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The place in the turn of characters of the text sent; a stand-in is all that it replaces."""
        first = next((p for p in self.pieces if p.start <= start < p.end), self.pieces[-1])
        last = next((p for p in self.pieces if p.start < end <= p.end), first)
        return (
            first.place if first.is_standin else first.place + start - first.start,
            last.until if last.is_standin else last.place + end - last.start,
        )


def neutral(
    turns: Sequence[Turn],
    find_names: FindNames,
    *,
    people: Iterable[str] = (),
    references: Iterable[str] = (),
    companies: Iterable[str] = (),
) -> list[Sent]:
    """Turns as they may be sent to the model.

    Args:
        turns: Redacted turns.
        find_names: Finds what may be a name. Names that ``privacy`` finds are replaced in addition.
        people: Names known from the metadata, which are replaced as a whole and by their parts.
        references: Ids and numbers of people.
        companies: Names of companies.
    """
    parts = [part for name in people for part in (name, *re.split(r"[\s,.;/_-]+", name))]
    known = [
        (_pattern(part for part in parts if part.casefold() not in NO_NAMES), NAME),
        (_pattern(references), REFERENCE),
        (_pattern(companies), COMPANY),
    ]
    introduced: dict[int, list[tuple[int, int]]] = {}
    for span in privacy.find(Transcript("", tuple(turns))):
        if span.kind == "name":
            end = _name_end(turns[span.turn].text, span.start, span.end)
            introduced.setdefault(span.turn, []).append((span.start, end))
    return [_sent(turn, known, introduced.get(at, []), find_names) for at, turn in enumerate(turns)]


def _name_end(text: str, start: int, end: int) -> int:
    """The end of a name found by the words before it; a capitalised name ends before a small letter."""
    small = re.search(r"\s+[^\W\dA-Z_]", text[start:end]) if text[start].isupper() else None
    return start + small.start() if small else end


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """A pattern for any of these names as whole words; None if there are none of three letters or more."""
    escaped = sorted({re.escape(name) for name in names if len(name) > 2}, key=lambda name: -len(name))
    return re.compile(rf"(?<!\w)(?:{'|'.join(escaped)})(?!\w)", re.IGNORECASE) if escaped else None


def _sent(
    turn: Turn,
    known: Sequence[tuple[re.Pattern[str] | None, str]],
    introduced: Sequence[tuple[int, int]],
    find_names: FindNames,
) -> Sent:
    text = turn.text
    found = [(m.start(), m.end(), word) for pattern, word in known if pattern for m in pattern.finditer(text)]
    found += [(m.start(), m.end(), m[0]) for m in privacy.PLACEHOLDER.finditer(text)]  # no name is in one
    found += [(m.start(), m.end(), TITLE) for m in TITLES.finditer(text)]
    found += [(m.start(), m.end(), PRONOUNS[m[0].lower()]) for m in PRONOUN.finditer(text)]
    for start, end in (*introduced, *find_names(text)):
        surname = SURNAME.match(text, end)
        found.append((start, surname.end() if surname else end, NAME))
    return _with_standins(turn, _without_overlaps(found, text))


def _without_overlaps(found: Sequence[tuple[int, int, str]], text: str) -> list[tuple[int, int, str]]:
    """Finds in order, overlapping ones joined under the first and longest, names side by side joined too."""
    kept: list[tuple[int, int, str]] = []
    for start, end, word in sorted(found, key=lambda f: (f[0], -f[1])):
        first, last, before = kept[-1] if kept else (0, 0, "")
        between = text[last:start]
        are_one_name = word == NAME == before and len(between) <= 2 and not between.strip(" -.")
        if start < last or are_one_name:
            kept[-1] = (first, max(end, last), before)
        else:
            kept.append((start, end, word))
    return kept


def _with_standins(turn: Turn, replaced: Sequence[tuple[int, int, str]]) -> Sent:
    """The turn with each of these places replaced by its word."""
    parts: list[str] = []
    pieces: list[_TextPiece] = []
    at = place = 0
    for start, end, word in (*replaced, (len(turn.text), len(turn.text), "")):
        before = _plain(turn.text[place:start])
        for part, first, last, is_standin in ((before, place, start, False), (word, start, end, True)):
            if part:
                parts.append(part)
                pieces.append(_TextPiece(at, at + len(part), first, last, is_standin))
                at += len(part)
        place = end
    return Sent(turn, "".join(parts), tuple(pieces))


def _plain(text: str) -> str:
    """The text as one line of the same length, without characters that could imitate the call's marks."""
    return "".join(" " if not char.isprintable() else {"<": "‹", ">": "›"}.get(char, char) for char in text)
