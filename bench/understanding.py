"""How well callqa understands: sentiment, private data, metrics, speed; rivals beside where there are.

    python bench/understanding.py [--data ../shared/data] [--fast]

Prints tables and writes ``out/bench/understanding.json``. Parts whose data or rivals are absent are
skipped with a line saying so. ``--fast`` leaves out the real recordings.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import keep
from pipeline.annotate import load_annotator
from pipeline.annotate.sentiment import LABELS, chances_of, load_scorer
from pipeline.conversation import Transcript, Turn
from pipeline.settings import AnnotateSettings, PrivacySettings, TranscribeSettings
from tests import dialogue, private_data
from tests.dialogue import macro_f1

ROOT = Path(__file__).parents[1]
CONSOLE = Console()
REPORT: dict[str, Any] = {"sentiment": {}}


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print one table."""
    shown = Table(title=title, title_justify="left")
    for name in head:
        shown.add_column(name, justify="left" if name == head[0] else "right")
    for row in rows:
        shown.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    CONSOLE.print(shown)


def calibration_error(truth: Sequence[int], chances: np.ndarray[Any, Any]) -> float:
    """Expected calibration error over ten bins of the winning class (Guo et al. 2017)."""
    sure, right = chances.max(1), chances.argmax(1) == np.asarray(truth)
    bins = np.minimum((sure * 10).astype(int), 9)
    parts = [(bins == b).mean() * abs(sure[bins == b].mean() - right[bins == b].mean()) for b in set(bins)]
    return float(sum(parts))


def goemotions(data: Path, split: str) -> tuple[list[str], list[int]]:
    """Rows of a split with one label that is not ambiguous."""
    lines = (data / f"goemotions/{split}.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    kept = [(row[0], int(row[1]) - 1) for row in rows if row[1] in ("1", "2", "3")]
    return [text for text, _ in kept], [label for _, label in kept]


def sentiment(data: Path) -> None:
    """Macro-F1 beside VADER, confusion, calibration."""
    texts, truth = goemotions(data, "test")
    odds = load_scorer("en", {}).odds(texts)
    chances = np.stack([chances_of(o) if o is not None else np.array([0.0, 1.0, 0.0]) for o in odds])
    guess = dialogue.guesses(
        [Transcript(str(i), (Turn(0, "customer", text),), language="en") for i, text in enumerate(texts)]
    )
    f1 = macro_f1(truth, guess)
    rows: list[list[object]] = [["callqa", f1]]
    REPORT["sentiment"] |= {"goemotions_macro_f1": f1, "ece": calibration_error(truth, chances)}
    try:
        rival = macro_f1(truth, dialogue.vader(texts))
        rows += [["VADER 3.3.2", rival], ["ahead by", f1 - rival]]
        REPORT["sentiment"]["vader_macro_f1"] = rival
    except ImportError:
        CONSOLE.print("VADER is not installed: no rival for sentiment (pip install 'callqa[bench]')")
    table(f"Sentiment, goemotions test, {len(texts)} rows, three classes", ["", "macro-F1"], rows)
    confusion = np.zeros((3, 3), dtype=int)
    np.add.at(confusion, (truth, guess), 1)
    table("Confusion (rows truth)", ["", *LABELS], [[LABELS[i], *map(int, confusion[i])] for i in range(3)])
    CONSOLE.print(f"calibration error (ECE, 10 bins): {REPORT['sentiment']['ece']:.3f}\n")


def conversations() -> None:
    """Whole labelled conversations beside VADER."""
    rows: list[list[object]] = []
    for name in dialogue.SETS:
        calls = list(dialogue.read(name))
        truth = [label for call in calls for label in call.truth]
        f1 = macro_f1(truth, dialogue.guesses([call.transcript for call in calls]))
        texts = [turn.text for call in calls for turn in call.transcript.turns]
        try:
            rival: object = macro_f1(truth, dialogue.vader(texts))
        except ImportError:
            rival = "not installed"
        rows.append([name, len(truth), f1, rival])
        REPORT["sentiment"][name] = f1
    table("Sentiment of whole conversations, macro-F1", ["", "turns", "callqa", "VADER"], rows)


def private() -> None:
    """Recall by kind and precision on the committed sets."""
    for path in (private_data.SPOKEN, private_data.BLIND):
        tally = private_data.measure(path)
        rows = [[kind, tally.true[kind], tally.recall(kind)] for kind in sorted(tally.true)]
        rows += [
            ["all", tally.true.total(), tally.recall()],
            ["precision", tally.claimed.total(), tally.precision()],
        ]
        table(f"Private data, {path.name}", ["kind", "n", "recall"], rows)
        REPORT[path.stem] = {
            "recall": tally.recall(),
            "card": tally.recall("card"),
            "precision": tally.precision(),
        }


def calls(data: Path) -> list[Transcript]:
    """The development transcripts as conversations."""
    found = []
    for path in sorted((data / "transcripts").glob("*.json")):
        document = json.loads(path.read_text("utf-8"))
        turns = tuple(
            Turn(i, t["role"], t["text"], t["start_s"], t["end_s"]) for i, t in enumerate(document["turns"])
        )
        found.append(Transcript(document["call_id"], turns, language="en", channels=2))
    return found


def speed(data: Path) -> None:
    """Words a second on one thread, without and with entity recognition; median of three."""
    import torch

    torch.set_num_threads(1)
    transcripts = calls(data)
    words = sum(len(turn.text.split()) for call in transcripts for turn in call.turns)
    rows: list[list[object]] = []
    for ner, target in ((False, 3000), (True, 1000)):
        annotator = load_annotator(AnnotateSettings(ner=ner), PrivacySettings())
        seconds = []
        for run in range(3):
            # Calls made different each run: no cache may serve a text seen before.
            fresh = [
                dataclasses.replace(c, turns=tuple(_with_tail(t, run) for t in c.turns)) for c in transcripts
            ]
            start = time.process_time()
            list(annotator.annotate(fresh, [None] * len(fresh)))
            seconds.append(time.process_time() - start)
        rate = words / statistics.median(seconds)
        rows.append(["with NER" if ner else "all but NER", round(rate), target])
        REPORT["with_ner_words_s" if ner else "words_s"] = rate
    table(f"Speed, {words} words, CPU seconds of one thread", ["", "words/s", "target"], rows)


def _with_tail(turn: Turn, run: int) -> Turn:
    return dataclasses.replace(turn, text=f"{turn.text} {'abc'[run]}")


def metrics(data: Path) -> None:
    """Metrics of the recognised calls against their composed truth."""
    rows: list[list[object]] = []
    for path in sorted((data / "calls").glob("*.wav")):
        truth = json.loads(path.with_suffix(".truth.json").read_text("utf-8"))
        found = _measured(path, truth)
        held = truth["hold"]["end_s"] - truth["hold"]["start_s"]
        true_talk = {
            role: sum(t["end_s"] - t["start_s"] for t in truth["turns"] if t["role"] == role)
            for role in ("agent", "customer")
        }
        for name, true in (
            ("agent_talk_s", true_talk["agent"]),
            ("customer_talk_s", true_talk["customer"]),
            ("overlap_count", truth["overlaps"] if truth["layout"] == "stereo" else None),
            ("hold_s", held),
            ("dead_air_s", _dead_air(truth)),
        ):
            got = found[name]
            off = "-" if got is None or true is None else got - true
            rows.append([f"{path.stem} {name}", "-" if true is None else true, got, off])
    table("Metrics of recognised calls against truth", ["", "truth", "measured", "off"], rows)
    REPORT["metrics"] = [[str(cell) for cell in row] for row in rows]


def _measured(path: Path, truth: dict[str, Any]) -> dict[str, float | None]:
    from pipeline import audio, speakers
    from pipeline.conversation import CallMetadata
    from pipeline.settings import AudioSettings
    from pipeline.transcribe import Job, load_engine

    clip = audio.load(path)
    metadata = CallMetadata(truth["call_id"], agent_channel=truth["agent_channel"])
    engine = load_engine(TranscribeSettings())
    transcript = engine.transcribe([Job(truth["call_id"], clip, "en")])[0]
    if isinstance(transcript, Exception):
        raise transcript
    transcript = speakers.assign_roles(transcript, clip, metadata, AudioSettings())
    annotator = load_annotator(AnnotateSettings(), PrivacySettings())
    return dict(next(annotator.annotate([transcript], [metadata])).metrics)


def _dead_air(truth: dict[str, Any]) -> float:
    """Silences over three seconds between turns, the hold taken out."""
    spans = sorted((t["start_s"], t["end_s"]) for t in truth["turns"])
    total, at = 0.0, spans[0][1]
    for start_s, end_s in spans[1:]:
        held = min(start_s, truth["hold"]["end_s"]) - max(at, truth["hold"]["start_s"])
        quiet = start_s - at - max(0.0, held)
        total += quiet if quiet > 3.0 else 0.0
        at = max(at, end_s)
    return total


def main() -> None:
    """Run every part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--fast", action="store_true")
    arguments = parser.parse_args()
    private()
    conversations()
    parts: list[Callable[[Path], None]] = [sentiment, speed] + ([] if arguments.fast else [metrics])
    if arguments.data.is_dir():
        for part in parts:
            part(arguments.data)
    else:
        CONSOLE.print(f"no development data at {arguments.data}: sentiment, speed and metrics skipped")
    keep(ROOT / "out" / "bench" / "understanding.json", REPORT)


if __name__ == "__main__":
    main()
