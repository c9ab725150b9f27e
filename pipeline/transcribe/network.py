"""Whisper's network, arranged for batched inference on few cores.

It has the weights of openai-whisper's module in the number format that is fastest here. It differs in that
(1) the encoder works on a few hundred frames at a time, which stay in the processor's cache; (2) the decoder
has self-attention caches that grow in steps; (3) the attention of the alignment heads is kept while decoding,
so that word times need no second pass; (4) the decoder's blocks are compiled (``kernels.scripted``).
Shapes: B windows, T encoder frames (20 ms each), S tokens, D model width, H heads.
"""

# Without postponed annotations: TorchScript reads them.

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

from pipeline.transcribe.audio_attention import (
    HEAD,
    FloatKeysAndValues,
    IntegerKeysAndValues,
    KeysAndValues,
    Packed,
    to_integers,
)
from pipeline.transcribe.kernels import attend, scripted
from pipeline.transcribe.precision import Hardware
from pipeline.transcribe.probe import FEW, MANY

if TYPE_CHECKING:
    from whisper.model import ResidualAttentionBlock as Block
    from whisper.model import Whisper

FULL_FRAMES = 1500  # encoder frames of the 30 s that the network was trained on
LENGTH_STEP = 32
"""Tokens by which the self-attention cache grows; what is not filled yet is masked.

oneDNN compiles a kernel for each shape and keeps a thousand of them: a gigabyte where every length
is a shape of its own."""


class Mlp(nn.Module):
    """The feed-forward part of a block."""

    def __init__(self, block: "Block", hardware: Hardware, rows: int) -> None:
        super().__init__()
        self.norm = _norm(block.mlp_ln, hardware)
        self.up, self.down = (_stacked([block.mlp[n]], hardware, rows) for n in (0, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The residual to add to x, both (B, S, D)."""
        residual: torch.Tensor = self.down(F.gelu(self.up(self.norm(x))))
        return residual


class SelfAttention(nn.Module):
    """Norm, stacked query-key-value projection and output projection of one block."""

    def __init__(self, block: "Block", hardware: Hardware, rows: int) -> None:
        super().__init__()
        self.norm = _norm(block.attn_ln, hardware)
        self.qkv = _stacked([block.attn.query, block.attn.key, block.attn.value], hardware, rows)
        self.out = _stacked([block.attn.out], hardware, rows)

    def project(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Query, key and value, each (B, H, S, 64), of x (B, S, D)."""
        projected = self.qkv(self.norm(x)).view(x.shape[0], x.shape[1], 3, -1, 64).permute(2, 0, 3, 1, 4)
        return projected[0] * 0.125, projected[1], projected[2]

    def output(self, heads: torch.Tensor) -> torch.Tensor:
        """Output projection of the heads (B, H, S, 64): (B, S, D)."""
        projected: torch.Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return projected


class AudioEncoder:
    """Turns mel frames into features, one window at a time."""

    def __init__(self, model: "Whisper", hardware: Hardware) -> None:
        encoder, device, dtype = model.encoder, hardware.device, hardware.compute
        self._convs = [
            (c.weight.detach().to(device, dtype), c.bias.detach().to(device, dtype))
            for c in (encoder.conv1, encoder.conv2)
        ]
        self._positions = encoder.positional_embedding.detach().to(device)
        self._layers = [(SelfAttention(b, hardware, MANY), Mlp(b, hardware, MANY)) for b in encoder.blocks]
        self._norm = encoder.ln_post.to(device)
        self._dtype, self._fused = dtype, hardware.fused

    def __call__(self, mel: torch.Tensor) -> torch.Tensor:
        """Encode one window: mel (n_mels, 2T) to features (T, D), float32."""
        x = mel[None].to(self._dtype)
        x = F.gelu(F.conv1d(x, *self._convs[0], padding=1))
        x = F.gelu(F.conv1d(x, *self._convs[1], padding=1, stride=2))
        x = (x.transpose(1, 2).float() + self._positions[: x.shape[2]]).contiguous()
        chunks = torch.split(x, MANY, 1)  # views of x, so small that their results stay in the cache
        for attention, mlp in self._layers:
            q, k, v = (torch.cat(parts, 2) for parts in zip(*map(attention.project, chunks), strict=True))
            heads = attend(q, k, v, self._fused)
            for chunk, chunk_heads in zip(chunks, torch.split(heads, MANY, 2), strict=True):
                chunk += attention.output(chunk_heads)
                chunk += mlp(chunk)
        features: torch.Tensor = self._norm(x)[0]
        return features


@dataclass
class Cache:
    """Keys and values of a batch, kept from one decoding step to the next.

    Attributes:
        keys: Self-attention keys per layer, each (B, H, S, 64), filled up to ``length``.
        values: Self-attention values in the same form.
        audio: Cross-attention keys and values per layer.
        length: Number of tokens so far.
    """

    keys: list[torch.Tensor]
    values: list[torch.Tensor]
    audio: list[KeysAndValues]
    length: int = 0

    def keep(self, rows: torch.Tensor, windows: torch.Tensor | None) -> None:
        """Keep only these rows, in this order, and the audio of these windows (None: of all windows)."""
        for tensors in (self.keys, self.values):
            for n, past in enumerate(tensors):
                if len(rows) < len(past):
                    tensors[n] = past[rows]
                else:  # in place, and only the part that is filled
                    past[:, :, : self.length] = past[rows, :, : self.length]
        if windows is not None:
            for n in range(len(self.audio)):  # layer by layer, so that the old ones are freed on the way
                self.audio[n] = self.audio[n].keep(windows)

    def again(self) -> "Cache":
        """A second cache of the same audio, without any tokens, for when this one has spread its rows."""
        return Cache(list(self.keys), list(self.values), list(self.audio))

    def grow(self, tokens: int) -> None:
        """Make room for this many more tokens; most texts are a third of the longest that is allowed."""
        lacking = _in_steps(self.length + tokens) - self.keys[0].shape[2]
        if lacking > 0:
            for tensors in (self.keys, self.values):
                for n, past in enumerate(tensors):
                    tensors[n] = F.pad(past, (0, 0, 0, lacking))

    def spread(self, beams: int) -> None:
        """Repeat the row of every window once for each beam."""
        self.keys = [k.repeat_interleave(beams, 0) for k in self.keys]
        self.values = [v.repeat_interleave(beams, 0) for v in self.values]


class DecoderBlock(nn.Module):
    """A block of the decoder, in the two parts before and after its attention to the audio.

    The rows of a window's beams must follow each other. They attend to the audio like tokens of one row, so
    that the window's keys and values are read once for all of them.
    """

    def __init__(self, block: "Block", hardware: Hardware) -> None:
        super().__init__()
        self.attention = SelfAttention(block, hardware, FEW)
        self.audio_norm = _norm(block.cross_attn_ln, hardware)
        self.audio_query = _stacked([block.cross_attn.query], hardware, FEW)
        self.audio_out = _stacked([block.cross_attn.out], hardware, FEW)
        self.mlp = Mlp(block, hardware, FEW)

    @torch.jit.export
    def before(
        self,
        x: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
        begin: int,
        causal: torch.Tensor,
        windows: int,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attend to the tokens so far.

        Args:
            x: (B, S, D).
            keys: The layer's part of the cache, (B, H, n, 64).
            values: The same of the values.
            begin: Number of the token at which the keys and values of x are written.
            causal: (S, n), 0 for tokens that are seen and minus infinity for others.
            windows: Number of windows, of which each has the same number of rows.

        Returns:
            x, and the scaled queries to the audio, (windows, H, S of all its rows, 64).
        """
        q, k, v = self.attention.project(x)
        keys[:, :, begin : begin + x.shape[1]] = k
        values[:, :, begin : begin + x.shape[1]] = v
        weights = (q @ keys.transpose(-1, -2) + causal).softmax(-1)
        x = x + self.attention.output(weights @ values)
        queries = self.audio_query(self.audio_norm(x)).view(windows, -1, x.shape[-1] // 64, 64)
        return x, queries.transpose(1, 2) * 0.125

    @torch.jit.export
    def after(self, x: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """The block's output (B, S, D), from what ``before`` returned and what the queries found."""
        x = x + self.audio_out(context.transpose(1, 2).flatten(2)).view_as(x)
        out: torch.Tensor = x + self.mlp(x)
        return out


class Decoder:
    """Computes the logits of the next token, for any number of windows at a time."""

    def __init__(self, model: "Whisper", hardware: Hardware) -> None:
        decoder = model.decoder
        self._hardware = hardware
        heads = model.alignment_heads.to_dense()
        self._embedding = decoder.token_embedding.weight.detach().to(hardware.device)
        self._positions = decoder.positional_embedding.detach().to(hardware.device)
        self._alignment_heads = [heads[n].nonzero()[:, 0].tolist() for n in range(len(decoder.blocks))]
        self._blocks = [scripted(DecoderBlock(block, hardware)) for block in decoder.blocks]
        self._norm = decoder.ln.to(hardware.device)
        self._logits = scripted(hardware.linear(self._embedding, None, FEW))
        keys_and_values = [part for b in decoder.blocks for part in (b.cross_attn.key, b.cross_attn.value)]
        self._audio = _stacked(keys_and_values, hardware, MANY)

    def start(self, features: list[torch.Tensor]) -> Cache:
        """The cache of a new batch, from the features (T, D) of each window."""
        rows, depth = len(features), len(self._blocks)
        device, dtype = self._hardware.device, self._hardware.compute
        n_head = self._embedding.shape[1] // HEAD
        fast_integers = (
            device == "cpu"
            and dtype == torch.float32
            and self._hardware.kernel((FEW, self._embedding.shape[1], FULL_FRAMES)) == "fbgemm"
        )
        audio = self._packed(features) if fast_integers else self._floats(features)
        text = torch.zeros(rows, n_head, 0, HEAD, device=device, dtype=dtype)
        return Cache([text] * depth, [text] * depth, audio)

    def _packed(self, features: list[torch.Tensor]) -> list[KeysAndValues]:
        """Keys and values of the audio as integers, computed window by window."""
        windows = []
        for feature in features:
            parts = self._audio(feature).view(len(feature), 2 * len(self._blocks), -1).unbind(1)
            windows.append([to_integers(part if n % 2 == 0 else part.T) for n, part in enumerate(parts)])
        packed = [Packed.of(part) for part in zip(*windows, strict=True)]
        frames = list(map(len, features))
        return [IntegerKeysAndValues(k, v, frames) for k, v in zip(packed[::2], packed[1::2], strict=True)]

    def _floats(self, features: list[torch.Tensor]) -> list[KeysAndValues]:
        """Keys and values of the audio as floats, computed window by window."""
        depth, n_head = len(self._blocks), self._embedding.shape[1] // HEAD
        device, dtype = self._hardware.device, self._hardware.compute
        longest = max(map(len, features))
        shape = (2, len(features), n_head, longest, HEAD)
        audio = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(depth)]
        mask = torch.full((len(features), 1, 1, longest), float("-inf"), device=device, dtype=dtype)
        for row, feature in enumerate(features):
            mask[row, ..., : len(feature)] = 0.0
            projected = self._audio(feature).view(-1, depth, 2, n_head, HEAD).permute(1, 2, 3, 0, 4)
            for layer, keys_and_values in zip(audio, projected, strict=True):
                layer[:, row, :, : len(feature)] = keys_and_values
        return [FloatKeysAndValues(keys, values, mask) for keys, values in audio]

    def step(self, tokens: torch.Tensor, cache: Cache) -> tuple[torch.Tensor, torch.Tensor]:
        """Feed the next tokens of every row and predict the token that follows them.

        Args:
            tokens: (B, S).
            cache: The batch's cache, which grows by S tokens.

        Returns:
            Logits float32 (B, vocabulary) after the last token, and the alignment heads'
            attention (B, n_heads, S, T), T that of the longest window.
        """
        begin, end = cache.length, cache.length + tokens.shape[1]
        x = self._embedding[tokens] + self._positions[begin:end]
        cache.grow(tokens.shape[1])
        full = torch.full((tokens.shape[1], cache.keys[0].shape[2]), float("-inf"), device=x.device)
        causal = full.triu_(begin + 1).to(self._hardware.compute)
        attention = []
        for n, block in enumerate(self._blocks):
            audio = cache.audio[n]
            x, queries = block.before(x, cache.keys[n], cache.values[n], begin, causal, len(audio))
            context, weights = audio.attend(queries)
            x = block.after(x, context)
            attention.append(weights[:, self._alignment_heads[n]])
        cache.length = end
        return self._logits(self._norm(x[:, -1])).float(), torch.cat(attention, 1)


def _in_steps(length: int) -> int:
    """A number of tokens rounded up, so that attention to them has few different shapes."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _norm(norm: nn.LayerNorm, hardware: Hardware) -> nn.LayerNorm:
    """A layer norm of torch's own class with Whisper's weights; the residual stream is float32."""
    plain = nn.LayerNorm(norm.normalized_shape, norm.eps).requires_grad_(False)
    plain.load_state_dict(norm.state_dict())
    return plain.to(hardware.device)


def _stacked(modules: list[nn.Linear], hardware: Hardware, rows: int) -> nn.Module:
    """Several linear layers of the same input as one layer, so that the input is read and scaled once."""
    weight = torch.cat([m.weight.detach() for m in modules])
    bias = torch.cat(
        [torch.zeros(m.out_features) if m.bias is None else m.bias.detach().cpu() for m in modules]
    )
    return hardware.linear(weight, bias, rows)
