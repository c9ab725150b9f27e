"""Decoding of a batch of windows, with the quality gates of openai-whisper.

Each window is a row of the batch. Rows that have ended are removed from the batch, and a row that repeats
itself is ended at once. Logits are filtered for the whole batch at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from whisper.tokenizer import Tokenizer

from pipeline.transcribe.beam import search
from pipeline.transcribe.network import Cache, Decoder

TOKENS_PER_S, SPARE_TOKENS = 10, 24  # bound the length of a text; fast speech has about 6 tokens a second
COMPACT_BELOW = 0.75  # finished rows are removed when less than this share of the batch is unfinished
# Least repeats and tokens that make a loop, and the number of tokens after which it is looked for.
LOOP_REPEATS, LOOP_TOKENS, LOOP_CHECK = 4, 12, 8

# Quality gates of whisper.transcribe: too repetitive, too improbable, no speech.
MAX_COMPRESSION_RATIO, MIN_LOG_PROBABILITY, MAX_NO_SPEECH = 2.4, -1.0, 0.6


@dataclass(frozen=True, slots=True)
class Encoded:
    """A window to decode.

    Attributes:
        features: (T, D), T the same for all windows of a batch.
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
    language_probability: torch.Tensor | None = None

    @property
    def mean_log_probability(self) -> float:
        """Average over the tokens, as in openai-whisper's gate."""
        return sum(self.log_probabilities) / max(len(self.log_probabilities), 1)

    @property
    def passes(self) -> bool:
        """Whether the text passes the quality gates."""
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
        logits, _ = self._decoder.step(sot, self._decoder.start(list(features), 1))
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
        start = self._start(windows)
        budget = self._budget(windows, start.shape[1] + 3)
        cache = self._decoder.start([w.features for w in windows], start.shape[1] + 3 + budget)
        rows = _Rows(len(windows))
        logits, attention = self._decoder.step(start, cache)
        no_speech = self._no_speech(logits)
        languages: Sequence[torch.Tensor | None] = [None] * len(windows)
        if self._multilingual:
            languages = list(self._language_probability(logits))
        task = [self._task(w.language) for w in windows]
        logits, attention = self._decoder.step(torch.tensor(task, device=self._device), cache)
        self._generate(logits, attention[:, :, -1:], cache, rows, budget, temperature)
        return [
            replace(self._decoded(rows, n, w.language, no_speech[n]), language_probability=languages[n])
            for n, w in enumerate(windows)
        ]

    def search(self, windows: Sequence[Encoded], greedy: Sequence[Decoded]) -> list[Decoded]:
        """Decode a batch again with beam search.

        Args:
            windows: At least one.
            greedy: Results of greedy decoding, kept where the search finds no end or a text that loops.
        """
        prefix = self._prefix(windows)
        budget = self._budget(windows, prefix.shape[1])
        cache = self._decoder.start([w.features for w in windows], prefix.shape[1] + budget)
        unused_cache = cache.afresh()
        logits, _ = self._decoder.step(prefix, cache)
        filters = self._first_filter, self._filter
        best = search(self._decoder, cache, logits, filters, self._tokenizer.eot, budget)
        tokens = [list(d.tokens if h is None else h.tokens[:-1]) for h, d in zip(best, greedy, strict=True)]
        results = list(greedy)
        for n, attention in enumerate(self._attention(unused_cache, prefix, tokens)):
            hypothesis = best[n]
            if hypothesis is None or _without_loop(tokens[n])[1]:
                continue
            scores, text = list(hypothesis.log_probabilities), self._tokenizer.decode(tokens[n]).strip()
            results[n] = replace(
                greedy[n], tokens=tokens[n], log_probabilities=scores, attention=attention, text=text
            )
        return results

    def _attention(
        self, cache: Cache, prefix: torch.Tensor, tokens: Sequence[list[int]]
    ) -> list[torch.Tensor]:
        """The alignment heads' attention for given texts, computed for all tokens in one step."""
        longest = max(map(len, tokens))
        padded = [[*t, *[self._tokenizer.eot] * (longest - len(t))] for t in tokens]
        text = torch.tensor(padded, dtype=torch.long, device=self._device)
        _, attention = self._decoder.step(torch.cat([prefix, text], 1), cache)
        first = prefix.shape[1] - 1
        return [attention[n, :, first : first + len(t) + 1] for n, t in enumerate(tokens)]

    def _generate(
        self,
        logits: torch.Tensor,
        attention: torch.Tensor,
        cache: Cache,
        rows: _Rows,
        budget: int,
        temperature: float,
    ) -> None:
        """Choose one token per row and step, until every row has ended or has ``budget`` tokens."""
        noise = np.random.default_rng(int(temperature * 1000))
        for n in range(budget):
            logits += self._first_filter if n == 0 else self._filter
            chosen = logits
            if temperature:  # Gumbel-max trick: the argmax of logits with Gumbel noise is a fair sample
                gumbel = torch.from_numpy(noise.gumbel(size=logits.shape[1])).to(logits)
                chosen = logits / temperature + gumbel
            tokens = chosen.argmax(-1)
            log_probability = logits.gather(1, tokens[:, None])[:, 0] - logits.logsumexp(-1)
            done = rows.add(tokens, log_probability, attention, self._tokenizer.eot)
            if done.all():
                return
            if done.float().mean() > 1 - COMPACT_BELOW:
                keep = (~done).nonzero()[:, 0]
                cache.keep(keep, keep)
                rows.keep(keep)
                tokens = tokens[keep]
            if n + 1 < budget:
                logits, attention = self._decoder.step(tokens[:, None], cache)

    def _budget(self, windows: Sequence[Encoded], n_prefix: int) -> int:
        """Maximum number of text tokens for the windows of a batch."""
        n_text_ctx, longest_s = self._decoder.n_text_ctx, max(w.seconds for w in windows)
        return min(int(longest_s * TOKENS_PER_S) + SPARE_TOKENS, n_text_ctx - n_prefix, n_text_ctx // 2)

    def _prefix(self, windows: Sequence[Encoded]) -> torch.Tensor:
        """All tokens that precede the text of each window: (B, n)."""
        tasks = [self._task(w.language) for w in windows]
        task = torch.tensor(tasks, dtype=torch.long, device=self._device).view(len(windows), -1)
        return torch.cat([self._start(windows), task], 1)

    def _start(self, windows: Sequence[Encoded]) -> torch.Tensor:
        """The prompt and the start token of each window: (B, n), shorter prompts padded in front."""
        prompts = [w.prompt for w in windows]
        longest = max(map(len, prompts), default=0)
        marks = [[self._tokenizer.sot_prev] * (longest - len(p) + 1) if longest else [] for p in prompts]
        rows = [[*mark, *prompt, self._tokenizer.sot] for mark, prompt in zip(marks, prompts, strict=True)]
        return torch.tensor(rows, dtype=torch.long, device=self._device)

    def _no_speech(self, logits: torch.Tensor) -> list[float]:
        token = self._tokenizer.special_tokens.get("<|nospeech|>", self._tokenizer.no_speech)
        return [float(p) for p in logits.softmax(-1)[:, token]]

    def _task(self, language: str) -> list[int]:
        """What follows the start of the text, as in openai-whisper: without it a model writes time stamps."""
        tokenizer = self._tokenizer
        if not self._multilingual:
            return [tokenizer.no_timestamps]
        return [tokenizer.to_language_token(language), tokenizer.transcribe, tokenizer.no_timestamps]

    def _decoded(self, rows: _Rows, n: int, language: str, no_speech: float) -> Decoded:
        tokens, looped = _without_loop(rows.tokens[n])
        # a row that did not end lacks the step after its last token, by which that token would be timed
        tokens = tokens[: len(rows.attention[n]) - 1]
        scores = rows.scores[n][: len(tokens) + 1]
        attention = torch.stack(rows.attention[n][: len(tokens) + 1], 1)
        text = self._tokenizer.decode(tokens).strip()
        return Decoded(tokens, scores, attention, language, no_speech, text, looped)


class _Rows:
    """The tokens of each row so far, by the row's place in the original batch."""

    def __init__(self, count: int) -> None:
        self.tokens: list[list[int]] = [[] for _ in range(count)]
        self.scores: list[list[float]] = [[] for _ in range(count)]
        self.attention: list[list[torch.Tensor]] = [[] for _ in range(count)]
        self._place = list(range(count))
        self._done = [False] * count

    def add(
        self, tokens: torch.Tensor, scores: torch.Tensor, attention: torch.Tensor, eot: int
    ) -> torch.Tensor:
        """Add one step of the rows still in the batch; return which of them are done."""
        for n, (token, score) in enumerate(zip(tokens.tolist(), scores.tolist(), strict=True)):
            place = self._place[n]
            if self._done[n]:
                continue
            self.scores[place].append(score)
            self.attention[place].append(attention[n, :, 0])
            if token == eot:
                self._done[n] = True
                continue
            self.tokens[place].append(token)
            if len(self.tokens[place]) % LOOP_CHECK == 0:
                self._done[n] = _without_loop(self.tokens[place])[1]
        return torch.tensor(self._done)

    def keep(self, rows: torch.Tensor) -> None:
        """Keep only these rows, none of which is finished."""
        self._place = [self._place[n] for n in rows.tolist()]
        self._done = [False] * len(self._place)


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
