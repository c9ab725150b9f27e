"""What is known of every text under every query: a number a pair, and the places that were looked at closely.

Of a thousand texts under twenty queries nearly all are settled by a number; places are kept only for
the few that come near, and made for the rest when one is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.rubric.queries import Found, Query

Rows = NDArray[np.intp]
NOTHING = -1.0
"""The strength of a text in which nothing comes near."""
ASKED = 2000
"""Lists of texts whose rows are remembered: calls that only repeat known sentences bring ever new lists."""


class Marks:
    """One query's side of the sheet.

    Attributes:
        strength: Best strength in each text, float64, shape (n_rows,); NaN where not asked yet.
        nearest: Which of the query's phrases is nearest to it by letters, int16.
        found: Places by row, where they were looked for.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        self.strength = np.full(0, np.nan)
        self.nearest = np.zeros(0, np.int16)
        self.found: dict[int, tuple[Found, ...]] = {}

    def make_room(self, rows: int) -> None:
        """Hold so many rows."""
        more = rows - len(self.strength)
        if more > 0:
            more = max(more, len(self.strength))
            self.strength = np.concatenate([self.strength, np.full(more, np.nan)])
            self.nearest = np.concatenate([self.nearest, np.zeros(more, np.int16)])

    def keep(self, row: int, found: tuple[Found, ...]) -> None:
        """What a text holds."""
        self.strength[row] = max((f.strength for f in found), default=NOTHING)
        self.found[row] = found

    def unasked(self, rows: Rows) -> Rows:
        """Those of the rows that are not settled, each once."""
        return np.unique(rows[np.isnan(self.strength[rows])])

    def places(self, row: int, text: str) -> tuple[Found, ...]:
        """The places in a text in which something comes near; by letters alone, the text as a whole."""
        if row in self.found:
            return self.found[row]
        phrase = self.query.phrases[self.nearest[row]]
        return (Found(0, 0, len(text), float(self.strength[row]), f"nearest to: {phrase}"),)


class Sheet:
    """Texts by row, and the marks of each query.

    Attributes:
        texts: By row.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._rows: dict[str, int] = {}
        self._marks: dict[str, Marks] = {}
        self._asked: dict[tuple[str, ...], Rows] = {}

    def rows(self, texts: Sequence[str]) -> Rows:
        """The rows of texts; those new get one. Twenty queries ask for the same texts one after the other."""
        asked = tuple(texts)
        found = self._asked.get(asked)
        if found is None:
            if len(self._asked) >= ASKED:
                self._asked.clear()
            for text in asked:
                if self._rows.setdefault(text, len(self.texts)) == len(self.texts):
                    self.texts.append(text)
            found = self._asked[asked] = np.array(list(map(self._rows.__getitem__, asked)), np.intp)
        return found

    def marks(self, query: Query) -> Marks:
        """A query's marks, with room for every text."""
        marks = self._marks.get(query.key)
        if marks is None:
            marks = self._marks[query.key] = Marks(query)
        marks.make_room(len(self.texts))
        return marks
