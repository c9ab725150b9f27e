"""Decoding of a batch of windows, with the quality thresholds of openai-whisper.

Each window is a row of the batch. Rows that have ended are removed from the batch, and a row that repeats
itself is ended at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from whisper.tokenizer import Tokenizer

from pipeline.transcribe.beam import Hypothesis, search
from pipeline.transcribe.network import Cache, Decoder

TOKENS_PER_S, SPARE_TOKENS = 10, 24  # bound the length of a text; fast speech has about 6 tokens a second
MAX_TOKENS = 224  # in a text: half of the network's 448, as in openai-whisper
TOKENS_A_STEP = 32  # of a known text; all tokens in one step would take 100 MB more
COMPACT_BELOW = 0.75  # finished rows are removed when less than this share of the batch is unfinished
# Least repeats and tokens that make a loop, and the number of tokens after which it is looked for.
LOOP_REPEATS, LOOP_TOKENS, LOOP_CHECK = 4, 12, 8

# Quality thresholds of whisper.transcribe: too repetitive, too improbable, no speech.
MAX_COMPRESSION_RATIO, MIN_LOG_PROBABILITY, MAX_NO_SPEECH = 2.4, -1.0, 0.6


@dataclass(frozen=True, slots=True)
class Encoded:
    """A window to decode.

    Attributes:
        features: (T, D).
        seconds: Length of the window, which bounds the number of its tokens.
        language: ISO 639-1 code.
        terms: Names that are likely in the window.
        prompt: The terms as text tokens, given to the decoder as preceding text.
    """

    features: torch.Tensor
    seconds: float
    language: str
    terms: Sequence[str]
    prompt: Sequence[int]


@dataclass(slots=True)
class Decoded:
    """What was heard in one window.

    Attributes:
        tokens: Text tokens.
        log_probabilities: Of each token, and of the end of text if it was reached.
        attention: The alignment heads' attention, (n_heads, n_tokens + 1, T): row n is that of the step
            that chose token n.
        language: ISO 639-1 code given to the decoder.
        no_speech: Probability that the window holds no speech.
        text: The tokens as text.
        looped: Whether the text was cut because it repeated itself.
        language_probability: Probability of each language by the sound alone, before the decoder was given
            one; columns as ``tokenizer.all_language_codes``. None for an English-only model.
    """

    tokens: list[int]
    log_probabilities: list[float]
    attention: torch.Tensor
    language: str
    no_speech: float
    text: str
    looped: bool
    language_probability: torch.Tensor | None

    @property
    def mean_log_probability(self) -> float:
        """Average over the tokens, as openai-whisper compares it with a threshold."""
        return sum(self.log_probabilities) / max(len(self.log_probabilities), 1)

    @property
    def passes(self) -> bool:
        """Whether the text meets the quality thresholds."""
        data = self.text.encode("utf-8")
        ratio = len(data) / len(zlib.compress(data)) if data else 0.0
        sure = self.mean_log_probability >= MIN_LOG_PROBABILITY
        return sure and ratio <= MAX_COMPRESSION_RATIO and not self.looped

    @property
    def silent(self) -> bool:
        """Whether the model considers the window to hold no speech."""
        return self.no_speech > MAX_NO_SPEECH and self.mean_log_probability < MIN_LOG_PROBABILITY


class GreedyDecoder:
    """Decodes batches of encoded windows."""

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, device: str) -> None:
        self._decoder, self._tokenizer, self._device = decoder, tokenizer, device
        self._multilingual = bool(tokenizer.language)
        n_vocab = tokenizer.encoding.n_vocab
        self._filter = torch.zeros(n_vocab, device=device)
        self._filter[list(tokenizer.non_speech_tokens)] = float("-inf")
        self._filter[tokenizer.eot + 1 :] = float("-inf")  # tokens of timestamps, languages and tasks
        self._first_filter = self._filter.clone()
        self._first_filter[[*tokenizer.encode(" "), tokenizer.eot]] = float("-inf")

    def languages(self, features: Sequence[torch.Tensor], allowed: Sequence[str]) -> torch.Tensor:
        """Probability of each language per window.

        Args:
            features: One (T, D) per window.
            allowed: ISO 639-1 codes to choose from; empty for all languages of the model.

        Returns:
            float32 (n_windows, n_languages), columns as ``tokenizer.all_language_codes``.
        """
        sot = torch.tensor([[self._tokenizer.sot]], device=self._device).expand(len(features), 1)
        logits, _ = self._decoder.step(sot, self._decoder.start(list(features)))
        return self._language_probability(logits, allowed)

    def _language_probability(self, logits: torch.Tensor, allowed: Sequence[str] = ()) -> torch.Tensor:
        """Probability of each language, from the logits after the start token."""
        logits = logits[:, list(self._tokenizer.all_language_tokens)]
        if allowed:
            codes = self._tokenizer.all_language_codes
            logits[:, [n for n, code in enumerate(codes) if code not in allowed]] = float("-inf")
        return logits.float().softmax(-1).cpu()

    def decode(self, windows: Sequence[Encoded], temperature: float) -> list[Decoded]:
        """Decode a batch.

        Args:
            windows: At least one.
            temperature: 0 takes the most probable token; above 0, tokens are drawn at random, reproducibly.
        """
        start, task = self._start(windows), self._task(windows)
        budget = _budget(windows)
        cache = self._decoder.start([w.features for w in windows])
        logits, _ = self._decoder.step(start, cache)
        no_speech = logits.softmax(-1)[:, self._tokenizer.no_speech].tolist()
        languages: Sequence[torch.Tensor | None] = [None] * len(windows)
        if self._multilingual:
            languages = list(self._language_probability(logits))
        logits, attention = self._decoder.step(task, cache)
        rows, kept = self._generate(logits, attention[:, :, -1:], cache, budget, temperature)
        return [
            self._decoded(row, weights, window.language, silence, probability)
            for row, weights, window, silence, probability in zip(
                rows, kept, windows, no_speech, languages, strict=True
            )
        ]

    def search(self, windows: Sequence[Encoded], greedy: Sequence[Decoded]) -> list[Decoded]:
        """Decode a batch again with beam search.

        Args:
            windows: At least one.
            greedy: Results of greedy decoding. Their text is kept where the search finds no end, or a text
                that loops; their attention is not used.
        """
        prefix = torch.cat([self._start(windows), self._task(windows)], 1)
        budget = _budget(windows)
        cache = self._decoder.start([w.features for w in windows])
        whole = cache.again()
        logits, _ = self._decoder.step(prefix, cache)
        filters = self._first_filter, self._filter
        best = search(self._decoder, cache, logits, filters, self._tokenizer.eot, budget)
        results = [_better(h, d, self._tokenizer) for h, d in zip(best, greedy, strict=True)]
        attention = self._attention(whole, prefix, [d.tokens for d in results])
        return [replace(d, attention=weights) for d, weights in zip(results, attention, strict=True)]

    def _attention(
        self, cache: Cache, prefix: torch.Tensor, tokens: Sequence[list[int]]
    ) -> list[torch.Tensor]:
        """The alignment heads' attention for given texts, computed for many tokens at a time."""
        longest = max(map(len, tokens))
        padded = [[*t, *[self._tokenizer.eot] * (longest - len(t))] for t in tokens]
        text = torch.tensor(padded, dtype=torch.long, device=self._device)
        pieces = torch.split(torch.cat([prefix, text], 1), TOKENS_A_STEP, 1)
        attention = torch.cat([self._decoder.step(piece, cache)[1] for piece in pieces], 2)
        first = prefix.shape[1] - 1
        return [attention[n, :, first : first + len(t) + 1] for n, t in enumerate(tokens)]

    def _generate(
        self, logits: torch.Tensor, attention: torch.Tensor, cache: Cache, budget: int, temperature: float
    ) -> tuple[list[_DecodedRow], torch.Tensor]:
        """Choose one token per row and step, until every row has ended or has ``budget`` tokens.

        Returns:
            The rows, and the alignment heads' attention at every step, (B, n_heads, budget, T). It is in one
            block, since thousands of small ones leave free memory in pieces.
        """
        rows = [_DecodedRow() for _ in logits]
        batch, places = rows, torch.arange(len(rows), device=logits.device)
        kept = attention.new_empty(len(rows), attention.shape[1], budget, attention.shape[3])
        noise = np.random.default_rng(int(temperature * 1000))
        for n in range(budget):
            logits += self._first_filter if n == 0 else self._filter
            chosen = logits
            if temperature:  # Gumbel-max trick: the argmax of logits with Gumbel noise is a fair sample
                gumbel = torch.from_numpy(noise.gumbel(size=logits.shape[1])).to(logits)
                chosen = logits / temperature + gumbel
            tokens = chosen.argmax(-1)
            scores = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(-1)
            kept[places, :, n] = attention[:, :, 0]
            for row, token, score in zip(batch, tokens.tolist(), scores.tolist(), strict=True):
                row.add(token, score, self._tokenizer.eot)
            going = [k for k, row in enumerate(batch) if not row.done]
            if not going or n + 1 == budget:
                break
            if len(going) < COMPACT_BELOW * len(batch):
                batch, keep = [batch[k] for k in going], torch.tensor(going)
                cache.keep(keep, keep)
                tokens, places = tokens[keep], places[keep]
            logits, attention = self._decoder.step(tokens[:, None], cache)
        return rows, kept

    def _start(self, windows: Sequence[Encoded]) -> torch.Tensor:
        """The prompt and the start token of each window: (B, n), shorter prompts padded in front."""
        longest = max(len(w.prompt) for w in windows)
        width = longest + 1 if longest else 0
        mark, sot = self._tokenizer.sot_prev, self._tokenizer.sot
        rows = [[*[mark] * (width - len(w.prompt)), *w.prompt, sot] for w in windows]
        return torch.tensor(rows, device=self._device)

    def _task(self, windows: Sequence[Encoded]) -> torch.Tensor:
        """What follows the start of each text, as in openai-whisper: without it models write time stamps."""
        own = self._tokenizer
        tasks = [[own.no_timestamps]] * len(windows)
        if self._multilingual:
            tasks = [[own.to_language_token(w.language), own.transcribe, own.no_timestamps] for w in windows]
        return torch.tensor(tasks, device=self._device)

    def _decoded(
        self,
        row: _DecodedRow,
        attention: torch.Tensor,
        language: str,
        no_speech: float,
        probability: torch.Tensor | None,
    ) -> Decoded:
        tokens, looped = _without_loop(row.tokens)
        # a row that did not end lacks the step after its last token, by which that token would be timed
        tokens = tokens[: len(row.scores) - 1]
        scores = row.scores[: len(tokens) + 1]
        text = self._tokenizer.decode(tokens).strip()
        attention = attention[:, : len(scores)]
        return Decoded(tokens, scores, attention, language, no_speech, text, looped, probability)


@dataclass(slots=True)
class _DecodedRow:
    """The tokens of a window so far, and the score of each step."""

    tokens: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    done: bool = False

    def add(self, token: int, score: float, eot: int) -> None:
        """Add one step, unless the row is done."""
        if self.done:
            return
        self.scores.append(score)
        if token == eot:
            self.done = True
            return
        self.tokens.append(token)
        if len(self.tokens) % LOOP_CHECK == 0:
            self.done = _without_loop(self.tokens)[1]


def _better(found: Hypothesis | None, greedy: Decoded, tokenizer: Tokenizer) -> Decoded:
    """What the search found, unless it found no end or a text that loops."""
    if found is None or _without_loop(list(found.tokens[:-1]))[1]:
        return greedy
    tokens = list(found.tokens[:-1])
    text = tokenizer.decode(tokens).strip()
    return replace(greedy, tokens=tokens, log_probabilities=list(found.log_probabilities), text=text)


def _budget(windows: Sequence[Encoded]) -> int:
    """Maximum number of text tokens for the windows of a batch."""
    return min(int(max(w.seconds for w in windows) * TOKENS_PER_S) + SPARE_TOKENS, MAX_TOKENS)


def _without_loop(tokens: list[int]) -> tuple[list[int], bool]:
    """Cut off the repeats if a text ends in a repeated phrase; return the text and whether it did."""
    for period in range(1, len(tokens) // LOOP_REPEATS + 1):
        repeats = 1
        while (
            tokens[-period:] == tokens[len(tokens) - (repeats + 1) * period : len(tokens) - repeats * period]
        ):
            repeats += 1
        if repeats >= LOOP_REPEATS and repeats * period >= LOOP_TOKENS:
            return tokens[: len(tokens) - (repeats - 1) * period], True
    return tokens, False
