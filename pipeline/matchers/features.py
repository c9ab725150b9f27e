"""How a phrase set and a stretch of speech compare, as numbers a small model can weigh.

Nothing here knows a criterion: closeness in meaning and in letters, closeness relative to what
else is said in call centres, and the acts of both sides. The model that weighs them is in
``judgement``; ``bench/matcher_training`` trains it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from pipeline.matchers.acts import SIZE, Act
from pipeline.matchers.reading import Reader, Reading, normal

Array = NDArray[np.float32]
ALIKE = 0.5
"""Background phrases this close to a phrase of the query are the query's own kind, not competition."""
NEAREST = 4
"""Phrases of a query a stretch is compared with, as many as queries have in training: of ten that say it in
ten ways, most are far from any one."""
RIVALS = 3
"""How many of what else is commonly said a stretch is nearest to."""
SCALARS, OVERLAP, OVERLAP_NEAR = 18, 9, 12
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

    def without(self, phrase: str) -> Target:
        """The same without a phrase, unless it is the only one."""
        left = [i for i, other in enumerate(self.phrases) if other != phrase] or range(len(self.phrases))
        return replace(
            self,
            phrases=tuple(self.phrases[i] for i in left),
            vectors=self.vectors[list(left)],
            lemmas=tuple(self.lemmas[i] for i in left),
        )


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


def closeness(aim: Target, reading: Reading) -> int:
    """The piece of a text nearest in meaning to any phrase."""
    return int((reading.vectors @ aim.vectors.T).max(axis=1).argmax())


@dataclass(frozen=True, slots=True)
class Stretches:
    """What is compared with a query.

    Attributes:
        vectors: Of each, float32, shape (n, 384).
        every: Mean vector of all pieces of the text each is in, the same shape.
        pieces: Normalised.
        wholes: The texts they are in, normalised.
    """

    vectors: Array
    every: Array
    pieces: Sequence[str]
    wholes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Likeness:
    """How stretches compare with a query as far as no parse is needed.

    Attributes:
        scalars: float32, shape (n, SCALARS); those of the words in common are 0.
        nearest: Phrases of the query from the nearest on, shape (n, at most NEAREST).
    """

    scalars: Array
    nearest: NDArray[np.intp]

    def of(self, rows: NDArray[np.intp] | slice) -> Likeness:
        """That of some stretches."""
        return Likeness(self.scalars[rows], self.nearest[rows])


def likeness(aim: Target, said: Stretches) -> Likeness:
    """Compare stretches with a query in meaning and letters."""
    cosines = said.vectors @ aim.vectors.T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]

    def of_nearest(table: Array) -> Array:
        return np.take_along_axis(table, nearest, axis=1)

    def letters(scorer: Callable[..., float], texts: Sequence[str]) -> Array:
        shares = process.cdist(texts, aim.phrases, scorer=scorer)
        return of_nearest(shares).max(axis=1) / 100  # type: ignore[no-any-return]

    order = of_nearest(cosines)
    best, mean = order[:, 0], order.mean(axis=1)
    rivals = said.vectors @ aim.background.T
    if rivals.shape[1] < RIVALS:
        rivals = np.zeros((len(rivals), RIVALS), np.float32)
    top = np.partition(rivals, -RIVALS, axis=1)[:, -RIVALS:]
    lengths = np.array([min(len(whole.split()), 60) for whole in said.wholes], np.float32)
    nothing = np.zeros_like(best)
    scalars = [
        best,
        mean,
        order[:, -1],
        best - order[:, 1] if order.shape[1] > 1 else nothing,
        of_nearest(said.every @ aim.vectors.T).max(axis=1),
        said.vectors @ aim.meaning,
        said.every @ aim.meaning,
        letters(fuzz.partial_ratio, said.wholes),
        letters(fuzz.ratio, said.pieces),
        nothing,  # OVERLAP
        lengths / 20,
        best**2,
        nothing,  # OVERLAP_NEAR
        best - top.max(axis=1),
        mean - top.mean(axis=1),
        top.max(axis=1),
        (rivals > best[:, None]).sum(axis=1) / 10,
        (rivals > mean[:, None]).sum(axis=1) / 20,
    ]
    return Likeness(np.stack(scalars, axis=1).astype(np.float32), nearest)


def features(aim: Target, vectors: Array, like: Likeness, acts: Sequence[tuple[Act, Act]] = ()) -> Array:
    """The numbers of pairs of one query and stretches.

    Args:
        aim: The query.
        vectors: Of the stretches, float32, shape (n, 384).
        like: From ``likeness``.
        acts: Of each stretch's clause, and of the stretch itself for its content words; without them, as
            though all did what the phrases do and no word were in common.

    Returns:
        float32, shape (n, SCALARS + 4 * acts + 2 * 384).
    """
    scalars, said, meant = like.scalars.copy(), np.broadcast_to(aim.acts, (len(vectors), SIZE)), aim.acts
    if acts:
        said = np.stack([clause.flags for clause, _ in acts])
        lemmas = [(act.lemmas, near) for (_, act), near in zip(acts, like.nearest.tolist(), strict=True)]
        scalars[:, OVERLAP] = [
            max(len(have & aim.lemmas[i]) / max(1, len(aim.lemmas[i])) for i in near) for have, near in lemmas
        ]
        scalars[:, OVERLAP_NEAR] = scalars[:, OVERLAP] * scalars[:, 0]
    difference = vectors - aim.vectors[like.nearest[:, 0]]
    return np.concatenate(
        [
            scalars,
            said,
            said * (1 - meant),
            (1 - said) * meant,
            np.broadcast_to(meant, said.shape),
            difference * VECTOR_SCALE,
            vectors * VECTOR_SCALE,
        ],
        axis=1,
    )
