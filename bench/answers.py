"""How often answers are right on whole real calls, under rubrics that nobody fitted the matcher to.

    python -m bench.answers [--data ../shared/data] [--wrong] [--out out/bench]

Each rubric in ``data/answers`` was written by a reader of other calls of the same centre who did not know how
phrases are compared. Two readers, apart, answered it for calls drawn at random, from the criteria's guidance
alone; both readers and the author were language models. What they do not agree on is left out.
``customer_service`` and ``bank`` served to choose ``CONTENT_WORTH`` in ``matching/meaning.py``; ``operator``
showed that a time of day ("at four fifteen") was no ``{date}``.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import keep
from bench.calls import Answers, answered
from pipeline import contract, rubric
from pipeline.conversation import Conversation, Transcript

HERE = Path(__file__).parent / "data" / "answers"
COUNTED = ("right", "wrong yes", "wrong no", "undetermined", "readers differ")


def conversation(data: Path, call_id: str) -> Conversation:
    """An operator call, or a bank call as the telephone recogniser wrote it."""
    path = data / "operator_calls" / "calls" / f"{call_id}.json"
    if path.is_file():
        return Conversation(contract.read(Transcript, path))
    path = data / "transcripts" / f"{call_id}.json"
    heard = json.loads(path.read_text("utf-8"))
    for turn in heard["turns"]:
        turn["text"] = turn.pop("asr_text", turn["text"])
    return Conversation(contract.from_dict(Transcript, heard, source=str(path)))


def compared(answers: Answers, labels: Path) -> Iterator[tuple[str, str, str]]:
    """Call, criterion and one of ``COUNTED`` for every answer of the readers."""
    with labels.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            given, read = answers[row["call_id"]][row["criterion"]].answer, row["reader_a"]
            if read != row["reader_b"] or read not in ("yes", "no"):
                how = "readers differ"
            elif given in ("yes", "no"):
                how = "right" if given == read else f"wrong {given}"
            else:
                how = "undetermined"
            yield row["call_id"], row["criterion"], how


def main() -> None:
    """Print the table and write it as JSON."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("../shared/data"))
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    ask.add_argument("--wrong", action="store_true", help="list every wrong answer with its quote")
    given = ask.parse_args()
    console = Console(width=150)
    if not (given.data / "operator_calls").is_dir():
        console.print(
            f"no {given.data / 'operator_calls'}: the calls are not committed; nothing was measured"
        )
        return
    shown = Table("rubric", "calls", *COUNTED, "right of decided", title="Whole real calls, fresh rubrics")
    result: dict[str, dict[str, int]] = {}
    for path in sorted(HERE.glob("*.yaml")):
        form, labels = rubric.load(str(path)), path.with_suffix(".csv")
        with labels.open(encoding="utf-8", newline="") as file:
            calls = sorted({row["call_id"] for row in csv.DictReader(file)})
        answers = answered([conversation(given.data, call) for call in calls], form)
        found = list(compared(answers, labels))
        counts = Counter(how for _, _, how in found)
        result[path.stem] = {how: counts[how] for how in COUNTED}
        decided = counts["right"] + counts["wrong yes"] + counts["wrong no"]
        share = f"{counts['right'] / decided:.3f}"
        shown.add_row(path.stem, str(len(calls)), *(str(counts[how]) for how in COUNTED), share)
        for call, criterion, how in found if given.wrong else ():
            answer = answers[call][criterion]
            quotes = [one.quote for one in (*answer.evidence, answer.nearest) if one is not None]
            if how.startswith("wrong"):
                console.print(how, criterion, call, *quotes[:1], markup=False, style="dim")
    console.print(shown)
    keep(given.out / "answers.json", result)


if __name__ == "__main__":
    main()
