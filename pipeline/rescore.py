"""Stored calls under another rubric: no audio, no recogniser; old scores stay, flips are told.

    a window of calls ─▶ answers that cannot have changed, kept ─▶ the rest asked of the words ─▶ saved

A criterion that both texts of a rubric ask alike has the answer it had, as long as the call, the
scoring and the matcher are the same: of a changed rubric only what changed is searched for, and
where only weights and marks changed, no word is read. Where there are many calls, other processes
answer; this one alone reads and writes the database.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import chain, islice
from multiprocessing import get_context
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from pipeline import matching, score
from pipeline.child_processes import cores, leave_with_parent
from pipeline.conversation import CriterionAnswer, Scorecard
from pipeline.errors import ModelError, RubricError
from pipeline.interpreter import no_collections, without_torch
from pipeline.rubric import Rubric, parse, same_criteria, why_not
from pipeline.rubric.queries import Matcher
from pipeline.store import CallFilter, Store, read

if TYPE_CHECKING:
    from pipeline.judge import LanguageModel

WINDOW = 400
"""Calls read and saved together."""
PART, PART_BY_MEANING = 50, 10
"""Calls answered at once: the fewer, the sooner all are done together; the more, the less each costs."""
ALONE, ALONE_BY_MEANING = 250, 30
"""Up to so many calls this process answers alone: others take half a second to start, four with models."""

Answers = Mapping[str, CriterionAnswer]
Asked = tuple[read.StoredCalls, Mapping[str, Answers]]
"""Calls, and by call the answers that need not be asked again."""

_CURRENT_SQL = """
SELECT s.call_id, s.rubric_hash FROM scorecards AS s JOIN calls AS c USING (call_id)
WHERE s.is_latest AND s.rubric_id = ? AND s.scorer = ? AND s.loaded_at >= c.loaded_at
  AND s.raw_score IS NOT NULL AND s.call_id IN (SELECT unnest(?::VARCHAR[]))"""


@dataclass(frozen=True, slots=True)
class Rescored:
    """One call under the new rubric, beside its newest score under the old text of the same rubric.

    Attributes:
        before: The scorecard it had, None for its first.
        after: The new scorecard.
        changes: Criteria answered otherwise than before, with the reason.
    """

    call_id: str
    before: Scorecard | None
    after: Scorecard
    changes: tuple[str, ...]

    @property
    def flipped(self) -> bool:
        """Whether the outcome is another."""
        return self.before is not None and self.before.outcome != self.after.outcome


@dataclass(frozen=True, slots=True)
class _Window:
    """Some calls: the scorecards they had, those all of whose answers are kept, and those to be asked."""

    before: Mapping[str, Scorecard]
    settled: list[score.Answered]
    asked: list[Asked]


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
    """Score stored calls and keep the results; yields as windows are saved.

    Calls whose words were erased keep the figures they have.

    Args:
        store: Open for writing.
        rubric: The new rubric.
        matcher: Finds phrases.
        min_confidence: As in scoring.
        calls: Which calls; all by default.
        everything: Also calls the rubric does not apply to.
        processes: How many answer; by default one a core where there are many calls, else this one alone.
        judge: Answers checks of the kind ``judge``, in this process alone: it is the one that is waited for.

    Raises:
        StoreError: The database refuses; the windows before are kept.
    """
    calls = calls or CallFilter()
    alone, part = (ALONE_BY_MEANING, PART_BY_MEANING) if rubric.by_meaning() else (ALONE, PART)
    scorer = score.fingerprint(matcher, min_confidence, judge if rubric.judged() else None)
    if judge is not None:
        processes = 1
    if processes is None:
        processes = cores() if store.count(calls) > alone else 1
    store.limit_memory()
    with no_collections(), _answering(rubric, matcher, min_confidence, processes, judge) as answer:
        windows = _windows(store, rubric, calls, everything, scorer, part)
        for number, (window, answered) in enumerate(_in_order(windows, answer), 1):
            cards = [one.card(rubric) for one in (*window.settled, *answered)]
            store.save_scorecards(cards, [rubric])
            if judge is not None:
                store.save_stage("judge", {card.call_id: judge.spent(card.call_id) for card in cards})
            for card in cards:
                before = window.before.get(card.call_id)
                yield Rescored(card.call_id, before, card, _changes(before, card) if before else ())
            if number % 5 == 0:
                gc.collect()


def _windows(
    store: Store, rubric: Rubric, calls: CallFilter, everything: bool, scorer: str, part: int
) -> Iterator[_Window]:
    same: dict[str, frozenset[str]] = {}
    headings = store.headings(calls)
    while some := list(islice(headings, WINDOW)):
        ids = tuple(
            call.call_id
            for call, about in some
            if everything or not why_not(rubric, call, duration_s=about.duration_s, language=about.language)
        )
        if not ids:
            continue
        current = {
            row["call_id"]: row["rubric_hash"]
            for row in store.query(_CURRENT_SQL, [rubric.id, scorer, list(ids)])
        }
        for old_hash in set(current.values()) - set(same):
            same[old_hash] = _same(store, old_hash, rubric)
        scored = store.scorecards(CallFilter(call_ids=ids, rubric=rubric.id))
        before = {card.call_id: card for card in scored}
        kept = {i: _kept(before[i], same[old_hash], rubric) for i, old_hash in current.items()}
        count = sum(1 for _ in rubric.criteria())
        settled = {i: answers for i, answers in kept.items() if len(answers) == count}
        open_ = tuple(i for i in ids if i not in settled)
        yield _Window(
            before,
            [score.Answered(i, kept[i], before[i].warnings, scorer) for i in settled],
            [
                (calls, {i: kept[i] for i in calls.ids if i in kept})
                for read_together in store.stored(CallFilter(call_ids=open_))
                for calls in read_together.parts(part)
            ],
        )


def _same(store: Store, old_hash: str, rubric: Rubric) -> frozenset[str]:
    """Criteria that another stored text of the rubric asks in the same way."""
    rows = store.query("SELECT source FROM rubrics WHERE rubric_hash = ?", [old_hash])
    try:
        old = parse(rows[0]["source"] or "", "stored rubric") if rows else None
    except RubricError:  # written for another version of callqa
        return frozenset()
    return same_criteria(old, rubric) if old is not None and old.hash == old_hash else frozenset()


def _kept(before: Scorecard, same: frozenset[str], rubric: Rubric) -> Answers:
    """The answers a call keeps, with the new weights."""
    old = {a.id: a for a in before.answers}
    return {
        c.id: replace(old[c.id], weight=c.weight, critical=c.critical)
        for c in rubric.criteria()
        if c.id in same and c.id in old
    }


def _answer(
    asked: Asked,
    *,
    rubric: Rubric,
    matcher: Matcher,
    min_confidence: float,
    judge: LanguageModel | None = None,
) -> list[score.Answered]:
    """Answer what is not known of some calls."""
    if rubric.by_meaning():
        _load_parser_alone()
    calls, known = asked
    batch = [(about, spoken, known.get(about.call_id, {})) for about, spoken in read.nouns(calls)]
    return score.answers(batch, rubric, min_confidence=min_confidence, matcher=matcher, judge=judge)


@cache
def _load_parser_alone() -> None:
    with without_torch(), suppress(ModelError):  # the matcher will say so
        matching.load_parser()


Answering = Callable[[Asked], Callable[[], list[score.Answered]]]
"""Begins to answer, and gives what waits for the answers."""


@contextmanager
def _answering(
    rubric: Rubric, matcher: Matcher, min_confidence: float, processes: int, judge: LanguageModel | None
) -> Iterator[Answering]:
    """What answers: this process, or others, each with a matcher of its own."""
    if processes <= 1:
        here = partial(_answer, rubric=rubric, matcher=matcher, min_confidence=min_confidence, judge=judge)
        yield lambda asked: partial(here, asked)
        return
    start = (rubric.text, rubric.source, min_confidence)
    pool = ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, start)
    try:
        yield lambda asked: pool.submit(_answer_there, asked).result
    finally:
        pool.shutdown(cancel_futures=True)


_worker: Callable[[Asked], list[score.Answered]] | None = None


def _start_worker(text: str, source: str, min_confidence: float) -> None:
    global _worker
    leave_with_parent()
    threadpool_limits(1, user_api="blas")
    _worker = partial(
        _answer, rubric=parse(text, source), matcher=matching.load_matcher(), min_confidence=min_confidence
    )


def _answer_there(asked: Asked) -> list[score.Answered]:
    assert _worker is not None
    with no_collections():
        return _worker(asked)


def _in_order(
    windows: Iterable[_Window], answer: Answering
) -> Iterator[tuple[_Window, list[score.Answered]]]:
    """Windows with their answers, in order; the next is read and handed out while one is waited for."""
    waiting: deque[tuple[_Window, list[Callable[[], list[score.Answered]]]]] = deque()
    for window in chain(windows, [None]):
        if window is not None:
            waiting.append((window, [answer(asked) for asked in window.asked]))
        while len(waiting) > (window is not None):
            first, parts = waiting.popleft()
            yield first, [one for part in parts for one in part()]


def _changes(before: Scorecard, after: Scorecard) -> tuple[str, ...]:
    """Criteria whose answer is another, those that decide the outcome first."""
    old = {a.id: a for a in before.answers}
    changed = [(a, old.get(a.id)) for a in after.answers if _told(old.get(a.id)) != a.answer]
    changed.sort(key=lambda pair: (not pair[0].critical, -pair[0].weight))
    told = [f"{a.id}: {_told(b)} → {a.answer}" + (f" ({a.reason})" if a.reason else "") for a, b in changed]
    gone = sorted(set(old) - {a.id for a in after.answers})
    told += [f"{name}: no longer asked" for name in gone]
    if not told and before.final_score != after.final_score:
        told.append("same answers, other weights")
    if not told and before.pass_mark != after.pass_mark:
        told.append(f"pass mark {before.pass_mark} → {after.pass_mark}")
    return tuple(told)


def _told(answer: CriterionAnswer | None) -> str:
    return "not asked" if answer is None else answer.answer
