"""Turn paths into received files, each with the metadata of its call.

    paths ─▶ files (manifest, sidecar, CDR) ─▶ sniff ─▶ metadata (times, names) ─▶ ``Received``

This is the first stage of the flow. It opens recordings only to recognise and hash them; whether one can
be decoded is found out by ``audio``.
"""

from pipeline.intake.discover import discover, notable
from pipeline.intake.transcripts import media, read_conversation, read_transcript

__all__ = ["discover", "media", "notable", "read_conversation", "read_transcript"]
