"""Weight files of random numbers in CTranslate2's form: every shape of a Whisper, none of its words."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

FLOAT16 = 4


def write_ctranslate2(
    path: Path, *, bands: int, vocabulary: int, width: int, encoder_layers: int, decoder_layers: int
) -> Path:
    """Write such a file, a tensor at a time."""
    shapes = dict(_shapes(bands, vocabulary, width, encoder_layers, decoder_layers))
    draw = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(struct.pack("<I", 6) + _string("WhisperSpec") + struct.pack("<II", 3, len(shapes)))
        for name, shape in shapes.items():
            values = _values(name, shape, draw)
            file.write(_string(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape))
            file.write(struct.pack("<BI", FLOAT16, values.nbytes))
            values.tofile(file)
        file.write(struct.pack("<I", 0))
    return path


def _values(name: str, shape: tuple[int, ...], draw: np.random.Generator) -> npt.NDArray[np.float16]:
    if name.endswith("gamma"):
        return np.ones(shape, np.float16)
    return (draw.standard_normal(shape, np.float32) * 0.02).astype(np.float16)


def _string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def _shapes(
    bands: int, vocabulary: int, width: int, encoder_layers: int, decoder_layers: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    def linear(name: str, rows: int, columns: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}/weight", (rows, columns)
        yield f"{name}/bias", (rows,)

    def norm(name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
        yield f"{name}/gamma", (width,)
        yield f"{name}/beta", (width,)

    for conv, n_in in (("conv1", bands), ("conv2", width)):
        yield f"encoder/{conv}/weight", (width, n_in, 3)
        yield f"encoder/{conv}/bias", (width,)
    yield "encoder/position_encodings/encodings", (1500, width)
    yield "decoder/position_encodings/encodings", (448, width)
    yield "decoder/embeddings/weight", (vocabulary, width)
    for side, layers in (("encoder", encoder_layers), ("decoder", decoder_layers)):
        yield from norm(f"{side}/layer_norm")
        for n in range(layers):
            layer = f"{side}/layer_{n}"
            yield from norm(f"{layer}/self_attention/layer_norm")
            yield from linear(f"{layer}/self_attention/linear_0", 3 * width, width)
            yield from linear(f"{layer}/self_attention/linear_1", width, width)
            if side == "decoder":
                yield from norm(f"{layer}/attention/layer_norm")
                yield from linear(f"{layer}/attention/linear_0", width, width)
                yield from linear(f"{layer}/attention/linear_1", 2 * width, width)
                yield from linear(f"{layer}/attention/linear_2", width, width)
            yield from norm(f"{layer}/ffn/layer_norm")
            yield from linear(f"{layer}/ffn/linear_0", 4 * width, width)
            yield from linear(f"{layer}/ffn/linear_1", width, 4 * width)
