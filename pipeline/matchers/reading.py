"""A turn as the meaning matcher reads it: clauses, sentence vectors, acts. Each text is read once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder import Encoder
from pipeline.matchers.acts import Act, read_acts

Array = NDArray[np.float32]
ENCODER = Path(__file__).parent / "weights" / "encoder.npz"
"""What the matcher's encoder learnt of acts (``bench/matcher_training/train_encoder.py``)."""
WORD = re.compile(r"[\w']+")
SENTENCE = re.compile(r"[.?!]+(?:\s|$)|[۔؟]")
WINDOW, STEP, WHOLE = 12, 4, 16
"""Words a window, words from one to the next; clauses of up to 16 words are read whole."""
ACT_WORDS = 18
"""Up to this length the acts are those of the clause, beyond it those of the window."""
MAX_WINDOWS = 40
"""A turn of over about 160 words is read in windows further apart."""
KEPT = 20_000
"""Texts, pieces and clauses remembered, about 2 kB each: what a window of 200 calls says, and what recurs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text that is compared: normalised, its offsets, and the clause for its acts."""

    text: str
    start: int
    end: int
    clause: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One text, read: ``vectors`` float32, shape (n_pieces, 384), rows of length 1."""

    pieces: tuple[Piece, ...]
    vectors: Array


def normal(text: str) -> str:
    """Lower case, words only."""
    return " ".join(WORD.findall(text.lower()))


@lru_cache(maxsize=KEPT)
def pieces(text: str) -> tuple[Piece, ...]:
    """The stretches of a text that are compared."""
    found: list[Piece] = []
    begin = 0
    for end in [*(m.start() for m in SENTENCE.finditer(text)), len(text)]:
        words = [
            (m.group().lower(), m.start() + begin, m.end() + begin) for m in WORD.finditer(text[begin:end])
        ]
        begin = end
        found += _windows(words)
    if len(found) > MAX_WINDOWS:
        found = found[:: len(found) // MAX_WINDOWS + 1]
    return tuple(found)


def _windows(words: list[tuple[str, int, int]]) -> list[Piece]:
    if not words:
        return []
    whole = " ".join(w for w, _, _ in words)
    if len(words) <= WHOLE:
        return [Piece(whole, words[0][1], words[-1][2], whole)]
    made = []
    for at in range(0, len(words) - WINDOW + STEP, STEP):
        part = words[at : at + WINDOW]
        text = " ".join(w for w, _, _ in part)
        made.append(Piece(text, part[0][1], part[-1][2], whole if len(words) <= ACT_WORDS else text))
    return made


class Reader:
    """Reads texts with the encoder and the parser, keeping what it has read.

    Attributes:
        encoder: Sentence encoder.
        parser: spaCy pipeline with tagger and parser.
    """

    def __init__(self, encoder: Encoder, parser: Any) -> None:
        self.encoder = encoder
        self.parser = parser
        self._readings: dict[str, Reading] = {}
        self._vectors: dict[str, Array] = {}
        self._acts: dict[str, Act] = {}

    def vectors(self, texts: Sequence[str]) -> Array:
        """Sentence vectors, each distinct text encoded once; float32, shape (n_texts, 384)."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            _make_room(self._vectors, texts, len(new))
            self._vectors.update(zip(new, self.encoder.embed(new), strict=True))
        return np.stack([self._vectors[text] for text in texts])

    def read(self, texts: Iterable[str]) -> dict[str, Reading]:
        """The readings of texts; those new are encoded in one batch."""
        wanted = list(dict.fromkeys(texts))
        new = [text for text in wanted if text not in self._readings]
        if new:
            cut = [pieces(text) for text in new]
            flat = [piece.text for found in cut for piece in found]
            vectors = self.vectors(flat) if flat else np.zeros((0, 384), np.float32)
            _make_room(self._readings, wanted, len(new))
            at = 0
            for text, found in zip(new, cut, strict=True):
                self._readings[text] = Reading(found, vectors[at : at + len(found)])
                at += len(found)
        return {text: self._readings[text] for text in wanted}

    def acts(self, clauses: Iterable[str]) -> dict[str, Act]:
        """The acts of normalised clauses; those new are parsed in one batch."""
        wanted = list(dict.fromkeys(clauses))
        new = [clause for clause in wanted if clause not in self._acts]
        if new:
            _make_room(self._acts, wanted, len(new))
            self._acts.update(zip(new, read_acts(self.parser, new), strict=True))
        return {clause: self._acts[clause] for clause in wanted}


def _make_room(kept: dict[str, Any], wanted: Iterable[str], coming: int) -> None:
    """Forget all but what is wanted now, rather than grow without end."""
    if len(kept) + coming > KEPT:
        needed = {text: kept[text] for text in wanted if text in kept}
        kept.clear()
        kept.update(needed)
