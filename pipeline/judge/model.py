"""The judge: asks a language model each question twice, keeps the answers and counts what they cost."""

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
from pipeline.judge import kept as kept_answers
from pipeline.judge import prompt, reply
from pipeline.judge.endpoint import AwayError, Endpoint, TooLongError
from pipeline.judge.kept import KeptAnswer
from pipeline.judge.standins import FindNames, Sent, neutral
from pipeline.rubric.judging import Judged, Question, Quoted
from pipeline.settings import JudgeSettings

LASTING = frozenset({"answered", "unsure", "unquoted", "invented", "differs"})
"""Results that are kept, since asking again would give them again."""
UNKNOWN = "it is not known here how far people agree with it"
AWAY_AFTER = 3
"""After this many failed requests in a row, no more are made in this run."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """A question with the turns as sent to the model, both prompts, and the key of its kept answer."""

    question: Question
    sent: tuple[Sent, ...]
    prompts: tuple[list[dict[str, str]], list[dict[str, str]]]
    key: str


class LanguageModel:
    """A language model at an endpoint, as judge.

    Args:
        settings: Must have a ``url``.
        folder_of: Gives the folder of a call's results by call id, where answers are kept; None to keep none.
        find_names: Finds what may be a name in a text.
        standings: By rubric and criterion id, why the answers do not count yet; "" if they count.
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
        self._closed = ""  # the reason why nothing more is asked in this run
        self._failed = self._calls = 0
        self._seconds = self._began = 0.0
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Future[None]] | None = None

    def standing(self, rubric_id: str, criterion_id: str) -> str:
        """Why answers to a criterion are only suggestions so far; "" if they count."""
        return "" if self._settings.trust == 0 else self._standings.get((rubric_id, criterion_id), UNKNOWN)

    def spent(self, call_id: str) -> tuple[StageRun, ...]:
        """What the questions of a call cost; a second call returns nothing."""
        return tuple(self._spent.pop(call_id, ()))

    def leave(self) -> None:
        """Ask nothing more, because the run is being ended."""
        self._closed = self._closed or "the run was ended"
        if self._running is not None:
            loop, work = self._running
            loop.call_soon_threadsafe(work.cancel)

    def ask(self, questions: Sequence[Question]) -> list[Judged]:
        """One answer per question, in order; it is undetermined where the endpoint fails."""
        sent: dict[object, tuple[Sent, ...]] = {}
        asking = [self._asking(question, sent) for question in questions]
        answers: dict[int, Judged] = {}
        self._began = time.monotonic()
        with ThreadPoolExecutor(1, "judge") as thread:  # this thread may already have a running event loop
            try:
                thread.submit(asyncio.run, self._ask_all(asking, answers)).result()
            except BaseException:  # Ctrl-C, while the thread waits
                self.leave()
                raise
        self._seconds += time.monotonic() - self._began
        return [answers[n] if n in answers else _not_asked(self._closed) for n in range(len(asking))]

    def _asking(self, question: Question, sent: dict[object, tuple[Sent, ...]]) -> _Asking:
        """A question ready to be asked; ``sent`` caches the turns without names for other questions."""
        names = {name: getattr(question, name) for name in ("people", "references", "companies")}
        same_turns = question.turns, *names.values()
        if same_turns not in sent:
            sent[same_turns] = tuple(neutral(question.turns, self._find_names, **names))
        turns = sent[same_turns]
        prompts = [prompt.messages(question.check, turns, turned=turned) for turned in (False, True)]
        body = [prompt.REVISION, self.model, prompts]
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
        return _Asking(question, turns, (prompts[0], prompts[1]), key)

    async def _ask_all(self, asking: Sequence[_Asking], answers: dict[int, Judged]) -> None:
        """Ask all questions; those of a call one after another, as the server caches the call's text."""
        gate = asyncio.Semaphore(self._settings.at_once)

        async def ask_call(endpoint: Endpoint, indices: Sequence[int]) -> None:
            for n in indices:
                async with gate:
                    answers[n] = await self._answer(endpoint, asking[n])

        async def ask_calls() -> None:
            async with Endpoint(self._settings) as endpoint:
                if self._identity is None and not self._closed:
                    try:
                        self._identity = await endpoint.identity()
                    except AwayError as error:
                        self._closed = error.reason
                calls = groupby(range(len(asking)), key=lambda n: asking[n].question.call_id)
                await asyncio.gather(*[ask_call(endpoint, list(indices)) for _, indices in calls])

        work = asyncio.ensure_future(ask_calls())
        self._running = asyncio.get_running_loop(), work
        try:
            await work
        except asyncio.CancelledError:
            if not self._closed:
                raise
        finally:
            self._running = None

    async def _answer(self, endpoint: Endpoint, asking: _Asking) -> Judged:
        """The kept answer to a question or a new one, with its quotes as places in the transcript."""
        sent_of = {sent.turn.turn: sent for sent in asking.sent}
        folder = self._folder_of(asking.question.call_id) if self._folder_of else None
        kept = kept_answers.find(folder, asking.key, self._identity) if folder else None
        if kept and any(not _fits(quote, sent_of) for quote in kept.judged.quotes):
            kept = None  # damaged
        answer = kept or await self._ask_twice(endpoint, asking)
        if folder and kept is None and answer.judged.result in LASTING:
            kept_answers.keep(folder, asking.key, self._identity or "", answer)
        self._count(asking.question, answer, asked=0 if kept else answer.calls)
        quotes = []
        for quote in answer.judged.quotes:
            start, end = sent_of[quote.turn].original(quote.start, quote.end)
            quotes.append(replace(quote, start=start, end=end))
        return replace(answer.judged, quotes=tuple(quotes))

    async def _ask_twice(self, endpoint: Endpoint, asking: _Asking) -> KeptAnswer:
        """Ask with both prompts, whose examples and answers are in opposite order; both must agree."""
        needed = max(map(prompt.estimated_tokens, asking.prompts)) + prompt.MAX_ANSWER_TOKENS
        context = self._settings.context_tokens
        if needed > context:
            reason = f"about {needed} tokens with the answer, and the model reads {context}"
            return KeptAnswer(_too_long(reason))
        if self._budget_used():
            reason = "the budget of a run is used up (judge.budget_calls, budget_s)"
            return KeptAnswer(_not_asked(reason, "budget"))
        self._calls += 2  # at once: an answer to one prompt alone would be thrown away
        first = await self._ask_once(endpoint, asking, asking.prompts[0])
        if first.judged.answer == "undetermined":
            self._calls -= 2 - first.calls
            return first
        second = await self._ask_once(endpoint, asking, asking.prompts[1])
        both = replace(
            first,
            seconds=first.seconds + second.seconds,
            calls=first.calls + second.calls,
            prompt_tokens=first.prompt_tokens + second.prompt_tokens,
            answer_tokens=first.answer_tokens + second.answer_tokens,
        )
        if second.judged.result not in LASTING or second.judged.result == "invented":
            return replace(both, judged=second.judged)
        if second.judged.answer != first.judged.answer:
            reason = "the judge answers otherwise when it is asked again"
            return replace(both, judged=reply.undecided("differs", reason))
        quotes = dict.fromkeys((*first.judged.quotes, *second.judged.quotes))
        return replace(both, judged=replace(first.judged, quotes=tuple(quotes)))

    def _budget_used(self) -> bool:
        """Whether this run may not ask one more question, which takes two requests."""
        waited_s = self._seconds + time.monotonic() - self._began
        return self._calls + 2 > self._settings.budget_calls or waited_s >= self._settings.budget_s

    async def _ask_once(self, endpoint: Endpoint, asking: _Asking, chat: list[dict[str, str]]) -> KeptAnswer:
        """The answer to one prompt; undetermined if there is none."""
        if self._closed:
            return KeptAnswer(_not_asked(self._closed))
        started = time.monotonic()
        try:
            written = await endpoint.chat(chat, prompt.SCHEMA, prompt.MAX_ANSWER_TOKENS)
        except TooLongError:
            return KeptAnswer(_too_long("the server says so"), calls=1)
        except AwayError as error:
            self._failed += 1
            if not error.only_this or self._failed >= AWAY_AFTER:
                self._closed = self._closed or error.reason
            return KeptAnswer(_not_asked(error.reason), time.monotonic() - started, 1)
        self._failed = 0
        judged = reply.read(written.content, asking.question.check, asking.sent)
        if judged.result == "malformed" and written.cut:
            judged = replace(judged, reason=f"the judge was cut off after {prompt.MAX_ANSWER_TOKENS} tokens")
        seconds = time.monotonic() - started
        return KeptAnswer(judged, seconds, 1, written.prompt_tokens, written.answer_tokens)

    def _count(self, question: Question, answer: KeptAnswer, *, asked: int) -> None:
        """Record what an answer cost; ``asked`` is the number of requests made for it in this run."""
        stage = ("judge", self.fingerprint, prompt.REVISION, self.model, round(answer.seconds, 3))
        criterion = (question.rubric_id, question.criterion_id)
        cost = (answer.calls, answer.prompt_tokens, answer.answer_tokens)
        run = StageRun(*stage, *criterion, *cost, answer.judged.result, asked)
        self._spent.setdefault(question.call_id, []).append(run)


def fingerprint(settings: JudgeSettings) -> str:
    """Changes whenever an answer could change, unless the server has another model under the same name."""
    return f"{prompt.REVISION}:{settings.model}"


def _fits(quote: Quoted, sent_of: Mapping[int, Sent]) -> bool:
    """Whether the place of a kept quote exists in the text as sent now."""
    return quote.turn in sent_of and 0 <= quote.start < quote.end <= len(sent_of[quote.turn].text)


def _not_asked(why: str, result: str = "away") -> Judged:
    return reply.undecided(result, f"the judge could not be asked: {why or 'it did not answer'}")


def _too_long(why: str) -> Judged:
    return reply.undecided(
        "too_long",
        f"too long for the judge ({why}): give the check a window, or raise judge.context_tokens "
        "and what the server allows",
    )
