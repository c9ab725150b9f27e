"""Propose thresholds and phrases for a rubric from people's answers to calls and their marks on quotes.

Nothing is changed here. Each proposal is measured on people's answers and states an upper limit for the share
of wrong answers, 95 % sure (Clopper and Pearson 1934, corrected for having compared several settings).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline import score
from pipeline.calibrate.agreement import cohen_kappa, confusion
from pipeline.calibrate.pairs import newest_answers
from pipeline.confidence_intervals import clopper_pearson_above
from pipeline.conversation import Conversation, Evidence, Review
from pipeline.rubric import Criterion, Rubric
from pipeline.rubric.checks import AnyCheck, ManualCheck, PhraseCheck, learning
from pipeline.rubric.edits import Change
from pipeline.rubric.queries import Matcher

SURE = 0.95
THRESHOLDS = (0.35, 0.5, 0.65, 0.8)
UNSURE_SHARES = (0.5, 1.0)
"""Settings compared: each threshold, with ``unsure`` at each of these shares of it."""
UNDECIDED_COST = 0.3
"""What an undetermined answer costs, in wrong answers: a person has to give it instead."""
LEAST_GAIN = 1.0
"""How much lower the cost must be before a setting is proposed, in wrong answers; less may be luck."""
LEAST_ANSWERS = 10
"""With fewer answers of people to a criterion, no setting is proposed for it."""
CANNOT_LEARN = "nothing can be learnt: its check has no phrases that must be said once"
LEAST_OF_EACH = 5
"""Answers no from which a bound is lowered, and answers yes from which one is raised: without them nobody can
see which answers would become wrong."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """A person's judgement of a quote: whether it meets the criterion."""

    criterion: str
    call_id: str
    quote: str
    meets: bool


@dataclass(frozen=True, slots=True)
class Setting:
    """Bounds on the strength of a match: yes from ``threshold``, undetermined from ``unsure``, else no."""

    threshold: float
    unsure: float

    def answer(self, strength: float) -> str:
        """The answer to a call whose best match has this strength."""
        return "yes" if strength >= self.threshold else "undetermined" if strength >= self.unsure else "no"


@dataclass(frozen=True, slots=True)
class SettingFigures:
    """How well a setting reproduces people's answers.

    Attributes:
        labels: Calls people answered.
        decided: How many of them the setting answers with yes or no.
        wrong: How many of the decided it answers differently from people.
        kappa: Cohen's κ of the decided; None where it is not defined.
        at_most: Upper limit of the share of wrong answers among the decided, 0..1, with confidence ``SURE``.
    """

    labels: int
    decided: int
    wrong: int
    kappa: float | None
    at_most: float

    @property
    def cost(self) -> float:
        """Wrong answers plus the cost of undecided ones, in wrong answers."""
        return self.wrong + UNDECIDED_COST * (self.labels - self.decided)

    @property
    def statement(self) -> str:
        """The upper limit of wrong answers, in words."""
        return (
            f"with {self.labels} labels, at most {math.ceil(100 * self.at_most)} % of decided answers wrong, "
            f"{100 * SURE:.0f} % sure ({self.wrong} of {self.decided} were, "
            f"{self.labels - self.decided} not decided)"
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change proposed for one criterion.

    Attributes:
        now: Figures of the rubric as it is; None where people's answers are too few.
        best: Figures with the change; equal to ``now`` where nothing is better.
        change: The bounds to set and the phrases to add, if any.
        note: What the author should know: too few answers, reviewers who differ.
    """

    criterion: str
    now: SettingFigures | None
    best: SettingFigures | None
    change: Change
    note: str = ""


def labels(
    reviews: Iterable[Review], hashes: Iterable[str]
) -> tuple[dict[str, dict[str, bool]], dict[str, int]]:
    """Whether people say yes, by criterion and call; and, by criterion, how many calls reviewers differ on.

    ``reviews`` come oldest first; ``hashes`` are those of the rubric's versions.
    """
    wanted = set(hashes)
    by_call: dict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    for review in newest_answers(reviews):
        if review.criterion_id and review.rubric_hash in wanted and review.human_answer in ("yes", "no"):
            answers = by_call[review.criterion_id, review.call_id]
            answers[review.reviewer] = review.human_answer == "yes"
    agreed: dict[str, dict[str, bool]] = defaultdict(dict)
    differ: dict[str, int] = defaultdict(int)
    for (criterion, call), answers in by_call.items():
        if len(set(answers.values())) == 1:
            agreed[criterion][call] = next(iter(answers.values()))
        else:
            differ[criterion] += 1
    return dict(agreed), dict(differ)


def met_otherwise(conversation: Conversation, rubric: Rubric, criterion: Criterion, matcher: Matcher) -> bool:
    """Whether another part of the criterion's ``any_of`` than the one that learns is met."""
    if not isinstance(criterion.check, AnyCheck):
        return False
    own = learning(criterion.check)
    others = [p for p in criterion.check.checks if isinstance(p, PhraseCheck) and p is not own]
    return any(score.find_matches(conversation, rubric, part, matcher=matcher)[0] for part in others)


def strongest(
    conversation: Conversation, rubric: Rubric, check: PhraseCheck, matcher: Matcher
) -> Evidence | None:
    """The strongest match of a check in a call, including a nearest miss; None where nothing is near."""
    hits, nearest = score.find_matches(conversation, rubric, check, matcher=matcher)
    return max((*hits, *((nearest,) if nearest else ())), key=lambda e: e.strength, default=None)


def measured(pairs: Sequence[tuple[float, bool]], setting: Setting, compared: int = 1) -> SettingFigures:
    """Compare a setting's answers with people's.

    ``pairs`` has for each call the strength of its best match, and whether people say yes. The upper limit is
    corrected for the number of settings ``compared`` (Bonferroni).
    """
    answers = [(setting.answer(strength), met) for strength, met in pairs]
    decided = [(answer, "yes" if met else "no") for answer, met in answers if answer != "undetermined"]
    wrong = sum(machine != human for machine, human in decided)
    kappa = cohen_kappa(confusion(decided, ("yes", "no"))).value
    at_most = clopper_pearson_above(wrong, len(decided), confidence=1 - (1 - SURE) / compared)
    return SettingFigures(len(pairs), len(decided), wrong, kappa, at_most)


def best_setting(pairs: Sequence[tuple[float, bool]], now: Setting) -> tuple[Setting, SettingFigures]:
    """The cheapest of the settings compared; the rubric's own unless another saves ``LEAST_GAIN``."""
    yes = sum(met for _, met in pairs)
    lower, higher = len(pairs) - yes >= LEAST_OF_EACH, yes >= LEAST_OF_EACH
    grid = [Setting(t, round(t * share, 3)) for t in THRESHOLDS for share in UNSURE_SHARES]
    grid = [
        one
        for one in grid
        if (lower or (one.threshold >= now.threshold and one.unsure >= now.unsure))
        and (higher or (one.threshold <= now.threshold and one.unsure <= now.unsure))
    ]
    compared = list(dict.fromkeys((now, *grid)))  # chosen by how many say yes and no, not by who
    results = [(setting, measured(pairs, setting, len(compared))) for setting in compared]
    best = min(results, key=lambda result: result[1].cost)
    return best if results[0][1].cost - best[1].cost >= LEAST_GAIN else results[0]


def propose(
    rubric: Rubric,
    conversations: Mapping[str, Conversation],
    said: Mapping[str, Mapping[str, bool]],
    marks: Sequence[Mark],
    matcher: Matcher,
    differ: Mapping[str, int],
) -> list[Proposal]:
    """Propose changes to every criterion people answered or marked quotes for, in the rubric's order.

    Args:
        rubric: The rubric as it is.
        conversations: By call id; calls that are missing here are left out.
        said: Whether people say yes, by criterion and call.
        marks: People's judgements of quotes.
        matcher: Finds phrases in turns.
        differ: By criterion, how many calls were left out because reviewers differ.
    """
    proposals = []
    for criterion in rubric.criteria():
        check = learning(criterion.check)
        answers = {c: met for c, met in said.get(criterion.id, {}).items() if c in conversations}
        its_marks = [mark for mark in marks if mark.criterion == criterion.id]
        if not (answers or its_marks or differ.get(criterion.id)):
            continue
        if check is None:
            if not isinstance(criterion.check, ManualCheck):
                proposals.append(Proposal(criterion.id, None, None, Change(), CANNOT_LEARN))
            continue
        note = f"{differ[criterion.id]} calls left out: reviewers differ" if differ.get(criterion.id) else ""
        labelled = _Labelled(rubric, criterion, check, conversations, answers, matcher)
        proposals.append(_proposal(labelled, its_marks, note))
    return proposals


@dataclass(frozen=True)
class _Labelled:
    """One criterion's check, with the calls people answered it for."""

    rubric: Rubric
    criterion: Criterion
    check: PhraseCheck
    conversations: Mapping[str, Conversation]
    answers: Mapping[str, bool]
    matcher: Matcher

    @property
    def now(self) -> Setting:
        return Setting(self.check.threshold, self.check.unsure_from)

    def pairs(self, marks: Sequence[Mark] = ()) -> list[tuple[float, bool]]:
        """The strength of each call's best match, and whether people say yes.

        With marks, the check also has the phrases learnt from them, but for each fold of calls only those
        from other folds (cross-validation): a phrase never judges the call it comes from.
        """
        calls = sorted(self.answers)
        random.Random(0).shuffle(calls)  # noqa: S311  (folds, no secret)
        pairs = []
        for fold in range(FOLDS if marks else 1):
            measured_calls = set(calls[fold::FOLDS] if marks else calls)
            check = learnt(self.check, [mark for mark in marks if mark.call_id not in measured_calls])
            pairs += [
                (self._strength(self.conversations[call], check), self.answers[call])
                for call in measured_calls
            ]
        return pairs

    def _strength(self, conversation: Conversation, check: PhraseCheck) -> float:
        if met_otherwise(conversation, self.rubric, self.criterion, self.matcher):
            return 1.0
        near = strongest(conversation, self.rubric, check, self.matcher)
        return near.strength if near else 0.0


def _proposal(labelled: _Labelled, marks: Sequence[Mark], note: str) -> Proposal:
    name, check = labelled.criterion.id, learnt(labelled.check, marks)
    notes = [note, _contradictions(marks)]
    change = Change(
        phrases=tuple(p for p in check.any if p not in labelled.check.any),
        unless=tuple(p for p in check.unless if p not in labelled.check.unless),
    )
    if len(labelled.answers) < LEAST_ANSWERS:
        few = f"{len(labelled.answers)} answers of people; {LEAST_ANSWERS} are needed to measure a change"
        return Proposal(name, None, None, change, "; ".join(filter(None, (*notes, few))))
    pairs = labelled.pairs()
    now = measured(pairs, labelled.now)
    setting, best = best_setting(pairs, labelled.now)
    if change.by_key:
        with_phrases = best_setting(labelled.pairs(marks), labelled.now)
        if with_phrases[1].cost <= best.cost:
            setting, best = with_phrases
        else:
            change = Change()
            notes.append("marked quotes make it worse on the calls answered; left out")
    if setting != labelled.now:
        change = replace(change, threshold=setting.threshold, unsure=setting.unsure)
    return Proposal(name, now, best if change.by_key else now, change, "; ".join(filter(None, notes)))


def _quotes(marks: Sequence[Mark]) -> tuple[set[str], set[str]]:
    """The quotes that meet the criterion, and those that do not."""
    meets = {" ".join(m.quote.split()) for m in marks if m.meets}
    return meets, {" ".join(m.quote.split()) for m in marks if not m.meets}


def _contradictions(marks: Sequence[Mark]) -> str:
    meets, misses = _quotes(marks)
    both = ", ".join(f"“{quote}”" for quote in sorted(meets & misses))
    return f"left out, marked both ways: {both}" if both else ""


def learnt(check: PhraseCheck, marks: Sequence[Mark]) -> PhraseCheck:
    """The check with marked quotes added to ``any`` or ``unless``; those marked both ways are left out."""
    meets, misses = _quotes(marks)
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
    """At most ``most`` quotes for a person to mark, those with strength nearest to the threshold first.

    Each wording is asked about once. Returns criterion, call id and the evidence that holds the quote.
    """
    asked: list[tuple[float, str, str, Evidence]] = []
    known = {(m.criterion, m.quote.casefold()) for m in marks}
    for criterion in rubric.criteria():
        check = learning(criterion.check)
        if check is None:
            continue
        for call, conversation in conversations.items():
            if met_otherwise(conversation, rubric, criterion, matcher):
                continue
            near = strongest(conversation, rubric, check, matcher)
            if near is None or (criterion.id, near.quote.casefold()) in known:
                continue
            known.add((criterion.id, near.quote.casefold()))
            labelled = call in said.get(criterion.id, {})
            asked.append((abs(near.strength - check.threshold) + 0.2 * labelled, criterion.id, call, near))
    asked.sort(key=lambda quote: quote[:3])
    return [(criterion, call, near) for _, criterion, call, near in asked[:most]]
