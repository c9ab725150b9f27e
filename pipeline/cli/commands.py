"""Every command module, imported for its commands; one line a module."""

from pipeline.cli import models as _models  # noqa: F401
from pipeline.cli.app import app

__all__ = ["app"]
