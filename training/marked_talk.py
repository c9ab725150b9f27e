"""Acts that readers marked in real talk: in turns of the AMI and ICSI meetings (CC BY 4.0).

``meeting_acts.txt`` has the acts ("asks to wait"), each with the phrases of seven authors, in the format of
the criteria. ``meeting_acts.tsv`` has the marks: meeting, number of the turn, act, ``+`` or ``-`` (the words
are near the act but do not do it) and the words. Seven readers read 20,000 turns in blocks of 110; readers
and authors were language models. No turn was read of the meetings that are kept for tests and the bench.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from pipeline.matching import meaning
from pipeline.text.words import word_set, words
from training.criteria import read
from training.lines import Line
from training.ordinary_talk import turns

HERE = Path(__file__).parent
ACTS, PHRASES, DOES, NEAR, PASSAGES, STRETCHES = 8, 3, 6, 4, 10, 40
"""What a step has: acts; phrases, marks and near misses of each; passages, and stretches of each."""
BLOCK = 110  # turns read at once: a block with a mark was read whole
AROUND = 9  # words of the turn on each side of a mark that are kept, less one at the most
OFTEN = word_set("""
    asks_detail corrects does_not_know explains_reason next_steps praises recommends requests restates warns
""")
"""Acts done so often that readers did not mark all: an unmarked passage is no example against them."""
RELATED = [
    frozenset(line.split())
    for line in """
        will_do_it will_find_out gets_back agrees_to_do offers_to_do next_steps says_when sets_meeting
        asks_detail asks_how_many asks_when
        asks_preference asks_agreement asks_permission offers_choice
        explains_reason warns no_promise cannot declines does_not_know
        recommends instructs requests reminds
        reassures feels_with praises
        sums_up restates next_steps says_done
        closes asks_anything_else thanks changes_topic
        criticises_own blames reports_fault
        asks_what_happened asks_reason asks_works
        asks_to_repeat checks_follow restates
        greets says_who asks_how_are_you closes
    """.strip().splitlines()
]
"""Acts that are often done by the same words: a mark of one is no example against the others."""


@dataclass(frozen=True)
class Mark:
    """Words ``first`` to before ``last`` of a turn, and the acts that they may do beside the marked one."""

    said: tuple[str, ...]
    first: int
    last: int
    may: frozenset[str]


@dataclass
class Act:
    """An act's phrases, its marks, and the marks of words near it that do not do it."""

    phrases: list[tuple[str, ...]]
    meaning: tuple[str, ...]
    does: list[Mark] = field(default_factory=list)
    near: list[Mark] = field(default_factory=list)


class MarkedTalk:
    """What readers marked, to draw the lines of a training step from.

    Args:
        talk: The turns of the meetings, ``meeting_talk/turns.tsv.gz``.
    """

    def __init__(self, talk: Path) -> None:
        self.acts = {
            name: Act([words(p).words for p in one.phrases], words(one.meaning.split(";")[0]).words)
            for name, one in read(HERE / "meeting_acts.txt").items()
        }
        self.turns: list[tuple[tuple[str, ...], frozenset[str]]] = []
        marks, talked = _marks(HERE / "meeting_acts.tsv"), turns(talk)
        for meeting, block in sorted({(meeting, number // BLOCK) for meeting, number in marks}):
            for number in range(block * BLOCK, min((block + 1) * BLOCK, len(talked[meeting]))):
                self._add(talked[meeting][number], marks.get((meeting, number), ()))
        self.ends = list(accumulate(len(said) for said, _ in self.turns))

    def _add(self, text: str, marks: Sequence[tuple[str, str, str]]) -> None:
        """Add a turn with its marks: act, ``+`` or ``-``, and the words."""
        said, placed = words(text), []
        for act, sign, quote in marks:
            start = text.index(quote)
            end = start + len(quote)
            inside = [at for at in range(len(said.words)) if said.ends[at] > start and said.starts[at] < end]
            if len(inside) > 1:
                placed.append((act, sign, inside[0], inside[-1] + 1))
        for act, sign, first, last in placed:
            done = {a for a, s, low, high in placed if s == "+" and low < last and first < high}
            may = _related(done) if sign == "+" else frozenset(done)
            kept = self.acts[act].does if sign == "+" else self.acts[act].near
            kept.append(Mark(said.words, first, last, may - {act}))
        if len(said.words) >= meaning.LENGTHS[0]:
            done = {act for act, sign, *_ in placed if sign == "+"}
            self.turns.append((said.words, _related(done) | OFTEN))

    def draw(self, dice: random.Random) -> list[Line]:
        """Random lines of a step: phrases of some acts, their marks, near misses, and passages."""
        lines = []
        for name in dice.sample(sorted(self.acts), ACTS):
            one, own = self.acts[name], frozenset([name])
            asked = [*dice.sample(one.phrases, min(PHRASES, len(one.phrases))), one.meaning]
            lines += [Line(said, 0, len(said), does=own, asks=True) for said in asked]
            for mark in dice.sample(one.does, min(DOES, len(one.does))):
                lines.append(Line(*_in_turn(mark, dice), does=own, may=mark.may))
            for mark in dice.sample(one.near, min(NEAR, len(one.near))):
                lines.append(Line(*_in_turn(mark, dice), near=own, may=mark.may))
        for said, may in dice.choices(self.turns, cum_weights=self.ends, k=PASSAGES):
            start = dice.randrange(max(1, len(said) - meaning.PASSAGE + 1))
            passage = said[start : start + meaning.PASSAGE]
            spans = meaning.spans(len(passage)).tolist()
            for first, last in dice.sample(spans, min(STRETCHES, len(spans))):
                lines.append(Line(passage, first, last, may=may))
        return lines


def _in_turn(mark: Mark, dice: random.Random) -> tuple[tuple[str, ...], int, int]:
    """Marked words with some words of the turn around them, and bounds that may be a word off."""
    start = max(0, mark.first - dice.randrange(AROUND))
    end = min(len(mark.said), mark.last + dice.randrange(AROUND))
    first = max(start, mark.first - dice.randrange(2))
    last = min(end, mark.last + dice.randrange(2))
    return mark.said[start:end], first - start, last - start


def _related(acts: set[str]) -> frozenset[str]:
    """Acts and those related to them."""
    return frozenset(acts).union(*(group for group in RELATED if not group.isdisjoint(acts)))


def _marks(path: Path) -> dict[tuple[str, int], list[tuple[str, str, str]]]:
    """The marks by meeting and turn: act, sign and words."""
    found: dict[tuple[str, int], list[tuple[str, str, str]]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        meeting, number, act, sign, quote = line.split("\t")
        found[meeting, int(number)].append((act, sign, quote))
    return found
