"""The fingerprint of all that a transcript depends on besides its audio, without loading an engine."""

from __future__ import annotations

import hashlib

from pipeline import models
from pipeline.settings import TranscribeSettings

REVISION = "7"  # raise when the same audio could give other words
WITHOUT_EFFECT = {"threads", "again", "again_model"}
"""Settings that do not change the first transcript of a call."""


def fingerprint(settings: TranscribeSettings) -> str:
    """Digest of the weights, the options and the revision of the engine's code.

    Raises:
        ModelError: The model is not known, or its weights cannot be found or read.
    """
    weights = models.locate(settings.model)
    options = settings.model_dump_json(exclude=WITHOUT_EFFECT | {"model"})
    return hashlib.sha256(f"{REVISION}|{weights.sha256}|{options}".encode()).hexdigest()[:16]


def second(settings: TranscribeSettings) -> TranscribeSettings | None:
    """The settings of the second, larger engine; None where nothing is to be heard again."""
    if settings.again == "off":
        return None
    return settings.model_copy(update={"model": settings.again_model, "again": "off"})
