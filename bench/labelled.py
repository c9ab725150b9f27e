"""Whole calls of any world and a person's answers: how often what the shipped rubrics decide is right.

    python -m bench.labelled FOLDER [--rubric FILE] [--wrong] [--out out/bench]

The folder holds calls, one JSON file each: ``call_id``, ``rubric`` (a shipped one; ``--rubric`` asks another
of all), ``turns`` of ``role`` and ``text``; and ``*labels.csv``: call_id, criterion, answer (yes, no, na,
unsure). A person writes them who was given the rubric's questions and nothing else. Times are made from word
counts. What a person was unsure of is left out; ``na`` on one side only is counted apart.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import keep
from bench.calls import Answers, answered, timed
from pipeline import rubric
from pipeline.conversation import Conversation

PAUSE_S = 0.5
COUNTED = ("right", "wrong", "of these a wrong yes", "undetermined", "both na", "na by one")
Labels = dict[tuple[str, str], str]


def calls(folder: Path, form: str | None = None) -> dict[str, list[Conversation]]:
    """The folder's calls by rubric, all by ``form`` where one is given."""
    found: dict[str, list[Conversation]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        body = json.loads(path.read_text("utf-8"))
        said = [(turn["role"], turn["text"]) for turn in body["turns"]]
        transcript = replace(timed(body["call_id"], said, PAUSE_S), channels=2)
        found[form or body["rubric"]].append(Conversation(transcript))
    return found


def labels(folder: Path) -> Labels:
    """What people answered, by call and criterion."""
    found = {}
    for path in sorted(folder.glob("*labels.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found[row["call_id"], row["criterion"]] = row["answer"].strip()
    return {key: answer for key, answer in found.items() if answer != "unsure"}


def compared(answers: Answers, told: Labels) -> Iterator[tuple[str, str, str, str]]:
    """Call, criterion, how an answer compares with a person's, and its evidence."""
    for call, given in answers.items():
        for name, answer in given.items():
            person = told.get((call, name))
            if person is None:
                continue
            if "na" in (person, answer.answer):
                how = "both na" if person == answer.answer else "na by one"
            elif answer.answer == "undetermined":
                how = "undetermined"
            else:
                how = "right" if answer.answer == person else "wrong"
            best = answer.evidence[0] if answer.evidence else answer.nearest
            quote = f"{best.strength:.2f} {best.quote!r} {best.rule}" if best else "nothing near"
            yield call, name, how, f"{answer.answer}, should be {person}: {quote}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the shares and write them as JSON."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", type=Path)
    ask.add_argument("--rubric", help="a rubric, or its file, instead of those the calls name")
    ask.add_argument("--wrong", action="store_true", help="list what is not right, with its quote")
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    given = ask.parse_args(arguments)
    console, told = Console(width=150), labels(given.folder)
    shown = Table("rubric", "calls", *COUNTED, "right of decided", title=str(given.folder))
    result = {}
    for form, ones in calls(given.folder, given.rubric).items():
        found = list(compared(answered(ones, rubric.load(form)), told))
        count = Counter(how for _, _, how, _ in found)
        count[COUNTED[2]] = sum(how == "wrong" and said.startswith("yes") for _, _, how, said in found)
        decided = count["right"] + count["wrong"]
        share = count["right"] / decided if decided else None
        result[form] = {**{name: count[name] for name in COUNTED}, "right of decided": share}
        shares = "–" if share is None else f"{share:.3f}"
        shown.add_row(form, str(len(ones)), *(str(count[name]) for name in COUNTED), shares)
        for call, name, how, said in found if given.wrong else ():
            if how not in ("right", "both na"):
                console.print(f"{call} {name}: {said}", markup=False)
    console.print(shown)
    keep(given.out / "labelled.json", result)


if __name__ == "__main__":
    main()
