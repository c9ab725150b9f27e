"""How a phrase set and a stretch of speech compare, as numbers a small model can weigh.

Nothing here knows a criterion: closeness in meaning and in letters, closeness relative to what
else is said in call centres, and the acts of both sides. The model that weighs them is in
``judgement``; ``bench/matcher_training`` trains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from pipeline.matchers.acts import Act
from pipeline.matchers.reading import Reader, Reading, normal

Array = NDArray[np.float32]
ALIKE = 0.5
"""Background phrases this close to a phrase of the query are the query's own kind, not competition."""
NEAREST = 4
"""Phrases of a query a stretch is compared with, as many as queries have in training: of ten that say it in
ten ways, most are far from any one."""
SCALARS = 18
VECTOR_SCALE = 4.0


@dataclass(frozen=True, slots=True)
class Target:
    """A query, read: what a stretch of speech is compared with."""

    phrases: tuple[str, ...]
    vectors: Array
    meaning: Array
    acts: Array
    lemmas: tuple[frozenset[str], ...]
    background: Array


def target(reader: Reader, phrases: Sequence[str], meaning: str, background: Array) -> Target:
    """Read a query.

    Args:
        reader: Encoder and parser.
        phrases: At least one.
        meaning: The act in a sentence; where "", the phrases' mean stands in.
        background: Vectors of what is commonly said, float32, shape (n, 384).
    """
    vectors = reader.vectors(list(phrases))
    plain = [normal(p) for p in phrases]
    read = reader.acts(plain)
    mean = vectors.mean(axis=0)
    described = reader.vectors([meaning])[0] if meaning else mean / (np.linalg.norm(mean) or 1.0)
    other = background[(background @ vectors.T).max(axis=1) < ALIKE]
    return Target(
        tuple(plain),
        vectors,
        described.astype(np.float32),
        np.mean([read[p].flags for p in plain], axis=0).astype(np.float32),
        tuple(read[p].lemmas for p in plain),
        other,
    )


def closeness(aim: Target, reading: Reading) -> tuple[int, float]:
    """The piece of a text nearest in meaning to any phrase, and its cosine."""
    nearest = (reading.vectors @ aim.vectors.T).max(axis=1)
    best = int(nearest.argmax())
    return best, float(nearest[best])


def features(
    aim: Target, reading: Reading, best: int, act: Act, acts_of_piece: Act, whole: str, skip: str = ""
) -> Array:
    """The numbers of one pair.

    Args:
        aim: The query.
        reading: The text.
        best: Which of its pieces.
        act: Of the clause the piece is in.
        acts_of_piece: Of the piece itself, for its content words.
        whole: The text, normalised.
        skip: A phrase of the query to leave out (training: a phrase is not its own evidence).

    Returns:
        float32, shape (SCALARS + 4 * acts + 2 * 384,).
    """
    keep = [i for i, p in enumerate(aim.phrases) if p != skip] or list(range(len(aim.phrases)))
    vector = reading.vectors[best]
    keep = sorted(keep, key=lambda i: -float(aim.vectors[i] @ vector))[:NEAREST]
    piece = reading.pieces[best].text
    cosines = aim.vectors[keep] @ vector
    order = np.sort(cosines)[::-1]
    mean = float(order.mean())
    rivals = np.sort(aim.background @ vector)[::-1] if len(aim.background) else np.zeros(3, np.float32)
    overlap = max(len(acts_of_piece.lemmas & aim.lemmas[i]) / max(1, len(aim.lemmas[i])) for i in keep)
    every = reading.vectors.mean(axis=0)
    length = len(whole.split())
    scalars = [
        order[0],
        mean,
        order[-1],
        order[0] - order[1] if len(order) > 1 else 0.0,
        float((aim.vectors[keep] @ every).max()),
        float(aim.meaning @ vector),
        float(aim.meaning @ every),
        max(fuzz.partial_ratio(aim.phrases[i], whole) for i in keep) / 100,
        max(fuzz.ratio(aim.phrases[i], piece) for i in keep) / 100,
        overlap,
        min(length, 60) / 20,
        order[0] ** 2,
        order[0] * overlap,
        order[0] - rivals[0],
        mean - float(rivals[:3].mean()),
        rivals[0],
        float((rivals > order[0]).sum()) / 10,
        float((rivals > mean).sum()) / 20,
    ]
    said, meant = act.flags, aim.acts
    difference = vector - aim.vectors[keep][int(cosines.argmax())]
    return np.concatenate(
        [
            np.asarray(scalars, dtype=np.float32),
            said,
            said * (1 - meant),
            (1 - said) * meant,
            meant,
            difference * VECTOR_SCALE,
            vector * VECTOR_SCALE,
        ]
    ).astype(np.float32)
