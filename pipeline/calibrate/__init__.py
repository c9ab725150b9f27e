"""How well the machine's answers agree with people's, and people's with each other, criterion by criterion.

store ─▶ ``pairs`` (each person's newest answer beside the machine's) ─▶ ``agreement`` ─▶ ``figures``, advice.
``tune`` proposes changes to a rubric; ``trust`` decides whether a language model's answers are scored.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import cast

from pipeline.calibrate.agreement import (
    UNKNOWN,
    Z_95,
    Coefficient,
    cohen_kappa,
    confusion,
    gwet_ac1,
    krippendorff_alpha,
    pabak,
)
from pipeline.calibrate.figures import Agreement, Drift, advise, warnings_for
from pipeline.calibrate.pairs import LABELS, AnsweredQuestion, Pair, newest_answers, questions
from pipeline.confidence_intervals import wilson
from pipeline.conversation import Answer, CriterionAnswer, Review, Scorecard
from pipeline.rubric import Criterion, Rubric
from pipeline.score import Verdict, recorded, scorecard
from pipeline.store import CallFilter, Store

EVERYTHING = CallFilter()


@dataclass(frozen=True, slots=True)
class PeopleAgreement:
    """How far several reviewers of the same calls agree: Krippendorff's α of one criterion, or of all.

    ``blind`` when only answers from blind sessions count; otherwise reviewers saw the machine's answers.
    """

    rubric: str
    criterion: str
    title: str
    reviewers: int
    answers: int
    alpha: Coefficient
    blind: bool = False


@dataclass(frozen=True, slots=True)
class ScoreDeviation:
    """One call's score with one person's answers, beside the machine's; None where nothing is scored."""

    call_id: str
    rubric: str
    reviewer: str
    machine_score: float | None
    human_score: float | None
    machine_outcome: str
    human_outcome: str

    @property
    def deviation(self) -> float | None:
        """The person's score minus the machine's, in points."""
        if self.machine_score is None or self.human_score is None:
            return None
        return self.human_score - self.machine_score


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that was found by comparing the machine with people.

    Attributes:
        criteria: Machine against people, a row per criterion.
        reviewers: Machine against each person.
        people: People against each other, where several answered the same.
        scores: Score of each reviewed call with the person's answers, beside the machine's.
        cautions: Reasons not to trust the figures too far, such as calls not drawn at random.
    """

    criteria: Sequence[Agreement] = ()
    reviewers: Sequence[Agreement] = ()
    people: Sequence[PeopleAgreement] = ()
    drift: Sequence[Drift] = ()
    scores: Sequence[ScoreDeviation] = ()
    cautions: Sequence[str] = ()

    @property
    def score_change(self) -> str | None:
        """How people's answers change the scores, in a line; None where no score is known."""
        points = [d.deviation for d in self.scores if d.deviation is not None]
        if not points:
            return None
        flips = sum(d.machine_outcome != d.human_outcome for d in self.scores)
        return (
            f"by {fmean(points):+.1f} points on average ({fmean(map(abs, points)):.1f} whichever way, "
            f"at most {max(points, key=abs):+.1f}), and change {flips} of {len(self.scores)} outcomes"
        )


def calibrate(store: Store, filters: CallFilter = EVERYTHING) -> Calibration:
    """Compare the machine's answers with everything people have reviewed so far."""
    reviews = store.reviews(filters)
    asked = questions(store, newest_answers(reviews), filters.rubric)
    pairs = [pair for question in asked for pair in question.pairs]
    by_reviewer: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_reviewer[pair.review.reviewer].append(pair)
    blind = newest_answers(review for review in reviews if "blind" in review.extra)
    people = _people_agreement(asked, questions(store, blind, filters.rubric))
    alphas = {(p.rubric, p.criterion): p.alpha for p in people}
    return Calibration(
        criteria=[_compare(q, alphas.get((q.rubric, q.criterion))) for q in asked],
        reviewers=[
            _compare(AnsweredQuestion("", who, said, title=who)) for who, said in sorted(by_reviewer.items())
        ],
        people=people,
        drift=_drift(pairs),
        scores=_deviations(store, [pair.review for pair in pairs]),
        cautions=_cautions(store, asked, people),
    )


def _compare(question: AnsweredQuestion, alpha: Coefficient | None = None) -> Agreement:
    """The figures of one criterion, or of one reviewer's answers, with warnings and advice."""
    decided = [p for p in question.pairs if p.decided]
    counts = Counter((p.machine, p.human) for p in decided)
    possible = list(dict.fromkeys(label for p in decided for label in p.scale)) or list(LABELS)
    given = {label for both in counts for label in both}
    labels = sorted(possible, key=lambda label: label not in given)  # labels that were given come first
    table = confusion(list(counts.elements()), labels[: max(len(given), 2)])  # κ needs at least two
    figures = Agreement(
        rubric=question.rubric,
        name=question.criterion,
        title=question.title,
        n=len(decided),
        abstained=len(question.pairs) - len(decided),
        agreement=wilson(sum(p.machine == p.human for p in decided), len(decided)),
        kappa=cohen_kappa(table),
        weighted_kappa=_weighted_kappa(decided),
        ac1=gwet_ac1(table),
        pabak=pabak(table),
        lenient=sum(p.leniency > 0 for p in decided),
        strict=sum(p.leniency < 0 for p in decided),
        counts=counts,
        disagreements=tuple(p for p in decided if p.machine != p.human),
    )
    warnings = warnings_for(figures)
    if len(question.versions) > 1:
        warnings.append(f"versions {', '.join(question.versions)} ask it alike and are counted together")
    if question.outdated:
        what = "answer" if question.outdated == 1 else "answers"
        warnings.append(f"left out: {question.outdated} {what} to an older wording of it")
    return replace(figures, warnings=warnings, advice=advise(figures, alpha))


def _weighted_kappa(pairs: Sequence[Pair]) -> Coefficient:
    """κ with quadratic weights where all pairs share one graded scale; pairs with na are left out."""
    scales = {p.scale for p in pairs}
    if len(scales) != 1 or scales == {LABELS}:
        return UNKNOWN
    grades = [label for label in scales.pop() if label != "na"]
    graded = [(p.machine, p.human) for p in pairs if "na" not in (p.machine, p.human)]
    return cohen_kappa(confusion(graded, grades), graded=True)


def _people_agreement(
    asked: Sequence[AnsweredQuestion], blind: Sequence[AnsweredQuestion]
) -> list[PeopleAgreement]:
    """α of each criterion that several people answered, then α of all criteria together.

    ``blind`` has the questions with answers from blind sessions only; where there are any, those are used.
    """
    in_blind = {(q.rubric, q.criterion): q for q in blind}
    rows = []
    for question in asked:
        blindly = in_blind.get((question.rubric, question.criterion), AnsweredQuestion("", ""))
        row = _alpha(question, [blindly], blind=True) or _alpha(question, [question])
        if row:
            rows.append(row)
    together = AnsweredQuestion("", "all criteria", title="all criteria")
    if len(rows) > 1 and (row := _alpha(together, blind or asked, blind=bool(blind))):
        rows.append(row)
    return rows


def _alpha(
    question: AnsweredQuestion, answered: Sequence[AnsweredQuestion], *, blind: bool = False
) -> PeopleAgreement | None:
    """α over the answers that at least two people gave to the same question of a call; None without any."""
    units: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    pairs = [(one, pair) for one in answered for pair in one.pairs]
    for one, pair in pairs:
        if pair.human in pair.scale:
            unit = (pair.review.call_id, one.rubric, one.criterion)
            units[unit][pair.review.reviewer] = pair.human
    shared = [answers for answers in units.values() if len(answers) >= 2]
    if not shared:
        return None
    reviewers = sorted({reviewer for answers in shared for reviewer in answers})
    ratings = [[answers.get(reviewer) for answers in shared] for reviewer in reviewers]
    scales = {pair.scale for _, pair in pairs}
    labels = list(dict.fromkeys(label for scale in scales for label in scale))
    graded = len(scales) == 1 and scales != {LABELS}
    if graded:  # na is no grade: it is neither better nor worse than the others
        ratings = [[None if answer == "na" else answer for answer in row] for row in ratings]
    alpha = krippendorff_alpha(ratings, labels, ordered=graded)
    return PeopleAgreement(
        question.rubric, question.criterion, question.title, len(reviewers), len(shared), alpha, blind
    )


def _drift(pairs: Sequence[Pair]) -> list[Drift]:
    """Agreement by week of the review; each week is tested against all weeks before it (95 %)."""
    weeks: dict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        if pair.decided:
            weeks[f"{pair.review.reviewed_at:%G-W%V}"].append(pair.machine == pair.human)
    rows, hits_before, n_before = [], 0, 0
    for week, agreed in sorted(weeks.items()):
        hits, n = sum(agreed), len(agreed)
        rows.append(Drift(week, wilson(hits, n), _differ(hits, n, hits_before, n_before)))
        hits_before, n_before = hits_before + hits, n_before + n
    return rows


def _differ(hits_a: int, n_a: int, hits_b: int, n_b: int) -> bool:
    """Whether two proportions of ten or more trials each differ by the pooled z-test (95 %)."""
    if min(n_a, n_b) < 10:
        return False
    pooled = (hits_a + hits_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    return abs(hits_a / n_a - hits_b / n_b) > Z_95 * error


def _cautions(
    store: Store, asked: Sequence[AnsweredQuestion], people: Iterable[PeopleAgreement]
) -> list[str]:
    pairs = [pair for question in asked for pair in question.pairs]
    if not pairs:
        what = "answered the newest text's questions about" if asked else "reviewed"
        return [
            f"nobody has {what} any of these calls yet: callqa review packet DEST, then callqa review import"
        ]
    cautions = []
    calls = {p.review.call_id for p in pairs}
    rows = store.query("SELECT DISTINCT call_id FROM samples WHERE method = 'random'")
    chosen = calls - {row["call_id"] for row in rows}
    if chosen:
        cautions.append(
            f"{len(chosen)} of {len(calls)} reviewed calls came from no random sample: agreement on chosen "
            "calls is not agreement on all calls"
        )
    if all(p.machine != p.human for p in pairs):
        cautions.append(
            "only corrections came back, no confirmed answers: agreement looks worse than it is; ask "
            "reviewers to tick that they checked the whole call"
        )
    if any(not p.blind for p in people):
        cautions.append(
            "people who reviewed the same calls had the machine's answers in view, which makes them agree "
            "more; callqa review packet --blind hides them"
        )
    return cautions


def _deviations(store: Store, reviews: Sequence[Review]) -> list[ScoreDeviation]:
    """Score every reviewed scorecard again with each reviewer's answers in place; largest difference first.

    Scorecards whose rubric text is not in the store are left out.
    """
    corrections: dict[tuple[str, str], dict[str, dict[str, Review]]] = defaultdict(lambda: defaultdict(dict))
    for review in reviews:
        by_reviewer = corrections[review.rubric_hash, review.call_id]
        by_reviewer[review.reviewer][review.criterion_id or ""] = review
    rows = []
    for rubric_hash, rubric in store.rubrics({key for key, _ in corrections}).items():
        calls = tuple(call_id for key, call_id in corrections if key == rubric_hash)
        for card in store.scorecards(CallFilter(rubric=rubric_hash, call_ids=calls)):
            for reviewer, answers in corrections[rubric_hash, card.call_id].items():
                rows.append(_deviation(card, rubric, reviewer, answers))
    return sorted(rows, key=lambda row: -abs(row.deviation or 0.0))


def _deviation(
    card: Scorecard, rubric: Rubric, reviewer: str, reviews: Mapping[str, Review]
) -> ScoreDeviation:
    machine = {answer.id: answer for answer in card.answers}
    human = {c.id: _corrected(machine[c.id], c, rubric, reviews.get(c.id)) for c in rubric.criteria()}
    corrected = scorecard(card.call_id, rubric, human)
    scores = (card.final_score, corrected.final_score)
    return ScoreDeviation(card.call_id, rubric.id, reviewer, *scores, card.outcome, corrected.outcome)


def _corrected(
    machine: CriterionAnswer, criterion: Criterion, rubric: Rubric, review: Review | None
) -> CriterionAnswer:
    """The person's answer, where it differs from the machine's; else the machine's."""
    if review is None or review.said == review.machine_said:
        return machine
    share = criterion.grades().get(review.said or "")
    return recorded(criterion, Verdict(cast(Answer, review.human_answer), share), rubric)
