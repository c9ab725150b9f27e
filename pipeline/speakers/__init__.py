"""Clean up channels before transcription, and assign agent and customer to the turns after it.

AudioClip ─▶ clean_channels ─▶ AudioClip ─▶ (transcribe) ─▶ Transcript ─▶ assign_roles ─▶ Transcript
"""

from pipeline.speakers.channels import clean_channels
from pipeline.speakers.roles import assign_roles

__all__ = ["assign_roles", "clean_channels"]
