"""Machine against people, and people against each other, criterion by criterion.

store ─▶ pairs (each person's last word beside the machine's answer) ─▶ figures ─▶ warnings ─▶ advice
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.calibrate.advice import advise, warnings_for
from pipeline.calibrate.agreement import (
    Coefficient,
    cohen_kappa,
    confusion,
    gwet_ac1,
    krippendorff_alpha,
    pabak,
)
from pipeline.calibrate.figures import LABELS, Agreement, Drift, Pair
from pipeline.calibrate.scores import ScoreDeviation, deviations
from pipeline.conversation import Review
from pipeline.intervals import wilson
from pipeline.store import CallFilter, Store

EVERYTHING = CallFilter()


@dataclass(frozen=True, slots=True)
class PeopleAgreement:
    """Several reviewers on the same answers: Krippendorff's α of one criterion, or of all together."""

    rubric: str
    criterion: str
    reviewers: int
    answers: int
    alpha: Coefficient


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
    cautions: Sequence[str] = field(default_factory=list)


def calibrate(store: Store, filters: CallFilter = EVERYTHING) -> Calibration:
    """Compare everything reviewed so far.

    Args:
        store: Open for reading.
        filters: Which calls' reviews count.
    """
    reviews = last_words(store.reviews(filters))
    pairs = _pairs(store, reviews)
    if filters.rubric is not None:
        pairs = [p for p in pairs if filters.rubric in {p.rubric, p.review.rubric_hash}]
    by_criterion: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    by_reviewer: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        by_criterion[pair.rubric, pair.criterion].append(pair)
        by_reviewer[pair.review.reviewer].append(pair)
    people = _people(by_criterion)
    alphas = {(p.rubric, p.criterion): p.alpha for p in people}
    return Calibration(
        criteria=[
            compare(rubric, criterion, found, alpha=alphas.get((rubric, criterion)))
            for (rubric, criterion), found in sorted(by_criterion.items())
        ],
        reviewers=[compare("", reviewer, found) for reviewer, found in sorted(by_reviewer.items())],
        people=people,
        drift=_drift(pairs),
        scores=deviations(store, reviews),
        cautions=_cautions(store, pairs),
    )


def last_words(reviews: Iterable[Review]) -> list[Review]:
    """Each person's newest answer to each criterion of each call."""
    last: dict[tuple[str, str, str, str], Review] = {}
    for review in reviews:  # oldest first
        if review.criterion_id and review.human_answer:
            last[review.call_id, review.rubric_hash, review.criterion_id, review.reviewer.casefold()] = review
    return list(last.values())


def _pairs(store: Store, reviews: Sequence[Review]) -> list[Pair]:
    names = {row["rubric_hash"]: row["rubric_id"] for row in store.query(
        "SELECT DISTINCT rubric_hash, rubric_id FROM scorecards"
    )}  # fmt: skip
    quotes = _quotes(store, reviews)
    return [
        Pair(
            review=review,
            rubric=names.get(review.rubric_hash, review.rubric_hash[:12]),
            criterion=review.criterion_id or "",
            machine=review.machine_answer or "",
            human=review.human_answer or "",
            quote=quotes.get((review.call_id, review.rubric_hash, review.criterion_id or ""), ""),
        )
        for review in reviews
    ]


def _quotes(store: Store, reviews: Sequence[Review]) -> dict[tuple[str, str, str], str]:
    """What the machine heard, or nearly heard, where a person disagrees."""
    disputed = list({r.call_id for r in reviews if r.machine_answer != r.human_answer})
    rows = store.query(
        "SELECT call_id, rubric_hash, criterion_id, quote FROM evidence "
        "WHERE call_id IN (SELECT unnest(?::VARCHAR[])) AND quote <> '' ORDER BY kind DESC, evidence DESC",
        [disputed],
    )
    return {(row["call_id"], row["rubric_hash"], row["criterion_id"]): row["quote"] for row in rows}


def compare(rubric: str, name: str, pairs: Sequence[Pair], *, alpha: Coefficient | None = None) -> Agreement:
    """The figures of one criterion or one reviewer, with warnings and advice."""
    decided = [p for p in pairs if p.machine in LABELS]
    used = [label for label in LABELS if any(label in (p.machine, p.human) for p in decided)]
    labels = used if len(used) > 1 else list(LABELS[:2])
    table = confusion([(p.machine, p.human) for p in decided], labels if decided else LABELS)
    agreed = sum(p.machine == p.human for p in decided)
    figures = Agreement(
        rubric=rubric,
        name=name,
        n=len(decided),
        abstained=len(pairs) - len(decided),
        agreement=wilson(agreed, len(decided)),
        kappa=cohen_kappa(table),
        ac1=gwet_ac1(table),
        pabak=pabak(table),
        counts=Counter((p.machine, p.human) for p in decided),
        disagreements=tuple(p for p in decided if p.machine != p.human),
    )
    return figures.with_words(warnings_for(figures), advise(figures, alpha))


def _people(by_criterion: Mapping[tuple[str, str], Sequence[Pair]]) -> list[PeopleAgreement]:
    """α of each criterion several people answered, and of all of them together as its own row."""
    found = [_alpha(rubric, criterion, pairs) for (rubric, criterion), pairs in sorted(by_criterion.items())]
    shared = [p for p in found if p.reviewers >= 2 and p.answers]
    if len(shared) > 1:
        everything = [pair for pairs in by_criterion.values() for pair in pairs]
        shared.append(_alpha("", "all criteria", everything))
    return shared


def _alpha(rubric: str, criterion: str, pairs: Sequence[Pair]) -> PeopleAgreement:
    units: dict[tuple[str, str, str], dict[str, str]] = defaultdict(dict)
    for pair in pairs:
        key = (pair.review.call_id, pair.review.rubric_hash, pair.criterion)
        units[key][pair.review.reviewer.casefold()] = pair.human
    shared = {key: said for key, said in units.items() if len(said) >= 2}
    reviewers = sorted({reviewer for said in shared.values() for reviewer in said})
    ratings = [[said.get(reviewer) for said in shared.values()] for reviewer in reviewers]
    alpha = krippendorff_alpha(ratings, LABELS) if shared else Coefficient(None)
    return PeopleAgreement(rubric, criterion, len(reviewers), len(shared), alpha)


def _drift(pairs: Sequence[Pair]) -> list[Drift]:
    """Agreement by week of the review, marked where it left what came before by more than chance."""
    weeks: dict[str, list[bool]] = defaultdict(list)
    for pair in pairs:
        if pair.machine in LABELS:
            weeks[_week(pair.review.reviewed_at)].append(pair.machine == pair.human)
    rows, hits, seen = [], 0, 0
    for week, agreed in sorted(weeks.items()):
        z = _difference_z(sum(agreed), len(agreed), hits, seen)
        rows.append(Drift(week, wilson(sum(agreed), len(agreed)), z is not None and abs(z) > 1.96))
        hits, seen = hits + sum(agreed), seen + len(agreed)
    return rows


def _week(moment: dt.datetime) -> str:
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02d}"


def _difference_z(hits_a: int, n_a: int, hits_b: int, n_b: int) -> float | None:
    """Z of the difference of two proportions, pooled; None when either side is too small to say."""
    if n_a < 10 or n_b < 10:
        return None
    pooled = (hits_a + hits_b) / (n_a + n_b)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n_a + 1 / n_b))
    return (hits_a / n_a - hits_b / n_b) / error if error else 0.0


def _cautions(store: Store, pairs: Sequence[Pair]) -> list[str]:
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
    corrected_only = {p.review.call_id for p in pairs} - {
        p.review.call_id for p in pairs if p.machine == p.human
    }
    if len(corrected_only) == len(calls):
        cautions.append(
            "only corrections came back, no confirmed answers: agreement looks worse than it is; ask "
            "reviewers to tick that they checked the whole call"
        )
    return cautions
