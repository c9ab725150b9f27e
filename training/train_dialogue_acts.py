"""Fit the weights of the cues of dialogue acts, by logistic regression on the written criteria.

    python -m training.train_dialogue_acts

It separates utterances that meet a criterion from those that share its words but not its act. Writes
``pipeline/matching/weights/dialogue_acts.tsv``. Run it after ``train_matcher``, whose encoder finds the part
of an utterance that does the act.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import encoder
from pipeline.matching import dialogue_acts, meaning
from pipeline.matching.dialogue_acts import cues
from training.criteria import FIRST, Criterion, written

NOTHING = encoder.NOTHING
INVERSE_PENALTY = 0.1  # of scikit-learn's ridge: cues are few and overlap


def examples(criteria: dict[str, Criterion]) -> tuple[list[list[float]], list[int]]:
    """Differences in cues, and labels, of the utterances that meet a criterion or share its words."""
    rows, labels = [], []
    for one in criteria.values():
        phrases = tuple(one.phrases)
        labelled = [(text, label) for text, label, kind in one.said if label or kind == "hard"]
        query = meaning.QueryVectors(meaning.phrases(phrases), NOTHING)
        near = meaning.nearest([text for text, _ in labelled], [query])
        for (text, label), (place,) in zip(labelled, near, strict=True):
            if place is not None:
                _, said = meaning.beside(
                    text, place.first, place.last, dialogue_acts.BEFORE, dialogue_acts.AFTER
                )
                rows.append(differences(said, phrases))
                labels.append(label)
    return rows, labels


def differences(said: str, phrases: Sequence[str]) -> list[float]:
    """How far each cue is only in the speech, then how far each is only in the phrases, 0..1."""
    shares = [sum(column) / len(phrases) for column in zip(*map(cues, phrases), strict=True)]
    pairs = list(zip(cues(said), shares, strict=True))
    return [has * (1 - share) for has, share in pairs] + [(1 - has) * share for has, share in pairs]


def main() -> None:
    """Fit and write the weights."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=3000).fit(*examples(written(FIRST)))
    weights = model.coef_[0].tolist()
    half = len(dialogue_acts.CUES)
    lines = ["cue\tonly in the speech\tonly in the phrases", f"bias\t{model.intercept_[0]:.3f}\t0"]
    lines += [
        f"{name}\t{alone:.3f}\t{missing:.3f}"
        for name, alone, missing in zip(dialogue_acts.CUES, weights[:half], weights[half:], strict=True)
    ]
    dialogue_acts.WEIGHTS.write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
