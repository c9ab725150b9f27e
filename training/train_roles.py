"""Learn which words agents and customers say; not used at run time.

    python -m training.train_roles

``role_calls.txt`` beside this file holds telephone calls written for this project by a language model
(Apache-2.0): a turn a line, ``A:`` the agent's and ``C:`` the customer's, a blank line between calls; half of
them begin after the greeting. A logistic regression without intercept tells an agent's turn from a customer's
by its words and pairs of words. Printed is how often the agent of a call is found by weights that were learnt
from the others, in ten parts.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.conversation import Turn
from pipeline.speakers import wording

CALLS = Path(__file__).parent / "role_calls.txt"
FEWEST_CALLS = 8
"""Words said in fewer calls are left out."""
INVERSE_PENALTY = 0.3
WHOLE_TURN_WORDS = 12
"""Turns with fewer words count in proportion: "yeah" says little about who says it."""

Call = Sequence[tuple[str, str]]


def read(path: Path) -> list[Call]:
    """The calls of a file, as pairs of party and text."""
    blocks = path.read_text("utf-8").strip().split("\n\n")
    return [[(line[0], line[2:].strip()) for line in block.splitlines()] for block in blocks]


def learn(calls: Sequence[Call]) -> dict[str, float]:
    """Weight of each word and pair of words: positive where the agent says it."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    turns = [(who, set(wording.features(text)), len(text.split())) for call in calls for who, text in call]
    said_in = Counter(name for call in calls for name in {n for _, t in call for n in wording.features(t)})
    rows = [{name: 1 for name in names if said_in[name] >= FEWEST_CALLS} for _, names, _ in turns]
    vectorizer = DictVectorizer()
    model = LogisticRegression(C=INVERSE_PENALTY, fit_intercept=False, max_iter=5000)
    model.fit(
        vectorizer.fit_transform(rows),
        [party == "A" for party, _, _ in turns],
        sample_weight=[min(n_words, WHOLE_TURN_WORDS) / WHOLE_TURN_WORDS for *_, n_words in turns],
    )
    return dict(zip(vectorizer.get_feature_names_out(), map(float, model.coef_[0]), strict=True))


def found(calls: Sequence[Call], weights: Mapping[str, float]) -> list[bool]:
    """Whether the agent of each call is found."""

    def log_odds(call: Call, party: str) -> float:
        turns = [Turn(i, "unknown", text) for i, (who, text) in enumerate(call) if who == party]
        return wording.agent_log_odds(turns, weights)

    return [log_odds(call, "A") > log_odds(call, "C") for call in calls]


def main() -> None:
    """Print how well it does, and write the weights."""
    calls = read(CALLS)
    part = np.random.default_rng(1).permutation(len(calls)) % 10
    right = []
    for number in range(10):
        others = [call for call, own in zip(calls, part, strict=True) if own != number]
        right += found([call for call, own in zip(calls, part, strict=True) if own == number], learn(others))
    weights = {name: round(weight, 3) for name, weight in learn(calls).items()}
    with wording.WEIGHTS.open("w", encoding="utf-8", newline="") as file:
        rows = sorted((name, weight) for name, weight in weights.items() if weight)
        csv.writer(file, delimiter="\t", lineterminator="\n").writerows(rows)
    print(
        f"{len(calls)} calls, agent found in {np.mean(right):.3f}; {len(rows)} weights in {wording.WEIGHTS}"
    )


if __name__ == "__main__":
    main()
