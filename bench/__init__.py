"""Measurements of callqa beside its targets and its rivals."""

import json
from pathlib import Path


def keep(path: Path, figures: object) -> None:
    """Write figures as JSON, into folders that are made where they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
