"""Names, titles and pronouns replaced by words that are the same for everybody, with the way back.

So that an answer cannot depend on who somebody is, nothing that tells one caller or agent from another by
name or gender is sent: two calls that differ in nothing else are the same text. What a model quotes of that
text is found again in the transcript by its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline import privacy
from pipeline.conversation import Transcript, Turn

NAME, COMPANY, TITLE, REFERENCE = "[NAME]", "[COMPANY]", "[TITLE]", "[REFERENCE]"
FindNames = Callable[[str], Iterable[tuple[int, int]]]
"""Where names stand in a text, as (start, end) characters."""
TITLES = re.compile(r"\b(?:sir|ma['’]?am|madam|mr|mrs|ms|mister|missus)\b\.?|\bMiss\b", re.IGNORECASE)
PRONOUNS = {
    "he": "they", "she": "they", "him": "them", "his": "them", "her": "them", "hers": "them",
    "himself": "themself", "herself": "themself",
}  # fmt: skip
"""English; "his" and "her" become one word, since "her" is "him" as well as "his"."""
PRONOUN = re.compile(r"\b(?:" + "|".join(PRONOUNS) + r")\b", re.IGNORECASE)
NO_NAMES = frozenset([
    "agent", "user", "test", "team", "support", "desk", "sales", "service", "the", "and", "not", "known",
    "unknown",
])  # fmt: skip
"""Words that stand where an agent's name should, in metadata."""
SURNAME = re.compile(r"(?:\s+|-)[A-Z][^\W\d_]+(?:['’-][^\W\d_]+)*")


class _Piece(NamedTuple):
    """Characters ``start`` to ``end`` as sent are, or stand in for, ``place`` to ``until`` of the turn."""

    start: int
    end: int
    place: int
    until: int
    stands_in: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """A turn as it is sent.

    Attributes:
        turn: The turn it is of.
        text: One line, names replaced.
        pieces: All its parts, in order.
    """

    turn: Turn
    text: str
    pieces: tuple[_Piece, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where characters of the text sent stand in the turn; a stand-in is the whole it stands for."""
        first = next((p for p in self.pieces if p.start <= start < p.end), self.pieces[-1])
        last = next((p for p in self.pieces if p.start < end <= p.end), first)
        return (
            first.place if first.stands_in else first.place + start - first.start,
            last.until if last.stands_in else last.place + end - last.start,
        )


def neutral(
    turns: Sequence[Turn],
    find_names: FindNames,
    *,
    people: Iterable[str] = (),
    references: Iterable[str] = (),
    companies: Iterable[str] = (),
) -> list[Sent]:
    """Turns as they may be sent.

    Args:
        turns: Redacted.
        find_names: Finds what may be a name; what ``privacy`` finds introduced as one comes on top.
        people: Names known from the metadata, taken out by their parts too.
        references: Ids and numbers of people, whole.
        companies: Names of firms, whole.
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
    """Where a name ends that was found by what stands before it: with capitals, before a small letter."""
    small = re.search(r"\s+[^\W\dA-Z_]", text[start:end]) if text[start].isupper() else None
    return start + small.start() if small else end


def _pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Any of these, as whole words."""
    told = sorted({re.escape(name) for name in names if len(name) > 2}, key=lambda name: -len(name))
    return re.compile(rf"(?<!\w)(?:{'|'.join(told)})(?!\w)", re.IGNORECASE) if told else None


def _sent(
    turn: Turn,
    known: Sequence[tuple[re.Pattern[str] | None, str]],
    introduced: Sequence[tuple[int, int]],
    find_names: FindNames,
) -> Sent:
    text = turn.text
    found = [(m.start(), m.end(), word) for pattern, word in known if pattern for m in pattern.finditer(text)]
    found += [(m.start(), m.end(), TITLE) for m in TITLES.finditer(text)]
    found += [(m.start(), m.end(), PRONOUNS[m[0].lower()]) for m in PRONOUN.finditer(text)]
    for start, end in (*introduced, *find_names(text)):
        surname = SURNAME.match(text, end)
        found.append((start, surname.end() if surname else end, NAME))
    return _joined(turn, _apart(found, text))


def _apart(found: Sequence[tuple[int, int, str]], text: str) -> list[tuple[int, int, str]]:
    """Without overlaps, the longest first; names beside each other are one."""
    kept: list[tuple[int, int, str]] = []
    for start, end, word in sorted(found, key=lambda f: (f[0], -f[1])):
        if kept and (
            start < kept[-1][1] or (_is_gap(text[kept[-1][1] : start]) and word == NAME == kept[-1][2])
        ):
            if end > kept[-1][1]:
                kept[-1] = (kept[-1][0], end, kept[-1][2])
        else:
            kept.append((start, end, word))
    return kept


def _is_gap(between: str) -> bool:
    return len(between) <= 2 and not between.strip(" -.")


def _joined(turn: Turn, replaced: Sequence[tuple[int, int, str]]) -> Sent:
    parts: list[str] = []
    pieces: list[_Piece] = []
    at = place = 0
    for start, end, word in (*replaced, (len(turn.text), len(turn.text), "")):
        before = _plain(turn.text[place:start])
        for said, first, last, stands_in in ((before, place, start, False), (word, start, end, True)):
            if said:
                parts.append(said)
                pieces.append(_Piece(at, at + len(said), first, last, stands_in))
                at += len(said)
        place = end
    return Sent(turn, "".join(parts), tuple(pieces))


def _plain(text: str) -> str:
    """The same number of characters in one line, without what could pass for the marks around the call."""
    return "".join(" " if not char.isprintable() else {"<": "‹", ">": "›"}.get(char, char) for char in text)
