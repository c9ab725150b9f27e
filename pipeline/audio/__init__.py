"""File to samples: told by content, decode, mend, resample; and samples to pictures and files.

    path ─▶ signature (what is it?) ─▶ decode (blocks) ─▶ clip (mend, 16 kHz) ─▶ AudioClip

Everything runs block by block; a clip longer than ``clip.MAX_SAMPLES_IN_MEMORY`` lives in an
unlinked temporary file, so a recording of many hours needs no more memory than one of minutes.
Whatever is wrong with a file becomes a ``RecordingError`` with a reason word, or a warning on the clip.
"""

from pipeline.audio.clip import load
from pipeline.audio.render import encode, peaks

__all__ = ["encode", "load", "peaks"]
