"""Train the matcher's small sentence encoder to place a stretch of speech near the phrases of the same act.

    python -m training.train_matcher

(1) Teacher: the six layers of the shipped encoder with low-rank changes are trained by contrastive learning
(InfoNCE, van den Oord et al. 2018) on the first criteria. A criterion's phrases attract stretches that do its
act; they repel stretches that only share its words, those of other criteria, lines said in every call, and
real talk (AMI and ICSI meetings, CC BY 4.0). A stretch is embedded in its context, as in the matcher.
(2) Student: three of the six layers learn to give each token the teacher's state (distillation, Hinton et al.
2015).
(3) The student is trained further like the teacher, once on most criteria and once on all. The student of (2)
decides which criteria ask the same, and count as one, and which criteria a line said in every call may meet,
for which it is not a negative example.
(4) The weights after (2) and of both students of (3) are averaged (model soups, Wortsman et al. 2022); on
whole calls the mean has fewer false yes answers than the last student.
(5) The half of its inner units that contribute least is removed. The rest is distilled from the mean as in
(2) and trained as in (3), and the mean of the two taken.
(6) That student is trained on acts that readers marked in real meetings (``marked_talk``) beside the
criteria, since what it learns from written lines alone helps little on real speech. The mean of it before and
after is shipped. ``--start FILE`` does this step alone, on the student of (5): the weights that are shipped
were made so from ``encoder.npz`` of commit 30299e8.
Writes ``pipeline/matching/weights/encoder.npz``; takes an hour and a half on two cores, (6) ten minutes.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from jellyfish import metaphone
from torch import Tensor, nn
from torch.nn import functional as fn

from pipeline import encoder
from pipeline.encoder.network import Network
from pipeline.matching import meaning
from pipeline.text.words import words
from training.criteria import EVERY, FIRST, MOST, Criterion, service_talk, written
from training.lines import Line, embedded, loss_of, tokens
from training.low_rank import LowRank, TorchNetwork, padded, save
from training.marked_talk import MarkedTalk
from training.ordinary_talk import HELD_OUT, meetings
from training.student import Student

OUT = Path("pipeline/matching/weights/encoder.npz")
LAYERS = (0, 2, 5)  # the layers of the six that the student starts from
WARM_UP = 40
DISTIL_STEPS, DISTIL_RATE, DISTIL_TEXTS = 900, 4e-4, 64
ALIKE, MET = 0.84, 0.55
"""Cosines by the student from which two criteria ask the same, and from which a line may meet a criterion."""
PHRASES, MEETS, MISSES = 2, 3, 4
"""What a step has of each criterion: phrases (and the description), utterances that meet it, others."""
MISHEARD, AROUND = 0.15, 0.6
"""Probability that a line is misheard, and that an utterance is put between real talk."""
LONGEST = 60  # words of an utterance that are used
SEED = 1


@dataclass(frozen=True)
class Schedule:
    """How a network is trained, and what each step has.

    Attributes:
        steps, rate: Number of steps, and highest learning rate.
        criteria, service, talk: Numbers of criteria, lines said in every call, and passages of real talk.
        stretches: Number of stretches of each passage.
    """

    steps: int
    rate: float
    criteria: int
    service: int
    talk: int
    stretches: int


TEACHER = Schedule(600, 5e-4, 10, 8, 8, 8)
STUDENTS = {MOST: Schedule(260, 1.5e-4, 12, 12, 16, 64), EVERY: Schedule(600, 1.5e-4, 12, 12, 16, 64)}
SHARES = (0.3, 0.35, 0.35)
"""Shares of the distilled student and the two trained further in the mean; chosen on the operator calls."""
WIDTH, NARROW, NARROW_SHARES = 768, Schedule(260, 1.5e-4, 12, 12, 16, 64), (0.5, 0.5)
"""Inner units kept of 1,536, training of the narrow student, and shares; chosen on the operator calls."""
REAL, REAL_SHARES, MARKED = Schedule(600, 2e-4, 12, 12, 16, 64), (0.5, 0.5), 0.7
"""Training on marked talk, shares of the student before and after, and the weight of marked talk in the loss;
chosen on the operator calls, the development paraphrases and two users' rubrics on outside calls."""
WIDTH_PASSAGES = 400  # passages of talk on which the contribution of the inner units is measured


class Misheard:
    """Simulates recognition errors: words that sound alike, words cut in two."""

    def __init__(self, vocabulary: Sequence[str], dice: random.Random) -> None:
        self.dice = dice
        self.alike: dict[str, list[str]] = defaultdict(list)
        for word in vocabulary:
            self.alike[metaphone(word)].append(word)

    def __call__(self, said: Sequence[str]) -> list[str]:
        """The words, about a quarter of the longer ones misheard; a word cut in two stays one item."""
        heard = []
        for word in said:
            others = [w for w in self.alike.get(metaphone(word), []) if w != word] if len(word) > 3 else []
            chance = self.dice.random()
            if chance < 0.3 and others:
                heard.append(self.dice.choice(others))
            elif chance < 0.15 and len(word) > 5:
                cut = self.dice.randrange(2, len(word) - 2)
                heard.append(f"{word[:cut]} {word[cut:]}")
            else:
                heard.append(word)
        return heard


@dataclass(frozen=True)
class Lesson:
    """A criterion's texts; each utterance with the bounds of the stretch that does the act."""

    phrases: list[tuple[str, ...]]
    meaning: tuple[str, ...]
    meets: list[tuple[tuple[str, ...], int, int]]
    misses: list[tuple[tuple[str, ...], int, int]]


def lesson(one: Criterion) -> Lesson:
    """A criterion's lesson; the untrained encoder finds the stretch of an utterance nearest the phrases."""
    plain = encoder.load()
    phrases = plain.embed([" ".join(words(p).words) for p in one.phrases])
    said = [words(text).words[:LONGEST] for text, _, _ in one.said]
    placed: dict[int, list[tuple[tuple[str, ...], int, int]]] = {0: [], 1: []}
    for (_, label, _), text, sums in zip(one.said, said, plain.by_word(said), strict=True):
        if text:
            bounds = meaning.spans(len(text))
            near = (meaning.stretch_vectors(sums, bounds) @ phrases.T).max(axis=1)
            first, last = bounds[near.argmax()].tolist()
            placed[label].append((text, first, last))
    return Lesson([words(p).words for p in one.phrases], words(one.meaning).words, placed[1], placed[0])


class Talk:
    """Passages of real talk, from the meetings of the sample of ordinary talk."""

    def __init__(self, path: Path, dice: random.Random) -> None:
        self.dice = dice
        kept = [said for at, said in enumerate(meetings(path).values()) if at % HELD_OUT]
        self.turns = [said for meeting in kept for said in meeting if len(said) >= meaning.LENGTHS[0]]
        self.ends = list(accumulate(map(len, self.turns)))

    def passage(self, most: int) -> tuple[str, ...]:
        """Up to ``most`` words of a random turn; long turns are drawn more often."""
        (said,) = self.dice.choices(self.turns, cum_weights=self.ends)
        start = self.dice.randrange(max(1, len(said) - most + 1))
        return said[start : start + most]


@dataclass(frozen=True)
class Material:
    """What the training draws from.

    Attributes:
        lessons: By criterion.
        alike: For each criterion itself and those that ask the same.
        service: Lines said in every call, each after the criteria that it may meet.
    """

    lessons: Mapping[str, Lesson]
    alike: Mapping[str, frozenset[str]]
    service: Sequence[tuple[frozenset[str], tuple[str, ...]]]

    @classmethod
    def of(cls, lessons: Mapping[str, Lesson]) -> Material:
        """The criteria as written: none asks the same as another."""
        service = [(meets, said) for meets, text in service_talk() if (said := words(text).words)]
        return cls(lessons, {name: frozenset([name]) for name in lessons}, service)

    def related(self, read: encoder.Encoder) -> Material:
        """With what an encoder finds the same: criteria, and lines said in every call."""
        names = list(self.lessons)
        phrases = [read.embed([" ".join(said) for said in self.lessons[n].phrases]) for n in names]
        every = np.concatenate(phrases)
        starts = np.cumsum([0, *map(len, phrases)])[:-1]
        near = np.stack([np.maximum.reduceat(p @ every.T, starts, axis=1).mean(0) for p in phrases])
        near = (near + near.T) / 2
        alike = {
            name: frozenset([name, *(names[at] for at in np.flatnonzero(row >= ALIKE))])
            for name, row in zip(names, near, strict=True)
        }
        service = []
        for (meets, said), sums in zip(self.service, read.by_word([s for _, s in self.service]), strict=True):
            vectors = meaning.stretch_vectors(sums, meaning.spans(len(said)))
            best = np.maximum.reduceat((vectors @ every.T).max(axis=0), starts)
            service.append((meets | {names[at] for at in np.flatnonzero(best >= MET)}, said))
        return Material(self.lessons, alike, service)


def draw_step(schedule: Schedule, material: Material, talk: Talk, misheard: Misheard) -> list[Line]:
    """Random texts for a step."""
    lines, dice = [], talk.dice
    for name in dice.sample(sorted(material.lessons), schedule.criteria):
        one, about = material.lessons[name], material.alike[name]
        asked = [*dice.sample(one.phrases, min(PHRASES, len(one.phrases))), one.meaning]
        lines += [Line(said, 0, len(said), does=about, asks=True) for said in asked]
        for said, first, last in dice.sample(one.meets, min(MEETS, len(one.meets))):
            lines.append(in_talk(Line(said, first, last, does=about), talk, dice))
        for said, first, last in dice.sample(one.misses, min(MISSES, len(one.misses))):
            lines.append(in_talk(Line(said, first, last, near=about), talk, dice))
    for may_meet, said in dice.sample(material.service, schedule.service):
        lines.append(in_talk(Line(said, 0, len(said), may=may_meet), talk, dice))
    for _ in range(schedule.talk):
        said = talk.passage(meaning.PASSAGE)
        spans = meaning.spans(len(said)).tolist()
        chosen = dice.sample(spans, min(schedule.stretches, len(spans)))
        lines += [Line(said, first, last) for first, last in chosen]
    return [
        replace(x, said=tuple(misheard(x.said))) if dice.random() < MISHEARD and (x.does or x.near) else x
        for x in lines
    ]


def in_talk(line: Line, talk: Talk, dice: random.Random) -> Line:
    """An utterance, sometimes with real talk before and after it, and with bounds that may be a word off."""
    before = after = ()
    if dice.random() < AROUND:
        before, after = talk.passage(dice.randrange(1, 8)), talk.passage(dice.randrange(1, 8))
    first = max(0, line.first - dice.randrange(2)) + len(before)
    last = min(len(line.said), line.last + dice.randrange(2)) + len(before)
    return replace(line, said=(*before, *line.said, *after), first=first, last=last)


def rates(optimiser: torch.optim.Optimizer, highest: float, steps: int) -> Iterator[int]:
    """Numbers of steps, with the learning rate set: it rises during the warm-up and falls linearly."""
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = highest * min(1.0, (step + 1) / WARM_UP) * max(0.05, 1 - step / steps)
        yield step


def optimise(optimiser: torch.optim.Optimizer, model: nn.Module, loss: Tensor) -> None:
    """One step of the optimiser on a loss, with clipped gradients."""
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()


def contrast(
    schedule: Schedule,
    model: LowRank | Student,
    material: Material,
    talk: Talk,
    marked: MarkedTalk | None = None,
) -> None:
    """Train a model by contrastive learning: phrases attract stretches that do their act."""
    vocabulary = [w for w in encoder.load().tokenizer.vocabulary if w.isalpha() and len(w) > 2][:12_000]
    misheard = Misheard(vocabulary, talk.dice)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.rate, weight_decay=0.01)
    for step in rates(optimiser, schedule.rate, schedule.steps):
        lines = draw_step(schedule, material, talk, misheard)
        real = marked.draw(talk.dice) if marked else []
        vectors = embedded(model, [*lines, *real])
        loss = loss_of(vectors[: len(lines)], lines)
        if real:
            loss = loss + MARKED * loss_of(vectors[len(lines) :], real)
        optimise(optimiser, model, loss)
        if step % 20 == 19:
            print(f"contrast: step {step + 1} loss {float(loss.detach()):.3f}", flush=True)


def narrowed(
    base: encoder.Encoder, wide: Student, lessons: Mapping[str, Lesson], talk: Talk
) -> list[Student]:
    """A student with half the inner units distilled from the wide one, and the same after more training."""
    student = Student(base.network.with_layers(wide.arrays()), range(len(LAYERS)))
    student.narrow(*padded([tokens(talk.passage(meaning.PASSAGE))[0] for _ in range(WIDTH_PASSAGES)]), WIDTH)
    distil(student, wide.network(), lessons, talk)
    network = base.network.with_layers(student.arrays())
    taught = Student(network, range(len(LAYERS)))
    read = encoder.Encoder(base.tokenizer, network)
    contrast(NARROW, taught, Material.of(lessons).related(read), talk)
    return [student, taught]


def on_marked_talk(
    base: encoder.Encoder, before: Network, lessons: Mapping[str, Lesson], talk: Talk, path: Path
) -> Student:
    """The mean of a student before and after it was trained on marked talk too."""
    students = [Student(before, range(len(LAYERS))) for _ in range(2)]
    read = encoder.Encoder(base.tokenizer, before)
    contrast(REAL, students[1], Material.of(lessons).related(read), talk, MarkedTalk(path))
    return mean(students, REAL_SHARES)


def distil(student: Student, teacher: TorchNetwork, lessons: Mapping[str, Lesson], talk: Talk) -> None:
    """Train a student to give each token the state that the teacher gives it."""
    dice = talk.dice
    texts = [said for one in lessons.values() for said in [*one.phrases, one.meaning]]
    texts += [said for one in lessons.values() for said, _, _ in [*one.meets, *one.misses]]
    optimiser = torch.optim.AdamW(student.parameters(), lr=DISTIL_RATE, weight_decay=0.01)
    for step in rates(optimiser, DISTIL_RATE, DISTIL_STEPS):
        said = [talk.passage(meaning.PASSAGE) for _ in range(DISTIL_TEXTS // 2)]
        said += [dice.choice(texts) for _ in range(DISTIL_TEXTS // 4)]
        said += [
            (*talk.passage(dice.randrange(1, 8)), *dice.choice(texts), *talk.passage(dice.randrange(1, 8)))
            for _ in range(DISTIL_TEXTS // 4)
        ]
        ids, mask = padded([tokens(text)[0] for text in said])
        with torch.no_grad():
            wanted = teacher.hidden(ids, mask)[mask]
        given = student.network().hidden(ids, mask)[mask]
        apart = 1 - fn.cosine_similarity(given, wanted, dim=-1).mean()
        optimise(optimiser, student, 20 * fn.mse_loss(given, wanted) + apart)
        if step % 20 == 19:
            print(f"distil: step {step + 1} 1 - cosine {float(apart.detach()):.3f}", flush=True)


def mean(students: Sequence[Student], shares: Sequence[float]) -> Student:
    """Replace the weights of the first student by the weighted mean of all, and return it."""
    with torch.no_grad():
        for name, weight in students[0].weights.items():
            weight.copy_(sum(share * s.weights[name] for s, share in zip(students, shares, strict=True)))
    return students[0]


def main() -> None:
    """Train the shipped layers."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--talk", type=Path, default=Path("../shared/data/meeting_talk/turns.tsv.gz"))
    ask.add_argument("--out", type=Path, default=OUT)
    ask.add_argument("--start", type=Path, help="weights of the student of (5): do only (6)")
    given = ask.parse_args()
    torch.manual_seed(0)
    talk = Talk(given.talk, random.Random(SEED))
    lessons = {name: lesson(one) for name, one in written().items()}
    plain = encoder.load()
    if given.start:
        before = encoder.load(given.start).network
    else:
        before = plain.network.with_layers(written_only(plain, lessons, talk).arrays())
    save(given.out, "acts", on_marked_talk(plain, before, lessons, talk, given.talk).arrays())


def written_only(plain: encoder.Encoder, lessons: Mapping[str, Lesson], talk: Talk) -> Student:
    """The student of the steps (1) to (5)."""
    first = {name: lessons[name] for name in written(FIRST)}
    teacher, student = LowRank(plain.network), Student(plain.network, LAYERS)
    contrast(TEACHER, teacher, Material.of(first), talk)
    distil(student, teacher.network(), first, talk)
    distilled = plain.network.with_layers(student.arrays())
    read = encoder.Encoder(plain.tokenizer, distilled)
    students = [student]
    for files, schedule in STUDENTS.items():
        taught = Student(distilled, range(len(LAYERS)))
        contrast(schedule, taught, Material.of({n: lessons[n] for n in written(files)}).related(read), talk)
        students.append(taught)
    return mean(narrowed(plain, mean(students, SHARES), lessons, talk), NARROW_SHARES)


if __name__ == "__main__":
    main()
