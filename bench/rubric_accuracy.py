"""How often the answers are right: the bank's calls by criterion, the paraphrase set by kind.

    python -m bench.rubric_accuracy [--data ../shared/data] [--out out/bench]

Both folders have the form of ``shared/data/transcripts`` and ``shared/data/paraphrase``; point
``--data`` at another pair of the same form to score with what was never seen.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipeline import rubric, score
from pipeline.conversation import CallMetadata, Conversation, Transcript, Turn
from pipeline.matchers import TextMatcher, load_matcher
from pipeline.rubric.queries import queries

Pairs = list[tuple[bool, bool]]


def kappa(pairs: Pairs) -> float:
    """Cohen's κ of (machine, person) answers; 1 when both always agree on one answer."""
    n = len(pairs)
    agree = sum(a == b for a, b in pairs) / n
    chance = sum(
        (sum(a is v for a, _ in pairs) / n) * (sum(b is v for _, b in pairs) / n) for v in (True, False)
    )
    return 1.0 if chance == 1 else (agree - chance) / (1 - chance)


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
    """Accuracy and κ by criterion, on both texts."""
    table = Table("criterion", "asr accuracy", "asr κ", "text accuracy", "text κ", title="Bank calls")
    heard, wrong = bank(folder, "asr_text", matcher)
    written, wrong_written = bank(folder, "text", matcher)
    result: dict[str, object] = {}
    for name in heard:
        numbers = [x for pairs in (heard[name], written[name]) for x in (_accuracy(pairs), kappa(pairs))]
        result[name] = numbers
        table.add_row(name, *(f"{x:.3f}" for x in numbers))
    for label, pairs in (("asr_text", heard), ("text", written)):
        result[label] = _accuracy([p for group in pairs.values() for p in group])
    table.add_row("all", f"{result['asr_text']:.4f}", "", f"{result['text']:.4f}", "")
    console.print(table)
    for line in [*wrong, "on the human text:", *wrong_written]:
        console.print(line, markup=False)
    return result


def _accuracy(pairs: Pairs) -> float:
    return sum(a == b for a, b in pairs) / len(pairs)


def paraphrases(folder: Path, matcher: TextMatcher) -> list[tuple[float, int, str, str]]:
    """(strength, label, kind, criterion) of every utterance, through a rubric's own phrase check."""
    import yaml

    listed = yaml.safe_load((folder / "criteria.yaml").read_text("utf-8"))["criteria"]
    asked = {}
    for one in listed:
        check = rubric.checks.PhraseCheck(kind="phrases", any=one["phrases"], meaning=one["description"])
        (asked[one["id"]],) = queries(check)
    scored = []
    with (folder / "utterances.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found = matcher.find(asked[row["criterion"]], [row["text"]])
            strength = max((f.strength for f in found), default=0.0)
            scored.append((strength, int(row["label"]), row["kind"], row["criterion"]))
    return scored


def paraphrase_table(folder: Path, matcher: TextMatcher, console: Console) -> dict[str, object]:
    """F1 at the shipped threshold and at the best single one, by kind of utterance."""
    scored = paraphrases(folder, matcher)

    def f1(at: float) -> float:
        passed = [label for s, label, *_ in scored if s >= at]
        return 2 * sum(passed) / (len(passed) + sum(label for _, label, *_ in scored))

    best = max({s for s, *_ in scored}, key=f1)
    unrelated = sorted((s for s, _, kind, _ in scored if kind == "unrelated"), reverse=True)
    strict = unrelated[int(0.02 * len(unrelated))]
    positives = [s for s, label, *_ in scored if label]
    recall = sum(s > strict for s in positives) / len(positives)
    table = Table("kind", "utterances", "pass at 0.5", f"pass at {best:.2f}", title="Paraphrases")
    kinds = Counter(kind for _, _, kind, _ in scored)
    rates = {}
    for kind, count in kinds.items():
        at = [sum(s >= t for s, _, k, _ in scored if k == kind) / count for t in (0.5, best)]
        rates[kind] = at
        table.add_row(kind, str(count), *(f"{x:.2f}" for x in at))
    console.print(table)
    console.print(
        f"F1 {f1(0.5):.3f} at the shipped threshold 0.5, {f1(best):.3f} at {best:.2f}; "
        f"recall {recall:.3f} where at most 2 % of unrelated turns pass"
    )
    return {"f1": f1(0.5), "f1_best": f1(best), "best": best, "recall_2pct": recall, "pass_by_kind": rates}


def main() -> None:
    """Print both tables and write them as JSON."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("../shared/data"))
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    given = ask.parse_args()
    console, matcher = Console(), load_matcher()
    result = {
        "bank": bank_table(given.data / "transcripts", matcher, console),
        "paraphrase": paraphrase_table(given.data / "paraphrase", matcher, console),
    }
    console.print(
        "The weights saw the development paraphrases; the honest figure for other criteria is the "
        "leave-one-criterion-out one of bench.matcher_training.train."
    )
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "rubric_accuracy.json").write_text(json.dumps(result, indent=1), "utf-8")


if __name__ == "__main__":
    main()
