"""Evaluates checks of words: searches the window and decides yes, no or undetermined.

If the words of the role may be missing or wrong in the transcript, a miss is undetermined, never a no.
``score`` is given the matcher (``rubric.queries.Matcher``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import LISTED_FINDINGS, TIMING_FINDINGS, Answer, Evidence, Finding, Role, Searched
from pipeline.rubric.checks import Anchor, FindingCheck, PhraseCheck, SearchCheck, Window
from pipeline.rubric.queries import Found, Query, TooSlowError
from pipeline.score.call import Call
from pipeline.score.timeline import Speech, TimelineSpan
from pipeline.score.verdict import Verdict
from pipeline.text.language import LISTED

QUOTE_CHARACTERS = 240
UNSURE_SHARE = 0.5
"""Share of the threshold from which a candidate makes the answer undetermined instead of a no."""
WORTH_SHOWING = 0.05
"""Strength below which the nearest candidate is so unlike that showing it would only confuse people."""
OTHER_PHRASES = "which the rubric's phrases are not"
ENGLISH_PARSER = "and lemma and token patterns know only English"
MOST_FOREIGN = 0.2
"""Share of the speech in languages that the rubric does not have, from which a miss is undetermined."""
SURE_OF_ROLES = 0.6
"""Confidence in who the agent is, below which neither a miss nor a forbidden phrase is certain."""


@dataclass(frozen=True, slots=True)
class PhraseHit:
    """A match: its place on the timeline, its turn, and whether recognition or roles are unsure there.

    ``struck``: only a counter-example keeps it from counting.
    """

    place: float
    turn: int
    evidence: Evidence
    weak: bool
    struck: bool = False


@dataclass(frozen=True, slots=True)
class PhraseHits:
    """What a check of words found.

    Attributes:
        hits: The matches that count, in order of time.
        nearest: The best candidate that does not count.
        unsure: Why a miss is undetermined, or "".
        absent: Why there is no window to search (its anchor was not heard), or "".
        maybe: Number of candidates that are too weak for a yes and too strong for a no.
        invented: Whether recognition was so poor that all words searched may be invented.
        near: All candidates that do not count.
    """

    hits: tuple[PhraseHit, ...]
    nearest: Evidence | None
    searched: Searched
    unsure: str = ""
    absent: str = ""
    maybe: int = 0
    invented: bool = False
    near: tuple[PhraseHit, ...] = ()


def answer_words(call: Call, check: SearchCheck) -> Verdict:
    """The verdict of a check of words, by how often it wants to hear them."""
    heard = find_words(call, check)
    evidence = tuple(sorted((h.evidence for h in heard.hits), key=lambda e: -e.strength))

    def given(answer: Answer, reason: str) -> Verdict:
        nearest = heard.nearest if answer != "yes" else None
        return Verdict(answer, None, evidence, heard.searched, nearest, reason)

    if heard.absent:
        return given("undetermined" if heard.unsure else "na", heard.absent)
    firm = 0 if heard.invented else sum(not hit.weak for hit in heard.hits)
    count = len(heard.hits)
    perhaps = "may be what is asked, but is not near enough to be sure"
    if check.negate or check.at_most is not None:
        limit = check.at_least - 1 if check.at_most is None else check.at_most
        if firm > limit:
            return given("no", f"heard {count} times" if limit else "heard, and should not be")
        if count > limit:
            return given("undetermined", "heard only where recognition is weak")
        if count + heard.maybe > limit:
            return given("undetermined", f"what was heard {perhaps}")
    wanted = 0 if check.negate else check.at_least
    if heard.invented and firm < wanted:
        return given("undetermined", heard.unsure)
    if count < wanted:
        if heard.unsure:
            return given("undetermined", heard.unsure)
        if count + heard.maybe >= wanted:
            return given("undetermined", f"the nearest {perhaps}")
        return given("no", "not heard" if not count else f"heard {count} of {wanted} times")
    if not wanted and heard.unsure:
        return given("undetermined", heard.unsure)
    return given("yes", "" if count else "not heard")


def find_words(call: Call, check: SearchCheck) -> PhraseHits:
    """Search a call for what a check of words asks for."""
    span, absent, unsure = bounds(call, check.window)
    searched = _searched(call, check, span)
    if absent:
        return PhraseHits((), None, searched, unsure, absent)
    if isinstance(check, FindingCheck):
        return _find_findings(call, check, span, searched)
    missing = role_missing(call, check.role)
    if missing:
        return PhraseHits((), None, searched, missing)
    floor = call.min_confidence if check.min_confidence is None else check.min_confidence
    queries = call.plan.queries(check)
    only = _only(queries)
    speech = call.timeline.speech(check.role, span, only)
    searched = replace(searched, turns=speech.turns)
    try:
        every = check.at_least > 1 or check.at_most is not None
        found = [_search(call, query, speech, span, floor, check.role, every=every) for query in queries]
    except TooSlowError as error:
        return PhraseHits((), None, searched, f"the regular expression {error.pattern!r} takes too long")
    hits = [hit for counting, _ in found for hit in counting]
    near = [hit for _, others in found for hit in others]
    missed = [query for query, (counting, _) in zip(queries, found, strict=True) if not counting]
    by_somebody = _by_somebody(call, missed, span, floor, check.role)
    if not all(counting for counting, _ in found):
        near, hits = near + hits, []
    best = max(near, key=lambda h: h.evidence.strength, default=None)
    other_language = invented_words(call)
    threshold = min(query.threshold for query in queries)
    doubts = (
        roles_unsure(call, check.role),
        other_language,
        in_other_languages(speech, OTHER_PHRASES if only is None else ENGLISH_PARSER),
        _why_unsure(speech, floor, best, threshold),
        _maybe_unheard(call, check.role),
        "" if by_somebody is None else f"said by somebody who may be the {check.role} or not",
    )
    unsure = next(filter(None, doubts), "")
    ordered = tuple(sorted(hits, key=lambda h: (h.place, h.evidence.start_s or 0)))
    unsure_from = check.unsure_from if isinstance(check, PhraseCheck) else UNSURE_SHARE * threshold
    maybe = sum(threshold > h.evidence.strength >= unsure_from for h in near)
    # what a counter-example decided tells more than what comes nearest
    shown = by_somebody or next((hit for hit in near if hit.struck), best)
    nearest = shown.evidence if shown and not hits and shown.evidence.strength >= WORTH_SHOWING else None
    invented = bool(other_language or too_weak(speech, floor))
    return PhraseHits(ordered, nearest, searched, unsure, maybe=maybe, invented=invented, near=tuple(near))


def _only(queries: Sequence[Query]) -> frozenset[str] | None:
    """The languages in which queries can be answered, where these are not the rubric's."""
    return frozenset({"en"}) if any(query.method in ("lemma", "tokens") for query in queries) else None


def _search(
    call: Call,
    query: Query,
    speech: Speech,
    span: TimelineSpan,
    floor: float,
    role: str,
    *,
    every: bool = False,
) -> tuple[list[PhraseHit], list[PhraseHit]]:
    """The matches of a query in the window: those that count, and the candidates that do not.

    ``every``: they are counted, so that all matches of a turn matter and not only its strongest.
    """
    hits: list[PhraseHit] = []
    near: list[PhraseHit] = []
    unsure = bool(roles_unsure(call, role))
    matches = call.matcher.find(query, speech.texts)
    if every and query.method in ("fuzzy", "meaning"):
        matches += _others(call, query, speech.texts, matches)
    for found in matches:
        text, stretch = speech.texts[found.at], speech.stretches[found.at]
        offset, turn = stretch.turn_at(found.start)
        place = call.timeline.moment(turn, offset)
        if not span.low <= place <= span.high:
            continue
        start, end = (found.start, found.end) if found.end > found.start else (0, len(text))
        start_s, end_s = call.timeline.when(stretch, start, end)
        quote = text[start:end][:QUOTE_CHARACTERS]
        evidence = Evidence(turn.turn, turn.role, start_s, end_s, quote, found.rule, found.strength)
        weak = unsure or (turn.confidence is not None and turn.confidence < floor)
        hit = PhraseHit(place, turn.turn, evidence, weak, found.struck)
        (hits if found.strength >= query.threshold else near).append(hit)
    return hits, near


def _others(call: Call, query: Query, texts: Sequence[str], found: Sequence[Found]) -> list[Found]:
    """The matches in what is left of the texts before and after those already found, which are one a text."""
    others: list[Found] = []
    counted = [one for one in found if one.strength >= query.threshold]
    left = [span for one in counted for span in _beside(one, 0, len(texts[one.at]))]
    while left:
        again = call.matcher.find(query, [texts[at][low:high] for at, low, high in left])
        searched, left = left, []
        for one in again:
            if one.strength >= query.threshold:
                at, low, high = searched[one.at]
                placed = replace(one, at=at, start=low + one.start, end=low + one.end)
                others.append(placed)
                left += _beside(placed, low, high)
    return others


def _beside(found: Found, low: int, high: int) -> list[tuple[int, int, int]]:
    """What is left of the characters ``low`` to before ``high`` of a text: its number and both ends."""
    return [(found.at, low, found.start), (found.at, max(found.end, found.start + 1), high)]


def _by_somebody(
    call: Call, missed: Sequence[Query], span: TimelineSpan, floor: float, role: str
) -> PhraseHit | None:
    """The first match of what the role did not say among the words of speakers whose role is unknown."""
    if role == "any" or "unknown" not in call.timeline.roles:
        return None
    speech = call.timeline.speech("unknown", span, _only(missed))
    return next((hit for query in missed for hit in _search(call, query, speech, span, floor, role)[0]), None)


def _find_findings(call: Call, check: FindingCheck, span: TimelineSpan, searched: Searched) -> PhraseHits:
    """The findings of the annotator that a check asks for, in the window."""
    hits = []
    for finding in call.conversation.findings:
        if finding.kind != check.finding or (check.labels and finding.label not in check.labels):
            continue
        role, place = call.whereabouts(finding)
        if (check.role in ("any", role)) and span.low <= place <= span.high:
            hits.append(PhraseHit(place, finding.turn or 0, evidence_of(finding, role), weak=False))
    weak = unheard = ""
    if check.finding not in TIMING_FINDINGS:
        weak = too_weak(call.timeline.speech(check.role, span), call.min_confidence) or invented_words(call)
        unheard = _maybe_unheard(call, check.role)
    unsure = (
        role_missing(call, check.role) or weak or unheard or unlisted(call, check.finding, check.role, span)
    )
    ordered = tuple(sorted(hits, key=lambda h: h.place))
    return PhraseHits(ordered, None, searched, unsure, invented=bool(weak))


def evidence_of(finding: Finding, role: Role) -> Evidence:
    """A finding as evidence."""
    quote = finding.text or str(finding.value or finding.label)
    rule = f"{finding.kind}/{finding.label} ({finding.source})"
    return Evidence(finding.turn, role, finding.start_s, finding.end_s, quote[:QUOTE_CHARACTERS], rule)


def bounds(call: Call, window: Window | None) -> tuple[TimelineSpan, str, str]:
    """The span of a window; why there is none (its anchor was not heard), or ""; and if that is unsure."""
    span = call.timeline.span(window)
    if window is None:
        return span, "", ""
    reach = math.inf if window.within_s is None else call.timeline.length(window.within_s)
    for anchor, is_after in ((window.after, True), (window.before, False)):
        if anchor is None:
            continue
        places, unsure = _anchored(call, anchor)
        if not places:
            side = "after" if is_after else "before"
            return span, f"{anchor} was not heard, so there is nothing {side} it", unsure
        if is_after:
            span = span.cut(low=places[0], high=places[0] + reach)
        else:
            span = span.cut(low=places[-1] - reach, high=places[-1])
    return span, "", ""


def _anchored(call: Call, anchor: Anchor) -> tuple[list[float], str]:
    """The places of an anchor on the timeline, in order, and "undetermined" if that is not known."""
    if anchor.criterion is not None:
        answer = call.answers[anchor.criterion]
        unsure = "undetermined" if answer.answer == "undetermined" or answer.awaits == "people" else ""
        if answer.answer != "yes" or unsure:
            return [], unsure
        return sorted(call.place_of(e) for e in answer.evidence), unsure
    kind, _, label = (anchor.finding or "").partition("/")
    found = [f for f in call.conversation.findings if f.kind == kind and (not label or f.label == label)]
    return sorted(map(call.place_of, found)), unlisted(call, kind, "any", TimelineSpan())


def role_missing(call: Call, role: str) -> str:
    """Why there are no words of a role to search, or ""."""
    if role == "any" or role in call.timeline.roles:
        return ""
    if "unknown" in call.timeline.roles:
        return f"nobody in this transcript is known to be the {role}"
    return f"no {role} speaks in this transcript"


def roles_unsure(call: Call, role: str) -> str:
    """Why it is not certain whose words were searched, or ""."""
    sure = call.conversation.transcript.role_confidence
    if role == "any" or sure is None or sure >= SURE_OF_ROLES:
        return ""
    return f"who is the {role} is only {100 * sure:.0f} % sure"


def invented_words(call: Call) -> str:
    """Why the words of a call may be invented at any confidence (it is in another language), or ""."""
    return next(iter(call.conversation.transcript.said_of("other_language")), "")


def _maybe_unheard(call: Call, role: str) -> str:
    """Why words of a role may be missing from the transcript, or ""."""
    for doubt in call.conversation.transcript.doubts:
        if doubt.kind in ("too_quiet", "clipped") and (role == "any" or doubt.role in (None, role)):
            return doubt.said
    return ""


def too_weak(speech: Speech, floor: float) -> str:
    """Why recognition of some speech was too poor to decide anything, or ""."""
    if speech.confidence is None or speech.confidence >= floor:
        return ""
    return f"recognition is too weak to tell (confidence {speech.confidence:.2f}, needs {floor:.2f})"


def in_other_languages(speech: Speech, why: str) -> str:
    """That much of some speech is in languages not searched, and ``why`` not; "" where it is not much."""
    if speech.foreign < MOST_FOREIGN:
        return ""
    return f"{100 * speech.foreign:.0f} % of what was searched is in {', '.join(speech.languages)}, {why}"


def unlisted(call: Call, kind: str, role: str, span: TimelineSpan) -> str:
    """Why findings of a kind may be missing, or "": there are no phrase lists for much of the speech."""
    if kind not in LISTED_FINDINGS:
        return ""
    speech = call.timeline.speech(role, span, frozenset(LISTED))
    return in_other_languages(speech, f"for which callqa has no phrase lists of {kind}")


def _why_unsure(speech: Speech, floor: float, best: PhraseHit | None, threshold: float) -> str:
    """Why a miss is undetermined, or "": the speech was recognised too poorly."""
    weak = too_weak(speech, floor)
    if weak:
        return weak
    if best is not None and best.weak and best.evidence.strength >= UNSURE_SHARE * threshold:
        return "what comes nearest was recognised too weakly to tell"
    return ""


def _searched(call: Call, check: SearchCheck, span: TimelineSpan) -> Searched:
    timed = call.timeline.timed
    low = max(span.low, call.timeline.first if call.timeline.first < span.high else span.low)
    high = min(span.high, call.timeline.last)
    return Searched(
        what=call.plan.what(check),
        role=check.role,
        start_s=round(low, 2) if timed and math.isfinite(low) else None,
        end_s=round(high, 2) if timed and math.isfinite(high) else None,
    )
