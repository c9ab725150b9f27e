"""A language model of the user's own as judge: what it says counts only where it can be checked.

    question ─▶ turns without names ─▶ prompt, two ways ─▶ endpoint ─▶ reply ─▶ quotes found ─▶ kept

Nothing here is imported, and nothing is sent, unless ``[judge]`` of the settings names an endpoint.
"""

from pipeline.judge.endpoint import AwayError, Endpoint, resolve
from pipeline.judge.model import LanguageModel, fingerprint

__all__ = ["AwayError", "Endpoint", "LanguageModel", "fingerprint", "resolve"]
