"""A rubric learns from people: their answers to whole calls and to quotes become bounds and phrases.

Nothing is changed here; what is proposed is measured on the same people's answers, and comes with a statement
that can be kept: of the answers decided, at most so many wrong, 95 % sure (Clopper and Pearson 1934, at the
level that allows for having compared several settings).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import score
from pipeline.calibrate.agreement import cohen_kappa, confusion
from pipeline.confidence_intervals import clopper_pearson_above
from pipeline.conversation import Conversation, Evidence, Review
from pipeline.rubric import Criterion, Rubric
from pipeline.rubric.checks import PhraseCheck
from pipeline.rubric.queries import Matcher

SURE = 0.95
THRESHOLDS = (0.35, 0.5, 0.65, 0.8)
UNSURE = (0.5, 1.0)
"""Bounds compared: strength from which a match counts, and share of it from which nothing is decided."""
ABSTAINED_COSTS = 0.3
"""Of a wrong answer: what an answer not decided costs, since a person has to give it."""
WORTH = 1.0
"""By how many wrong answers another setting must do better to be proposed: less is within luck."""
LEAST = 10
"""Answers of people to a criterion, below which nothing is proposed for it."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person said of a quote: it meets the criterion, or does not."""

    criterion: str
    call_id: str
    quote: str
    meets: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """Strength from which a match counts, and from which it may."""

    threshold: float
    unsure: float

    def answer(self, strength: float) -> str:
        """Yes, no or undetermined."""
        return "yes" if strength >= self.threshold else "undetermined" if strength >= self.unsure else "no"


@dataclass(frozen=True, slots=True)
class Measured:
    """How a setting does on people's answers.

    Attributes:
        labels: Calls people answered.
        decided: Of them, how many the machine decides.
        wrong: Of those, how many differently.
        kappa: Cohen's κ of the decided, None where it has no value.
        at_most: Share of decided answers that is wrong at most, with ``SURE`` confidence, 0..1.
    """

    labels: int
    decided: int
    wrong: int
    kappa: float | None
    at_most: float

    @property
    def cost(self) -> float:
        """Wrong answers, and answers left to people."""
        return self.wrong + ABSTAINED_COSTS * (self.labels - self.decided)

    @property
    def statement(self) -> str:
        """What may be promised."""
        return (
            f"with {self.labels} labels, at most {100 * self.at_most:.0f} % of decided answers wrong, "
            f"{100 * SURE:.0f} % sure ({self.wrong} of {self.decided} were, "
            f"{self.labels - self.decided} not decided)"
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What people's answers say should change in one criterion.

    Attributes:
        criterion: Its id.
        now: As the rubric is.
        best: With the change; the same as ``now`` where nothing is better.
        setting: Bounds proposed, None to leave them.
        phrases: To add to what counts; ``unless`` to what does not.
        note: What the author should know: too few labels, reviewers who differ.
    """

    criterion: str
    now: Measured | None
    best: Measured | None
    setting: Setting | None = None
    phrases: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    note: str = ""


def labels(
    reviews: Iterable[Review], hashes: Iterable[str]
) -> tuple[dict[str, dict[str, bool]], dict[str, int]]:
    """People's answers by criterion and call, and how many calls were left out because reviewers differ.

    Args:
        reviews: Newest last.
        hashes: Of the rubric's texts.
    """
    wanted = set(hashes)
    given: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for review in reviews:
        if review.criterion_id and review.rubric_hash in wanted and review.human_answer in ("yes", "no"):
            given[review.criterion_id, review.call_id][review.reviewer.casefold()] = (
                review.human_answer == "yes"
            )
    agreed: dict[str, dict[str, bool]] = defaultdict(dict)
    differ: dict[str, int] = defaultdict(int)
    for (criterion, call), answers in given.items():
        if len(set(answers.values())) == 1:
            agreed[criterion][call] = next(iter(answers.values()))
        else:
            differ[criterion] += 1
    return dict(agreed), dict(differ)


def tunable(criterion: Criterion) -> PhraseCheck | None:
    """The check whose bounds and phrases can be learnt: one of phrases, asked for once."""
    check: Any = criterion.check
    plain = (
        isinstance(check, PhraseCheck) and not check.negate and check.at_least == 1 and check.at_most is None
    )
    return check if plain and check.match in ("fuzzy", "meaning") and check.any else None


def strongest(
    conversation: Conversation, rubric: Rubric, check: PhraseCheck, matcher: Matcher
) -> Evidence | None:
    """What in a call comes nearest to a check."""
    hits, nearest = score.heard(conversation, rubric, check, matcher=matcher)
    return max((*hits, *((nearest,) if nearest else ())), key=lambda e: e.strength, default=None)


def measured(pairs: Sequence[tuple[float, bool]], setting: Setting, compared: int = 1) -> Measured:
    """How a setting answers calls of known strength.

    Args:
        pairs: Strength of the nearest match, and what people say.
        setting: Bounds.
        compared: How many settings were compared; the statement allows for the choice (Bonferroni).
    """
    given = [(setting.answer(strength), met) for strength, met in pairs]
    decided = [(answer, "yes" if met else "no") for answer, met in given if answer != "undetermined"]
    wrong = sum(machine != human for machine, human in decided)
    kappa = cohen_kappa(confusion(decided, ("yes", "no"))).value
    at_most = clopper_pearson_above(wrong, len(decided), confidence=1 - (1 - SURE) / compared)
    return Measured(len(pairs), len(decided), wrong, kappa, at_most)


def settings(now: Setting) -> list[Setting]:
    """The bounds compared: those of the rubric, and a few chosen before any label was seen."""
    grid = [Setting(t, round(t * share, 3)) for t in THRESHOLDS for share in UNSURE]
    return [now, *(one for one in grid if one != now)]


def best_setting(pairs: Sequence[tuple[float, bool]], now: Setting) -> tuple[Setting, Measured]:
    """Of the settings compared, that with fewest wrong and undecided answers; of equals, the rubric's own."""
    every = settings(now)
    scored = [(one, measured(pairs, one, len(every))) for one in every]
    best = min(scored, key=lambda s: s[1].cost)
    return best if scored[0][1].cost - best[1].cost >= WORTH else scored[0]


def propose(
    rubric: Rubric,
    conversations: Mapping[str, Conversation],
    said: Mapping[str, Mapping[str, bool]],
    marks: Sequence[Mark],
    matcher: Matcher,
    differ: Mapping[str, int],
) -> list[Proposal]:
    """What to change, criterion by criterion, in the order of the form.

    Args:
        rubric: As it is.
        conversations: By call id, at least those people answered.
        said: People's answers by criterion and call.
        marks: What people said of quotes.
        matcher: Hears.
        differ: By criterion, calls left out because reviewers differ.
    """
    found = []
    for criterion in rubric.criteria():
        check = tunable(criterion)
        answers = {c: met for c, met in said.get(criterion.id, {}).items() if c in conversations}
        own = [mark for mark in marks if mark.criterion == criterion.id]
        if check is None or not (answers or own):
            continue
        note = f"{differ[criterion.id]} calls left out: reviewers differ" if differ.get(criterion.id) else ""
        told = _Told(rubric, check, conversations, answers, matcher)
        found.append(_proposal(criterion.id, told, own, note))
    return found


@dataclass(frozen=True)
class _Told:
    """One criterion's check with what people said of it."""

    rubric: Rubric
    check: PhraseCheck
    conversations: Mapping[str, Conversation]
    answers: Mapping[str, bool]
    matcher: Matcher

    @property
    def now(self) -> Setting:
        return Setting(self.check.threshold, self.check.unsure_from)

    def pairs(self, marks: Sequence[Mark] = ()) -> list[tuple[float, bool]]:
        """Strength and answer of each call; phrases learnt from marks never judge the call they come from."""
        calls = sorted(self.answers)
        random.Random(0).shuffle(calls)  # noqa: S311  (folds, no secret)
        pairs = []
        for fold in range(FOLDS if marks else 1):
            own = set(calls[fold::FOLDS] if marks else calls)
            check = learnt(self.check, [mark for mark in marks if mark.call_id not in own])
            for call in own:
                near = strongest(self.conversations[call], self.rubric, check, self.matcher)
                pairs.append((near.strength if near else 0.0, self.answers[call]))
        return pairs


def _proposal(name: str, told: _Told, marks: Sequence[Mark], note: str) -> Proposal:
    check = learnt(told.check, marks)
    phrases = tuple(p for p in check.any if p not in told.check.any)
    unless = tuple(p for p in check.unless if p not in told.check.unless)
    if len(told.answers) < LEAST:
        few = f"{len(told.answers)} answers of people; {LEAST} are needed to measure a change"
        return Proposal(name, None, None, None, phrases, unless, "; ".join(filter(None, (note, few))))
    plain = told.pairs()
    now = measured(plain, told.now)
    setting, best = best_setting(plain, told.now)
    if phrases or unless:
        with_phrases = best_setting(told.pairs(marks), told.now)
        if with_phrases[1].cost <= best.cost:
            setting, best = with_phrases
        else:
            phrases = unless = ()
            note = "; ".join(
                filter(None, (note, "marked quotes make it worse on the calls answered; left out"))
            )
    changed = setting if setting != told.now else None
    return Proposal(name, now, best if changed or phrases or unless else now, changed, phrases, unless, note)


def learnt(check: PhraseCheck, marks: Sequence[Mark]) -> PhraseCheck:
    """A check with marked quotes among its phrases and counter-examples, but those marked both ways."""
    meets = {" ".join(m.quote.split()) for m in marks if m.meets}
    misses = {" ".join(m.quote.split()) for m in marks if not m.meets}
    known = {p.casefold() for p in (*check.any, *check.unless)}
    more = sorted(q for q in meets - misses if q.casefold() not in known and "{" not in q)
    less = sorted(q for q in misses - meets if q.casefold() not in known and "{" not in q)
    return check.model_copy(update={"any": (*check.any, *more)[:200], "unless": (*check.unless, *less)[:50]})


def questions(
    rubric: Rubric,
    conversations: Mapping[str, Conversation],
    said: Mapping[str, Mapping[str, bool]],
    marks: Sequence[Mark],
    matcher: Matcher,
    most: int,
) -> list[tuple[str, str, Evidence]]:
    """Quotes a person should mark, the most useful first: nearest to the bound, each wording once.

    Returns:
        Criterion, call id, and what was heard.
    """
    asked: list[tuple[float, str, str, Evidence]] = []
    known = {(m.criterion, m.quote.casefold()) for m in marks}
    for criterion in rubric.criteria():
        check = tunable(criterion)
        if check is None:
            continue
        for call, conversation in conversations.items():
            near = strongest(conversation, rubric, check, matcher)
            if near is None or (criterion.id, near.quote.casefold()) in known:
                continue
            known.add((criterion.id, near.quote.casefold()))
            labelled = call in said.get(criterion.id, {})
            asked.append((abs(near.strength - check.threshold) + 0.2 * labelled, criterion.id, call, near))
    asked.sort(key=lambda one: one[:3])
    return [(criterion, call, near) for _, criterion, call, near in asked[:most]]
