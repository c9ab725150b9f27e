"""The stretch of a text most like a phrase, letter by letter, for thousands of pairs at once.

A stretch is a run of whole words about as long as the phrase. Likeness is rapidfuzz's ``ratio``: twice the
longest common subsequence over both lengths. Hyyrö's bit-parallel recurrence (Bit-parallel LCS-length
computation revisited, 2004) gives it for every end of a stretch in one pass from its first word; here all
first words of all pairs take each step together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.intp]
Floats = NDArray[np.float64]
PAIRS = 2048
"""Pairs a pass: what a pass works on stays in the processor's cache."""
GAP = 32  # between words


Best = tuple[float, int, int]
"""Likeness 0..100 (0 where the text is too short), words of the stretch, its first word."""


def most_alike(
    phrases: Sequence[str], texts: Sequence[str], sizes: Sequence[tuple[int, int]], *, gap: int
) -> list[Best]:
    """The best stretch of each pair: of equals the shortest, then the first.

    Args:
        phrases: Of each pair.
        texts: Of each pair, words with single spaces between.
        sizes: Fewest and most words of a stretch, of each pair.
        gap: What a space counts as a letter, 1 or 0.
    """
    best: list[Best] = [(0.0, 0, 0)] * len(phrases)
    order = sorted(range(len(phrases)), key=lambda i: len(phrases[i]))  # a pass takes as long as its longest
    for start in range(0, len(order), PAIRS):
        part = order[start : start + PAIRS]
        found = _pass([phrases[i] for i in part], [texts[i] for i in part], [sizes[i] for i in part], gap)
        for i, one in zip(part, found, strict=True):
            best[i] = one
    return best


def _pass(phrases: list[str], texts: list[str], sizes: list[tuple[int, int]], gap: int) -> Iterator[Best]:
    letters, phrase_letters = _letters(texts), _letters(phrases)
    ends = np.flatnonzero((letters == GAP) | (letters == 10))  # of words
    starts = np.concatenate([[0], ends[:-1] + 1])
    lines = np.flatnonzero(letters[ends] == 10) + 1  # words up to each text's last
    count = np.diff(lines, prepend=0)
    low, high = np.array(sizes, np.intp).T
    lanes = np.maximum(count - low + 1, 0)  # first words of a stretch
    pair = np.repeat(np.arange(len(texts)), lanes)
    first = np.arange(len(pair)) - np.repeat(np.cumsum(lanes) - lanes, lanes)
    word = (lines - count)[pair] + first
    begin = starts[word]
    length = np.array(list(map(len, phrases)), np.intp)
    reach = np.minimum(first + high[pair], count[pair]) - first  # words of the longest stretch
    likeness = np.full((len(pair), int((high - low).max(initial=0)) + 1), -1.0)
    if len(pair):
        steps = ends[word + reach - 1] - begin
        common = _common(phrase_letters, length, letters, pair, begin, int(steps.max()))
        for extra in range(likeness.shape[1]):
            words = low[pair] + extra
            fits = np.flatnonzero(words <= reach)
            size = ends[(word + words - 1)[fits]] - begin[fits]
            both = length[pair[fits]] + size - (1 - gap) * (words[fits] - 1)
            same = common[size, fits].astype(np.intp)
            likeness[fits, extra] = 100 * (1 - (both - 2 * same) / np.maximum(both, 1))
    return _first_best(likeness, pair, lanes, first, low)


def _letters(texts: list[str]) -> NDArray[np.uint32]:
    """The letters of texts, each text followed by a line's end."""
    return np.frombuffer("\n".join([*texts, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)


def _common(
    phrase_letters: NDArray[np.uint32],
    length: Ints,
    letters: NDArray[np.uint32],
    pair: Ints,
    begin: Ints,
    steps: int,
) -> NDArray[np.uint16]:
    """Letters in common, in order, after each step from where a lane begins; shape (steps + 1, n_lanes)."""
    known = np.unique(phrase_letters)
    code = np.zeros(int(max(letters.max(), known[-1])) + 1, np.intp)  # 0 is the end of a line: in no phrase
    code[known] = np.arange(len(known))
    codes, phrase_codes = code[letters], code[phrase_letters]
    line = np.repeat(np.arange(len(length)), length + 1)
    place = np.arange(len(line)) - np.repeat(np.cumsum(length + 1) - length - 1, length + 1)
    inside = place < length[line]  # not the end of a line
    word: Any = np.uint32 if length.max() <= 32 else np.uint64  # half as wide, twice as many at once
    bits = 8 * np.dtype(word).itemsize
    blocks = -(-int(length.max()) // bits) or 1
    table = np.zeros((blocks, len(length) * len(known)), word)  # where in its phrase a letter stands
    key = place // bits, line * len(known) + phrase_codes
    np.bitwise_or.at(table, (key[0][inside], key[1][inside]), word(1) << (place[inside] % bits).astype(word))
    row = pair * len(known)
    left = np.full((blocks, len(pair)), ~word(0))
    common = np.zeros((steps + 1, len(pair)), np.uint16)
    codes = np.concatenate([codes, np.zeros(steps, codes.dtype)])
    for step in range(steps):
        here = codes.take(begin + step)
        here += row
        carry = word(0)
        for block in range(blocks):
            before = left[block]
            match = table[block].take(here)
            match &= before
            whole = before + match
            if blocks > 1:
                whole += carry
                carry = ((whole < before) | ((whole == before) & (carry > 0))).astype(word)
            before -= match
            before |= whole
            common[step + 1] += np.bitwise_count(~before)
    return common


def _first_best(likeness: Floats, pair: Ints, lanes: Ints, first: Ints, low: Ints) -> Iterator[Best]:
    """The best of each pair's stretches, given by first word and length."""
    best, where, words = np.zeros(len(lanes)), np.zeros(len(lanes), np.intp), low.copy()
    some = np.flatnonzero(lanes)
    if len(some):
        by_length = np.maximum.reduceat(likeness, (np.cumsum(lanes) - lanes)[some], axis=0)
        best[some] = by_length.max(axis=1)
        words[some] += by_length.argmax(axis=1)
        equal = likeness[np.arange(len(pair)), (words - low)[pair]] == best[pair]
        rows = np.flatnonzero(equal)
        where[some] = first[rows[np.unique(pair[rows], return_index=True)[1]]]
    return zip(best.tolist(), words.tolist(), where.tolist(), strict=True)
