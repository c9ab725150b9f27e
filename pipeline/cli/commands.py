"""Every command module, imported for its commands; one line a module."""

from pipeline.cli.app import app

__all__ = ["app"]
