"""Whether ``callqa rubric tune`` keeps its promise: what it says of 50 labelled calls, on all the others.

    python -m bench.tune [--data ../shared/data] [--labels 50] [--resamples 200]

For each of three acts of the operator calls, 50 calls are drawn as labelled; tuning chooses bounds from them
and states how many decided answers are wrong at most, 95 % sure. The share of draws in which that holds on
the other calls should be 0.95 or more. A fixed seed.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.calls import ACTS, conversations, truths
from pipeline import rubric
from pipeline.calibrate import tune
from pipeline.matching import load_matcher
from pipeline.rubric.checks import learning


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("../shared/data"))
    ask.add_argument("--labels", type=int, default=50)
    ask.add_argument("--resamples", type=int, default=200)
    given = ask.parse_args()
    folder = given.data / "operator_calls"
    if not folder.is_dir():
        Console().print(f"no {folder}: the operator calls are not committed; nothing was measured")
        return
    form, expected, matcher = rubric.load(str(folder / "rubric.yaml")), truths(folder), load_matcher()
    calls = {one.transcript.call_id: one for one in conversations(folder / "calls")}
    shown = Table(
        "criterion", "promise kept", "promised at most", "really", "κ before", "κ after", "decided after"
    )
    for criterion in (c for c in form.criteria() if c.id in ACTS):
        check = learning(criterion.check)
        pairs = []
        for name, met in expected[criterion.id].by_call.items():
            near = tune.strongest(calls[name], form, check, matcher)
            pairs.append((near.strength if near else 0.0, met))
        now = tune.Setting(check.threshold, check.unsure_from)
        dice, kept, promised, really, before, after, decided = random.Random(5), 0, [], [], [], [], []
        for _ in range(given.resamples):
            dice.shuffle(pairs)
            seen, rest = pairs[: given.labels], pairs[given.labels :]
            setting, told = tune.best_setting(seen, now)
            truth = tune.measured(rest, setting)
            wrong = truth.wrong / truth.decided if truth.decided else 0.0
            kept += wrong <= told.at_most
            promised.append(told.at_most)
            really.append(wrong)
            before.append(tune.measured(rest, now).kappa or 0.0)
            after.append(truth.kappa or 0.0)
            decided.append(truth.decided / truth.labels)
        row = [kept / given.resamples, *(median(x) for x in (promised, really, before, after, decided))]
        shown.add_row(criterion.id, *(f"{x:.3f}" for x in row))
    Console(width=120).print(shown)


if __name__ == "__main__":
    main()
