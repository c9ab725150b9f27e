"""Labelled dialogue written for this project, and what the annotator and VADER make of it.

``tests/data/dialogue_scenes.tsv`` (everyday talk) and ``dialogue_service.tsv`` (service, typed and spoken)
hold conversations with a label a turn. They go through the annotator whole, as ``callqa annotate`` sends
them. They were labelled by one person and are a check for choices, not a test set: differences under
.03 mean nothing at this size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.annotate import load_annotator
from pipeline.conversation import Role, Transcript, Turn
from pipeline.settings import AnnotateSettings, PrivacySettings

DATA = Path(__file__).parent / "data"
SETS = ("dialogue_scenes", "dialogue_service")
ROLES: dict[str, Role] = {"a": "agent", "c": "customer", "A": "agent", "B": "customer"}
SIGNS = "-0+"
LABELS = ("negative", "neutral", "positive")


@dataclass(frozen=True)
class Labelled:
    """A conversation and the class (0 negative, 1 neutral, 2 positive) of each turn."""

    transcript: Transcript
    truth: tuple[int, ...]


def read(name: str) -> Iterator[Labelled]:
    """The conversations of a set."""
    text = (DATA / f"{name}.tsv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for number, block in enumerate("\n".join(lines).split("\n\n")):
        rows = [line.split("\t") for line in block.splitlines()]
        turns = tuple(Turn(i, ROLES.get(row[0], "unknown"), row[2]) for i, row in enumerate(rows))
        yield Labelled(
            Transcript(f"{name}-{number}", turns, language="en"), tuple(SIGNS.index(row[1]) for row in rows)
        )


def macro_f1(truth: Sequence[int], guess: Sequence[int]) -> float:
    """Mean F1 of the three classes."""
    return float(np.mean(class_f1(truth, guess)))


def class_f1(truth: Sequence[int], guess: Sequence[int]) -> list[float]:
    """F1 of negative, neutral, positive."""
    confusion = np.zeros((3, 3))
    np.add.at(confusion, (list(truth), list(guess)), 1)
    return list(2 * confusion.diagonal() / (confusion.sum(0) + confusion.sum(1)).clip(1))


def guesses(transcripts: Sequence[Transcript]) -> list[int]:
    """The annotator's class of every turn; a turn without words counts as neutral."""
    annotator = load_annotator(AnnotateSettings(), PrivacySettings())
    heard = annotator.annotate(transcripts, [None] * len(transcripts))
    turns = [turn for conversation in heard for turn in conversation.transcript.turns]
    return [LABELS.index(turn.sentiment.label) if turn.sentiment else 1 for turn in turns]


def vader(texts: Sequence[str]) -> list[int]:
    """VADER's classes with its authors' thresholds."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    scores = [analyzer.polarity_scores(text)["compound"] for text in texts]
    return [0 if score <= -0.05 else 2 if score >= 0.05 else 1 for score in scores]
