"""Intake: paths in, received files out, each with what is known of its call.

    paths ─▶ files (manifest, sidecar, CDR) ─▶ sniff ─▶ metadata (times, names) ─▶ ``Received``

First stage of the flow. It opens recordings only to recognise and hash them; whether one can be
decoded is for ``audio`` to say.
"""

from pipeline.intake.discover import discover, notable
from pipeline.intake.transcripts import media, read_transcript

__all__ = ["discover", "media", "notable", "read_transcript"]
