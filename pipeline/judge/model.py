"""The judge: questions to answers, each asked twice, kept, counted, and never waited for without end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from pipeline.conversation import StageRun
from pipeline.judge import kept as answers
from pipeline.judge import prompt, reply
from pipeline.judge.endpoint import AwayError, Endpoint, TooLongError
from pipeline.judge.kept import Answered
from pipeline.judge.standins import FindNames, Sent, neutral
from pipeline.rubric.judging import Judged, Question, Quoted
from pipeline.settings import JudgeSettings

LASTING = frozenset({"answered", "unsure", "unquoted", "invented", "differs"})
"""What asking again would only repeat."""
UNKNOWN = "it is not known here how far people agree with it"
AWAY_AFTER = 3
"""So many requests in a row that fail each by themselves, and no more are made in this run."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question with its turns as they are sent, and both prompts."""

    question: Question
    sent: tuple[Sent, ...]
    prompts: tuple[list[dict[str, str]], list[dict[str, str]]]
    key: str


class LanguageModel:
    """A judge at an endpoint.

    Args:
        settings: With a ``url``.
        folder_of: The folder of a call's results, by call id, where answers are kept; None keeps nothing.
        find_names: Finds what may be a name in a text.
        standings: By rubric and criterion id, why its answers do not count yet, "" where they do.
    """

    def __init__(
        self,
        settings: JudgeSettings,
        folder_of: Callable[[str], Path] | None,
        find_names: FindNames,
        standings: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.model = settings.model
        self.fingerprint = fingerprint(settings)
        self._settings, self._folder_of, self._find_names = settings, folder_of, find_names
        self._standings = standings or {}
        self._spent: dict[str, list[StageRun]] = {}
        self._identity: str | None = None
        self._closed = ""  # why nothing more is asked in this run
        self._failed = self._calls = 0
        self._seconds = self._began = 0.0
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def standing(self, rubric_id: str, criterion_id: str) -> str:
        """Why answers to a criterion are only suggestions so far, or ""."""
        return "" if self._settings.trust == 0 else self._standings.get((rubric_id, criterion_id), UNKNOWN)

    def spent(self, call_id: str) -> tuple[StageRun, ...]:
        """What the questions of a call cost; told once."""
        return tuple(self._spent.pop(call_id, ()))

    def leave(self) -> None:
        """Ask nothing more: the run is being ended."""
        self._closed = self._closed or "the run was ended"
        if self._running is not None:
            loop, work = self._running
            loop.call_soon_threadsafe(work.cancel)

    def ask(self, questions: Sequence[Question]) -> list[Judged]:
        """One answer a question, in order; whatever happens at the endpoint."""
        sent: dict[object, tuple[Sent, ...]] = {}
        asking = [self._asking(question, sent) for question in questions]
        found: dict[int, Judged] = {}
        self._began = time.monotonic()
        with ThreadPoolExecutor(1, "judge") as thread:  # there may be a running loop in this one
            try:
                thread.submit(asyncio.run, self._ask_all(asking, found)).result()
            except BaseException:  # Ctrl-C, while the thread waits
                self.leave()
                raise
        self._seconds += time.monotonic() - self._began
        return [found[at] if at in found else _not_asked(self._closed) for at in range(len(asking))]

    def _asking(self, question: Question, done: dict[object, tuple[Sent, ...]]) -> _Asking:
        """A question ready to be asked; ``done`` has what was made of the same turns for others."""
        spoken = question.turns
        alike = spoken, question.people, question.references, question.companies
        if alike not in done:
            names = {name: getattr(question, name) for name in ("people", "references", "companies")}
            done[alike] = tuple(neutral(spoken, self._find_names, **names))
        sent = done[alike]
        ways = [prompt.messages(question.check, sent, turned=turned) for turned in (False, True)]
        body = [prompt.REVISION, self.model, ways]
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
        return _Asking(question, sent, (ways[0], ways[1]), key)

    async def _ask_all(self, asking: Sequence[_Asking], found: dict[int, Judged]) -> None:
        """All questions: those of one call after another, since the server keeps what it has read of it."""
        gate = asyncio.Semaphore(self._settings.at_once)

        async def one_call(endpoint: Endpoint, places: Sequence[int]) -> None:
            for at in places:
                async with gate:
                    found[at] = await self._one(endpoint, asking[at])

        async def everything() -> None:
            async with Endpoint(self._settings) as endpoint:
                await self._meet(endpoint)
                calls = groupby(range(len(asking)), key=lambda at: asking[at].question.call_id)
                await asyncio.gather(*[one_call(endpoint, list(places)) for _, places in calls])

        work = asyncio.ensure_future(everything())
        self._running = asyncio.get_running_loop(), work
        try:
            await work
        except asyncio.CancelledError:
            if not self._closed:
                raise
        finally:
            self._running = None

    async def _meet(self, endpoint: Endpoint) -> None:
        """Find out, once a run, which model answers."""
        if self._identity is None and not self._closed:
            try:
                self._identity = await endpoint.identity()
            except AwayError as error:
                self._closed = error.told

    async def _one(self, endpoint: Endpoint, asking: _Asking) -> Judged:
        places = {one.turn.turn: one for one in asking.sent}
        folder = self._folder_of(asking.question.call_id) if self._folder_of else None
        kept = answers.find(folder, asking.key, self._identity) if folder else None
        if kept and any(not _fits(quote, places) for quote in kept.judged.quotes):
            kept = None  # damaged
        found = kept or await self._fresh(endpoint, asking)
        if folder and kept is None and found.judged.result in LASTING:
            answers.keep(folder, asking.key, self._identity or "", found)
        self._count(asking.question, found, asked=0 if kept else found.calls)
        quotes = []
        for quote in found.judged.quotes:
            start, end = places[quote.turn].original(quote.start, quote.end)
            quotes.append(replace(quote, start=start, end=end))
        return replace(found.judged, quotes=tuple(quotes))

    async def _fresh(self, endpoint: Endpoint, asking: _Asking) -> Answered:
        """Asked twice, examples and answers in the opposite order: only what stays the same is an answer."""
        needed = max(prompt.estimated_tokens(way) for way in asking.prompts) + prompt.MAX_ANSWER_TOKENS
        if needed > self._settings.context_tokens:
            reason = (
                f"about {needed} tokens with the answer, and the model reads {self._settings.context_tokens}"
            )
            return Answered(_too_long(reason))
        first = await self._way(endpoint, asking, 0)
        if first.judged.answer == "undetermined":
            return first
        second = await self._way(endpoint, asking, 1)
        both = replace(
            first,
            seconds=first.seconds + second.seconds,
            calls=first.calls + second.calls,
            prompt_tokens=first.prompt_tokens + second.prompt_tokens,
            answer_tokens=first.answer_tokens + second.answer_tokens,
        )
        if second.judged.result in ("away", "budget", "invented"):
            return replace(both, judged=second.judged)
        if second.judged.answer != first.judged.answer:
            told = "the judge answers otherwise when it is asked again"
            return replace(both, judged=reply.undecided("differs", told))
        quotes = dict.fromkeys((*first.judged.quotes, *second.judged.quotes))
        return replace(both, judged=replace(first.judged, quotes=tuple(quotes)))

    async def _way(self, endpoint: Endpoint, asking: _Asking, way: int) -> Answered:
        """One request and what it says."""
        if self._closed:
            return Answered(_not_asked(self._closed))
        waited_s = self._seconds + time.monotonic() - self._began
        if self._calls >= self._settings.budget_calls or waited_s >= self._settings.budget_s:
            return Answered(
                _not_asked("the budget of a run is used up (judge.budget_calls, budget_s)", "budget")
            )
        self._calls += 1
        started = time.monotonic()
        try:
            told = await endpoint.chat(asking.prompts[way], prompt.SCHEMA, prompt.MAX_ANSWER_TOKENS)
        except TooLongError:
            return Answered(_too_long("the server says so"), calls=1)
        except AwayError as error:
            self._failed += 1
            if not error.one or self._failed >= AWAY_AFTER:
                self._closed = self._closed or error.told
            return Answered(_not_asked(error.told), time.monotonic() - started, 1)
        self._failed = 0
        judged = reply.read(told.content, asking.question.check, asking.sent)
        if judged.result == "malformed" and told.cut:
            judged = replace(judged, reason=f"the judge was cut off after {prompt.MAX_ANSWER_TOKENS} tokens")
        return Answered(judged, time.monotonic() - started, 1, told.prompt_tokens, told.answer_tokens)

    def _count(self, question: Question, found: Answered, *, asked: int) -> None:
        self._spent.setdefault(question.call_id, []).append(
            StageRun(
                "judge",
                self.fingerprint,
                prompt.REVISION,
                self.model,
                round(found.seconds, 3),
                question.rubric_id,
                question.criterion_id,
                found.calls,
                found.prompt_tokens,
                found.answer_tokens,
                found.judged.result,
                asked,
            )
        )


def fingerprint(settings: JudgeSettings) -> str:
    """Changes when an answer could, the model behind a name aside, which only the server can tell."""
    return f"{prompt.REVISION}:{settings.model}"


def _fits(quote: Quoted, places: Mapping[int, Sent]) -> bool:
    """Whether a quote kept from before lies in what is sent."""
    return quote.turn in places and 0 <= quote.start < quote.end <= len(places[quote.turn].text)


def _not_asked(why: str, result: str = "away") -> Judged:
    return reply.undecided(result, f"the judge could not be asked: {why or 'it did not answer'}")


def _too_long(why: str) -> Judged:
    return reply.undecided(
        "too_long",
        f"too long for the judge ({why}): give the check a window, or raise judge.context_tokens "
        "and what the server allows",
    )
