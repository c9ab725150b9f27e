"""Train the meaning matcher's judgement and measure it on criteria it has never seen.

    python -m bench.matcher_training.train [--data ../shared/data/paraphrase] [--write]

Trains on the committed criteria (``criteria_*.txt``) and, where given, on the development set; the
figure printed is leave-one-criterion-out over the latter, the only one that says anything about a
criterion of yours. Needs scikit-learn; takes about two minutes on two cores.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from jellyfish import metaphone
from numpy.typing import NDArray

from pipeline import encoder
from pipeline.encoder.network import quantise
from pipeline.matchers import features as pairs
from pipeline.matchers import judgement
from pipeline.matchers.acts import SIZE
from pipeline.matchers.meaning import load_parser
from pipeline.matchers.reading import Reader, normal

HERE = Path(__file__).parent
FOREST_INPUTS = pairs.SCALARS + 4 * SIZE
CROSS = 18
"""Other criteria's talk per criterion: a call has a hundred turns that are about something else."""
SEED = 1


@dataclass
class Criterion:
    """A criterion with labelled utterances: (text, label, kind)."""

    meaning: str
    phrases: list[str] = field(default_factory=list)
    said: list[tuple[str, int, str]] = field(default_factory=list)


def written() -> dict[str, Criterion]:
    """The committed criteria."""
    found: dict[str, Criterion] = {}
    for path in sorted(HERE.glob("criteria_*.txt")):
        for line in path.read_text("utf-8").splitlines():
            if line.startswith("## "):
                name, meaning = line[3:].split(" | ", 1)
                found[name] = Criterion(meaning)
            elif line[:2] in ("= ", "+ ", "- "):
                last = found[name]
                if line[0] == "=":
                    last.phrases.append(line[2:])
                else:
                    last.said.append(
                        (line[2:], int(line[0] == "+"), "paraphrase" if line[0] == "+" else "hard")
                    )
    return found


def development(folder: Path) -> dict[str, Criterion]:
    """A labelled set of the form of ``shared/data/paraphrase``."""
    listed = yaml.safe_load((folder / "criteria.yaml").read_text("utf-8"))["criteria"]
    found = {c["id"]: Criterion(c["description"], list(c["phrases"])) for c in listed}
    with (folder / "utterances.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["criterion"]].said.append((row["text"], int(row["label"]), row["kind"]))
    return found


class Misheard:
    """Recognition errors: words that sound alike, words cut in two."""

    def __init__(self, vocabulary: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.alike: dict[str, list[str]] = defaultdict(list)
        for word in vocabulary:
            self.alike[metaphone(word)].append(word)

    def __call__(self, text: str) -> str:
        """The text with about a quarter of its longer words misheard."""
        heard = []
        for word in normal(text).split():
            others = [w for w in self.alike.get(metaphone(word), []) if w != word] if len(word) > 3 else []
            chance = self.random.random()
            if chance < 0.3 and others:
                heard.append(self.random.choice(others))
            elif chance < 0.15 and len(word) > 5:
                cut = self.random.randrange(2, len(word) - 2)
                heard += [word[:cut], word[cut:]]
            else:
                heard.append(word)
        return " ".join(heard)


def rows(criteria: dict[str, Criterion], misheard: Misheard | None) -> list[tuple[str, str, int, str]]:
    """(criterion, text, label, kind); with ``misheard``, also phrases, noise and other criteria's talk."""
    made = [(name, *said) for name, c in criteria.items() for said in c.said]
    if misheard is None:
        return made
    for name, c in criteria.items():
        positives = [text for text, label, _ in c.said if label]
        made += [(name, normal(p), 1, "close") for p in c.phrases]
        made += [
            (name, misheard(p), 1, "asr_error") for p in [*c.phrases, *misheard.random.sample(positives, 3)]
        ]
        made += elsewhere(name, criteria, misheard.random)
    return made


def elsewhere(
    name: str, criteria: dict[str, Criterion], chance: random.Random
) -> list[tuple[str, str, int, str]]:
    """What is said about other criteria, as negatives of this one."""
    others = [n for n in criteria if n != name]
    return [(name, chance.choice(criteria[chance.choice(others)].said)[0], 0, "other") for _ in range(CROSS)]


def matrix(
    reader: Reader, criteria: dict[str, Criterion], made: list[tuple[str, str, int, str]], background: NDArray
) -> NDArray[np.float32]:
    """Features of every row."""
    reader.read([text for _, text, _, _ in made])
    aims = {n: pairs.target(reader, c.phrases, c.meaning, background) for n, c in criteria.items()}
    out = []
    for name, text, _, _ in made:
        reading = reader.read([text])[text]
        best, _ = pairs.closeness(aims[name], reading)
        piece = reading.pieces[best]
        acts = reader.acts([piece.clause, piece.text])
        whole = normal(text)
        out.append(
            pairs.features(aims[name], reading, best, acts[piece.clause], acts[piece.text], whole, skip=whole)
        )
    return np.array(out)


def fit(x: NDArray, y: NDArray) -> tuple:
    """The regression (with its scaler) and the forest."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(x)
    regression = LogisticRegression(C=0.0005, max_iter=300, class_weight="balanced").fit(
        scaler.transform(x), y
    )
    forest = ExtraTreesClassifier(
        150, min_samples_leaf=3, max_features=0.3, random_state=0, class_weight="balanced", n_jobs=1
    ).fit(x[:, :FOREST_INPUTS], y)
    return scaler, regression, forest


def chances(model: tuple, x: NDArray) -> NDArray:
    """Averaged probability."""
    scaler, regression, forest = model
    return (
        regression.predict_proba(scaler.transform(x))[:, 1] + forest.predict_proba(x[:, :FOREST_INPUTS])[:, 1]
    ) / 2


def report(scores: NDArray, made: list[tuple[str, str, int, str]]) -> float:
    """Print F1 at the best single threshold and what passes there, by kind; return the threshold."""
    y = np.array([r[2] for r in made])
    kinds = np.array([r[3] for r in made])

    def f1(at: float) -> float:
        passed = scores >= at
        return float(2 * (passed & (y == 1)).sum() / (passed.sum() + y.sum()))

    best = max(np.unique(scores), key=f1)
    unrelated = np.sort(scores[kinds == "unrelated"])
    strict = unrelated[int(np.ceil(0.98 * len(unrelated))) - 1]
    recall = (scores[y == 1] > strict).mean()
    print(f"F1 {f1(best):.3f} at {best:.2f}; at 0.5 {f1(0.5):.3f}; recall at 2 % unrelated {recall:.3f}")
    print({k: round(float((scores[kinds == k] >= best).mean()), 2) for k in dict.fromkeys(kinds.tolist())})
    return float(best)


def save(model: tuple, background: NDArray[np.float32], midpoint: float) -> None:
    """Write the weights as plain arrays."""
    scaler, regression, forest = model
    parts: dict[str, list] = {k: [] for k in ("feature", "split", "left", "right", "value")}
    roots, offset = [], 0
    for one in forest.estimators_:
        tree = one.tree_
        roots.append(offset)
        leaf = tree.children_left < 0
        parts["feature"].append(np.where(leaf, -1, tree.feature).astype(np.int16))
        parts["split"].append(tree.threshold.astype(np.float32))
        parts["left"].append(np.where(leaf, 0, tree.children_left + offset).astype(np.int32))
        parts["right"].append(np.where(leaf, 0, tree.children_right + offset).astype(np.int32))
        share = tree.value[:, 0, :]
        parts["value"].append((share[:, 1] / share.sum(axis=1)).astype(np.float16))
        offset += tree.node_count
    rows8, scale8 = quantise(background)
    arrays = {k: np.concatenate(v) for k, v in parts.items()}
    arrays |= {
        "linear": regression.coef_[0].astype(np.float32),
        "intercept": np.float32(regression.intercept_[0]),
        "centre": scaler.mean_.astype(np.float32),
        "scale": scaler.scale_.astype(np.float32),
        "roots": np.array(roots, np.int32),
        "forest_inputs": np.int32(FOREST_INPUTS),
        "midpoint": np.float32(midpoint),
        "background": rows8,
        "background_scale": scale8,
    }
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(arrays[k]).tobytes() for k in sorted(arrays)))
    arrays["fingerprint"] = np.frombuffer(digest.hexdigest()[:16].encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    judgement.WEIGHTS.parent.mkdir(exist_ok=True)
    judgement.WEIGHTS.write_bytes(buffer.getvalue())
    print(f"{judgement.WEIGHTS}: {len(buffer.getvalue()) / 1e6:.2f} MB, {offset} nodes")


def main() -> None:
    """Train, measure, and with --write save."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("../shared/data/paraphrase"))
    ask.add_argument("--write", action="store_true")
    given = ask.parse_args()
    reader = Reader(encoder.load(), load_parser())
    own = written()
    held = development(given.data) if given.data.is_dir() else {}
    background = reader.vectors([normal(p) for c in [*own.values(), *held.values()] for p in c.phrases])
    words = [w for w in encoder.load().tokenizer.vocabulary if w.isalpha() and len(w) > 2][:12_000]
    made = rows(own, Misheard(words, SEED))
    x, y = matrix(reader, own, made, background), np.array([r[2] for r in made])
    midpoint = 0.45
    if held:
        seen = rows(held, None)
        xh, yh = matrix(reader, held, seen, background), np.array([r[2] for r in seen])
        groups = np.array([r[0] for r in seen])
        chance = random.Random(SEED)
        more = [r for name in held for r in elsewhere(name, held, chance)]
        xm = matrix(reader, held, more, background)
        about = np.array([r[0] for r in more])
        scores = np.zeros(len(yh))
        for group in held:
            left_out = groups == group
            kept = about != group
            model = fit(
                np.vstack([x, xh[~left_out], xm[kept]]),
                np.concatenate([y, yh[~left_out], np.zeros(kept.sum(), int)]),
            )
            scores[left_out] = chances(model, xh[left_out])
        midpoint = report(scores, seen)
        x, y = np.vstack([x, xh, xm]), np.concatenate([y, yh, np.zeros(len(xm), int)])
    if given.write:
        save(fit(x, y), background, midpoint)


if __name__ == "__main__":
    main()
