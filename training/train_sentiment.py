"""Train the sentiment adapters; not used at run time.

    python -m training.train_sentiment DATA/goemotions --out sentiment.npz

``DATA/goemotions`` has train.tsv and dev.tsv (text, comma-separated label ids: 0 ambiguous, 1 negative,
2 neutral, 3 positive). ``dialogue_en.txt`` beside this file adds lines of everyday and service dialogue
written for this project. Web comments are not speech, so about half of the texts lose capitals and
punctuation in each epoch, and some gain fillers and repetitions. Ambiguous rows (surprise, curiosity) are
mostly questions, nearly always neutral in conversation; they are trained with soft targets.

A run saves its state in ``--state`` after ``--steps`` and the next run continues from it, so that long
training can be split. The shipped weights were made with ``--total 4000 --dialogue-share 0``, then
``--total 4800 --dialogue-share 0.35``, and then, after lines of sarcasm, poor quality, modesty and named
feelings had been added, with ``--refit-head`` on the result.
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from pipeline import encoder
from pipeline.encoder.classifier import CLASSES, MAX_TOKENS
from pipeline.encoder.network import Network, read
from training.low_rank import LowRank, padded, save

POOL_BATCHES = 50
HEAD_PENALTY = 3.0  # largest from 0.01 to 30 with which sarcasm and modesty in bench/data are right
# Added to the log-odds of the classes: web comments praise more and complain less than callers do.
CALL_SHIFT = (0.5, 0.0, -0.1)
FILLERS = ("uh", "um", "you know", "i mean", "like", "well", "so", "okay so", "yeah", "oh", "look", "right")
NAMES = ("john", "sarah", "ahmed", "maria", "him", "her", "them", "david", "fatima", "that guy")
DIALOGUE = Path(__file__).parent / "dialogue_en.txt"
# How often lines of a section are drawn: mostly neutral, as the turns of conversations are.
SHARES = {"neutral": 45, "neutral?": 6, "positive?": 6, "positive": 17, "negative?": 8, "negative": 18}


Target = tuple[float, float, float]


@dataclass(frozen=True)
class Example:
    """A text and the probability of each class."""

    text: str
    target: Target


def target_of(labels: str) -> Target:
    """Soft target of comma-separated goemotions label ids; ambiguous counts as mostly neutral."""
    shares = {"0": (0.15, 0.7, 0.15), "1": (1.0, 0.0, 0.0), "2": (0.0, 1.0, 0.0), "3": (0.0, 0.0, 1.0)}
    rows = [shares[label] for label in labels.split(",")]
    negative, neutral, positive = (sum(row[c] for row in rows) / len(rows) for c in range(3))
    return negative, neutral, positive


def read_goemotions(path: Path) -> list[Example]:
    """The rows of one TSV file."""
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return [Example(row[0], target_of(row[1])) for row in rows if len(row) >= 2]


def read_dialogue() -> dict[str, list[str]]:
    """The hand-written templates by section: headers in square brackets, one a line, ``#`` for comments."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in DIALOGUE.read_text("utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            lines.append(line)
    return sections


def draw(dialogue: dict[str, list[str]], dice: random.Random) -> Example:
    """A random line with its alternatives chosen; "?" sections have a target split with neutral."""
    section = dice.choices(list(SHARES), list(SHARES.values()))[0]
    text = dice.choice(dialogue[section])
    while found := re.search(r"\{([^{}]*)\}", text):
        text = text[: found.start()] + dice.choice(found[1].split("|")) + text[found.end() :]
    main_share = 0.6 if section.endswith("?") else 0.97
    target = [(1 - main_share) / 2 if section == "neutral?" else 0.0 for _ in CLASSES]
    target[1] = 1 - main_share
    target[CLASSES.index(section.rstrip("?"))] = main_share
    return Example(text, (target[0], target[1], target[2]))


def as_spoken(text: str, dice: random.Random) -> str:
    """The text as a recogniser might write it: names for masks, often no case and marks, some fillers."""
    text = re.sub(r"\[(NAME|RELIGION)\]", lambda _: dice.choice(NAMES), text)
    if dice.random() < 0.5:
        return text
    text = re.sub(r"[^\w\s']", " " if dice.random() < 0.8 else "", text.lower())
    words = text.split()
    if words and dice.random() < 0.25:
        words.insert(dice.choice([0, 0, dice.randrange(len(words))]), dice.choice(FILLERS))
    if len(words) > 2 and dice.random() < 0.1:
        at = dice.randrange(len(words) - 1)
        words[at:at] = words[at : at + dice.choice([1, 2])]
    return " ".join(words) or text


class Adapted(LowRank):
    """The frozen encoder with trainable low-rank changes and a classification head."""

    def __init__(self, base: Network) -> None:
        super().__init__(base)
        self.head = nn.Linear(encoder.DIMENSIONS, len(CLASSES))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Logits, float32, shape (n_rows, 3)."""
        with torch.autocast("cpu", torch.bfloat16):
            pooled = self.network().pooled(ids, mask)
        logits: Tensor = self.head(fn.dropout(pooled.float(), 0.1, self.training))
        return logits


def batches_of(
    examples: list[Example], dialogue_share: float, size: int, step: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Endless shuffled batches of texts of similar length, from a step on: ids, mask, targets.

    Every fifty batches have a random seed of their own, so a step has the same texts however a run is split.
    """
    tokenizer = encoder.load().tokenizer
    dialogue = read_dialogue()
    first, done = divmod(step, POOL_BATCHES)
    for number in itertools.count(first):
        dice = random.Random(number)
        written = int(size * POOL_BATCHES * dialogue_share)
        pool = dice.sample(examples, size * POOL_BATCHES - written)
        pool += [draw(dialogue, dice) for _ in range(written)]
        tokens = [tokenizer.encode(as_spoken(e.text, dice), MAX_TOKENS) for e in pool]
        order = sorted(range(len(pool)), key=lambda row: len(tokens[row]))
        chunks = [order[start : start + size] for start in range(0, len(order), size)]
        dice.shuffle(chunks)
        for rows in chunks[done if number == first else 0 :]:
            yield *padded([tokens[row] for row in rows]), torch.tensor([pool[row].target for row in rows])


@torch.inference_mode()
def predict(model: Adapted, texts: list[str]) -> Tensor:
    """Logits of texts, unchanged: float32, shape (n_texts, 3)."""
    model.eval()
    tokens = [encoder.load().tokenizer.encode(text, MAX_TOKENS) for text in texts]
    logits = torch.zeros(len(texts), len(CLASSES))
    for rows in encoder.batches(tokens):
        logits[rows] = model(*padded([tokens[row] for row in rows]))
    model.train()
    return logits


def train(model: Adapted, examples: list[Example], arguments: argparse.Namespace) -> None:
    """Run ``--steps`` steps of the ``--total``, continuing from the state file if there is one."""
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    done = 0
    if arguments.state.exists():
        state = torch.load(arguments.state, weights_only=True)
        model.load_state_dict(state["model"], strict=False)
        optimiser.load_state_dict(state["optimiser"])
        done = state["done"]
    feed = batches_of(examples, arguments.dialogue_share, arguments.batch, done)
    for step in range(done, min(done + arguments.steps, arguments.total)):
        torch.manual_seed(step)  # dropout
        warm = min(1.0, (step + 1) / (0.06 * arguments.total))
        for group in optimiser.param_groups:
            group["lr"] = arguments.rate * warm * max(0.02, 1 - step / arguments.total)
        ids, mask, target = next(feed)
        loss = fn.cross_entropy(model(ids, mask), target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0:
            print(f"step {step} loss {float(loss):.3f}", flush=True)
        done = step + 1
    torch.save(
        {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "done": done}, arguments.state
    )


def calibrate(model: Adapted, logits: Tensor, truth: Tensor) -> None:
    """Fold the temperature that fits the dev set best, and ``CALL_SHIFT``, into the head."""
    grid = [0.8 + 0.05 * step for step in range(25)]
    best = min(grid, key=lambda t: float(fn.cross_entropy(logits / t, truth)))
    with torch.no_grad():
        model.head.weight.div_(best)
        model.head.bias.div_(best).add_(torch.tensor(CALL_SHIFT))
    print(f"temperature {best:.2f}")


def with_new_head(path: Path, written: list[Example]) -> dict[str, np.ndarray]:
    """The arrays of a weights file with a newly fitted head, kept near the old one by a penalty.

    The adapters are not changed, so each text is embedded only once: this takes minutes instead of hours.
    """
    held = read(path)
    base = encoder.load()
    network = base.network.with_changes(held)
    dice, dialogue = random.Random(7), read_dialogue()
    examples = dice.sample(written, 5000) + [draw(dialogue, dice) for _ in range(6000)]
    tokens = [base.tokenizer.encode(as_spoken(e.text, dice), MAX_TOKENS) for e in examples]
    pooled = np.zeros((len(tokens), encoder.DIMENSIONS), np.float32)
    for rows in encoder.batches(tokens):
        pooled[rows] = network.pooled([tokens[row] for row in rows])
    features, target = torch.from_numpy(pooled), torch.tensor([e.target for e in examples])
    old = torch.from_numpy(held["head"].astype(np.float32))
    head = old.clone().requires_grad_()
    bias = (torch.from_numpy(held["bias"].astype(np.float32)) - torch.tensor(CALL_SHIFT)).requires_grad_()
    optimiser = torch.optim.LBFGS([head, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        off = fn.cross_entropy(features @ head.T + bias, target) + HEAD_PENALTY * ((head - old) ** 2).mean()
        off.backward()
        return off

    optimiser.step(loss)
    shifted = (bias + torch.tensor(CALL_SHIFT)).detach().numpy()
    return {"head": head.detach().numpy(), "bias": shifted} | {
        name: array for name, array in held.items() if name not in ("head", "bias")
    }


def macro_f1(truth: Tensor, guess: Tensor) -> float:
    """Mean F1 of the three classes."""
    hits = torch.stack([((truth == c) & (guess == c)).sum() for c in range(len(CLASSES))])
    sizes = [truth.bincount(minlength=len(CLASSES)), guess.bincount(minlength=len(CLASSES))]
    return float((2 * hits / sum(sizes).clamp(min=1)).mean())


def main() -> None:
    """Train, print the macro-F1 on goemotions' dev set, and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("goemotions", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path("sentiment.state"))
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--total", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--dialogue-share", type=float, default=0.35)
    parser.add_argument("--refit-head", type=Path, metavar="NPZ", help="fit only the head of these weights")
    arguments = parser.parse_args()
    if arguments.refit_head is not None:
        written = read_goemotions(arguments.goemotions / "train.tsv")
        save(arguments.out, "sentiment", with_new_head(arguments.refit_head, written))
        return
    model = Adapted(encoder.load().network)
    examples = read_goemotions(arguments.goemotions / "train.tsv")
    train(model, examples, arguments)
    dev = [e for e in read_goemotions(arguments.goemotions / "dev.tsv") if max(e.target) == 1.0]
    logits = predict(model, [e.text for e in dev])
    truth = torch.tensor([e.target for e in dev]).argmax(1)
    print(f"goemotions dev macro-F1 {macro_f1(truth, logits.argmax(1)):.3f}")
    calibrate(model, logits, truth)
    head = {"head": model.head.weight.detach().numpy(), "bias": model.head.bias.detach().numpy()}
    save(arguments.out, "sentiment", head | model.arrays())


if __name__ == "__main__":
    main()
