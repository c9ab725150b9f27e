"""Teach the sentence encoder acts in running speech: a stretch lies near the phrases it acts out.

    python -m training.train_matcher

Contrastive learning (InfoNCE, van den Oord et al. 2018) of low-rank changes on the written criteria: a
criterion's phrases attract the stretches that act them out and repel those that share its words but not
its act, other criteria's, what is said in every call, and stretches of real talk (AMI and ICSI meetings,
CC BY 4.0). A stretch is read as the matcher reads it: within the speech around it. Writes
``pipeline/matching/weights/encoder.npz``; twenty minutes on two cores. 300 steps more gained nothing on the
development paraphrases.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jellyfish import metaphone
from torch import Tensor, nn
from torch.nn import functional as fn

from pipeline import encoder
from pipeline.text.words import words
from training.criteria import Criterion, service_talk, written
from training.low_rank import LowRank, padded, save

OUT = Path("pipeline/matching/weights/encoder.npz")
STEPS, WARM_UP, RATE = 600, 40, 5e-4
TEMPERATURE = 0.05
CRITERIA, PHRASES, MEETS, MISSES, SERVICE, TALK = 10, 2, 3, 4, 8, 8
"""Of a step: criteria, and of each so many phrases (and its description), utterances that meet it and that
do not; lines said in every call; passages of real talk."""
STRETCHES = 8
"""Taken from each passage of real talk."""
HARD = 1.0
"""Added to the logits of utterances that share a criterion's words but not its act: they count e times."""
MISHEARD, AROUND = 0.15, 0.6
"""Chance that a line is misheard, and that real talk stands around an utterance."""
LENGTHS = (4, 6, 8, 11, 14, 18)
PASSAGE = 24
CHUNKS = 4  # of a step's texts, by length, so that little is padded
SEED = 1


@dataclass(frozen=True)
class Line:
    """A text of a step, and which of its words are the stretch.

    Attributes:
        said: Normalised words.
        first: Number of the stretch's first word; ``last`` the one after its last.
        about: Its criterion; for lines said in every call, those it meets.
        asks: It is a phrase or description: its vector is of the whole text.
        meets: It meets its criterion.
    """

    said: tuple[str, ...]
    first: int
    last: int
    about: frozenset[str]
    asks: bool = False
    meets: bool = False


class Misheard:
    """Recognition errors: words that sound alike, words cut in two."""

    def __init__(self, vocabulary: Sequence[str], dice: random.Random) -> None:
        self.dice = dice
        self.alike: dict[str, list[str]] = defaultdict(list)
        for word in vocabulary:
            self.alike[metaphone(word)].append(word)

    def __call__(self, said: Sequence[str]) -> list[str]:
        """The words with about a quarter of the longer ones misheard; a cut word stays one item."""
        heard = []
        for word in said:
            others = [w for w in self.alike.get(metaphone(word), []) if w != word] if len(word) > 3 else []
            chance = self.dice.random()
            if chance < 0.3 and others:
                heard.append(self.dice.choice(others))
            elif chance < 0.15 and len(word) > 5:
                cut = self.dice.randrange(2, len(word) - 2)
                heard.append(f"{word[:cut]} {word[cut:]}")
            else:
                heard.append(word)
        return heard


@dataclass(frozen=True)
class Lesson:
    """A criterion's texts; utterances with the stretch of each that lies nearest its phrases."""

    phrases: list[tuple[str, ...]]
    meaning: tuple[str, ...]
    meets: list[tuple[tuple[str, ...], int, int]]
    misses: list[tuple[tuple[str, ...], int, int]]


def lesson(one: Criterion) -> Lesson:
    """Where in an utterance its act lies, the encoder tells as it is before training."""
    plain = encoder.load()
    phrases = plain.embed([" ".join(words(p).words) for p in one.phrases])

    def placed(text: str) -> tuple[tuple[str, ...], int, int]:
        said = words(text).words
        spans = stretches(len(said))
        near = plain.embed([" ".join(said[a:b]) for a, b in spans]) @ phrases.T
        return said, *spans[int(near.max(axis=1).argmax())]

    return Lesson(
        [words(p).words for p in one.phrases],
        words(one.meaning).words,
        [placed(text) for text, label, _ in one.said if label],
        [placed(text) for text, label, _ in one.said if not label],
    )


def stretches(count: int) -> list[tuple[int, int]]:
    """Bounds of the stretches of a text of so many words."""
    found = {(start, min(start + n, count)) for n in LENGTHS for start in range(0, count, max(1, n // 2))}
    return sorted((a, b) for a, b in found if b - a >= min(count, LENGTHS[0]))


class Talk:
    """Passages of real talk."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.dice = dice
        with gzip.open(path, "rt", encoding="utf-8") as file:
            texts = [line.rstrip("\n").split("\t")[-1] for line in file]
        self.turns = [said for text in texts if len(said := words(text).words) >= LENGTHS[0]]

    def passage(self, most: int) -> tuple[str, ...]:
        """Up to so many words in a row."""
        said = self.dice.choice(self.turns)
        start = self.dice.randrange(max(1, len(said) - most + 1))
        return said[start : start + most]


def drawn(lessons: dict[str, Lesson], talk: Talk, misheard: Misheard, dice: random.Random) -> list[Line]:
    """The texts of a step."""
    lines = []
    for name in dice.sample(sorted(lessons), CRITERIA):
        one, about = lessons[name], frozenset([name])
        asked = [*dice.sample(one.phrases, min(PHRASES, len(one.phrases))), one.meaning]
        lines += [Line(said, 0, len(said), about, asks=True) for said in asked]
        for group, meets, most in ((one.meets, True, MEETS), (one.misses, False, MISSES)):
            for said, first, last in dice.sample(group, min(most, len(group))):
                lines.append(in_talk(Line(said, first, last, about, meets=meets), talk, dice))
    for meets_, text in dice.sample(service_talk(), SERVICE):
        if said := words(text).words:  # nothing is left of "mm hmm"
            lines.append(in_talk(Line(said, 0, len(said), meets_ | {"|"}), talk, dice))
    for _ in range(TALK):
        said = talk.passage(PASSAGE)
        spans = stretches(len(said))
        chosen = dice.sample(spans, min(STRETCHES, len(spans)))
        lines += [Line(said, first, last, frozenset(["|"])) for first, last in chosen]
    return [
        Line(tuple(misheard(x.said)), x.first, x.last, x.about, x.asks, x.meets)
        if dice.random() < MISHEARD and "|" not in x.about
        else x
        for x in lines
    ]


def in_talk(line: Line, talk: Talk, dice: random.Random) -> Line:
    """An utterance with real talk before and after it, now and then; bounds a word off, now and then."""
    before = after = ()
    if dice.random() < AROUND:
        before, after = talk.passage(dice.randrange(1, 8)), talk.passage(dice.randrange(1, 8))
    first = max(0, line.first - dice.randrange(2)) + len(before)
    last = min(len(line.said), line.last + dice.randrange(2)) + len(before)
    return Line((*before, *line.said, *after), first, last, line.about, meets=line.meets)


def embedded(model: LowRank, lines: Sequence[Line]) -> Tensor:
    """Vectors through which gradients pass, float32, (n_lines, 384); each distinct text is read once."""
    texts = list(dict.fromkeys(line.said for line in lines))
    read = [tokens(said) for said in texts]
    order = sorted(range(len(texts)), key=lambda row: len(read[row][0]))
    size = max(1, len(order) // CHUNKS)
    network, states = model.network(), {}
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        ids, mask = padded([read[row][0] for row in rows])
        hidden = network.hidden(ids, mask)
        states |= {texts[row]: (hidden[at], read[row]) for at, row in enumerate(rows)}
    pooled = []
    for line in lines:
        hidden, (ids_, owner) = states[line.said]
        if line.asks:
            pooled.append(hidden[: len(ids_)].mean(0))
        else:
            pooled.append(hidden[[i for i, o in enumerate(owner) if line.first <= o < line.last]].mean(0))
    return fn.normalize(fn.dropout(torch.stack(pooled), 0.1))


def tokens(said: Sequence[str]) -> tuple[list[int], list[int]]:
    """Token ids of a text with its two ends, and the word each token is of (-1: an end)."""
    tokenizer = encoder.load().tokenizer
    ids, owner = [tokenizer.encode("", 8)[0]], [-1]
    for at, word in enumerate(said):
        pieces = tokenizer.encode(word, 64)[1:-1]
        ids += pieces
        owner += [at] * len(pieces)
    return [*ids, tokenizer.encode("", 8)[-1]], [*owner, -1]


def loss_of(vectors: Tensor, lines: Sequence[Line]) -> Tensor:
    """InfoNCE both ways: of a phrase among stretches, and of a stretch among phrases."""
    asks = [i for i, line in enumerate(lines) if line.asks]
    said = [i for i, line in enumerate(lines) if not line.asks]
    likeness = vectors[asks] @ vectors[said].T / TEMPERATURE
    same = torch.tensor([[bool(lines[s].about & lines[a].about) for s in said] for a in asks])
    meets = same & torch.tensor([lines[s].meets for s in said])
    service = same & torch.tensor(["|" in lines[s].about for s in said])
    hard = same & ~meets & ~service
    against = (likeness + HARD * hard).masked_fill(meets | service, -torch.inf).logsumexp(1, keepdim=True)
    others = likeness.masked_fill(same, -torch.inf).logsumexp(0, keepdim=True)
    by_phrase = (torch.logaddexp(against, likeness) - likeness)[meets].mean()
    by_stretch = (torch.logaddexp(others, likeness) - likeness)[meets].mean()
    return by_phrase + 0.5 * by_stretch


def train(lessons: dict[str, Lesson], talk: Talk, path: Path, dice: random.Random) -> None:
    """Train and write the changes."""
    vocabulary = [w for w in encoder.load().tokenizer.vocabulary if w.isalpha() and len(w) > 2][:12_000]
    model, misheard = LowRank(encoder.load().network), Misheard(vocabulary, dice)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * max(0.05, 1 - step / STEPS)
        lines = drawn(lessons, talk, misheard, dice)
        loss = loss_of(embedded(model, lines), lines)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 20 == 19:
            print(f"{path.name}: step {step + 1} loss {float(loss.detach()):.3f}", flush=True)
    save(path, "acts", model.arrays())


def main() -> None:
    """Train the shipped changes."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--talk", type=Path, default=Path("../shared/data/meeting_talk/turns.tsv.gz"))
    ask.add_argument("--out", type=Path, default=OUT)
    given = ask.parse_args()
    dice = random.Random(SEED)
    lessons = {name: lesson(one) for name, one in written().items()}
    train(lessons, Talk(given.talk, dice), given.out, dice)


if __name__ == "__main__":
    main()
