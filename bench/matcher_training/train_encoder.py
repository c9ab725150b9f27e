"""Teach the sentence encoder acts: what is said lies near the phrases it acts out, far from those it quotes.

    python -m bench.matcher_training.train_encoder

Contrastive learning (InfoNCE, van den Oord et al. 2018) of low-rank changes on the written criteria:
phrases and description of a criterion attract its utterances and repel those that share its words but
not its act, those of other criteria, and ordinary talk. Writes ``pipeline/matchers/weights/encoder.npz``,
and to out/matcher_training a file for each fold of criteria, trained without them: ``train`` learns to
judge from vectors as they are for criteria the encoder never saw. About five minutes a file on one core.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from bench.matcher_training.train import (
    SEED,
    Criterion,
    Misheard,
    fold_file,
    folds,
    ordinary_lines,
    words,
    written,
)
from pipeline import encoder
from pipeline.encoder.low_rank import LowRank, padded, save
from pipeline.matchers import reading

STEPS, WARM_UP, RATE = 300, 40, 5e-4
TEMPERATURE = 0.05
CRITERIA, PHRASES, MEETS, MISSES, ORDINARY = 10, 2, 3, 4, 8
"""Of a step: criteria, and of each so many phrases (and its description), utterances that meet it and that
do not; lines of ordinary talk."""
MISHEARD = 0.15
CHUNKS = 4  # of a step's texts, by length, so that little is padded
LONGEST = 48


@dataclass(frozen=True)
class Lesson:
    """A criterion's texts as the matcher would compare them."""

    phrases: list[str]
    meaning: str
    meets: list[str]
    misses: list[str]


@dataclass(frozen=True)
class Line:
    """A text of a step: of which criterion, and whether it is a phrase or description, or meets it."""

    text: str
    about: str
    asks: bool = False
    meets: bool = False


def lesson(one: Criterion) -> Lesson:
    """A long utterance is its window nearest the phrases."""
    plain = encoder.load()
    phrases = plain.embed([reading.normal(p) for p in one.phrases])

    def nearest(text: str) -> str:
        found = [piece.text for piece in reading.pieces(text)]
        if len(found) < 2:
            return found[0] if found else reading.normal(text)
        return found[int((plain.embed(found) @ phrases.T).max(axis=1).argmax())]

    return Lesson(
        [reading.normal(p) for p in one.phrases],
        reading.normal(one.meaning),
        [nearest(text) for text, label, _ in one.said if label],
        [nearest(text) for text, label, _ in one.said if not label],
    )


def embedded(model: LowRank, texts: list[str]) -> Tensor:
    """Vectors through which gradients pass, float32, shape (n_texts, 384)."""
    tokens = [encoder.load().tokenizer.encode(text, LONGEST) for text in texts]
    order = sorted(range(len(texts)), key=lambda row: len(tokens[row]))
    size = max(1, len(order) // CHUNKS)
    network, parts = model.network(), []
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        ids, mask = padded([tokens[row] for row in rows])
        with torch.autocast("cpu", torch.bfloat16):
            pooled = network.pooled(ids, mask)
        parts.append(fn.normalize(fn.dropout(pooled.float(), 0.1)))
    back = torch.tensor(order).argsort()
    return torch.cat(parts)[back]


def drawn(
    lessons: dict[str, Lesson], spoken: list[tuple[str, str]], misheard: Misheard, dice: random.Random
) -> list[Line]:
    """The texts of a step."""
    lines = []
    for name in dice.sample(sorted(lessons), CRITERIA):
        one = lessons[name]
        lines += [Line(text, name, asks=True) for text in dice.sample(one.phrases, PHRASES)]
        lines.append(Line(one.meaning, name, asks=True))
        lines += [Line(t, name, meets=True) for t in dice.sample(one.meets, min(MEETS, len(one.meets)))]
        lines += [Line(text, name) for text in dice.sample(one.misses, min(MISSES, len(one.misses)))]
    lines = [replace(line, text=misheard(line.text)) if dice.random() < MISHEARD else line for line in lines]
    return lines + [Line(text, f"| {meets}") for meets, text in dice.sample(spoken, ORDINARY)]


def loss_of(vectors: Tensor, lines: list[Line]) -> Tensor:
    """InfoNCE both ways: of a phrase among utterances, and of an utterance among phrases."""
    asks = [i for i, line in enumerate(lines) if line.asks]
    said = [i for i, line in enumerate(lines) if not line.asks]
    likeness = vectors[asks] @ vectors[said].T / TEMPERATURE
    same = torch.tensor([[lines[s].about == lines[a].about for s in said] for a in asks])
    meets = same & torch.tensor([lines[s].meets for s in said])
    also = torch.tensor([[lines[a].about in lines[s].about.split()[1:] for s in said] for a in asks])
    against = likeness.masked_fill(meets | also, -torch.inf).logsumexp(1, keepdim=True)
    others = likeness.masked_fill(same, -torch.inf).logsumexp(0, keepdim=True)
    by_phrase = (torch.logaddexp(against, likeness) - likeness)[meets].mean()
    by_utterance = (torch.logaddexp(others, likeness) - likeness)[meets].mean()
    return by_phrase + 0.5 * by_utterance


def train(lessons: dict[str, Lesson], path: Path) -> None:
    """Train on some criteria and write the changes."""
    model, dice = LowRank(encoder.load().network), random.Random(SEED)
    misheard, spoken = Misheard(words(), SEED), ordinary_lines()
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM_UP) * max(0.05, 1 - step / STEPS)
        lines = drawn(lessons, spoken, misheard, dice)
        loss = loss_of(embedded(model, [line.text for line in lines]), lines)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 49:
            print(f"{path.name}: step {step + 1} loss {float(loss.detach()):.3f}", flush=True)
    save(path, "acts", model.arrays())


def main() -> None:
    """The shipped changes and one file for each fold."""
    torch.set_num_threads(1)
    lessons = {name: lesson(one) for name, one in written().items()}
    train(lessons, reading.ENCODER)
    for number, held in enumerate(folds(lessons)):
        train({n: one for n, one in lessons.items() if n not in held}, fold_file(number))


if __name__ == "__main__":
    main()
