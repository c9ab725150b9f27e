"""spaCy's own text classifiers on the data the shipped sentiment was trained on, for the choice between them.

    python -m bench.textcat ../shared/data [--epochs 3]

Trains ``TextCatBOW`` and the ``TextCatEnsemble`` on goemotions' train rows with one clear label and prints
macro-F1 on its test rows and on the two dialogue sets of ``tests/dialogue.py``, and words a second.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import minibatch

from bench.understanding import goemotions
from tests import dialogue

MODELS = {
    "TextCatBOW": {
        "@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 2,
        "no_output_layer": False, "length": 262144,
    },
    "TextCatEnsemble": {
        "@architectures": "spacy.TextCatEnsemble.v2",
        "tok2vec": {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2", "width": 64,
                "rows": [2000, 2000, 500, 1000, 500],
                "attrs": ["NORM", "LOWER", "PREFIX", "SUFFIX", "SHAPE"], "include_static_vectors": False,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2", "width": 64, "window_size": 1,
                "maxout_pieces": 3, "depth": 2,
            },
        },
        "linear_model": {
            "@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1,
            "no_output_layer": False, "length": 262144,
        },
    },
}  # fmt: skip


def train(architecture: dict[str, object], texts: list[str], labels: list[int], epochs: int) -> Language:
    """A blank English pipeline with one trained classifier."""
    nlp = spacy.blank("en")
    nlp.add_pipe("textcat", config={"model": architecture})
    cats = [{name: float(i == label) for i, name in enumerate(dialogue.LABELS)} for label in labels]
    examples = [Example.from_dict(nlp.make_doc(t), {"cats": c}) for t, c in zip(texts, cats, strict=True)]
    optimiser = nlp.initialize(lambda: examples[:2000])
    dice = random.Random(0)
    for _ in range(epochs):
        dice.shuffle(examples)
        for batch in minibatch(examples, 128):
            nlp.update(batch, sgd=optimiser, drop=0.2)
    return nlp


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    texts, labels = goemotions(arguments.data, "train")
    sets = {"goemotions test": goemotions(arguments.data, "test")}
    for name in dialogue.SETS:
        calls = list(dialogue.read(name))
        sets[name] = (
            [t.text for c in calls for t in c.transcript.turns],
            [x for c in calls for x in c.truth],
        )
    for model, architecture in MODELS.items():
        nlp = train(architecture, texts, labels, arguments.epochs)
        for name, (said, truth) in sets.items():
            start = time.process_time()
            docs = list(nlp.pipe(said))
            seconds = time.process_time() - start
            guess = [max(range(3), key=lambda i: doc.cats[dialogue.LABELS[i]]) for doc in docs]
            words = sum(map(len, docs))
            f1 = dialogue.macro_f1(truth, guess)
            print(f"{model:16} {name:18} macro-F1 {f1:.3f} {words / seconds:8.0f} words/s")


if __name__ == "__main__":
    main()
