"""Speaker diarisation of one channel: decide which of two voices says each word.

    words ─▶ windows of speech ─▶ voice embeddings ─▶ two clusters ─▶ words, smoothed ─▶ turns

The times of the recognised words show where there is speech and where the speaker can change, so no separate
segmentation model is needed. Each word gets the voice of the windows around it. A Viterbi pass then makes a
change of speaker cheap at pauses and sentence ends, and expensive inside a phrase.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.conversation import AudioClip, Turn, Word
from pipeline.speakers import voice
from pipeline.turns import mean_confidence
from pipeline.word_times import TurnClock

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

WINDOW_S, HOP_S = 1.2, 0.5
"""Shorter windows separate voices less reliably; longer ones contain more changes of speaker."""
SHORTEST_WINDOW_S = 0.5
RUN_GAP_S = 0.4
NEARNESS_S = 0.4
ONE_VOICE_COSINE = 0.875
"""Cosine similarity of the two cluster centres above which they are one voice. From 46 windows on, halves of
one voice have 0.917 to 0.97, two similar voices at most 0.83. This and the two numbers below were chosen on
whole calls and on real and synthetic stretches of 4 to 60 s, 1,964 of one voice and 1,332 of two, from three
composed telephone calls and the sample calls."""
FEW_WINDOWS = 0.8
"""The limit is lowered by this divided by the number of windows: few windows may differ by chance."""
SURENESS = 57.0
"""Log-odds of two voices per unit of cosine below the limit, and of one voice per unit above it."""
MOST_SURE = 0.99
THIRD_VOICE_WINDOWS = 8
THIRD_VOICE_FACTOR = 0.6
SWITCH_COST = 0.6
PAUSE_S = 0.3
SENTENCE_END_FACTOR = 0.3


@dataclass(frozen=True, slots=True)
class Diarisation:
    """The result: turns of one or two voices.

    Attributes:
        turns: The turns, split where the voice changes and renumbered; roles are unchanged.
        is_second: For each turn, whether the second voice speaks it; all False when there is one voice.
        n_voices: 1, 2, or 3 when one of the two clusters holds two voices itself (a transfer, a third
            party). The turns then still have two sides, and a voice may be on the wrong one.
        confidence: Probability 0..1 that the voices were separated, or found to be one, correctly.
    """

    turns: tuple[Turn, ...]
    is_second: tuple[bool, ...]
    n_voices: int
    confidence: float


def diarise(turns: Sequence[Turn], clip: AudioClip, channel: int) -> Diarisation:
    """Separate two voices on one channel; a turn without words is assigned to one voice as a whole.

    Raises:
        ModelError: The voice encoder's weights cannot be read.
    """
    one_voice = Diarisation(tuple(turns), (False,) * len(turns), 1, 0.0)
    units = [unit for turn in turns for unit in _units(turn)]
    if not units:
        return one_voice
    spans = _windows(units, clip.duration_s)
    vectors = voice.embed(clip.samples[channel], spans)
    centres = _two_centres(vectors)
    if centres is None:
        return replace(one_voice, confidence=0.5)
    first, second = centres
    cosine = float(first @ second)
    below_limit = ONE_VOICE_COSINE - FEW_WINDOWS / len(vectors) - cosine
    sure = min(MOST_SURE, 1 / (1 + float(np.exp(-SURENESS * abs(below_limit)))))
    if below_limit < 0:
        return replace(one_voice, confidence=sure)
    leaning = (vectors @ second - vectors @ first) / (1 - cosine)
    is_second = _smooth(units, _word_scores(units, spans, leaning))
    split, labels = _split(turns, is_second)
    if any(_holds_two_voices(side) for side in (vectors[leaning > 0], vectors[leaning <= 0])):
        return Diarisation(split, labels, 3, sure * THIRD_VOICE_FACTOR)
    return Diarisation(split, labels, 2, sure)


def _holds_two_voices(vectors: Floats) -> bool:
    """Whether the windows of one side clearly hold two voices, each with ``THIRD_VOICE_WINDOWS`` or more."""
    centres = _two_centres(vectors)
    if centres is None:
        return False
    first, second = centres
    n_second = int((vectors @ second > vectors @ first).sum())
    smaller = min(n_second, len(vectors) - n_second)
    return smaller >= THIRD_VOICE_WINDOWS and float(first @ second) < ONE_VOICE_COSINE - FEW_WINDOWS / smaller


def _units(turn: Turn) -> tuple[Word, ...]:
    """The smallest timed parts of a turn: its words, or the whole turn."""
    if turn.words:
        return turn.words
    if turn.start_s is None or turn.end_s is None:
        return ()
    return (Word(turn.text, turn.start_s, turn.end_s),)


def _windows(units: Sequence[Word], duration_s: float) -> npt.NDArray[np.float64]:
    """Windows over runs of words: start and end in seconds, shape (n, 2), lengths in whole tenths."""
    runs: list[list[float]] = []
    for unit in sorted(units, key=lambda u: u.start_s):
        if runs and unit.start_s - runs[-1][1] < RUN_GAP_S:
            runs[-1][1] = max(runs[-1][1], unit.end_s)
        else:
            runs.append([unit.start_s, unit.end_s])
    windows: list[tuple[float, float]] = []
    for start_s, end_s in runs:
        length_s = end_s - start_s
        if length_s <= WINDOW_S:
            kept_s = max(round(length_s, 1), SHORTEST_WINDOW_S)
            windows.append(((start_s + end_s - kept_s) / 2, kept_s))
        else:
            n = int(np.ceil((length_s - WINDOW_S) / HOP_S)) + 1
            windows += [(at, WINDOW_S) for at in np.linspace(start_s, end_s - WINDOW_S, n)]
    starts, lengths = np.array(windows).T
    begin = np.clip(starts, 0.0, max(0.0, duration_s - SHORTEST_WINDOW_S))
    return np.stack([begin, begin + lengths], axis=1)


def _two_centres(vectors: Floats) -> tuple[Floats, Floats] | None:
    """Unit centres of two clusters by spherical 2-means; None for one distinct vector or no convergence.

    It starts from several cuts along the main direction of variation, because one party may speak only a
    tenth as much as the other.
    """
    if len(vectors) < 2 or np.allclose(vectors, vectors[0]):
        return None
    centred = vectors - vectors.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    best: tuple[Floats, Floats] | None = None
    best_fit = -1.0
    for cut in np.quantile(along, (0.1, 0.25, 0.5, 0.75, 0.9)):
        labels = along > cut
        for _ in range(30):
            if labels.all() or not labels.any():
                break
            first, second = _centre(vectors[~labels]), _centre(vectors[labels])
            updated = vectors @ second > vectors @ first
            if np.array_equal(updated, labels):
                fit = float(np.where(labels, vectors @ second, vectors @ first).mean())
                if fit > best_fit:
                    best, best_fit = (first, second), fit
                break
            labels = updated
    return best


def _centre(vectors: Floats) -> Floats:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), dtype=np.float32)


def _word_scores(
    units: Sequence[Word], spans: npt.NDArray[np.float64], leaning: npt.NDArray[np.floating]
) -> Floats:
    """Score of each word from -1 (first voice) to 1 (second): a weighted mean of the windows around it."""
    order = np.argsort(spans.mean(axis=1))
    middles, leaning = spans.mean(axis=1)[order], leaning[order]
    scores = np.zeros(len(units), np.float32)
    for i, unit in enumerate(units):
        at = (unit.start_s + unit.end_s) / 2
        nearest = int(np.clip(np.searchsorted(middles, at), 0, len(middles) - 1))
        near = slice(max(0, nearest - 4), nearest + 5)
        distance = np.abs(middles[near] - at)
        weight = np.exp(-np.square(distance / NEARNESS_S)) * (distance <= WINDOW_S / 2 + 0.1)
        weight[distance.argmin()] += 1e-6  # a word outside every window uses the nearest one
        scores[i] = float(weight @ leaning[near] / weight.sum())
    return scores


def _smooth(units: Sequence[Word], scores: Floats) -> Flags:
    """The most likely sequence of speakers (Viterbi): True where the second voice speaks."""
    n = len(units)
    came_from = np.zeros((n, 2), bool)
    value = np.zeros(2)
    for i, unit in enumerate(units):
        gain = float(scores[i]) * min(max(unit.end_s - unit.start_s, 0.1), 5.0)
        if i:
            cost = _switch_cost(units[i - 1], unit)
            came_from[i] = [value[1] - cost > value[0], value[1] >= value[0] - cost]
            value = np.maximum(value, value[::-1] - cost)
        value = value + np.array([-gain, gain])
    labels = np.zeros(n, bool)
    labels[-1] = value[1] > value[0]
    for i in range(n - 1, 0, -1):
        labels[i - 1] = came_from[i, int(labels[i])]
    return labels


def _switch_cost(before: Word, after: Word) -> float:
    cost = SWITCH_COST * float(np.exp(-max(after.start_s - before.end_s, 0.0) / PAUSE_S))
    return cost * SENTENCE_END_FACTOR if before.text[-1:] in ".?!" else cost


def _split(turns: Sequence[Turn], is_second: Flags) -> tuple[tuple[Turn, ...], tuple[bool, ...]]:
    """Split turns where the voice changes and renumber them; also return whether each is the second voice."""
    pieces: list[tuple[Turn, bool]] = []
    at = 0
    for turn in turns:
        n = len(_units(turn))
        labels, at = is_second[at : at + n], at + n
        if n == 0:
            pieces.append((turn, pieces[-1][1] if pieces else False))
            continue
        edges = [0, *(np.flatnonzero(np.diff(labels)) + 1).tolist(), n]
        for start, end in pairwise(edges):
            pieces.append((_word_range(turn, start, end), bool(labels[start])))
    return (
        tuple(replace(turn, turn=i) for i, (turn, _) in enumerate(pieces)),
        tuple(label for _, label in pieces),
    )


def _word_range(turn: Turn, start: int, end: int) -> Turn:
    """Words ``start`` to ``end`` (exclusive) of a turn as a turn of their own."""
    if not turn.words or (start, end) == (0, len(turn.words)):
        return turn
    words, places = turn.words[start:end], TurnClock(turn).places
    sure = mean_confidence(words)
    return replace(
        turn,
        text=turn.text[places[start][0] : places[end - 1][1]] if places else " ".join(w.text for w in words),
        words=words,
        start_s=words[0].start_s,
        end_s=max(w.end_s for w in words),
        confidence=turn.confidence if sure is None else sure,
    )
