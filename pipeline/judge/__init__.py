"""Asks a language model that the user runs; its answers count only if their quotes are found in the call.

    question ─▶ turns without names ─▶ prompt, two ways ─▶ endpoint ─▶ reply ─▶ quotes found ─▶ kept

This package is imported, and text is sent, only if ``[judge]`` in the settings names an endpoint.
"""

from pipeline.judge.endpoint import AwayError, Endpoint, resolve
from pipeline.judge.model import LanguageModel, fingerprint

__all__ = ["AwayError", "Endpoint", "LanguageModel", "fingerprint", "resolve"]
