"""Reads the criteria that the matcher's encoder is trained on, with utterances that meet them or do not.

They were written for callqa and only serve for training; ``bench/calls.py`` measures accuracy on calls.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import yaml

HERE = Path(__file__).parent
KINDS = {"+ ": "paraphrase", "~ ": "asr_error", "- ": "hard", "0 ": "unrelated"}
MEETS = ("+ ", "~ ")
EVERY, MOST, FIRST = "criteria_?.txt", "criteria_[a-k].txt", "criteria_[a-e].txt"
"""All criteria; those for the first student of ``train_matcher``; and those for its teacher."""


@dataclass
class Criterion:
    """A criterion with labelled utterances: (text, label, kind)."""

    meaning: str
    phrases: list[str] = field(default_factory=list)
    said: list[tuple[str, int, str]] = field(default_factory=list)


def written(files: str = EVERY) -> dict[str, Criterion]:
    """The criteria beside this module, by id."""
    return read(*sorted(HERE.glob(files)))


def read(*paths: Path) -> dict[str, Criterion]:
    """Criteria of files in the format of ``criteria_a.txt``, by id."""
    found: dict[str, Criterion] = {}
    for line in (line for path in paths for line in path.read_text("utf-8").splitlines()):
        mark, text = line[:2], line[2:]
        if line.startswith("## "):
            name, meaning = line[3:].split(" | ", 1)
            found[name] = Criterion(meaning)
        elif mark == "= ":
            found[name].phrases.append(text)
        elif mark in KINDS:
            found[name].said.append((text, int(mark in MEETS), KINDS[mark]))
    return found


def development(folder: Path) -> dict[str, Criterion]:
    """Criteria of a labelled set in the format of ``shared/data/paraphrase``, by id."""
    listed = yaml.safe_load((folder / "criteria.yaml").read_text("utf-8"))["criteria"]
    found = {c["id"]: Criterion(c["description"], list(c["phrases"])) for c in listed}
    with (folder / "utterances.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["criterion"]].said.append((row["text"], int(row["label"]), row["kind"]))
    return found


def service_talk() -> list[tuple[frozenset[str], str]]:
    """Lines said in nearly every service call, each after the ids of the criteria it meets."""
    lines = (HERE / "service_talk.txt").read_text("utf-8").splitlines()
    parted = (line.split("| ", 1) for line in lines if line[:1] != "#")
    return [(frozenset(meets.split()), text) for meets, text in parted]
