"""People's answers to the criteria of the kind ``manual``, as answers of a scorecard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import cast

from pipeline.conversation import Answer, CriterionAnswer, Evidence, Review, Searched
from pipeline.rubric import Rubric
from pipeline.score import Verdict, recorded
from pipeline.score.measures import PERSON
from pipeline.store import CallFilter, Store

DIFFER = "people answered it differently"


def answers_of_people(
    store: Store, rubric: Rubric, call_ids: Sequence[str]
) -> Mapping[str, Mapping[str, CriterionAnswer]]:
    """By call and criterion id, what people answered to the manual criteria of a rubric.

    Each person's newest answer counts, also one to an earlier text of the rubric that asks the same question.
    Where people differ, the answer is undetermined. Who confirmed a whole call answered no manual criterion.
    """
    names = rubric.manual()
    manual = {c.id: c for c in rubric.criteria() if c.id in names}
    if not manual:
        return {}
    reviews = store.reviews(CallFilter(call_ids=tuple(call_ids)))  # oldest first
    given = [r for r in reviews if r.criterion_id in manual and r.human_answer and "how" not in r.extra]
    asked = {
        (rubric_hash, c.id): c.question
        for rubric_hash, form in store.rubrics({review.rubric_hash for review in given}).items()
        if form.id == rubric.id
        for c in form.criteria()
    }
    newest: dict[str, dict[str, dict[str, Review]]] = defaultdict(lambda: defaultdict(dict))
    for review in given:
        name = review.criterion_id or ""
        if asked.get((review.rubric_hash, name)) == manual[name].question:
            newest[review.call_id][name][review.reviewer.strip().casefold()] = review
    return {
        call_id: {
            name: recorded(manual[name], _verdict(by_person.values()), rubric)
            for name, by_person in by_criterion.items()
        }
        for call_id, by_criterion in newest.items()
    }


def _verdict(reviews: Collection[Review]) -> Verdict:
    """The verdict of people's answers to one criterion; who answered what and when is its evidence."""
    said = [(f"{r.reviewer}: {r.human_answer}", f"answered {r.reviewed_at:%Y-%m-%d}") for r in reviews]
    evidence = tuple(Evidence(None, "unknown", None, None, quote, rule) for quote, rule in said)
    answers = {cast(Answer, review.human_answer) for review in reviews}
    answer: Answer = answers.pop() if len(answers) == 1 else "undetermined"
    reason = DIFFER if answer == "undetermined" else "answered by a person"
    return Verdict(answer, evidence=evidence, searched=Searched(PERSON), reason=reason)
