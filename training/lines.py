"""Texts of a training step, their vectors and the contrastive loss of ``train_matcher``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from pipeline import encoder
from training.low_rank import LowRank, padded
from training.student import Student

TEMPERATURE = 0.05
HARD = 1.0
"""Added to the logits of utterances that share a criterion's words but not its act: a factor of e."""
CHUNKS = 4  # a step's texts are embedded in so many batches by length, to need little padding


@dataclass(frozen=True)
class Line:
    """A text of a step with the stretch that is embedded.

    Attributes:
        said: Normalised words.
        first: Number of the stretch's first word; ``last`` is the one after its last.
        does: The criteria that the stretch meets; of a phrase those that it asks for.
        near: Criteria whose words it shares without meeting them.
        may: Criteria that it may meet: it is no example of them either way.
        asks: Whether it is a phrase or the description of a criterion, which is embedded whole.
    """

    said: tuple[str, ...]
    first: int
    last: int
    does: frozenset[str] = frozenset()
    near: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    asks: bool = False


def embedded(model: LowRank | Student, lines: Sequence[Line]) -> Tensor:
    """Vectors of lines with gradients, float32, (n_lines, 384); each distinct text is embedded once."""
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
    pooled, sums = [], {}
    for line in lines:
        hidden, (ids_, owner) = states[line.said]
        if line.asks:
            pooled.append(hidden[: len(ids_)].mean(0))
            continue
        if line.said not in sums:  # running sums over tokens, and the first token of each word
            before = torch.cat([hidden.new_zeros(1, hidden.shape[1]), hidden[1 : len(ids_) - 1].cumsum(0)])
            sums[line.said] = before, np.searchsorted(owner[1:-1], np.arange(len(line.said) + 1))
        before, at = sums[line.said]
        low, high = int(at[line.first]), int(at[line.last])
        pooled.append((before[high] - before[low]) / max(high - low, 1))
    return fn.normalize(fn.dropout(torch.stack(pooled), 0.1))


def tokens(said: Sequence[str]) -> tuple[list[int], list[int]]:
    """Token ids of a text between [CLS] and [SEP], and the word that each belongs to (-1: none)."""
    tokenizer = encoder.load().tokenizer
    ids, owner = [tokenizer.encode("", 8)[0]], [-1]
    for at, word in enumerate(said):
        pieces = tokenizer.encode(word, 64)[1:-1]
        ids += pieces
        owner += [at] * len(pieces)
    return [*ids, tokenizer.encode("", 8)[-1]], [*owner, -1]


def loss_of(vectors: Tensor, lines: Sequence[Line]) -> Tensor:
    """InfoNCE in both directions: for a phrase among stretches, and for a stretch among phrases."""
    asks = [i for i, line in enumerate(lines) if line.asks]
    said = [i for i, line in enumerate(lines) if not line.asks]

    def shared(part: str) -> Tensor:
        """Whether each stretch has a criterion of each phrase among its ``does``, ``near`` or ``may``."""
        sets = [getattr(lines[s], part) for s in said]
        return torch.tensor([[not one.isdisjoint(lines[a].does) for one in sets] for a in asks])

    likeness = vectors[asks] @ vectors[said].T / TEMPERATURE
    meets, near = shared("does"), shared("near")
    neither = shared("may") & ~meets & ~near
    against = (likeness + HARD * near).masked_fill(meets | neither, -torch.inf).logsumexp(1, keepdim=True)
    others = likeness.masked_fill(meets | near | neither, -torch.inf).logsumexp(0, keepdim=True)
    by_phrase = (torch.logaddexp(against, likeness) - likeness)[meets].mean()
    by_stretch = (torch.logaddexp(others, likeness) - likeness)[meets].mean()
    return by_phrase + 0.5 * by_stretch
