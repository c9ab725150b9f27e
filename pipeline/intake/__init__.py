"""Turn paths into received files, each with the metadata of its call."""

from pipeline.intake.discover import discover, notable
from pipeline.intake.transcripts import media, read_conversation, read_transcript

__all__ = ["discover", "media", "notable", "read_conversation", "read_transcript"]
