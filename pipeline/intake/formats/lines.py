"""Plain text with the speaker's label before each turn, as people, chat tools and subtitle editors write it.

    Agent: Thank you for calling.                 [00:00:01] Agent: Thank you for calling.
    Customer [00:07]: My order                    00:00:07 - Customer: My order
    is late.                                      is late.

A line without a label goes on with the turn before. What stands above the first label is a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.intake import pieces
from pipeline.intake.formats import bare
from pipeline.intake.pieces import Json, Said
from pipeline.text.words import count_words

SUFFIX = ".txt"
LEAST_LABELLED = 1 / 3
"""Share of the lines that have a label, in a text that is a conversation; two lines may follow each label."""
LEAST_WORDS = 4
"""Words a turn in a conversation of people of unknown roles without times; a list of contacts has fewer."""
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?"
_TIME = rf"[\[(<]?({_CLOCK}|\d{{4}}-\d\d-\d\d[ T]{_CLOCK})(?:\s*(?:-+>?|[–—]|to)\s*({_CLOCK}))?[\])>]?"
_BEFORE_LABEL = re.compile(rf"\s*{_TIME}\s*(?:[-–—|]\s*)?", re.A)
_AFTER_LABEL = re.compile(rf"\s*([^\d:\[(<][^:\[(<]{{0,39}}?)\s*[-–—,]?\s*{_TIME}\s*(?:[:\-–—]\s*|$)", re.A)
Span = tuple[str | None, str | None]
"""Start and end as written."""


def read(body: str) -> Said:
    """The turns of a plain text; a single turn without a speaker if no line has a label."""
    found = [one for one in _turns(body) if one["text"]]
    said = bare.read({"turns": found})
    return said or Said(lambda: [pieces.turn(body, None, None)])


def is_conversation(text: str) -> bool:
    """Whether a text has the turns of two speakers or more, and not other lines such as "Note: ..."."""
    found = list(_turns(text))
    lines = sum(bool(line.strip()) for line in text.splitlines())
    speakers = {one["speaker"] for one in found}
    told = any(one["start"] or pieces.role_of(one["speaker"]) != "unknown" for one in found)
    spoken = sum(count_words(one["text"]) for one in found)
    return (
        len(speakers) > 1
        and bare.read({"turns": found}) is not None
        and len(found) >= LEAST_LABELLED * lines
        and (told or spoken >= LEAST_WORDS * len(found))
    )


def _turns(body: str) -> Iterator[Json]:
    """The labelled lines with the lines that follow each, as the objects of a list of turns."""
    written = [line for line in body.splitlines() if line.strip()]
    cut = list(map(_without_time, written))
    turn: Json | None = None
    above: Span = (None, None)  # a time on a line of its own
    for line, (rest, span), (speaker, text) in zip(
        written, cut, pieces.labelled([rest for rest, _ in cut]), strict=True
    ):
        if not rest:
            above = span
        elif speaker is not None and text != rest:
            if turn is not None:
                yield turn
            start, end = span if span[0] else above
            turn, above = {"speaker": speaker, "start": start, "end": end, "text": text}, (None, None)
        elif turn is not None:
            more = rest if line.lstrip().startswith(("[", "(")) else line.strip()
            turn["text"] = f"{turn['text']} {more}".strip()
    if turn is not None:
        yield turn


def _without_time(line: str) -> tuple[str, Span]:
    """A line without the time before or after the speaker's label, and that time."""
    if before := _BEFORE_LABEL.match(line):
        return line[before.end() :].strip(), (before[1], before[2])
    if after := _AFTER_LABEL.match(line):
        return f"{after[1]}: {line[after.end() :]}".strip(), (after[2], after[3])
    return line.strip(), (None, None)
