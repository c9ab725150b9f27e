"""Read a recording into samples, and write samples as waveform peaks or a small audio file.

    path ─▶ signature (container format) ─▶ decode (blocks) ─▶ clip (repair, 16 kHz) ─▶ AudioClip

All steps work block by block. A clip longer than ``clip.MAX_SAMPLES_IN_MEMORY`` is kept in an unlinked
temporary file, so a recording of many hours needs no more memory than one of a few minutes.
A fault of the file raises ``RecordingError`` with a reason, or becomes a warning on the clip.
"""

from pipeline.audio.clip import load
from pipeline.audio.render import encode, peaks

__all__ = ["encode", "load", "peaks"]
