"""How often the answers are right: the bank's calls by criterion, the paraphrase set by kind.

    python -m bench.rubric_accuracy [--data ../shared/data] [--out out/bench]

All goes through the product's own seam (scorer, or a rubric's phrase check and its matcher) with the
shipped weights. None of them were trained on the development paraphrases or on the criteria of
``tests/data/paraphrase_check.txt``. ``--data`` at another folder of the same form scores what is there.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import keep
from bench.calls import kappa
from pipeline import rubric, score
from pipeline.conversation import CallMetadata, Conversation, Transcript, Turn
from pipeline.matching import TextMatcher, load_matcher
from tests.paraphrases import CHECK, THRESHOLD, Scored, paraphrases
from training.criteria import development, read

Pairs = list[tuple[bool, bool]]
MIXTURE = {"meets": 192 / 384, "hard": 80 / 384, "elsewhere": 112 / 384}
"""Utterances that meet a criterion, that share its words but not its act, and about something else: what F1
is depends on the shares of each, and the target is for those of the development paraphrases."""


def calls(folder: Path, field: str) -> list[tuple[Conversation, dict[str, str]]]:
    """The labelled calls with the human text or the recogniser's."""
    found = []
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = row.pop("call_id")
            raw = json.loads((folder / f"{name}.json").read_text("utf-8"))["turns"]
            turns = tuple(Turn(i, t["role"], t[field], t["start_s"], t["end_s"]) for i, t in enumerate(raw))
            found.append((Conversation(Transcript(name, turns, "en", turns[-1].end_s, channels=2)), row))
    return found


def bank(folder: Path, field: str, matcher: TextMatcher) -> tuple[dict[str, Pairs], list[str]]:
    """(machine, person) answers by criterion, and what went wrong where."""
    form = rubric.load("examples/harper_valley")
    pairs: dict[str, Pairs] = {}
    wrong = []
    for conversation, labels in calls(folder, field):
        name = conversation.transcript.call_id
        card = score.score(conversation, form, CallMetadata(name), min_confidence=0.4, matcher=matcher)
        for answer in (a for s in card.sections for a in s.criteria):
            pair = answer.answer == "yes", labels[answer.id] == "1"
            pairs.setdefault(answer.id, []).append(pair)
            if pair[0] != pair[1]:
                shown = answer.evidence[0] if answer.evidence else answer.nearest
                quote = f"{shown.quote!r} {shown.rule} {shown.strength:.2f}" if shown else ""
                wrong.append(f"{name} {answer.id}: said {answer.answer}, {quote}")
    return pairs, wrong


def bank_table(folder: Path, matcher: TextMatcher, console: Console) -> dict[str, object]:
    """Accuracy and κ by criterion, on both texts, and what went wrong."""
    heard, wrong = bank(folder, "asr_text", matcher)
    written, wrong_written = bank(folder, "text", matcher)
    table = Table("criterion", "asr accuracy", "asr κ", "text accuracy", "text κ", title="Bank calls")
    result: dict[str, object] = {}
    for name in heard:
        numbers = [x for pairs in (heard[name], written[name]) for x in (_accuracy(pairs), kappa(pairs))]
        result[name] = numbers
        table.add_row(name, *(f"{x:.3f}" for x in numbers))
    console.print(table)
    figures = {
        "accuracy, asr_text": (_accuracy([*chain(*heard.values())]), 0.98),
        "lowest κ of a criterion, asr_text": (min(map(kappa, heard.values())), 0.93),
        "accuracy, text": (_accuracy([*chain(*written.values())]), 0.99),
    }
    for what, (figure, least) in figures.items():
        console.print(f"{what}: {figure:.4f}, {verdict(figure, least)}")
    for line in [*wrong, "on the human text:", *wrong_written]:
        console.print(line, markup=False)
    return result | {what: figure for what, (figure, _) in figures.items()}


def _accuracy(pairs: Pairs) -> float:
    return sum(a == b for a, b in pairs) / len(pairs)


def weights(scored: list[Scored]) -> list[float]:
    """What each utterance counts, so that every set stands for the mixture the targets are for."""
    groups = ["meets" if s.label else "hard" if s.kind == "hard" else "elsewhere" for s in scored]
    found = Counter(groups)
    return [MIXTURE[group] * len(scored) / found[group] for group in groups]


def paraphrase_table(title: str, scored: list[Scored], console: Console) -> dict[str, object]:
    """What passes at the product's one threshold, by kind; F1, refusals and recall against their targets."""
    at, weight = THRESHOLD, weights(scored)

    def f1(at: float, weight: list[float]) -> float:
        passed = [(s.label, w) for s, w in zip(scored, weight, strict=True) if s.strength >= at]
        right = sum(w for label, w in passed if label)
        meet = sum(w for s, w in zip(scored, weight, strict=True) if s.label)
        return 2 * right / (sum(w for _, w in passed) + meet)

    table = Table("kind", "utterances", "should pass", "pass", title=title)
    share: dict[str, float] = {}
    for kind, count in Counter(s.kind for s in scored).items():
        of_kind = [s for s in scored if s.kind == kind]
        share[kind] = sum(s.strength >= at for s in of_kind) / count
        table.add_row(kind, str(count), "yes" if of_kind[0].label else "no", f"{share[kind]:.2f}")
    console.print(table)
    unrelated = sorted((s.strength for s in scored if s.kind == "unrelated"), reverse=True)
    strict = unrelated[int(0.02 * len(unrelated))]
    positives = [s.strength for s in scored if s.label]
    recall = sum(s > strict for s in positives) / len(positives)
    best = max({s.strength for s in scored}, key=lambda at: f1(at, weight))
    figures = {
        f"F1 at {at}, half of the utterances meeting it": (f1(at, weight), 0.85),
        "share of hard negatives refused": (1 - share["hard"], 0.5),
        "recall where at most 2 % of unrelated turns pass": (recall, 0.6),
    }
    for what, (figure, least) in figures.items():
        console.print(f"{what}: {figure:.3f}, {verdict(figure, least)}")
    as_they_are, most = f1(at, [1.0] * len(scored)), f1(best, weight)
    console.print(f"(F1 of these utterances as they are: {as_they_are:.3f})")
    console.print(f"(the best threshold of this run would be {best:.2f}, F1 {most:.3f})")
    found = {"pass_by_kind": share, "best": best, "f1_best": most, "f1_as_they_are": as_they_are}
    return found | {what: figure for what, (figure, _) in figures.items()}


def verdict(figure: float, least: float) -> str:
    """A figure against its target."""
    return f"target {least}: {'met' if figure >= least else 'MISSED'}"


def main() -> None:
    """Print the tables and write them as JSON."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("../shared/data"))
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    given = ask.parse_args()
    console, matcher = Console(), load_matcher()
    result: dict[str, object] = {}

    if (given.data / "transcripts").is_dir():
        result["bank"] = bank_table(given.data / "transcripts", matcher, console)
    sets = {"Criteria written for this bench, half of their utterances traps": read(CHECK)}
    if (given.data / "paraphrase").is_dir():
        sets = {"Development paraphrases": development(given.data / "paraphrase")} | sets
    for title, criteria in sets.items():
        result[title] = paraphrase_table(title, paraphrases(criteria, matcher), console)
    keep(given.out / "rubric_accuracy.json", result)


if __name__ == "__main__":
    main()
