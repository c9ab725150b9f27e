"""Machine against people, and people against each other, criterion by criterion.

store ─▶ pairs (each person's last word beside the machine's answer) ─▶ figures ─▶ warnings ─▶ advice
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from pipeline.calibrate.advice import advise, warnings_for
from pipeline.calibrate.agreement import (
    UNKNOWN,
    Coefficient,
    cohen_kappa,
    confusion,
    gwet_ac1,
    krippendorff_alpha,
    pabak,
)
from pipeline.calibrate.figures import LABELS, Agreement, Drift, Pair
from pipeline.calibrate.pairs import Question, last_words, questions
from pipeline.calibrate.scores import ScoreDeviation, deviations
from pipeline.confidence_intervals import wilson
from pipeline.store import CallFilter, Store

EVERYTHING = CallFilter()


@dataclass(frozen=True, slots=True)
class PeopleAgreement:
    """Several reviewers on the same answers: Krippendorff's α of one criterion, or of all together.

    ``blind`` when only answers of blind sessions are in it; else people had seen the machine's.
    """

    rubric: str
    criterion: str
    title: str
    reviewers: int
    answers: int
    alpha: Coefficient
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far machine and people agree.

    Attributes:
        criteria: Machine against people, a row per criterion.
        reviewers: Machine against each person.
        people: People against each other, where several answered the same.
        drift: Agreement by week of the review.
        scores: Scores under people's answers less the machine's.
        cautions: Sentences about how far all of this can be trusted.
    """

    criteria: Sequence[Agreement] = ()
    reviewers: Sequence[Agreement] = ()
    people: Sequence[PeopleAgreement] = ()
    drift: Sequence[Drift] = ()
    scores: Sequence[ScoreDeviation] = ()
    cautions: Sequence[str] = ()

    @property
    def score_change(self) -> str | None:
        """What people's answers do to the scores, in a line; None where no score is known."""
        gaps = [d.deviation for d in self.scores if d.deviation is not None]
        if not gaps:
            return None
        flips = sum(d.machine_outcome != d.human_outcome for d in self.scores)
        return (
            f"by {fmean(gaps):+.1f} points on average ({fmean(map(abs, gaps)):.1f} whichever way, at most "
            f"{max(gaps, key=abs):+.1f}), and change {flips} of {len(self.scores)} outcomes"
        )


def calibrate(store: Store, filters: CallFilter = EVERYTHING) -> Calibration:
    """Compare everything reviewed so far.

    Args:
        store: Open for reading.
        filters: Which calls' reviews count.
    """
    reviews = store.reviews(filters)
    last = last_words(reviews)
    asked = questions(store, last, filters.rubric)
    pairs = [pair for question in asked for pair in question.pairs]
    by_reviewer: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_reviewer[pair.review.reviewer].append(pair)
    people = _people(
        asked, questions(store, last_words(r for r in reviews if "blind" in r.extra), filters.rubric)
    )
    alphas = {(p.rubric, p.criterion): p.alpha for p in people}
    return Calibration(
        criteria=[
            _criterion(question, alphas.get((question.rubric, question.criterion))) for question in asked
        ],
        reviewers=[compare("", reviewer, found, reviewer) for reviewer, found in sorted(by_reviewer.items())],
        people=people,
        drift=_drift(pairs),
        scores=deviations(store, [pair.review for pair in pairs]),
        cautions=_cautions(store, pairs, people),
    )


def _criterion(question: Question, alpha: Coefficient | None) -> Agreement:
    warnings = []
    if len(question.versions) > 1:
        warnings.append(f"versions {', '.join(question.versions)} ask it alike and are counted together")
    if question.outdated:
        warnings.append(f"{question.outdated} answers to an older wording of it are left out")
    return compare(
        question.rubric, question.criterion, question.pairs, question.title, alpha=alpha, warnings=warnings
    )


def compare(
    rubric: str,
    name: str,
    pairs: Sequence[Pair],
    title: str,
    *,
    alpha: Coefficient | None = None,
    warnings: Sequence[str] = (),
) -> Agreement:
    """The figures of one criterion or one reviewer, with warnings and advice."""
    decided = [p for p in pairs if p.decided]
    counts = Counter((p.machine, p.human) for p in decided)
    possible = list(dict.fromkeys(label for p in decided for label in p.scale)) or list(LABELS)
    said = {label for both in counts for label in both}
    labels = sorted(possible, key=lambda label: label not in said)  # those in use first, at least two
    table = confusion(list(counts.elements()), labels[: max(len(said), 2)])
    figures = Agreement(
        rubric=rubric,
        name=name,
        title=title,
        n=len(decided),
        abstained=len(pairs) - len(decided),
        agreement=wilson(sum(p.machine == p.human for p in decided), len(decided)),
        kappa=cohen_kappa(table),
        weighted_kappa=_weighted(decided),
        ac1=gwet_ac1(table),
        pabak=pabak(table),
        lenient=sum(p.leniency > 0 for p in decided),
        strict=sum(p.leniency < 0 for p in decided),
        counts=counts,
        disagreements=tuple(p for p in decided if p.machine != p.human),
    )
    return replace(figures, warnings=(*warnings_for(figures), *warnings), advice=advise(figures, alpha))


def _weighted(pairs: Sequence[Pair]) -> Coefficient:
    """κ with quadratic weights where all pairs are on one graded scale; na has no place on it."""
    scales = {p.scale for p in pairs}
    if len(scales) != 1 or scales == {LABELS}:
        return UNKNOWN
    grades = [label for label in scales.pop() if label != "na"]
    graded = [(p.machine, p.human) for p in pairs if "na" not in (p.machine, p.human)]
    return cohen_kappa(confusion(graded, grades), graded=True)


def _people(asked: Sequence[Question], blind: Sequence[Question]) -> list[PeopleAgreement]:
    """α of each criterion several people answered, from blind sessions where there are any; then of all."""
    sessions = {(q.rubric, q.criterion): q.pairs for q in blind}
    found = []
    for question in asked:
        there = sessions.get((question.rubric, question.criterion), ())
        people = _alpha(question, there, blind=True) or _alpha(question, question.pairs)
        if people:
            found.append(people)
    everything = [pair for question in blind or asked for pair in question.pairs]
    together = Question("", "all criteria", title="all criteria")
    if len(found) > 1 and (people := _alpha(together, everything, blind=bool(blind))):
        found.append(people)
    return found


def _alpha(question: Question, pairs: Sequence[Pair], *, blind: bool = False) -> PeopleAgreement | None:
    """None where no two people answered the same."""
    units: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for pair in pairs:
        review = pair.review
        if pair.human not in pair.scale:
            continue
        unit = (review.call_id, review.rubric_hash, review.criterion_id or "")
        units[unit][review.reviewer.casefold()] = pair.human
    shared = [said for said in units.values() if len(said) >= 2]
    if not shared:
        return None
    reviewers = sorted({reviewer for said in shared for reviewer in said})
    ratings = [[said.get(reviewer) for said in shared] for reviewer in reviewers]
    scales = {pair.scale for pair in pairs}
    labels = list(dict.fromkeys(label for scale in scales for label in scale))
    graded = len(scales) == 1 and scales != {LABELS}
    if graded:  # grades have an order, in which "does not apply" has no place
        ratings = [[None if said == "na" else said for said in row] for row in ratings]
    alpha = krippendorff_alpha(ratings, labels, ordered=graded)
    return PeopleAgreement(
        question.rubric, question.criterion, question.title, len(reviewers), len(shared), alpha, blind
    )


def _drift(pairs: Sequence[Pair]) -> list[Drift]:
    """Agreement by week of the review, marked where it left what came before by more than chance."""
    weeks: dict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        if pair.decided:
            weeks[f"{pair.review.reviewed_at:%G-W%V}"].append(pair.machine == pair.human)
    rows, hits, seen = [], 0, 0
    for week, agreed in sorted(weeks.items()):
        z = _difference_z(sum(agreed), len(agreed), hits, seen)
        rows.append(Drift(week, wilson(sum(agreed), len(agreed)), z is not None and abs(z) > 1.96))
        hits, seen = hits + sum(agreed), seen + len(agreed)
    return rows


def _difference_z(hits_a: int, n_a: int, hits_b: int, n_b: int) -> float | None:
    """Z of the difference of two proportions, pooled; None when either side is too small to say."""
    if n_a < 10 or n_b < 10:
        return None
    pooled = (hits_a + hits_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    return (hits_a / n_a - hits_b / n_b) / error if error else 0.0


def _cautions(store: Store, pairs: Sequence[Pair], people: Iterable[PeopleAgreement]) -> list[str]:
    if not pairs:
        return [
            "nobody has reviewed any of these calls yet: callqa review packet DEST, then callqa review import"
        ]
    cautions = []
    calls = {p.review.call_id for p in pairs}
    drawn = {
        row["call_id"] for row in store.query("SELECT DISTINCT call_id FROM samples WHERE method = 'random'")
    }
    outside = len(calls - drawn)
    if outside:
        cautions.append(
            f"{outside} of {len(calls)} reviewed calls came from no random sample: agreement on chosen calls "
            "is not agreement on all calls"
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
