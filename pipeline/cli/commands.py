"""Import every module of this package, so that each registers its commands with ``app``."""

import importlib
import pkgutil

import pipeline.cli
from pipeline.cli.app import app

for _module in sorted(m.name for m in pkgutil.iter_modules(pipeline.cli.__path__)):
    importlib.import_module(f"pipeline.cli.{_module}")

__all__ = ["app"]
