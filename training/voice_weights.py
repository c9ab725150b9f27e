"""Make the shipped voice encoder from Resemblyzer's wheel.

    pip download --no-deps resemblyzer==0.1.4
    python -m training.voice_weights Resemblyzer-0.1.4-py3-none-any.whl

The checkpoint in it is loaded as tensors only (``weights_only``); nothing of the wheel is executed.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from pipeline.speakers.voice import WEIGHTS

CHECKPOINT_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"


def main(wheel: Path) -> None:
    """Write the encoder's tensors as float16, without the optimiser's state."""
    import torch

    checkpoint = zipfile.ZipFile(wheel).read("resemblyzer/pretrained.pt")
    if hashlib.sha256(checkpoint).hexdigest() != CHECKPOINT_SHA256:
        raise SystemExit(f"{wheel}: not the checkpoint of resemblyzer 0.1.4")
    state = torch.load(io.BytesIO(checkpoint), weights_only=True, map_location="cpu")["model_state"]
    kept = {k: v.numpy().astype(np.float16) for k, v in state.items() if k.startswith(("lstm", "linear"))}
    WEIGHTS.parent.mkdir(exist_ok=True)
    np.savez_compressed(WEIGHTS, **kept)
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
