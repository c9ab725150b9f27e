"""Scores stored calls under a new rubric text, without audio; old scorecards stay, and flips are reported.

    a chunk of calls ─▶ keep the answers that cannot have changed ─▶ answer the rest ─▶ save

A criterion that both texts of a rubric ask in the same way keeps its answer, as long as the call, the scoring
and the matcher are the same. So only changed criteria are searched for, and where only weights or marks
changed, no transcript is read. Many calls are answered by worker processes; only this process reads and
writes the database.
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, pairwise
from multiprocessing import get_context
from typing import TYPE_CHECKING, cast

from pipeline import matching, score
from pipeline.child_processes import cores, exit_with_parent
from pipeline.conversation import Answer, CriterionAnswer, Evidence, Review, Scorecard, Searched
from pipeline.interpreter import no_collections, one_blas_thread
from pipeline.rubric import Rubric, parse, same_criteria, why_not
from pipeline.rubric.queries import Matcher
from pipeline.score import Verdict, recorded
from pipeline.score.call import plan_of
from pipeline.score.measures import PERSON
from pipeline.store import CallFilter, Store, read

if TYPE_CHECKING:
    from pipeline.judge import LanguageModel

CHUNK = 400
"""Number of calls read and saved together."""
PART, PART_BY_MEANING = 50, 10
"""Number of calls handed to a worker at once: small parts finish at the same time, large ones cost less."""
ALONE, ALONE_BY_MEANING = 250, 30
"""Up to this many calls are answered by this process alone: workers start in 0.5 s, in 4 s with models."""

Answers = Mapping[str, CriterionAnswer]
CallsToAnswer = tuple[read.StoredCalls, Mapping[str, Answers]]
"""Calls to answer, and by call id the answers that they keep."""

_CURRENT_SQL = """
SELECT s.call_id, s.rubric_hash FROM scorecards AS s JOIN calls AS c USING (call_id)
WHERE s.is_latest AND s.rubric_id = ? AND s.scorer = ? AND s.loaded_at >= c.loaded_at
  AND s.raw_score IS NOT NULL AND s.call_id IN (SELECT unnest(?::VARCHAR[]))"""


@dataclass(frozen=True, slots=True)
class Rescored:
    """One call's new scorecard, and its latest earlier one under the same rubric id, if any.

    ``changes`` has a sentence for each criterion whose answer changed, with the reason.
    """

    call_id: str
    before: Scorecard | None
    after: Scorecard
    changes: tuple[str, ...]

    @property
    def flipped(self) -> bool:
        """Whether the outcome changed."""
        return self.before is not None and self.before.outcome != self.after.outcome


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Calls with their earlier scorecards: those that keep all their answers, and the parts to answer."""

    before: Mapping[str, Scorecard]
    complete: list[score.Answered]
    parts: list[CallsToAnswer]


def rescore(
    store: Store,
    rubric: Rubric,
    matcher: Matcher,
    *,
    min_confidence: float,
    calls: CallFilter | None = None,
    everything: bool = False,
    processes: int | None = None,
    judge: LanguageModel | None = None,
) -> Iterator[Rescored]:
    """Score stored calls and save the scorecards; yields the calls of each chunk when it is saved.

    Calls whose words were erased keep the scorecards they have.

    Args:
        store: Open for writing.
        rubric: The new rubric.
        matcher: Finds phrases.
        min_confidence: As in scoring.
        calls: Which calls; all by default.
        everything: Also score calls that the rubric does not apply to.
        processes: Number of worker processes, 1 for none; by default one per core if there are many calls.
        judge: Answers checks of the kind ``judge``; then no workers are used, as the judge sets the pace.

    Raises:
        StoreError: The database refuses; earlier chunks are saved.
    """
    calls = calls or CallFilter()
    alone, part_size = (ALONE_BY_MEANING, PART_BY_MEANING) if rubric.by_meaning() else (ALONE, PART)
    scorer = score.fingerprint(matcher, min_confidence, judge if rubric.judged() else None)
    if judge is not None:
        processes = 1
    if processes is None:
        processes = cores() if store.count(calls) > alone else 1
    store.limit_memory()
    with no_collections(), _answering(rubric, matcher, min_confidence, processes, judge) as answer:
        chunks = _chunks(store, rubric, calls, everything, scorer, part_size)
        for number, (chunk, answers) in enumerate(_in_order(chunks, answer), 1):
            cards = [answered.card(rubric) for answered in (*chunk.complete, *answers)]
            store.save_scorecards(cards, [rubric])
            if judge is not None:
                store.save_stage("judge", {card.call_id: judge.spent(card.call_id) for card in cards})
            for card in cards:
                before = chunk.before.get(card.call_id)
                yield Rescored(card.call_id, before, card, _changes(before, card) if before else ())
            if number % 5 == 0:
                gc.collect()


def _chunks(
    store: Store, rubric: Rubric, calls: CallFilter, everything: bool, scorer: str, part_size: int
) -> Iterator[_Chunk]:
    """Read calls in chunks, and find the answers that each call keeps."""
    same: dict[str, frozenset[str]] = {}
    headings = store.headings(calls)
    while chunk := list(islice(headings, CHUNK)):
        ids = tuple(
            metadata.call_id
            for metadata, call in chunk
            if everything or not why_not(rubric, metadata, duration_s=call.duration_s, language=call.language)
        )
        if not ids:
            continue
        current = {
            row["call_id"]: row["rubric_hash"]
            for row in store.query(_CURRENT_SQL, [rubric.id, scorer, list(ids)])
        }
        if unread := set(current.values()) - set(same):
            same |= dict.fromkeys(unread, frozenset())  # also of a text that can no longer be read
            for old_hash, old in store.rubrics(unread).items():
                same[old_hash] = same_criteria(old, rubric) if old.hash == old_hash else frozenset()
        scored = store.scorecards(CallFilter(call_ids=ids, rubric=rubric.id))
        before = {card.call_id: card for card in scored}
        people = _answers_of_people(store, rubric, ids)
        kept = {
            i: _kept(before[i], same.get(old_hash, frozenset()), rubric, people.get(i, {}))
            for i, old_hash in current.items()
        }
        count = sum(1 for _ in rubric.criteria())
        complete = [i for i, answers in kept.items() if len(answers) == count]
        open_ids = tuple(i for i in ids if i not in kept or len(kept[i]) < count)
        yield _Chunk(
            before,
            [score.Answered(i, kept[i], before[i].warnings, scorer) for i in complete],
            [
                (calls, {i: kept.get(i, people.get(i, {})) for i in calls.ids})
                for read_together in store.stored(CallFilter(call_ids=open_ids))
                for calls in read_together.parts(part_size)
            ],
        )


def _kept(before: Scorecard, same: frozenset[str], rubric: Rubric, people: Answers) -> Answers:
    """The answers that a call keeps, by criterion id, with the new weights, and those that people gave.

    Where people's answer is a new one, the criteria that depend on it are answered again.
    """
    old = {a.id: a for a in before.answers}
    plan, changed = plan_of(rubric), set[str]()
    for name in plan.order:
        given = people.get(name)
        if plan.needs[name] & changed or (given and name in old and old[name].answer != given.answer):
            changed.add(name)
    kept = {
        c.id: replace(old[c.id], weight=c.weight, critical=c.critical)
        for c in rubric.criteria()
        if c.id in same - changed and c.id in old
    }
    return {**kept, **people}


def _answers_of_people(
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
    given = [r for r in reviews if r.criterion_id in manual and r.human_answer and not r.is_confirmation]
    asked = {
        (rubric_hash, c.id): c.question
        for rubric_hash, form in store.rubrics({review.rubric_hash for review in given}).items()
        if form.id == rubric.id
        for c in form.criteria()
    }
    newest: dict[tuple[str, str], dict[str, Review]] = defaultdict(dict)
    for review in given:
        name = review.criterion_id or ""
        if asked.get((review.rubric_hash, name)) == manual[name].question:
            newest[review.call_id, name][review.reviewer.strip().casefold()] = review
    answers: dict[str, dict[str, CriterionAnswer]] = defaultdict(dict)
    for (call_id, name), by_person in newest.items():
        answers[call_id][name] = recorded(manual[name], _verdict(by_person.values()), rubric)
    return answers


def _verdict(reviews: Collection[Review]) -> Verdict:
    """The verdict of people's answers to one criterion; who answered what and when is its evidence."""
    said = [(f"{r.reviewer}: {r.human_answer}", f"answered {r.reviewed_at:%Y-%m-%d}") for r in reviews]
    evidence = tuple(Evidence(None, "unknown", None, None, quote, rule) for quote, rule in said)
    answers = {cast(Answer, review.human_answer) for review in reviews}
    answer: Answer = answers.pop() if len(answers) == 1 else "undetermined"
    differ = answer == "undetermined"
    reason = "people answered it differently" if differ else "answered by a person"
    return Verdict(answer, evidence=evidence, searched=Searched(PERSON), reason=reason)


def _answer(
    part: CallsToAnswer,
    *,
    rubric: Rubric,
    matcher: Matcher,
    min_confidence: float,
    judge: LanguageModel | None = None,
) -> list[score.Answered]:
    """Answer the criteria of some calls whose answers are not kept."""
    calls, kept = part
    batch = [
        (metadata, call, kept.get(metadata.call_id, {})) for metadata, call in read.conversations_of(calls)
    ]
    return score.answer_calls(batch, rubric, min_confidence=min_confidence, matcher=matcher, judge=judge)


Answering = Callable[[CallsToAnswer], Callable[[], list[score.Answered]]]
"""Starts to answer a part; returns a function that waits for the answers."""


@contextmanager
def _answering(
    rubric: Rubric, matcher: Matcher, min_confidence: float, processes: int, judge: LanguageModel | None
) -> Iterator[Answering]:
    """Yield the function that answers parts: in this process, or in workers with matchers of their own."""
    if processes <= 1:
        here = partial(_answer, rubric=rubric, matcher=matcher, min_confidence=min_confidence, judge=judge)
        yield lambda part: partial(here, part)
        return
    start = (rubric.text, rubric.source, min_confidence)
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, start)
    try:
        yield lambda part: pool.submit(_answer_in_worker, part).result
    finally:
        pool.shutdown(cancel_futures=True)


_worker: Callable[[CallsToAnswer], list[score.Answered]] | None = None


def _start_worker(text: str, source: str, min_confidence: float) -> None:
    global _worker
    exit_with_parent()
    one_blas_thread()
    _worker = partial(
        _answer, rubric=parse(text, source), matcher=matching.load_matcher(), min_confidence=min_confidence
    )


def _answer_in_worker(part: CallsToAnswer) -> list[score.Answered]:
    assert _worker is not None
    with no_collections():
        return _worker(part)


def _in_order(chunks: Iterable[_Chunk], answer: Answering) -> Iterator[tuple[_Chunk, list[score.Answered]]]:
    """The chunks with their answers, in order; the next one is read and begun before waiting for one."""
    begun = ((chunk, [answer(part) for part in chunk.parts]) for chunk in chunks)
    for first, _next in pairwise(chain(begun, [None])):
        if first is not None:
            chunk, results = first
            yield chunk, [answered for result in results for answered in result()]


def _changes(before: Scorecard, after: Scorecard) -> tuple[str, ...]:
    """A sentence for each criterion whose answer changed; critical and heavy criteria come first."""
    old = {a.id: a.answer for a in before.answers}
    changed = [a for a in after.answers if old.get(a.id) != a.answer]
    changed.sort(key=lambda a: (not a.critical, -a.weight))
    changes = [
        f"{a.id}: {old.get(a.id, 'not asked')} → {a.answer}" + (f" ({a.reason})" if a.reason else "")
        for a in changed
    ]
    removed = sorted(set(old) - {a.id for a in after.answers})
    changes += [f"{name}: no longer asked" for name in removed]
    if not changes and before.final_score != after.final_score:
        changes.append("same answers, other weights")
    if not changes and before.pass_mark != after.pass_mark:
        changes.append(f"pass mark {before.pass_mark} → {after.pass_mark}")
    return tuple(changes)
