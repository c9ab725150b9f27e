"""How often the answers are right on whole calls: real ones, answered by people, and talk that meets nothing.

    python -m bench.calls [--data ../shared/data] [--out out/bench] [--wrong] [--baseline]
                          [--cross-validate] [--cost]

All goes through the product's own scorer and the shipped matcher. Operator calls: truth is the corpus's
dialogue acts (three criteria), readings of forty calls by two readers (``bench/data/operator_labels.csv``),
and that nobody in them does four of the criteria. Ordinary talk (telephone, and meetings that the sample of
ordinary talk was not made from): every yes is false, but where its quote does what is asked (``SAID``).
``--baseline``: the published sentence encoder on windows of 5, 9 and 14 words, with a bound from ordinary
talk, beside it. No weight was learnt from these calls. A few bounds, and which of several trainings of the
weights is shipped, were chosen while looking at all of the operator calls and at the telephone talk; the
odd-numbered calls are shown apart. ``--cross-validate`` chooses the bounds anew, on half of the calls or
without one criterion, and shows the figures of what was left out. ``--cost``: core seconds of scoring a new
call of 600 words under 20 criteria.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import itertools
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import keep
from bench.rescore import rubric_text
from pipeline import contract, encoder, matching, rubric, score
from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Role, Transcript, Turn
from pipeline.matching import load_matcher, meaning
from pipeline.rubric import Rubric
from pipeline.text.words import count_words, words
from training.ordinary_talk import HELD_OUT, turns

LABELS = Path(__file__).parent / "data" / "operator_labels.csv"
NEVER = ("says_recorded", "debt_notice", "offers_supervisor", "survey")
ACTS = ("asks_to_wait", "apologises", "says_goodbye")
SAID = {
    "says_goodbye": ("bye",),
    "empathy": ("oh dear",),
    "thanks_customer": ("thanks", "thank you"),
    "gives_name": ("my name is", "my name's"),
}
"""Words in ordinary talk that do what a criterion asks: a yes with one of them in its quote is true."""
COST_WORDS = 600
WORD_S, PAUSE_S = 0.35, 1.5  # between the turns of meetings
MEETING_WORDS = 1500  # about ten minutes
WINDOWS, PERCENTILE = (5, 9, 14), 99.99
BOUNDS = {
    (meaning, "ALIKE"): (0.6, 0.7, 0.8),
    (meaning, "MARGIN"): (-0.03, 0.0, 0.03),
    (matching, "SERVICE"): (1.5, 2.0, 3.0),
    (matching, "NEAR_ENOUGH"): (0.46, 0.52),
}
"""What ``--cross-validate`` tries of each bound that was chosen on operator calls."""
Answers = Mapping[str, Mapping[str, CriterionAnswer]]
"""By call, then by criterion."""


@dataclass(frozen=True)
class Truth:
    """What people say of a criterion, by call id, and who they are."""

    by_call: Mapping[str, bool]
    whose: str


@dataclass(frozen=True)
class Figures:
    """Of one criterion on labelled calls; κ and accuracy leave out what was not decided."""

    calls: int
    yes: int
    precision: float | None
    recall: float | None
    kappa: float
    accuracy: float
    abstained: float
    false_yes: float


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float:
    """Cohen's κ of (machine, person) answers; 1 when both always agree on one answer."""
    n = len(pairs)
    if not n:
        return float("nan")
    agree = sum(a == b for a, b in pairs) / n
    chance = sum(
        (sum(a is v for a, _ in pairs) / n) * (sum(b is v for _, b in pairs) / n) for v in (True, False)
    )
    return 1.0 if chance == 1 else (agree - chance) / (1 - chance)


def figures(answers: Answers, criterion: str, truth: Truth) -> Figures:
    """How answers compare with people's."""
    given = {call: answers[call][criterion].answer for call in truth.by_call if call in answers}
    decided = [(g == "yes", truth.by_call[call]) for call, g in given.items() if g != "undetermined"]
    both = sum(a and b for a, b in decided)
    said = sum(a for a, _ in decided)
    true = sum(truth.by_call[call] for call in given)
    return Figures(
        len(given),
        true,
        both / said if said else None,
        both / true if true else None,
        kappa(decided),
        sum(a == b for a, b in decided) / len(decided) if decided else float("nan"),
        1 - len(decided) / len(given),
        100 * sum(a and not b for a, b in decided) / len(given),
    )


def conversations(folder: Path) -> list[Conversation]:
    """The transcripts of a folder, in order of their names; of telephone talk, side A is the agent."""
    return [Conversation(contract.read(Transcript, path)) for path in sorted(folder.glob("*.json"))]


def meetings(path: Path) -> list[Conversation]:
    """Ten minutes of each meeting that the shipped sample leaves out, all as the agent's."""
    every = enumerate(turns(path).items())
    return [_spoken(name, texts) for at, (name, texts) in every if at % HELD_OUT == 0]


def _spoken(name: str, texts: Iterable[str]) -> Conversation:
    said: list[tuple[Role, str]] = []
    count = 0.0
    for text in texts:
        said.append(("agent", text))
        count += count_words(text) + PAUSE_S / WORD_S
        if count > MEETING_WORDS:
            break
    return Conversation(timed(name, said, PAUSE_S))


def timed(name: str, said: Sequence[tuple[Role, str]], pause_s: float) -> Transcript:
    """A transcript of what each role says in turn, times made from word counts."""
    turns: list[Turn] = []
    at = 0.0
    for number, (role, text) in enumerate(said):
        length = WORD_S * count_words(text)
        turns.append(Turn(number, role, text, at, at + length))
        at += length + pause_s
    return Transcript(name, tuple(turns), "en", at)


def acts_of(folder: Path) -> dict[str, dict[str, str]]:
    """The corpus's dialogue acts by call id: 1 for each that is done."""
    with (folder / "acts.csv").open(encoding="utf-8", newline="") as file:
        return {row["call_id"]: row for row in csv.DictReader(file)}


def truths(folder: Path) -> dict[str, Truth]:
    """By criterion: the corpus's acts, that nobody does it, or the readers."""
    acts = acts_of(folder)
    found = {name: Truth({call: r[name] == "1" for call, r in acts.items()}, "acts") for name in ACTS}
    found |= {name: Truth(dict.fromkeys(acts, False), "nobody") for name in NEVER}
    read: dict[str, dict[str, bool]] = defaultdict(dict)
    with LABELS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["reader_a"] == row["reader_b"] and row["criterion"] not in found:
                read[row["criterion"]][row["call_id"]] = row["reader_a"] == "1"
    return found | {name: Truth(by_call, "readers") for name, by_call in read.items()}


def every_other(expected: Mapping[str, Truth], first: int) -> dict[str, Truth]:
    """What people say of the even-numbered calls (0) or of the odd-numbered ones (1)."""
    return {n: Truth(dict(list(t.by_call.items())[first::2]), t.whose) for n, t in expected.items()}


def answered(calls: Sequence[Conversation], form: Rubric) -> Answers:
    """The product's answers."""
    matcher, found = load_matcher(), {}
    for conversation in calls:
        name = conversation.transcript.call_id
        asked = [(CallMetadata(name), conversation, {})]
        (one,) = score.answer_calls(asked, form, min_confidence=0.4, matcher=matcher)
        found[name] = one.answers
    return found


def table(
    title: str, answers: Answers, expected: Mapping[str, Truth], console: Console
) -> dict[str, Figures]:
    """Figures of every criterion against people."""
    shown = Table("criterion", "truth", "calls", "yes", "precision", "recall", "κ", "accuracy", "abstained",
                  "false yes / 100", title=title)  # fmt: skip
    result = {}
    for name, truth in expected.items():
        one = result[name] = figures(answers, name, truth)
        shares = ["–" if x is None else f"{x:.2f}" for x in (one.precision, one.recall)]
        shown.add_row(name, truth.whose, str(one.calls), str(one.yes), *shares, f"{one.kappa:.2f}",
                      f"{one.accuracy:.3f}", f"{one.abstained:.1%}", f"{one.false_yes:.1f}")  # fmt: skip
    console.print(shown)
    return result


def summary(result: Mapping[str, Figures], console: Console) -> dict[str, float]:
    """The figures that have a target."""
    told = {
        "three acts, mean κ (0.75 or more)": np.mean([result[n].kappa for n in ACTS]),
        "acts and never done, mean accuracy (0.93 or more)": np.mean(
            [result[n].accuracy for n in (*ACTS, *NEVER)]
        ),
        "acts and never done, abstained (0.10 or less)": np.mean(
            [result[n].abstained for n in (*ACTS, *NEVER)]
        ),
        "never done, most false yes in 100 calls (1 or less)": max(result[n].false_yes for n in NEVER),
    }
    for what, figure in told.items():
        console.print(f"{what}: {figure:.3f}")
    return {what: float(figure) for what, figure in told.items()}


def ordinary_table(
    title: str, answers: Answers, form: Rubric, console: Console
) -> dict[str, tuple[float, float, float]]:
    """Of talk that meets nothing: yes, yes without ``SAID``, and not decided, in 100 conversations."""
    shown = Table("criterion", "yes / 100", "false yes / 100", "undetermined / 100", title=title)
    result = {}
    for criterion in form.criteria():
        given = [one[criterion.id] for one in answers.values()]
        said = [one for one in given if one.answer == "yes"]
        unsure = sum(one.answer == "undetermined" for one in given)
        counts = (len(said), sum(not is_said(one) for one in said), unsure)
        shares = [100 * count / len(given) for count in counts]
        result[criterion.id] = (shares[0], shares[1], shares[2])
        shown.add_row(criterion.id, *(f"{x:.1f}" for x in shares))
    console.print(shown)
    return result


def is_said(answer: CriterionAnswer) -> bool:
    """Whether a quote holds words that do what the criterion asks."""
    named = SAID.get(answer.id, ())
    return any(word in one.quote.lower() for one in answer.evidence for word in named)


def wrong(answers: Answers, expected: Mapping[str, Truth], console: Console) -> None:
    """Every answer that differs from people's, with its quote."""
    for name, truth in expected.items():
        for call, met in truth.by_call.items():
            given = answers[call][name]
            if given.answer != ("yes" if met else "no"):
                best = given.evidence[0] if given.evidence else given.nearest
                quote = f"{best.strength:.2f} {best.quote!r} {best.rule}" if best else "nothing near"
                console.print(f"{name} {call}: {given.answer}, should be {met}: {quote}", markup=False)


def baseline(calls: Sequence[Conversation], others: Sequence[Conversation], form: Rubric) -> Answers:
    """The published encoder on short windows, bounds from other ordinary talk."""
    plain = encoder.load()
    asked = {c.id: plain.embed([" ".join(words(p).words) for p in c.check.any]) for c in form.criteria()}

    def nearest(conversation: Conversation) -> dict[str, np.ndarray]:
        texts = [
            t for turn in conversation.transcript.turns if turn.role == "agent" for t in _windows(turn.text)
        ]
        vectors = plain.embed(texts or [""])
        return {name: (vectors @ phrases.T).max(axis=1) for name, phrases in asked.items()}

    null = [nearest(one) for one in others]
    bound = {name: np.percentile(np.concatenate([n[name] for n in null]), PERCENTILE) for name in asked}
    found = {}
    for one in calls:
        near = nearest(one)
        found[one.transcript.call_id] = {
            c.id: CriterionAnswer(
                c.id, "yes" if near[c.id].max() > bound[c.id] else "no", None, 1.0, 1.0, False
            )
            for c in form.criteria()
        }
    return found


def _windows(text: str) -> list[str]:
    said = words(text).words
    spans = {
        (at, min(at + n, len(said))) for n in WINDOWS for at in range(0, max(1, len(said) - n + 1), n // 2)
    }
    return [" ".join(said[a:b]) for a, b in sorted(spans) if b > a]


Trial = tuple[tuple[float, ...], Answers]
"""A value of each of ``BOUNDS``, and the answers with them."""


def cross_validate(
    calls: Sequence[Conversation], form: Rubric, expected: Mapping[str, Truth], console: Console
) -> dict[str, object]:
    """Figures of what the bounds were not chosen on: the other half of the calls, and a criterion left out.

    Bounds are chosen by mean κ of the acts among those with at most one false yes in 100 calls of each act
    nobody did.
    """
    with_truth = {name: expected[name] for name in (*ACTS, *NEVER)}
    trials: list[Trial] = []
    for values in itertools.product(*BOUNDS.values()):
        with contextlib.ExitStack() as held:
            for (module, bound), value in zip(BOUNDS, values, strict=True):
                held.enter_context(patch.object(module, bound, value))
            trials.append((values, answered(calls, form)))
    result: dict[str, object] = {}
    for half in (0, 1):
        kept, other = (every_other(with_truth, at) for at in (half, 1 - half))
        values, answers = best(trials, kept)
        console.print(f"bounds {values}, chosen on half {half + 1} of the calls; the other half:")
        found = {name: figures(answers, name, truth) for name, truth in other.items()}
        result[f"half {half + 1} left out"] = summary(found, console)
    for name, truth in with_truth.items():
        values, answers = best(trials, {n: t for n, t in with_truth.items() if n != name})
        one = figures(answers, name, truth)
        console.print(
            f"{name} left out: bounds {values}, κ {one.kappa:.2f}, accuracy {one.accuracy:.3f}, "
            f"abstained {one.abstained:.1%}, false yes {one.false_yes:.1f} in 100"
        )
        result[f"{name} left out"] = vars(one)
    return result


def best(trials: Sequence[Trial], kept: Mapping[str, Truth]) -> Trial:
    """The trial with the highest mean κ of the acts, with few false yes to acts nobody did."""

    def worth(trial: Trial) -> tuple[bool, float]:
        found = {name: figures(trial[1], name, truth) for name, truth in kept.items()}
        few = all(found[n].false_yes <= 1 for n in NEVER if n in found)
        return few, float(np.mean([found[n].kappa for n in ACTS if n in found]))

    return max(trials, key=worth)


def cost(path: Path, console: Console) -> float:
    """Core seconds of scoring a call of ``COST_WORDS`` under 20 criteria; the median."""
    talk = [part for one in meetings(path) for part in _parts(one)]
    form = rubric.parse(rubric_text("meaning"), "bench")
    matcher, took = load_matcher(), []
    for one in talk:
        before = time.process_time()
        score.answer_calls(
            [(CallMetadata(one.transcript.call_id), one, {})], form, min_confidence=0.4, matcher=matcher
        )
        took.append(time.process_time() - before)
    seconds = statistics.median(took)
    console.print(
        f"scoring a new call of {COST_WORDS} words, 20 criteria: {seconds:.3f} core seconds "
        f"(median of {len(took)}; 0.2 or less)"
    )
    return seconds


def _parts(conversation: Conversation) -> Iterator[Conversation]:
    """A conversation cut into calls of ``COST_WORDS``, turns said by agent and customer in turn."""
    turns: list[Turn] = []
    for turn in conversation.transcript.turns:
        role: Role = "customer" if len(turns) % 2 else "agent"
        turns.append(replace(turn, turn=len(turns), role=role))
        if sum(count_words(one.text) for one in turns) >= COST_WORDS:
            yield Conversation(replace(conversation.transcript, turns=tuple(turns)))
            turns = []


def main() -> None:
    """Print the tables and write them as JSON."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--data", type=Path, default=Path("../shared/data"))
    ask.add_argument("--out", type=Path, default=Path("out/bench"))
    ask.add_argument("--wrong", action="store_true", help="list every wrong answer with its quote")
    ask.add_argument("--baseline", action="store_true", help="the published encoder beside it (minutes)")
    ask.add_argument("--cross-validate", action="store_true", help="bounds chosen anew (minutes)")
    ask.add_argument("--cost", action="store_true", help="core seconds of scoring a new call")
    given = ask.parse_args()
    console = Console(width=150)
    folder = given.data / "operator_calls"
    if not folder.is_dir():
        console.print(f"no {folder}: the operator calls are not committed; nothing was measured")
        return
    form, expected = rubric.load(str(folder / "rubric.yaml")), truths(folder)
    calls = conversations(folder / "calls")
    answers = answered(calls, form)
    result: dict[str, object] = {}
    figures_ = table(f"Operator calls ({len(calls)})", answers, expected, console)
    result["operator"] = {name: vars(one) for name, one in figures_.items()}
    result["summary"] = summary(figures_, console)
    odd = every_other(expected, 1)
    console.print("odd-numbered calls alone:")
    result["summary, odd calls"] = summary({n: figures(answers, n, t) for n, t in odd.items()}, console)
    talk = {
        "Ordinary telephone talk": conversations(given.data / "plain_talk"),
        "Meetings left out": meetings(given.data / "meeting_talk" / "turns.tsv.gz"),
    }
    for title, ordinary in talk.items():
        result[title] = ordinary_table(f"{title} ({len(ordinary)})", answered(ordinary, form), form, console)
    if given.baseline:
        phone = talk["Ordinary telephone talk"]
        compared = baseline(calls, phone, form)
        summary(
            table("Baseline: published encoder, bounds from telephone talk", compared, expected, console),
            console,
        )
    if given.cross_validate:
        result["cross-validation"] = cross_validate(calls, form, expected, console)
    if given.cost:
        result["cost"] = cost(given.data / "meeting_talk" / "turns.tsv.gz", console)
    if given.wrong:
        wrong(answers, expected, console)
    keep(given.out / "calls.json", result)


if __name__ == "__main__":
    main()
