"""Beam search, for windows whose text greedy decoding is unsure of.

The beams of a window are rows of the batch that share its audio. The audio's keys and values are read
once for all beams, since reading them takes most of a decoding step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from pipeline.transcribe.network import Cache, Decoder

BEAMS = 5  # openai-whisper's default


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Tokens of a text, the log-probability of each, and their sum."""

    tokens: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    total: float

    def then(self, token: int, total: float) -> Hypothesis:
        """This text with one more token; ``total`` is the new sum."""
        return Hypothesis((*self.tokens, token), (*self.log_probabilities, total - self.total), total)

    @property
    def rank(self) -> float:
        """Sum divided by the number of text tokens, as openai-whisper ranks; the end token is not counted."""
        return self.total / max(len(self.tokens) - 1, 1)


@dataclass(slots=True)
class _WindowBeams:
    """The texts of one window that are still growing, likeliest first, and those that have ended."""

    beams: list[Hypothesis] = field(
        default_factory=lambda: [Hypothesis((), (), 0.0), *[Hypothesis((), (), float("-inf"))] * (BEAMS - 1)]
    )
    finished: list[Hypothesis] = field(default_factory=list)

    def grow(self, candidates: list[tuple[int, int, float]], eot: int) -> list[int]:
        """Extend beams by the best candidates (beam, token, sum), best first; return the beams extended."""
        grown: list[Hypothesis] = []
        sources = []
        for source, token, total in candidates:
            hypothesis = self.beams[source].then(token, total)
            if token == eot:
                if total > float("-inf"):  # else it extends a beam that is not in use yet
                    self.finished.append(hypothesis)
                continue
            grown.append(hypothesis)
            sources.append(source)
            if len(grown) == BEAMS:
                break
        self.beams = grown
        return sources


def search(
    decoder: Decoder,
    cache: Cache,
    logits: torch.Tensor,
    filters: tuple[torch.Tensor, torch.Tensor],
    eot: int,
    budget: int,
) -> list[Hypothesis | None]:
    """Find the likeliest text of each window of a batch, as openai-whisper's beam search does.

    Args:
        decoder: The network.
        cache: The batch's cache, one row per window, after the tokens that precede the text.
        logits: (B, vocabulary) for the first token.
        filters: Added to the logits of the first token, and to those of all later ones.
        eot: The token that ends a text.
        budget: Maximum number of tokens in a text.

    Returns:
        The best finished text of each window, end token included; None if none ended within the budget.
    """
    windows = [_WindowBeams() for _ in logits]
    going = windows
    cache.spread(BEAMS)
    logits = logits.repeat_interleave(BEAMS, 0)
    for n in range(budget):
        likely = (logits + filters[min(n, 1)]).log_softmax(-1)
        before = torch.tensor([[h.total] for w in going for h in w.beams], device=likely.device)
        # at most BEAMS of these end a text, so at least BEAMS remain to continue
        totals, places = (likely + before).view(len(going), -1).topk(2 * BEAMS)
        rows = []
        for k, window in enumerate(going):
            best_first = zip(places[k].tolist(), totals[k].tolist(), strict=True)
            sources = window.grow([(*divmod(at, likely.shape[1]), total) for at, total in best_first], eot)
            rows += [k * BEAMS + source for source in sources]
        unfinished = [k for k, window in enumerate(going) if len(window.finished) < BEAMS]
        if not unfinished or n + 1 == budget:
            break
        rows = [row for k in unfinished for row in rows[k * BEAMS : (k + 1) * BEAMS]]
        cache.keep(torch.tensor(rows), torch.tensor(unfinished) if len(unfinished) < len(going) else None)
        going = [going[k] for k in unfinished]
        tokens = torch.tensor([[h.tokens[-1]] for w in going for h in w.beams], device=likely.device)
        logits, _ = decoder.step(tokens, cache)
    return [max(window.finished, key=lambda h: h.rank, default=None) for window in windows]
