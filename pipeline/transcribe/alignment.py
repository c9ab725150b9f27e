"""Word times from the cross-attention of decoding.

This is openai-whisper's method: attention of the alignment heads, normalised, median-filtered, then dynamic
time warping. It runs in NumPy over the anti-diagonals of a whole batch, so needs no just-in-time compiler.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from whisper.tokenizer import Tokenizer

FRAME_S = 0.02
# Sorting network whose fourth output is the median of seven (N. Devillard, Fast median search).
MEDIAN_OF_7 = (
    (0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3), (3, 6), (4, 5), (1, 4), (1, 3), (3, 4),
)  # fmt: skip
APPENDED = "\"'.。,，!！?？:：”)]}、"
PREPENDED = "\"'“¿([{-"
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A word of a window: text with its leading space, times in the window, mean token probability.

    At ``heard_s`` the attention of the word, summed over time, reaches half of its total.
    """

    text: str
    start_s: float
    end_s: float
    heard_s: float
    confidence: float


def align(
    tokens: Sequence[Sequence[int]],
    log_probabilities: Sequence[Sequence[float]],
    attention: Sequence[torch.Tensor],
    frames: Sequence[int],
    tokenizers: Sequence[Tokenizer],
) -> list[list[AlignedWord]]:
    """Find when the words of a batch of windows were said.

    Args:
        tokens: Text tokens of each window.
        log_probabilities: Log-probability of each token.
        attention: Per window (n_heads, n_tokens + 1, T), T at least the window's frames.
        frames: Encoder frames of each window that hold real audio.
        tokenizers: The tokenizer of each window's language.
    """
    matrices = [_matrix(a[:, : len(t) + 1, :f]) for a, t, f in zip(attention, tokens, frames, strict=True)]
    starts = warp([-m for m in matrices])
    return [
        _words(t, p, m, s, tokenizer)
        for t, p, m, s, tokenizer in zip(tokens, log_probabilities, matrices, starts, tokenizers, strict=True)
    ]


def _matrix(attention: torch.Tensor) -> Matrix:
    """How well each token fits each frame, higher is better: (n_tokens + 1, frames)."""
    weights = attention.float()
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=1e-9)
    if weights.shape[1] > 1:
        std, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
        weights = (weights - mean) / std.clamp(min=1e-9)
    matrix: Matrix = _median_filter(weights).mean(0).cpu().numpy()
    return matrix


def _median_filter(x: torch.Tensor) -> torch.Tensor:
    """Median of seven neighbouring frames, as in openai-whisper, by a sorting network instead of a sort."""
    if x.shape[-1] <= 3:
        return x
    padded = F.pad(x, (3, 3), mode="reflect")
    seven = [padded[..., n : n + x.shape[-1]] for n in range(7)]
    for low, high in MEDIAN_OF_7:
        one, other = seven[low], seven[high]
        seven[low], seven[high] = torch.minimum(one, other), torch.maximum(one, other)
    return seven[3]


def warp(costs: Sequence[Matrix]) -> list[npt.NDArray[np.int64]]:
    """Dynamic time warping of several matrices at once.

    Args:
        costs: Per window (rows, frames), lower is a better fit.

    Returns:
        Per window, the first frame of each row on the cheapest monotonic path.
    """
    if not costs:
        return []
    n_rows = max(c.shape[0] for c in costs)
    n_frames = max(c.shape[1] for c in costs)
    count, length = len(costs), n_rows + n_frames - 1
    skewed = np.full((count, length, n_rows), np.inf, np.float32)  # [d, i] is the cost of (i, d - i)
    for n, cost in enumerate(costs):
        i = np.arange(cost.shape[0])[:, None]
        skewed[n, i + np.arange(cost.shape[1])[None], i] = cost
    steps = np.zeros((length, count, n_rows), np.int8)
    edge = np.full((count, 1), np.inf, np.float32)
    before = np.full((count, n_rows), np.inf, np.float32)  # diagonal d - 2
    last = before.copy()  # diagonal d - 1
    for d in range(length):
        diagonal = np.concatenate([edge, before[:, :-1]], 1)
        down = np.concatenate([edge, last[:, :-1]], 1)
        if d == 0:
            diagonal[:, 0] = 0
        # openai-whisper's tie rule: a step is diagonal or down only where strictly cheaper
        steps[d] = np.where((diagonal < down) & (diagonal < last), 0, np.where(down < last, 1, 2))
        before, last = last, np.choose(steps[d], (diagonal, down, last)) + skewed[:, d]
    return [_backtrace(steps[:, n], cost.shape) for n, cost in enumerate(costs)]


def _backtrace(steps: npt.NDArray[np.int8], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Follow the path back from the last cell and note the first frame of each row."""
    i, j = shape[0] - 1, shape[1] - 1
    first = np.zeros(shape[0], np.int64)
    while True:
        first[i] = j
        if i == 0 and j == 0:
            break
        step = 2 if i == 0 else 1 if j == 0 else steps[i + j, i]
        i -= int(step != 2)
        j -= int(step != 1)
    first[0] = 0
    return first


def _words(
    tokens: Sequence[int],
    log_probabilities: Sequence[float],
    matrix: Matrix,
    starts: npt.NDArray[np.int64],
    tokenizer: Tokenizer,
) -> list[AlignedWord]:
    """Group tokens into words with times; punctuation is joined to the word it touches."""
    texts, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    words: list[AlignedWord] = []
    at, prepended = 0, ""
    for text, group in zip(texts[:-1], groups[:-1], strict=True):
        begin, at = at, at + len(group)
        start, end = int(starts[begin]), int(starts[at])
        if text.startswith(" ") and text.strip() in PREPENDED:
            prepended += text
            continue
        if words and text.strip() in APPENDED and not prepended:
            words[-1] = replace(words[-1], text=words[-1].text + text)  # the time of a mark is a pause
            continue
        # the decoding step before a token chose the token, so its attention shows where the word was heard
        fit = matrix[begin:at, start : max(end, start + 1)].clip(0).sum(0).cumsum()
        confidence = float(np.exp(log_probabilities[begin:at]).mean())
        heard = (start + int(np.searchsorted(fit, fit[-1] / 2))) * FRAME_S
        words.append(AlignedWord(prepended + text, start * FRAME_S, end * FRAME_S, heard, confidence))
        prepended = ""
    return words
