"""Speaker diarisation of one channel: decide which of two parties says each word.

    words ─▶ windows of speech ─▶ voice embeddings ─▶ two or three clusters ─▶ words, smoothed ─▶ turns

The times of the recognised words show where there is speech and where the speaker can change, so no separate
segmentation model is needed. Each word gets the voice of the windows around it. A Viterbi pass then makes a
change of speaker cheap at pauses and sentence ends, and expensive inside a phrase. A third voice, as after a
transfer, belongs to the party whose voice it hardly ever follows: people talk with the other party.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

from pipeline.conversation import AudioClip, Turn, Word
from pipeline.speakers import voice
from pipeline.turns import mean_confidence
from pipeline.word_times import TurnClock

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.intp]

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
THIRD_VOICE_WINDOWS = 5
THIRD_VOICE_COSINE, THIRD_VOICE_FEW_WINDOWS = 0.89, 0.4
"""A cluster holds two voices from these many windows and below this similarity on; easier to meet than for
two parties, because one voice taken for two is put together again by ``_parties``. These numbers and the two
below were chosen on 60 operator calls read by synthetic voices, with a third voice for half of a party: the
words on the right side rose from 0.910 to 0.967. On 40 calls of two people's recorded voices, in three of
which a third was found, none was on the wrong side."""
OF_ONE_PARTY, OF_TWO_PARTIES = 0.2, 0.15
"""Two voices are one party's if at most this share of all changes of voice is between them, and the share
between any other two is higher by at least the second number."""
THIRD_VOICE_FACTOR, CROWD_FACTOR = 0.85, 0.6
"""Confidence is multiplied by these for three voices, and for more, which are left on two sides."""
SWITCH_COST = 0.6
PAUSE_S = 0.3
SENTENCE_END_FACTOR = 0.3


@dataclass(frozen=True, slots=True)
class Diarisation:
    """The result: turns of one or two voices.

    Attributes:
        turns: The turns, split where the voice changes and renumbered; roles are unchanged.
        parties: For each turn, 0 or 1, the party that speaks it, or None for a third voice of which it is
            unknown whose side it is on; all 0 when there is one voice.
        n_voices: 1, 2, 3 (a transfer, somebody else on the line), or 4 for more. More than three are left
            on two sides, and a voice may be on the wrong one.
        confidence: Probability 0..1 that the voices were separated, or found to be one, correctly.
    """

    turns: tuple[Turn, ...]
    parties: tuple[int | None, ...]
    n_voices: int
    confidence: float


def diarise(turns: Sequence[Turn], clip: AudioClip, channel: int) -> Diarisation:
    """Separate two parties on one channel; a turn without words is assigned to one voice as a whole.

    Raises:
        ModelError: The voice encoder's weights cannot be read.
    """
    one_voice = Diarisation(tuple(turns), (0,) * len(turns), 1, 0.0)
    units = [unit for turn in turns for unit in _units(turn)]
    if not units:
        return one_voice
    spans = _windows(units, clip.duration_s)
    vectors = voice.embed(clip.samples[channel], spans)
    centres = _two_centres(vectors)
    if centres is None:
        return replace(one_voice, confidence=0.5)
    below_limit = ONE_VOICE_COSINE - FEW_WINDOWS / len(vectors) - float(centres[0] @ centres[1])
    sure = min(MOST_SURE, 1 / (1 + float(np.exp(-SURENESS * abs(below_limit)))))
    if below_limit < 0:
        return replace(one_voice, confidence=sure)
    three = _one_more(vectors, centres)
    if three is None or _one_more(vectors, three) is not None:
        sides = _split(turns, _voices(units, spans, vectors, centres), (0, 1))
        return Diarisation(*sides, 2, sure) if three is None else Diarisation(*sides, 4, sure * CROWD_FACTOR)
    voices = _voices(units, spans, vectors, three)
    return Diarisation(*_split(turns, voices, _parties(voices)), 3, sure * THIRD_VOICE_FACTOR)


def _one_more(vectors: Floats, centres: Floats) -> Floats | None:
    """Unit centres of one cluster more, where one of the clusters clearly holds two voices; else None."""
    nearest = (vectors @ centres.T).argmax(axis=1)
    pairs = [_two_voices(vectors[nearest == i]) for i in range(len(centres))]
    likeness = [1.0 if pair is None else float(pair[0] @ pair[1]) for pair in pairs]
    number = int(np.argmin(likeness))
    pair = pairs[number]
    if pair is None:
        return None
    more = np.concatenate([pair, np.delete(centres, number, axis=0)])
    for _ in range(20):
        nearest = (vectors @ more.T).argmax(axis=1)
        if len(set(nearest.tolist())) < len(more):
            return None
        more = np.stack([_centre(vectors[nearest == i]) for i in range(len(more))])
    return more


def _two_voices(vectors: Floats) -> Floats | None:
    """Centres of the two voices that these windows clearly hold, or None."""
    pair = _two_centres(vectors)
    if pair is None:
        return None
    n_second = int((vectors @ pair[1] > vectors @ pair[0]).sum())
    smaller = min(n_second, len(vectors) - n_second)
    limit = THIRD_VOICE_COSINE - THIRD_VOICE_FEW_WINDOWS / smaller
    return pair if smaller >= THIRD_VOICE_WINDOWS and float(pair[0] @ pair[1]) < limit else None


def _parties(voices: Integers) -> tuple[int | None, ...]:
    """The party of each of three voices, by which of them follow each other; None where that is unclear."""
    between = dict.fromkeys(combinations(range(3), 2), 0)
    for before, after in pairwise(voices.tolist()):
        if before != after:
            between[min(before, after), max(before, after)] += 1
    pairs = sorted(between, key=lambda pair: between[pair])
    fewest, next_fewest = (between[pair] / max(1, sum(between.values())) for pair in pairs[:2])
    if fewest <= OF_ONE_PARTY and next_fewest >= fewest + OF_TWO_PARTIES:
        return tuple(int(number not in pairs[0]) for number in range(3))
    counts = np.bincount(voices, minlength=3)
    return (None, 0, 1) if counts[0] < counts[1] else (0, None, 1)


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


def _two_centres(vectors: Floats) -> Floats | None:
    """Unit centres of two clusters by spherical 2-means, float32, shape (2, 256).

    None for one distinct vector, or without convergence. It starts from several cuts along the main direction
    of variation, because one party may speak only a tenth as much as the other.
    """
    if len(vectors) < 2 or np.allclose(vectors, vectors[0]):
        return None
    centred = vectors - vectors.mean(axis=0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    best: Floats | None = None
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
                    best, best_fit = np.stack([first, second]), fit
                break
            labels = updated
    return best


def _centre(vectors: Floats) -> Floats:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), dtype=np.float32)


def _voices(
    units: Sequence[Word], spans: npt.NDArray[np.float64], vectors: Floats, centres: Floats
) -> Integers:
    """Number of the voice of each word: the most likely sequence of speakers."""
    alike = [float(a @ b) for a, b in combinations(centres, 2)]
    likeness = 2 * (vectors @ centres.T) / (1 - float(np.mean(alike)))
    return _smooth(units, _word_scores(units, spans, likeness))


def _word_scores(
    units: Sequence[Word], spans: npt.NDArray[np.float64], likeness: npt.NDArray[np.floating]
) -> Floats:
    """Likeness of each word to each voice, shape (n_words, n_voices): a mean of the windows around it."""
    order = np.argsort(spans.mean(axis=1))
    middles, likeness = spans.mean(axis=1)[order], likeness[order]
    scores = np.zeros((len(units), likeness.shape[1]), np.float32)
    for i, unit in enumerate(units):
        at = (unit.start_s + unit.end_s) / 2
        nearest = int(np.clip(np.searchsorted(middles, at), 0, len(middles) - 1))
        near = slice(max(0, nearest - 4), nearest + 5)
        distance = np.abs(middles[near] - at)
        weight = np.exp(-np.square(distance / NEARNESS_S)) * (distance <= WINDOW_S / 2 + 0.1)
        weight[distance.argmin()] += 1e-6  # a word outside every window uses the nearest one
        scores[i] = weight @ likeness[near] / weight.sum()
    return scores


def _smooth(units: Sequence[Word], scores: Floats) -> Integers:
    """The most likely sequence of speakers (Viterbi), from the scores of each word for each voice."""
    n, n_voices = scores.shape
    came_from = np.zeros((n, n_voices), np.intp)
    value = np.zeros(n_voices)
    for i, unit in enumerate(units):
        if i:
            best = int(value.argmax())
            switched = value[best] - _switch_cost(units[i - 1], unit)
            came_from[i] = np.where(value >= switched, np.arange(n_voices), best)
            value = np.maximum(value, switched)
        value = value + scores[i] * min(max(unit.end_s - unit.start_s, 0.1), 5.0)
    voices = np.zeros(n, np.intp)
    voices[-1] = value.argmax()
    for i in range(n - 1, 0, -1):
        voices[i - 1] = came_from[i, voices[i]]
    return voices


def _switch_cost(before: Word, after: Word) -> float:
    cost = SWITCH_COST * float(np.exp(-max(after.start_s - before.end_s, 0.0) / PAUSE_S))
    return cost * SENTENCE_END_FACTOR if before.text[-1:] in ".?!" else cost


def _split(
    turns: Sequence[Turn], voices: Integers, parties: Sequence[int | None]
) -> tuple[tuple[Turn, ...], tuple[int | None, ...]]:
    """Split turns where the party changes and renumber them; also return the party of each."""
    pieces: list[tuple[Turn, int | None]] = []
    party_of = [parties[number] for number in voices]
    at = 0
    for turn in turns:
        n = len(_units(turn))
        said_by, at = party_of[at : at + n], at + n
        if n == 0:
            pieces.append((turn, pieces[-1][1] if pieces else 0))
            continue
        edges = [0, *(i for i in range(1, n) if said_by[i] != said_by[i - 1]), n]
        pieces += [(_word_range(turn, start, end), said_by[start]) for start, end in pairwise(edges)]
    return tuple(replace(turn, turn=i) for i, (turn, _) in enumerate(pieces)), tuple(p for _, p in pieces)


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
