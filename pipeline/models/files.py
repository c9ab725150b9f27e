"""Reads weight files into openai-whisper's module, or says in one sentence what is wrong with them.

Two formats are read: openai-whisper's checkpoints, and the CTranslate2 files of faster-whisper, whose tensors
are mapped to openai-whisper's state dict. Neither file is trusted: checkpoints are unpickled with
``weights_only``, and dimensions are checked before memory is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from pickle import PickleError
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelError

if TYPE_CHECKING:
    from whisper.model import ModelDimensions, Whisper

Tensors = dict[str, npt.NDArray[Any]]
HEAD = 64  # width of an attention head in every Whisper
# Mel bands (80; large-v3 and turbo 128) and vocabularies (English, multilingual, with Cantonese) of Whispers.
BANDS, VOCABULARIES = (80, 128), (51864, 51865, 51866)
AUDIO_FRAMES, TEXT_TOKENS = 1500, 448
WIDEST, DEEPEST = 1280, 32  # of the large models
UNREADABLE = OSError, EOFError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, PickleError


class UnfitError(ValueError):
    """What is wrong with the content of a weight file, in words for the user."""


def read_model(files: tuple[Path, ...], name: str) -> Whisper:
    """Read a checkpoint (``.pt``), or a CTranslate2 model in one or more parts, in evaluation mode.

    Raises:
        ModelError: The files cannot be read, or hold something other than a Whisper.
    """
    try:
        if files[0].suffix == ".pt":
            return _load_checkpoint(files[0], name)
        return _build(read_ctranslate2(files), name)
    except UNREADABLE as error:
        raise ModelError(
            f"weights of {name} in {files[0]} cannot be read: {_cause(error)}",
            hint="it must be a checkpoint of openai-whisper (.pt) or a float CTranslate2 model.bin",
        ) from error


def _load_checkpoint(file: Path, name: str) -> Whisper:
    """Read a checkpoint in openai-whisper's format; nothing but tensors is unpickled."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    checkpoint = torch.load(file, map_location="cpu", weights_only=True)
    dims = ModelDimensions(**checkpoint["dims"])
    _check_dimensions(dims)
    return _filled(Whisper(dims), checkpoint["model_state_dict"].items(), name)


def _filled(model: Whisper, state: Iterable[tuple[str, Any]], name: str) -> Whisper:
    """Copy weights into the module one by one, because two complete copies may not fit in memory.

    Raises:
        UnfitError: A weight is missing, unknown or of another shape, or holds values that are not numbers.
    """
    import torch
    from whisper import _ALIGNMENT_HEADS

    missing = model.state_dict()  # shares the module's memory
    for key, values in state:
        if key not in missing:
            raise UnfitError(f"it holds {key}, which is no part of a Whisper of its dimensions")
        place = missing.pop(key)
        if tuple(values.shape) != tuple(place.shape):
            actual, wanted = (" x ".join(map(str, shape)) for shape in (values.shape, place.shape))
            raise UnfitError(f"its {key} is {actual}, its dimensions ask for {wanted}")
        if not place.copy_(torch.as_tensor(values)).sum().isfinite():  # one pass, without a copy
            raise UnfitError(f"its {key} holds values that are no numbers; the file is damaged")
    if missing:
        raise UnfitError(f"it lacks {next(iter(missing))}")
    heads = _ALIGNMENT_HEADS.get(name)  # which heads align text with audio is known of OpenAI's models
    if heads is not None:
        model.set_alignment_heads(heads)
    return model.eval()


def _check_dimensions(dims: ModelDimensions) -> None:
    """Refuse a model, before memory is allocated for it, unless it differs from OpenAI's in size only.

    Raises:
        UnfitError: The engine could not run the model.
    """
    dimensions: tuple[tuple[str, int, tuple[int, ...] | range], ...] = (
        ("mel bands", dims.n_mels, BANDS),
        ("tokens in its vocabulary", dims.n_vocab, VOCABULARIES),
        ("frames of audio", dims.n_audio_ctx, (AUDIO_FRAMES,)),
        ("tokens of text", dims.n_text_ctx, (TEXT_TOKENS,)),
        ("values a frame", dims.n_audio_state, range(HEAD, WIDEST + 1, HEAD)),
        ("values a token", dims.n_text_state, (dims.n_audio_state,)),
        ("heads of attention to audio", dims.n_audio_head, (dims.n_audio_state // HEAD,)),
        ("heads of attention to text", dims.n_text_head, (dims.n_text_state // HEAD,)),
        ("layers in its encoder", dims.n_audio_layer, range(1, DEEPEST + 1)),
        ("layers in its decoder", dims.n_text_layer, range(1, DEEPEST + 1)),
    )
    for what, count, allowed in dimensions:
        if count not in allowed:
            is_range = isinstance(allowed, range)
            wanted = f"{allowed[0]} to {allowed[-1]}" if is_range else " or ".join(map(str, allowed))
            raise UnfitError(f"it has {count!r} {what}, a Whisper has {wanted}")


def _cause(error: Exception) -> str:
    """An error of reading weights in one line; the texts of Python and torch are not for users."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, UnfitError):
        return str(error)
    if isinstance(error, KeyError) and isinstance(error.args[0], str):
        return f"it holds no {error.args[0]}"
    if isinstance(error, RuntimeError | EOFError):
        return "it is cut short or damaged"
    return "it is in no form of weights that is read here, or is damaged"


def read_ctranslate2(files: tuple[Path, ...]) -> Tensors:
    """Read the tensors of a CTranslate2 model file, by variable name, aliases resolved.

    Layout: u32 version, string spec, u32 revision, u32 count, then per variable: string name,
    u8 rank, u32 dims…, u8 dtype, u32 bytes, data; then aliases. A string is a u16 length
    (the trailing NUL included) and its bytes.

    Raises:
        UnfitError: It is no such file, is cut short, or has numbers in another format than these.
    """
    blob = b"".join(file.read_bytes() for file in files)
    if len(blob) >= 17 and blob[6:17] != b"WhisperSpec":  # a shorter one is told to be cut short, below
        raise UnfitError("it is no Whisper model of CTranslate2")
    dtypes = (np.float32, np.int8, np.int16, np.int32, np.float16)
    at = 0

    def skip(size: int) -> int:
        """Move past the next bytes; return where they begin."""
        nonlocal at
        if at + size > len(blob):
            raise UnfitError(
                f"it is cut short: it ends after {len(blob):,} bytes, in the middle of its weights"
            )
        at += size
        return at - size

    def number(code: str) -> int:
        (value,) = struct.unpack_from("<" + code, blob, skip(struct.calcsize(code)))
        return int(value)

    def string() -> str:
        length = number("H")
        begin = skip(length)
        return blob[begin : begin + length - 1].decode("utf-8")

    version, _spec, _revision = number("I"), string(), number("I")
    if not 4 <= version <= 6:
        raise UnfitError(f"it is a CTranslate2 model of version {version}, which is not read here")
    tensors: Tensors = {}
    for _ in range(number("I")):
        name = string()
        shape = tuple(number("I") for _ in range(number("B")))
        code, size = number("B"), number("I")
        if code >= len(dtypes):
            raise UnfitError(
                f"{name} is in a number format that is not read here; float32 or float16 is needed"
            )
        count = size // np.dtype(dtypes[code]).itemsize
        tensors[name] = np.frombuffer(blob, dtypes[code], count, skip(size)).reshape(shape)
    for _ in range(number("I")):
        alias, target = string(), string()
        tensors[alias] = tensors[target]
    return tensors


def _build(tensors: Tensors, name: str) -> Whisper:
    """openai-whisper's module with the weights of CTranslate2 tensors."""
    from whisper.model import ModelDimensions, Whisper

    if any(key.endswith("/weight") and value.dtype.kind != "f" for key, value in tensors.items()):
        raise UnfitError("its weights are quantised; float32 or float16 is needed")

    def layers(side: str) -> int:
        return sum(n.startswith(f"{side}/layer_") and n.endswith("/ffn/linear_0/weight") for n in tensors)

    n_state, n_mels, _ = tensors["encoder/conv1/weight"].shape
    n_vocab, n_text_state = tensors["decoder/embeddings/weight"].shape
    dims = ModelDimensions(
        n_mels=n_mels,
        n_audio_ctx=tensors["encoder/position_encodings/encodings"].shape[0],
        n_audio_state=n_state,
        n_audio_head=n_state // HEAD,
        n_audio_layer=layers("encoder"),
        n_vocab=n_vocab,
        n_text_ctx=tensors["decoder/position_encodings/encodings"].shape[0],
        n_text_state=n_text_state,
        n_text_head=n_text_state // HEAD,
        n_text_layer=layers("decoder"),
    )
    _check_dimensions(dims)
    state = ((key, value.astype(np.float32)) for key, value in _state(tensors, dims))
    return _filled(Whisper(dims), state, name)


def _state(tensors: Tensors, dims: Any) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """openai-whisper's state dict, key by key, from tensors with CTranslate2's names."""

    def linear(source: str, target: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        yield f"{target}.weight", tensors[f"{source}/weight"]
        yield f"{target}.bias", tensors[f"{source}/bias"]

    def norm(source: str, target: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        yield f"{target}.weight", tensors[f"{source}/gamma"]
        yield f"{target}.bias", tensors[f"{source}/beta"]

    def attention(source: str, target: str, cross: bool) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        yield from norm(f"{source}/layer_norm", f"{target}_ln")
        stacked = ("linear_0", "linear_1") if cross else ("linear_0",)
        weight = np.concatenate([tensors[f"{source}/{part}/weight"] for part in stacked])
        bias = np.concatenate([tensors[f"{source}/{part}/bias"] for part in stacked])
        for n, part in enumerate(("query", "key", "value")):
            rows = slice(n * len(weight) // 3, (n + 1) * len(weight) // 3)
            yield f"{target}.{part}.weight", weight[rows]
            if part != "key":  # Whisper's keys have no bias
                yield f"{target}.{part}.bias", bias[rows]
        yield from linear(f"{source}/linear_{len(stacked)}", f"{target}.out")

    for conv in ("conv1", "conv2"):
        yield from linear(f"encoder/{conv}", f"encoder.{conv}")
    yield "encoder.positional_embedding", tensors["encoder/position_encodings/encodings"]
    yield "decoder.positional_embedding", tensors["decoder/position_encodings/encodings"]
    yield "decoder.token_embedding.weight", tensors["decoder/embeddings/weight"]
    yield from norm("encoder/layer_norm", "encoder.ln_post")
    yield from norm("decoder/layer_norm", "decoder.ln")
    for side, count in (("encoder", dims.n_audio_layer), ("decoder", dims.n_text_layer)):
        for n in range(count):
            source, target = f"{side}/layer_{n}", f"{side}.blocks.{n}"
            yield from attention(f"{source}/self_attention", f"{target}.attn", cross=False)
            if side == "decoder":
                yield from attention(f"{source}/attention", f"{target}.cross_attn", cross=True)
            yield from norm(f"{source}/ffn/layer_norm", f"{target}.mlp_ln")
            yield from linear(f"{source}/ffn/linear_0", f"{target}.mlp.0")
            yield from linear(f"{source}/ffn/linear_1", f"{target}.mlp.2")
