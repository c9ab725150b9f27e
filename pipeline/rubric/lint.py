"""Warnings about a valid rubric that probably does not do what its author meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from pipeline.conversation import FINDING_KINDS, LISTED_FINDINGS
from pipeline.rubric import checks as kinds
from pipeline.rubric.checks import PhraseCheck, Window, parts
from pipeline.rubric.model import Criterion, HeardFinding, Rubric
from pipeline.text.language import LISTED

KNOWN = ", ".join(sorted(FINDING_KINDS))
LISTED_METRICS = {"greeting_s": "greeting", "has_greeting": "greeting", "has_closing": "closing"}
"""The findings from which metrics are counted."""
LONG_CALL_S = 360.0
"""Six minutes, a long call by Calabrio's default: a longer window rarely excludes anything."""
BRIEF_S = 5.0
NEVER_MET_SQL = (
    "SELECT criterion_id, count(*) FILTER (answer = 'yes') AS met FROM answers AS a "
    "JOIN scorecards AS s USING (call_id, rubric_hash) WHERE s.rubric_id = ? AND s.is_latest "
    "GROUP BY criterion_id HAVING count(*) FILTER (answer IN ('yes', 'no')) >= 20"
)
"""How often each criterion was answered yes, if at least 20 stored calls answer it yes or no."""
TYPICAL_SQL = "SELECT median(duration_s) AS s FROM calls WHERE duration_s IS NOT NULL"
NO_JUDGE = "asks a judge, and no settings here name one ([judge] url): it will stay undetermined"
COMMON = 0.05
"""Probability in an ordinary call from which a phrase is too common: one call in twenty."""
Chance = Callable[[str, str, float | None], float]
"""Probability of a phrase in an ordinary call, by phrase, ``match`` and seconds (``matching.chance``)."""


def lint(
    rubric: Rubric, typical_s: float | None = None, chance: Chance | None = None, *, judged: bool = True
) -> list[str]:
    """Warnings about a rubric.

    Args:
        rubric: The rubric.
        typical_s: Length of a typical stored call (``TYPICAL_SQL``); None where no calls are stored.
        chance: How likely a phrase is in an ordinary call; None to leave out these warnings.
        judged: Whether the settings name a language model for checks of the kind ``judge``.
    """
    warnings = (w for c in rubric.criteria() for w in _criterion(rubric, c, typical_s))
    common = too_common(rubric, chance) if chance is not None else []
    unasked = [] if judged else [f"{name}: {NO_JUDGE}" for name in rubric.judged()]
    return [*_weights(rubric), *warnings, *unasked, *common, *_form(rubric)]


@dataclass(frozen=True)
class CriterionPhrase:
    """A phrase of a criterion, with the check it is in."""

    criterion: str
    text: str
    check: PhraseCheck

    @property
    def seconds(self) -> float | None:
        """Length of the window it is searched in; None if the window is not given in seconds."""
        window = self.check.window
        limits = [window.first_s, window.last_s] if window else []
        return min((s for s in limits if s is not None), default=None)

    @property
    def alone(self) -> PhraseCheck:
        """The check with only this phrase."""
        return self.check.model_copy(update={"any": (self.text,), "all": (), "at_least": 1})


def phrases(rubric: Rubric) -> Iterator[CriterionPhrase]:
    """Every phrase of a rubric except those of conditions and counter-examples, in the order of the form."""
    for criterion in rubric.criteria():
        checks = [criterion.check] if criterion.check else [level.check for level in criterion.levels]
        for check in (part for outer in checks for part in parts(outer, PhraseCheck)):
            for text in (*check.any, *check.all):
                named = text.replace("{company}", rubric.company[0]) if rubric.company else text
                yield CriterionPhrase(criterion.id, named, check)


def too_common(rubric: Rubric, chance: Chance) -> list[str]:
    """Warnings about phrases that are too likely in ordinary calls, with advice; ordinary talk is English."""
    if "en" not in rubric.spoken:
        return []
    return [
        f"{one.criterion}: “{one.text}” is said in {100 * rate:.0f} of 100 ordinary calls; {advice(one)}"
        for one in phrases(rubric)
        if (rate := chance(one.text, one.check.match, one.seconds)) >= COMMON
    ]


def advice(one: CriterionPhrase) -> str:
    """What to do about a phrase that is too common."""
    if one.check.negate:
        return "so many calls fail for it: name the bad words more fully, or say in `unless` what is harmless"
    if one.seconds is None:
        return "give it a window where the act belongs (first_s, last_s), or a longer wording"
    return "give it a longer wording, or a narrower window"


def never_met(rubric: Rubric, met: Mapping[str, int]) -> list[str]:
    """Warnings about criteria that no stored call has met; ``met`` has the counts of ``NEVER_MET_SQL``."""
    return [
        f"{c.id}: none of the stored calls has ever met it; are its phrases what agents say?"
        for c in rubric.criteria()
        if met.get(c.id) == 0
    ]


def _weights(rubric: Rubric) -> Iterator[str]:
    for section in rubric.sections:
        if rubric.mode == "question" and section.weight != 1:
            yield f"section {section.id}: its weight does nothing in mode question"
        if rubric.mode != "question" and section.weight == 0:
            yield f"section {section.id}: with weight 0 nothing in it changes the score"
        for criterion in section.criteria:
            if rubric.mode == "points" and criterion.weight != 1:
                yield f"{criterion.id}: its weight does nothing in mode points; give it points"
            if rubric.mode != "points" and criterion.counts == "score" and criterion.points != 1:
                yield f"{criterion.id}: its points do nothing in mode {rubric.mode}; give it a weight"
            if rubric.mode != "points" and criterion.counts == "score" and criterion.weight == 0:
                yield f"{criterion.id}: with weight 0 it never changes the score; say counts: info"


def _criterion(rubric: Rubric, criterion: Criterion, typical_s: float | None) -> Iterator[str]:
    if rubric.auto_fail_of(criterion) is not None:
        yield from (f"{criterion.id}: {w}" for w in _unreliable(criterion))
    for kind in sorted(_finding_kinds(criterion) - FINDING_KINDS):
        yield f"{criterion.id}: callqa finds no {kind!r} unless your phrase lists do; it finds {KNOWN}"
    unlisted = ", ".join(sorted(rubric.spoken.difference(LISTED)))
    counted = {LISTED_METRICS.get(check.metric, "") for check in parts(criterion, kinds.MetricCheck)}
    for kind in sorted((_finding_kinds(criterion) | counted) & LISTED_FINDINGS) if unlisted else ():
        yield (
            f"{criterion.id}: callqa's phrase lists of {kind!r} are English and Urdu: in {unlisted} it finds "
            "none by them, and what your own lists (annotate.phrases) do not find either is undetermined; "
            "ask for the words instead"
        )
    unparsed = ", ".join(sorted(rubric.spoken - {"en"}))
    if unparsed and _is_parsed(criterion):
        yield (
            f"{criterion.id}: lemma and token patterns know only English: speech in {unparsed} is not "
            "searched by them; give every form of the words with match: exact"
        )
    for check in criterion.checks():
        if isinstance(check, PhraseCheck):
            yield from (f"{criterion.id}: {w}" for w in _phrases(check))
        window = getattr(check, "window", None)
        if window is not None:
            yield from (f"{criterion.id}: {w}" for w in _window(window, typical_s))
        if isinstance(check, kinds.PluginCheck) and not entry_points(group=kinds.PLUGINS, name=check.name):
            yield f"{criterion.id}: its plugin {check.name!r} is not installed here"
        if isinstance(check, kinds.AllCheck) and any(isinstance(c, kinds.ManualCheck) for c in check.checks):
            yield f"{criterion.id}: with a manual part no call can ever meet it"


def _finding_kinds(criterion: Criterion) -> set[str]:
    """Kinds of findings that its conditions and checks ask for."""
    in_conditions = {finding.kind for finding in parts(criterion, HeardFinding)}
    return in_conditions | {check.finding for check in parts(criterion, kinds.FindingCheck)}


def _is_parsed(criterion: Criterion) -> bool:
    """Whether a check goes by lemmas or token patterns."""
    return any(
        isinstance(check, kinds.TokenCheck) or getattr(check, "match", "") == "lemma"
        for check in criterion.checks()
    )


def _unreliable(criterion: Criterion) -> Iterator[str]:
    """Warnings about checks that are not reliable enough for an auto-fail."""
    for check in [criterion.check, *(level.check for level in criterion.levels)]:
        if isinstance(check, kinds.SentimentCheck):
            yield "auto-fail on sentiment, which is an estimate; use it as evidence, or counts: info"
        if isinstance(check, PhraseCheck) and check.match == "meaning":
            yield "auto-fail on phrases by meaning, which errs now and then; prefer match: fuzzy"
        if isinstance(check, kinds.JudgeCheck):
            yield "auto-fail on a language model's answer, which errs; prefer phrases with match: fuzzy"
        if isinstance(check, kinds.PluginCheck):
            yield f"auto-fail on the plugin {check.name!r}; make sure it abstains when unsure"
        if isinstance(check, kinds.ManualCheck):
            yield "auto-fail on a manual check fires only after a person has answered"


def _phrases(check: PhraseCheck) -> Iterator[str]:
    spoken = {p: f" {' '.join(p.casefold().split())} " for p in check.any}
    for phrase, words in spoken.items():
        for other, longer in spoken.items():
            if phrase != other and words in longer and check.match == "exact":
                yield f"“{other}” is never needed: “{phrase}” already matches it"
        if check.match in ("fuzzy", "meaning") and len(words.strip()) < 5 and not check.negate:
            yield f"“{phrase}” is too short to be matched loosely; use match: exact"
    if len({w.strip() for w in spoken.values()}) < len(spoken):
        yield "a phrase is given twice"
    excluded = {f" {' '.join(p.casefold().split())} " for p in check.unless}
    for phrase in [phrase for phrase, words in spoken.items() if words in excluded]:
        yield f"“{phrase}” is both a phrase and a counter-example (any, unless): one of them is never heard"


def _window(window: Window, typical_s: float | None) -> Iterator[str]:
    limit, whose = typical_s or LONG_CALL_S, "half of the stored calls" if typical_s else "most calls"
    for name in ("first_s", "last_s"):
        value = getattr(window, name)
        if value is not None and value > limit:
            yield f"{name}: {value:g} is longer than {whose} ({limit:.0f} s), so it excludes little"
        if value is not None and value < BRIEF_S:
            yield f"{name}: {value:g} is shorter than a sentence takes"
    if window.first_s is not None and window.last_s is not None:
        yield "first_s and last_s together leave nothing in calls longer than both"


def _form(rubric: Rubric) -> Iterator[str]:
    if not rubric.tests:
        yield "no tests: add a dialogue that passes and one that fails under `tests:`"
    tested = {name for case in rubric.tests for name in case.expect}
    missing = [c.id for c in rubric.criteria() if c.id not in tested and not _needs_sound(c)]
    if rubric.tests and missing:
        yield f"no test expects an answer to {', '.join(missing)}"
    if rubric.pass_mark is None:
        yield "no pass_mark: every scored call without an auto-fail passes"


def _needs_sound(criterion: Criterion) -> bool:
    """Whether a criterion has a check that a written dialogue cannot test."""
    kinds: set[Any] = {getattr(c, "kind", "") for c in criterion.checks()}
    return bool(kinds & {"sentiment", "event", "metric", "manual", "plugin", "language", "finding", "judge"})
