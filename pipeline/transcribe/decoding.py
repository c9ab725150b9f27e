"""Decoding of a batch of windows, with the quality gates of openai-whisper.

Part of ``transcribe``. Rows run together and leave the batch when done; the logits filters are
tensor operations on the whole batch; a row that starts to repeat itself is cut at once.
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

TOKENS_PER_S, SPARE_TOKENS = 10, 24  # fast speech has about 6 tokens a second
COMPACT_BELOW = 0.75  # finished rows are dropped once this share of the batch is left
LOOP_REPEATS, LOOP_TOKENS, LOOP_CHECK = 4, 12, 8  # this often and this long in a row is a loop

# Gates of whisper.transcribe: too repetitive, or not sure of itself.
MAX_COMPRESSION_RATIO, MIN_LOG_PROBABILITY, MAX_NO_SPEECH = 2.4, -1.0, 0.6


@dataclass(frozen=True, slots=True)
class Encoded:
    """A window to decode.

    Attributes:
        features: (T, D), T the same for all of a batch.
        seconds: Its length, which bounds its tokens.
        language: ISO 639-1 code.
        terms: Names to expect.
        prompt: These as text tokens, set before the window.
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
        log_probabilities: Of each token, and of the end of text where it was reached.
        attention: The alignment heads' attention, (n_heads, n_tokens + 1, T): the row before a
            token is the one that chose it.
        language: ISO 639-1 code it was decoded as.
        no_speech: Probability that the window holds no speech.
        text: The tokens as text.
        looped: Whether it was cut for repeating itself.
        sounds: Probability of each language the model knows, before it was told any; columns as
            ``tokenizer.all_language_codes``. None for an English-only model.
    """

    tokens: list[int]
    log_probabilities: list[float]
    attention: torch.Tensor
    language: str
    no_speech: float
    text: str
    looped: bool
    sounds: torch.Tensor | None = None

    @property
    def mean_log_probability(self) -> float:
        """Average over the tokens, as openai-whisper's gate has it."""
        return sum(self.log_probabilities) / max(len(self.log_probabilities), 1)

    @property
    def passes(self) -> bool:
        """Whether the quality gates let it through."""
        data = self.text.encode("utf-8")
        ratio = len(data) / len(zlib.compress(data)) if data else 0.0
        sure = self.mean_log_probability >= MIN_LOG_PROBABILITY
        return sure and ratio <= MAX_COMPRESSION_RATIO and not self.looped

    @property
    def silent(self) -> bool:
        """Whether it is sound the model itself does not believe to be speech."""
        return self.no_speech > MAX_NO_SPEECH and self.mean_log_probability < MIN_LOG_PROBABILITY


class GreedyDecoder:
    """Decodes batches of encoded windows."""

    def __init__(self, decoder: Decoder, tokenizer: Tokenizer, device: str) -> None:
        self._decoder, self._tokenizer, self._device = decoder, tokenizer, device
        self._multilingual = bool(tokenizer.language)
        n_vocab = tokenizer.encoding.n_vocab
        self._filter = torch.zeros(n_vocab, device=device)
        self._filter[list(tokenizer.non_speech_tokens)] = float("-inf")
        self._filter[tokenizer.eot + 1 :] = float("-inf")  # no timestamps, languages, tasks
        self._first_filter = self._filter.clone()
        self._first_filter[[*tokenizer.encode(" "), tokenizer.eot]] = float("-inf")

    def languages(self, features: Sequence[torch.Tensor], allowed: Sequence[str]) -> torch.Tensor:
        """Probability of each language per window.

        Args:
            features: One (T, D) per window.
            allowed: ISO 639-1 codes to choose among; empty for all the model knows.

        Returns:
            float32 (n_windows, n_languages), columns as ``tokenizer.all_language_codes``.
        """
        sot = torch.tensor([[self._tokenizer.sot]], device=self._device).expand(len(features), 1)
        logits, _ = self._decoder.step(sot, self._decoder.start(list(features), 1))
        return self._sounds(logits, allowed)

    def _sounds(self, logits: torch.Tensor, allowed: Sequence[str] = ()) -> torch.Tensor:
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
            temperature: 0 takes the likeliest token; above, tokens are drawn, reproducibly.
        """
        before = self._before(windows)
        budget = self._budget(windows, before.shape[1] + 3)
        cache = self._decoder.start([w.features for w in windows], before.shape[1] + 3 + budget)
        rows = _Rows(len(windows))
        logits, attention = self._decoder.step(before, cache)
        no_speech = self._no_speech(logits)
        sounds: Sequence[torch.Tensor | None] = [None] * len(windows)
        if self._multilingual:
            sounds = list(self._sounds(logits))
            task = [self._task(w.language) for w in windows]
            logits, attention = self._decoder.step(torch.tensor(task, device=self._device), cache)
        self._loop(logits, attention[:, :, -1:], cache, rows, budget, temperature)
        return [
            replace(self._decoded(rows, n, w.language, no_speech[n]), sounds=sounds[n])
            for n, w in enumerate(windows)
        ]

    def search(self, windows: Sequence[Encoded], before: Sequence[Decoded]) -> list[Decoded]:
        """Decode a batch again with beam search.

        Args:
            windows: At least one.
            before: What the greedy pass heard; kept where the search comes to no end or repeats itself.
        """
        prefix = self._prefix(windows)
        budget = self._budget(windows, prefix.shape[1])
        cache = self._decoder.start([w.features for w in windows], prefix.shape[1] + budget)
        whole = cache.afresh()
        logits, _ = self._decoder.step(prefix, cache)
        found = search(
            self._decoder, cache, logits, (self._first_filter, self._filter), self._tokenizer.eot, budget
        )
        tokens = [list(d.tokens if h is None else h.tokens[:-1]) for h, d in zip(found, before, strict=True)]
        results = list(before)
        for n, attention in enumerate(self._attention(whole, prefix, tokens)):
            hypothesis = found[n]
            if hypothesis is None or _without_loop(tokens[n])[1]:
                continue
            scores, text = list(hypothesis.log_probabilities), self._tokenizer.decode(tokens[n]).strip()
            results[n] = replace(
                before[n], tokens=tokens[n], log_probabilities=scores, attention=attention, text=text
            )
        return results

    def _attention(
        self, cache: Cache, prefix: torch.Tensor, tokens: Sequence[list[int]]
    ) -> list[torch.Tensor]:
        """The alignment heads' attention of texts that are known, all tokens at once."""
        longest = max(map(len, tokens))
        filled = [[*t, *[self._tokenizer.eot] * (longest - len(t))] for t in tokens]
        text = torch.tensor(filled, dtype=torch.long, device=self._device)
        _, attention = self._decoder.step(torch.cat([prefix, text], 1), cache)
        first = prefix.shape[1] - 1
        return [attention[n, :, first : first + len(t) + 1] for n, t in enumerate(tokens)]

    def _loop(
        self,
        logits: torch.Tensor,
        attention: torch.Tensor,
        cache: Cache,
        rows: _Rows,
        budget: int,
        temperature: float,
    ) -> None:
        """Take a token per row and step, until every row has ended or the budget is spent."""
        noise = np.random.default_rng(int(temperature * 1000))
        for n in range(budget):
            logits += self._first_filter if n == 0 else self._filter
            chosen = logits
            if temperature:  # the Gumbel trick: the largest of noisy logits is a fair draw
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
        """Most tokens the windows of a batch may hold."""
        n_text_ctx, longest_s = self._decoder.n_text_ctx, max(w.seconds for w in windows)
        return min(int(longest_s * TOKENS_PER_S) + SPARE_TOKENS, n_text_ctx - n_prefix, n_text_ctx // 2)

    def _prefix(self, windows: Sequence[Encoded]) -> torch.Tensor:
        """What precedes the text of each window: (B, n)."""
        task = [self._task(w.language) if self._multilingual else [] for w in windows]
        told = torch.tensor(task, dtype=torch.long, device=self._device).view(len(windows), -1)
        return torch.cat([self._before(windows), told], 1)

    def _before(self, windows: Sequence[Encoded]) -> torch.Tensor:
        """Each window's prompt and the start of its text: (B, n), shorter prompts filled up in front."""
        prompts = [w.prompt for w in windows]
        longest = max(map(len, prompts), default=0)
        marks = [[self._tokenizer.sot_prev] * (longest - len(p) + 1) if longest else [] for p in prompts]
        rows = [[*mark, *prompt, self._tokenizer.sot] for mark, prompt in zip(marks, prompts, strict=True)]
        return torch.tensor(rows, dtype=torch.long, device=self._device)

    def _no_speech(self, logits: torch.Tensor) -> list[float]:
        token = self._tokenizer.special_tokens.get("<|nospeech|>", self._tokenizer.no_speech)
        return [float(p) for p in logits.softmax(-1)[:, token]]

    def _task(self, language: str) -> list[int]:
        tokenizer = self._tokenizer
        return [tokenizer.to_language_token(language), tokenizer.transcribe, tokenizer.no_timestamps]

    def _decoded(self, rows: _Rows, n: int, language: str, no_speech: float) -> Decoded:
        tokens, looped = _without_loop(rows.tokens[n])
        # a row that never ended lacks the step after its last token, which times that token
        tokens = tokens[: len(rows.attention[n]) - 1]
        scores = rows.scores[n][: len(tokens) + 1]
        attention = torch.stack(rows.attention[n][: len(tokens) + 1], 1)
        text = self._tokenizer.decode(tokens).strip()
        return Decoded(tokens, scores, attention, language, no_speech, text, looped)


class _Rows:
    """What each row has said so far, by its place in the original batch."""

    def __init__(self, count: int) -> None:
        self.tokens: list[list[int]] = [[] for _ in range(count)]
        self.scores: list[list[float]] = [[] for _ in range(count)]
        self.attention: list[list[torch.Tensor]] = [[] for _ in range(count)]
        self._place = list(range(count))
        self._done = [False] * count

    def add(
        self, tokens: torch.Tensor, scores: torch.Tensor, attention: torch.Tensor, eot: int
    ) -> torch.Tensor:
        """Note one step of the rows still in the batch; tell which of them are done."""
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
        """Forget finished rows."""
        self._place = [self._place[n] for n in rows.tolist()]
        self._done = [False] * len(self._place)


def _without_loop(tokens: list[int]) -> tuple[list[int], bool]:
    """Cut a phrase repeated to the end down to its first saying; tell whether there was one."""
    for period in range(1, len(tokens) // LOOP_REPEATS + 1):
        repeats = 1
        while (
            tokens[-period:] == tokens[len(tokens) - (repeats + 1) * period : len(tokens) - repeats * period]
        ):
            repeats += 1
        if repeats >= LOOP_REPEATS and repeats * period >= LOOP_TOKENS:
            return tokens[: len(tokens) - (repeats - 1) * period], True
    return tokens, False
