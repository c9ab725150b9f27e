"""Fit the weights of the cues of dialogue acts, by logistic regression on the written criteria.

    python -m training.train_dialogue_acts

It separates utterances that meet a criterion from those that share its words but not its act. Writes
``pipeline/matching/weights/dialogue_acts.tsv``. Run it after ``train_matcher``, whose encoder finds the part
of an utterance that does the act.
"""

from __future__ import annotations

from pipeline import encoder
from pipeline.matching import dialogue_acts, meaning
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
                said = meaning.around(
                    text, place.first, place.last, dialogue_acts.BEFORE, dialogue_acts.AFTER
                )
                rows.append(dialogue_acts.differences(said, phrases))
                labels.append(label)
    return rows, labels


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
