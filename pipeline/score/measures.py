"""Evaluates checks of numbers and facts: metrics, sentiment, events, language, manual checks, plugins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import entry_points
from itertools import pairwise
from typing import Any

from pipeline.conversation import CallMetadata, Conversation, Evidence, Finding, Searched
from pipeline.errors import RubricError
from pipeline.rubric import checks as kinds
from pipeline.score.call import Call
from pipeline.score.phrase_checks import evidence_of, invented_words, too_weak
from pipeline.score.timeline import TimelineSpan
from pipeline.score.verdict import Verdict
from pipeline.text.language import code_of

MANUAL = "left to a person"
PERSON = "a person's judgement"
"""``Searched.what`` of manual checks, also once people have answered."""
WORD_METRICS = frozenset({
    "agent_words", "customer_words", "agent_wpm", "customer_wpm", "agent_questions", "customer_questions",
    "greeting_s", "has_greeting", "has_closing",
})  # fmt: skip
"""Metrics that depend on the words, not only on when they were said."""
Plugin = Callable[[Conversation, CallMetadata, dict[str, Any]], Verdict]
"""An entry point in the group ``callqa.checks``; it is given the options of the check in the rubric."""
PARTS = ("first_quarter", "second_quarter", "third_quarter", "last_quarter")


def metric(call: Call, check: kinds.MetricCheck) -> Verdict:
    """Whether a metric is within limits, or its share of the points on a curve."""
    searched = Searched(what=f"metric {check.metric}")
    value = call.conversation.metrics.get(check.metric)
    weak = too_weak(call.timeline.speech("any", TimelineSpan()), call.min_confidence) or invented_words(call)
    if weak and check.metric in WORD_METRICS:
        return Verdict("undetermined", searched=searched, reason=weak)
    if value is None:
        return Verdict(
            "undetermined", searched=searched, reason=f"{check.metric} cannot be told from this recording"
        )
    said = f"{check.metric} is {value:.4g}"
    if check.curve:
        share = _on_curve(value, check.curve)
        return replace(_measured(said, f"curve {list(check.curve)}", share >= 0.5, searched), share=share)
    holds = (check.min is None or value >= check.min) and (check.max is None or value <= check.max)
    return _measured(said, kinds.limits(check.min, check.max), holds, searched)


def sentiment(call: Call, check: kinds.SentimentCheck) -> Verdict:
    """Whether the sentiment of a role is within limits."""
    searched = Searched(what=f"{check.measure} sentiment, {check.part.replace('_', ' ')}", role=check.role)
    weak = too_weak(call.timeline.speech(check.role, TimelineSpan()), call.min_confidence) or invented_words(
        call
    )
    if weak:
        return Verdict("undetermined", searched=searched, reason=weak)
    felt = call.conversation.sentiment.get(check.role)
    value = None
    if felt is not None and check.part == "whole":
        value = {"mean": felt.score, "lowest": felt.lowest_score, "change": felt.change}[check.measure]
    elif felt is not None:
        quarter = PARTS.index(check.part)
        value = _lowest(call, check.role, quarter) if check.measure == "lowest" else felt.quarters[quarter]
    if value is None:
        return Verdict("undetermined", searched=searched, reason=f"no sentiment of the {check.role} there")
    holds = (check.min is None or value >= check.min) and (check.max is None or value <= check.max)
    said = f"{check.role} sentiment {value:+.2f}"
    return _measured(said, kinds.limits(check.min, check.max), holds, searched)


def _lowest(call: Call, role: str, quarter: int) -> float | None:
    timeline = call.timeline
    width = (timeline.last - timeline.first) / 4 or 1.0
    low, high = timeline.first + quarter * width, timeline.first + (quarter + 1) * width
    scores = [
        t.sentiment.score
        for t in timeline.turns
        if t.role == role and t.sentiment is not None and low <= timeline.moment(t, 0) <= high
    ]
    return min(scores, default=None)


def event(call: Call, check: kinds.EventCheck) -> Verdict:
    """Whether the number and length of silences, holds or overtalk are within limits."""
    searched = Searched(what=f"{check.event} longer than {check.longer_than_s:g} s")
    found = [
        f for f in call.conversation.findings if f.kind == check.event and _length(f) > check.longer_than_s
    ]
    if not found and not _can_be_found(call, check.event):
        return Verdict(
            "undetermined", searched=searched, reason=f"{check.event} cannot be told from this recording"
        )
    total = sum(map(_length, found))
    faults = []
    if check.at_least is not None and len(found) < check.at_least:
        faults.append(f"{len(found)} of at least {check.at_least}")
    if check.at_most is not None and len(found) > check.at_most:
        faults.append(f"{len(found)}, at most {check.at_most}")
    if check.total_at_most_s is not None and total > check.total_at_most_s:
        faults.append(f"{total:.0f} s in all, at most {check.total_at_most_s:g} s")
    evidence = [evidence_of(f, call.whereabouts(f)[0]) for f in sorted(found, key=_length, reverse=True)]
    reason = f"{check.event}: {'; '.join(faults)}" if faults else ""
    return Verdict("no" if faults else "yes", evidence=tuple(evidence[:5]), searched=searched, reason=reason)


def _length(finding: Finding) -> float:
    if isinstance(finding.value, int | float):
        return float(finding.value)
    return float((finding.end_s or 0) - (finding.start_s or 0))


def _can_be_found(call: Call, kind: str) -> bool:
    """Whether such events would have been found: not in chats, and no overtalk in mono recordings."""
    if not call.timeline.timed:
        return False
    return kind != "overtalk" or call.conversation.transcript.channels != 1


def language(call: Call, check: kinds.LanguageCheck) -> Verdict:
    """Whether all turns of a role are in an allowed language."""
    allowed = set(map(code_of, check.allowed))
    searched = Searched(what=f"language one of {', '.join(check.allowed)}", role=check.role)
    turns = [t for t in call.timeline.turns if check.role in ("any", t.role)]
    known = [(t, code_of(t.language or call.conversation.transcript.language or "")) for t in turns]
    heard = [(t, code) for t, code in known if code]
    if not heard:
        return Verdict("undetermined", searched=searched, reason="the language is not known")
    other = [(t, code) for t, code in heard if code not in allowed]
    evidence = tuple(
        Evidence(t.turn, t.role, t.start_s, t.end_s, t.text[:240], f"language {code}")
        for t, code in other[:5]
    )
    reason = f"{len(other)} turns in {', '.join(sorted({c for _, c in other}))}" if other else ""
    return Verdict("no" if other else "yes", evidence=evidence, searched=searched, reason=reason)


def manual(call: Call, check: kinds.ManualCheck) -> Verdict:
    """Always undetermined; a person's answer is one of the answers known before (``rescore``)."""
    return Verdict("undetermined", reason=MANUAL, searched=Searched(PERSON))


def plugin(call: Call, check: kinds.PluginCheck) -> Verdict:
    """The verdict of a check of another package.

    Raises:
        RubricError: The plugin is not installed, or does not return a ``Verdict``.
    """
    verdict = _plugin(check.name)(call.conversation, call.metadata, dict(check.options))
    if not isinstance(verdict, Verdict):
        raise RubricError(f"check plugin {check.name!r} returned {type(verdict).__name__}, not a Verdict")
    return verdict


@cache
def _plugin(name: str) -> Plugin:
    for point in entry_points(group=kinds.PLUGINS, name=name):
        found: Plugin = point.load()
        return found
    names = ", ".join(sorted(entry_points(group=kinds.PLUGINS).names)) or "none"
    raise RubricError(
        f"no check plugin {name!r} is installed", hint=f"installed in the group {kinds.PLUGINS}: {names}"
    )


def _measured(said: str, limits: str, holds: bool, searched: Searched) -> Verdict:
    evidence = Evidence(None, "unknown", None, None, said, limits)
    return Verdict(
        "yes" if holds else "no",
        evidence=(evidence,),
        searched=searched,
        reason="" if holds else f"{said}, wanted {limits}",
    )


def _on_curve(value: float, curve: tuple[tuple[float, float], ...]) -> float:
    """Linear interpolation between the points, constant beyond the first and the last.

    Not ``np.interp``, which misses the middle of some lines by a rounding: a yes from 0.5 became a no.
    """
    if value <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if value <= x1:
            return y0 + (y1 - y0) * (value - x0) / (x1 - x0)
    return curve[-1][1]


ANSWERED_BY: dict[type, Callable[[Call, Any], Verdict]] = {
    kinds.MetricCheck: metric,
    kinds.SentimentCheck: sentiment,
    kinds.EventCheck: event,
    kinds.LanguageCheck: language,
    kinds.ManualCheck: manual,
    kinds.PluginCheck: plugin,
}
"""The function that evaluates each kind of check."""
