"""Make the sample of ordinary talk in which the matcher counts chance matches.

    python -m training.ordinary_talk --talk ../shared/data/meeting_talk/turns.tsv.gz

It is made from three quarters of the AMI and ICSI meetings (CC BY 4.0); every fourth meeting is kept for
tests and the bench. Writes ``pipeline/matching/weights/ordinary.npz``: word counts, the words in order, how
near ordinary talk comes to a phrase on average, and vectors of common phrases (those of all written
criteria). Run it after ``train_matcher``.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import encoder
from pipeline.matching import meaning
from pipeline.text.words import words
from training.criteria import FIRST, written
from training.quantise import quantise

OUT = Path("pipeline/matching/weights/ordinary.npz")
HELD_OUT = 4  # every fourth meeting is left out
TAIL_PASSAGES = 3000
GRID = np.arange(0.30, 1.001, 0.02)


def turns(path: Path) -> dict[str, list[str]]:
    """The texts of the turns of each meeting, by its name, in order of the names."""
    found: dict[str, list[str]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            meeting, _, text = line.rstrip("\n").split("\t")
            found[meeting].append(text)
    return dict(sorted(found.items()))


def meetings(path: Path) -> dict[str, list[tuple[str, ...]]]:
    """The turns of each meeting, as normalised words."""
    return {meeting: [words(text).words for text in texts] for meeting, texts in turns(path).items()}


def passages(talk: list[list[tuple[str, ...]]], count: int, seed: int) -> list[tuple[str, ...]]:
    """Random passages of up to 24 words from turns of at least four; long turns are drawn more often."""
    turns = [turn for meeting in talk for turn in meeting if len(turn) >= meaning.LENGTHS[0]]
    dice = random.Random(seed)
    drawn = dice.choices(turns, weights=[len(turn) for turn in turns], k=count)
    cut = [(turn, dice.randrange(max(1, len(turn) - meaning.PASSAGE + 1))) for turn in drawn]
    return [turn[start : start + meaning.PASSAGE] for turn, start in cut]


def tail(talk: list[tuple[str, ...]]) -> NDArray[np.float32]:
    """log10 of passages per word that come as near a phrase as each cosine of ``GRID``, on average.

    The average is over the phrases of the first criteria.
    """
    asked = meaning.phrases([p for one in written(FIRST).values() for p in one.phrases])
    best = np.full((len(talk), len(asked)), -1.0, np.float32)
    for low in range(0, len(talk), meaning.BATCH):
        for number, _, vectors in meaning.stretches(talk[low : low + meaning.BATCH]):
            best[low + number] = (vectors @ asked.T).max(axis=0)
    n_words = sum(map(len, talk))
    rates = np.array([(best >= at).sum() / len(asked) / n_words for at in GRID])
    seen = np.flatnonzero(rates * len(asked) * n_words >= 20)  # with fewer, a straight line in log10
    logs = np.log10(np.maximum(rates, 1e-12))
    slope, level = np.polyfit(GRID[seen[-5:]], logs[seen[-5:]], 1)
    beyond = seen[-1] + 1
    logs[beyond:] = np.minimum(level + slope * GRID[beyond:], logs[seen[-1]])
    return logs.astype(np.float32)


def main() -> None:
    """Make and write the file."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--talk", type=Path, default=Path("../shared/data/meeting_talk/turns.tsv.gz"))
    given = ask.parse_args()
    every = list(meetings(given.talk).values())
    counts = Counter(word for meeting in every for turn in meeting for word in turn)
    vocabulary = [word for word, _ in counts.most_common()]
    row = {word: at for at, word in enumerate(vocabulary)}
    kept = [meeting for at, meeting in enumerate(every) if at % HELD_OUT]
    sample = [at for meeting in kept for turn in meeting if turn for at in (*(row[w] + 1 for w in turn), 0)]
    rates = tail(passages(kept, TAIL_PASSAGES, seed=1))
    asked = [(name, p) for name, one in written().items() for p in one.phrases]
    rivals, rival_scale = quantise(meaning.phrases([p for _, p in asked]))
    groups = np.unique([name for name, _ in asked], return_inverse=True)[1]
    dictionary = [w for w in encoder.load().tokenizer.vocabulary if w.isalpha() and w.isascii()]
    np.savez_compressed(
        OUT,
        vocabulary=np.frombuffer("\n".join(vocabulary).encode(), np.uint8),
        counts=np.array([counts[word] for word in vocabulary], np.int32),
        sample=np.array(sample, np.uint16),
        dictionary=np.frombuffer("\n".join(dictionary).encode(), np.uint8),
        rivals=rivals, rival_scale=rival_scale, rival_groups=groups.astype(np.int16),
        tail_cosines=GRID.astype(np.float32), tail_rates=rates,
    )  # fmt: skip
    shown = ", ".join(f"{at:.2f} {10**rate:.1e}" for at, rate in zip(GRID[::4], rates[::4], strict=True))
    print(f"{OUT}: {OUT.stat().st_size / 1e6:.1f} MB; a word: {shown}")


if __name__ == "__main__":
    main()
