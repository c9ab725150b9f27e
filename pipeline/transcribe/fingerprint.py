"""What a transcript depends on besides its audio, known without loading an engine."""

from __future__ import annotations

import hashlib

from pipeline import models
from pipeline.settings import TranscribeSettings

REVISION = "6"  # raise when the same audio could give other words
NO_MATTER = {"threads", "again", "again_model"}
"""Settings that do not change what is heard first."""


def fingerprint(settings: TranscribeSettings) -> str:
    """Digest of the weights, the options and the revision of the engine's code.

    Raises:
        ModelError: The model is not known or its weights are not to be found.
    """
    weights = models.locate(settings.model)
    options = settings.model_dump_json(exclude=NO_MATTER | {"model"})
    return hashlib.sha256(f"{REVISION}|{weights.sha256}|{options}".encode()).hexdigest()[:16]


def second(settings: TranscribeSettings) -> TranscribeSettings | None:
    """The settings of the engine that hears again; None where nothing is."""
    if settings.again == "off":
        return None
    return settings.model_copy(update={"model": settings.again_model, "again": "off"})
