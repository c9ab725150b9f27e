"""The checks that a criterion can consist of: one pydantic model for each kind.

Together with ``model`` this is the language of rubrics; ``score`` evaluates the checks. Unknown keys are
refused everywhere, so that a misspelt key is an error and not a check that silently does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

SearchedRole = Literal["agent", "customer", "system", "any"]
PhraseText = Annotated[str, Field(min_length=1, max_length=500)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(gt=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
Times = Annotated[int, Field(ge=0)]
Turns = Annotated[int, Field(ge=1)]
Part = TypeVar("Part", bound="Strict")
Place = tuple[str | int, ...]
"""Path to a part of a rubric's YAML: keys of mappings and positions in lists."""

SLOTS = ("name", "amount", "date", "number", "company")
"""Slots that a phrase may have: "This is {name}", "you owe {amount}"."""
PLUGINS = "callqa.checks"
"""Entry point group in which other packages offer checks."""


class Strict(BaseModel):
    """Base of every part of a rubric: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class BaseCheck(Strict):
    """Base of every kind of check; ``met_when`` says in words for ``docs/rubrics.md`` when one is met."""

    met_when: ClassVar[str]


class Anchor(Strict):
    """A moment of the call: where another criterion was met, or where a finding was heard."""

    criterion: str | None = Field(None, description="id of another criterion: the place of its evidence")
    finding: str | None = Field(None, description="kind of a finding, or kind/label, e.g. risk/churn")

    @model_validator(mode="after")
    def _one(self) -> Anchor:
        if (self.criterion is None) == (self.finding is None):
            raise ValueError("give either criterion or finding")
        return self

    def __str__(self) -> str:
        return self.criterion or self.finding or ""


class Window(Strict):
    """The part of the call that is searched; every limit given must hold."""

    first_s: Seconds | None = Field(None, description="seconds from the first agent speech")
    last_s: Seconds | None = Field(None, description="seconds back from the end of the last speech")
    from_pct: Percent | None = Field(None, description="percent of the call")
    to_pct: Percent | None = Field(None, description="percent of the call")
    first_turns: Turns | None = Field(None, description="turns from the first of the agent")
    last_turns: Turns | None = Field(None, description="turns back from the last")
    after: Anchor | None = None
    before: Anchor | None = None
    within_s: Seconds | None = Field(None, description="how far from `after` or `before`, in seconds")

    @model_validator(mode="after")
    def _sensible(self) -> Window:
        if self.within_s is not None and self.after is None and self.before is None:
            raise ValueError("within_s needs after or before")
        if self.from_pct is not None and self.to_pct is not None and self.from_pct >= self.to_pct:
            raise ValueError("from_pct must be below to_pct")
        return self


class SearchCheck(BaseCheck):
    """What every check of words shares: who, where, how often, and whether it must be absent."""

    role: SearchedRole = Field("agent", description="whose words are searched")
    window: Window | None = Field(None, description="where; the whole call when left out")
    negate: bool = Field(False, description="true: met when it is NOT heard")
    at_least: Times = Field(1, description="how many times it must be heard; 0 when only `at_most` is given")
    at_most: Times | None = Field(None, description="more often than this is a miss")
    min_confidence: Fraction | None = Field(
        None, description="word confidence below which nothing is decided; default from the settings"
    )

    @model_validator(mode="before")
    @classmethod
    def _or_never(cls, given: Any) -> Any:
        is_limited = isinstance(given, dict) and given.get("at_most") is not None
        return {"at_least": 0, **given} if is_limited else given

    @model_validator(mode="after")
    def _counts(self) -> SearchCheck:
        if self.at_most is not None and self.at_most < self.at_least:
            raise ValueError("at_most is below at_least")
        if self.at_most is None and self.at_least == 0:
            raise ValueError("at_least 0 is always met; give at_most, or 1 or more")
        if self.negate and self.at_most is not None:
            raise ValueError("negate and at_most say the same thing twice; use one")
        return self


class PhraseCheck(SearchCheck):
    """Something is said, in these words or in others.

    ``match`` says how freely: ``exact`` words in order; ``lemma`` ignores inflection; ``fuzzy``
    tolerates what recognition does to a word, not another word in its place; ``meaning`` also
    tolerates other wording, weighed by how unlikely it is in ordinary talk, and refuses the same words
    in another act (denied, asked, reported, wished). Phrases may hold slots: {name}, {amount}, {date},
    {number}, {company}.
    """

    kind: Literal["phrases"]
    met_when: ClassVar[str] = "one of `any`, and each of `all`, is said; `unless` lists counter-examples"
    any: tuple[PhraseText, ...] = Field((), max_length=200, description="one of these is enough")
    all: tuple[PhraseText, ...] = Field((), max_length=50, description="each of these is needed")
    unless: tuple[PhraseText, ...] = Field(
        (), max_length=50, description="counter-examples: speech nearer to one of these does not count"
    )
    match: Literal["exact", "lemma", "fuzzy", "meaning"] = "meaning"
    meaning: str | None = Field(
        None, max_length=1000, description="the act in a sentence, to help `match: meaning`"
    )
    threshold: Strength = Field(
        0.5, description="strength from which a match counts; one default for all criteria"
    )
    unsure: Strength | None = Field(
        None,
        description="strength from which it may be said: undetermined; half of the threshold when left out",
    )

    @property
    def unsure_from(self) -> float:
        """Strength from which a match that does not count makes the answer undetermined."""
        return 0.5 * self.threshold if self.unsure is None else self.unsure

    @model_validator(mode="after")
    def _something(self) -> PhraseCheck:
        if not self.any and not self.all:
            raise ValueError("give phrases under any or all")
        if self.unsure is not None and self.unsure > self.threshold:
            raise ValueError("unsure is above threshold")
        return self


class RegexCheck(SearchCheck):
    """A regular expression is found in one turn. Time-bounded; letter case ignored by default."""

    kind: Literal["regex"]
    met_when: ClassVar[str] = "an expression of `any` matches in a turn; each may take 0.1 s a turn"
    any: tuple[PhraseText, ...] = Field(min_length=1, max_length=50)
    case_sensitive: bool = False


class TokenCheck(SearchCheck):
    """A spaCy token pattern is found, e.g. ``[{LEMMA: refund}, {POS: NOUN, OP: "?"}]``."""

    kind: Literal["tokens"]
    met_when: ClassVar[str] = "a spaCy token pattern of `any` matches"
    any: tuple[tuple[dict[str, Any], ...], ...] = Field(min_length=1, max_length=50)

    def __hash__(self) -> int:
        return hash((self.role, self.window, len(self.any)))  # patterns are dictionaries, which have no hash


class FindingCheck(SearchCheck):
    """Something the annotator heard: a topic, a promise, an entity, private data and others."""

    kind: Literal["finding"]
    met_when: ClassVar[str] = (
        "the annotator reports a `finding` (topic, promise, empathy, entity, pii, …), one of `labels`"
    )
    role: SearchedRole = "any"
    finding: str = Field(description="kind of finding, e.g. topic, risk, promise, empathy, entity, pii")
    labels: tuple[str, ...] = Field((), description="which of that kind; all when left out")


WordCheck = PhraseCheck | RegexCheck | TokenCheck
"""The checks that a matcher answers."""
TextCheck = Annotated[WordCheck | FindingCheck, Field(discriminator="kind")]


class Measure(BaseCheck):
    """Base of the checks of numbers and facts; as text, each says when it is met (``explain``)."""


class MetricCheck(Measure):
    """A number of the whole conversation lies within limits, or on a graded curve."""

    kind: Literal["metric"]
    met_when: ClassVar[str] = (
        "a conversation metric is within `min`/`max`, or scores on a `curve: [[value, share], …]`"
    )
    metric: str = Field(description="name of a conversation metric, e.g. talk_ratio")
    min: float | None = Field(None, allow_inf_nan=False)
    max: float | None = Field(None, allow_inf_nan=False)
    curve: tuple[tuple[float, Fraction], ...] = Field(
        (), description="points (value, share of the points earned), values ascending, straight lines between"
    )

    @model_validator(mode="after")
    def _limits(self) -> MetricCheck:
        if bool(self.curve) == (self.min is not None or self.max is not None):
            raise ValueError("give min and/or max, or a curve")
        if self.curve and (len(self.curve) < 2 or any(a[0] >= b[0] for a, b in pairwise(self.curve))):
            raise ValueError("a curve needs two points or more, values ascending")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self

    def __str__(self) -> str:
        where = f"on the curve {list(self.curve)}" if self.curve else limits(self.min, self.max)
        return f"{self.metric} is {where}"


class SentimentCheck(Measure):
    """How one role feels, in the whole call or a part of it; scores run from -1 to 1."""

    kind: Literal["sentiment"]
    met_when: ClassVar[str] = "`mean`, `lowest` or `change` of a role in the whole call or a quarter of it"
    role: Literal["agent", "customer"] = "customer"
    part: Literal["whole", "first_quarter", "second_quarter", "third_quarter", "last_quarter"] = "whole"
    measure: Literal["mean", "lowest", "change"] = Field(
        "mean", description="change: from the first quarter with speech to the last"
    )
    min: Annotated[float, Field(ge=-2, le=2)] | None = None
    max: Annotated[float, Field(ge=-2, le=2)] | None = None

    @model_validator(mode="after")
    def _limits(self) -> SentimentCheck:
        if self.min is None and self.max is None:
            raise ValueError("give min and/or max")
        if self.part != "whole" and self.measure == "change":
            raise ValueError("change is of the whole call")
        return self

    def __str__(self) -> str:
        part = "" if self.part == "whole" else f" in the {self.part.replace('_', ' ')}"
        return f"the {self.role}'s {self.measure} sentiment{part} is {limits(self.min, self.max)}"


class EventCheck(Measure):
    """Silences, holds or overtalk, counted."""

    kind: Literal["event"]
    met_when: ClassVar[str] = (
        "`silence`, `hold`, `overtalk` `longer_than_s` occur `at_least`/`at_most` times, or `total_at_most_s`"
    )
    event: Literal["silence", "hold", "overtalk"]
    longer_than_s: Seconds = Field(0.0, description="only events longer than this count")
    at_least: Times | None = None
    at_most: Times | None = None
    total_at_most_s: Seconds | None = Field(None, description="sum of their durations")

    @model_validator(mode="after")
    def _limits(self) -> EventCheck:
        if self.at_least is None and self.at_most is None and self.total_at_most_s is None:
            raise ValueError("give at_least, at_most or total_at_most_s")
        return self

    def __str__(self) -> str:
        counts = [
            f"at least {self.at_least} times" if self.at_least is not None else "",
            f"at most {self.at_most} times" if self.at_most is not None else "",
            f"{self.total_at_most_s:g} s in all at most" if self.total_at_most_s is not None else "",
        ]
        return f"{self.event} over {self.longer_than_s:g} s occurs {', '.join(filter(None, counts))}"


class LanguageCheck(Measure):
    """Every turn of a role whose language is known is in one of these languages."""

    kind: Literal["language"]
    met_when: ClassVar[str] = "every turn of the role is in an `allowed` language"
    role: SearchedRole = "agent"
    allowed: tuple[str, ...] = Field(min_length=1, description="ISO 639-1 codes")

    def __str__(self) -> str:
        return f"the {self.role} speaks {' or '.join(self.allowed)}"


class ManualCheck(Measure):
    """Left to a person; shown as such and not scored until answered."""

    kind: Literal["manual"]
    met_when: ClassVar[str] = (
        "a person answers; counts after `callqa rescore` ([review](review.md)); `required: true`: needs "
        "review until then"
    )
    required: bool = Field(False, description="true: the call needs review until a person has answered")
    scale: Annotated[int, Field(ge=2, le=10)] | None = Field(
        None, description="size of the rating scale the person uses; yes/no when left out"
    )

    def __str__(self) -> str:
        return "a person says so"


class PluginCheck(Measure):
    """A check from another package, found by its entry point in the group ``callqa.checks``."""

    kind: Literal["plugin"]
    met_when: ClassVar[str] = "a function of another package, under the entry point group `callqa.checks`"
    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    def __str__(self) -> str:
        return f"the plugin {self.name} says so"


class JudgeExample(Strict):
    """Words as somebody might say them, and the answer they deserve."""

    said: PhraseText
    answer: Literal["yes", "no", "na"]
    why: str = Field("", max_length=300)


class JudgeCheck(BaseCheck):
    """A question a language model answers, at the endpoint that ``[judge]`` of the settings names.

    Its answer counts only where the words it quotes stand in the transcript (docs/judge.md).
    """

    kind: Literal["judge"]
    met_when: ClassVar[str] = (
        "your language model answers `question` with yes and quotes words of `role` that are found in "
        "the call: [judge](judge.md)"
    )
    question: str = Field(
        min_length=1, max_length=500, description="answered by yes, no or na (not applicable)"
    )
    guidance: str = Field("", max_length=4000, description="what yes, no and not applicable mean")
    examples: tuple[JudgeExample, ...] = Field((), max_length=8)
    role: SearchedRole = Field(
        "agent", description="whose words may be quoted; what the others say in the window is sent with them"
    )
    window: Window | None = Field(None, description="what is sent; the whole call when left out")


class SequenceCheck(BaseCheck):
    """Things are heard in this order."""

    kind: Literal["sequence"]
    met_when: ClassVar[str] = "`steps` are said in this order, `within_s` or `within_turns` of each other"
    steps: tuple[TextCheck, ...] = Field(min_length=2, max_length=20)
    within_s: Seconds | None = Field(None, description="longest time from one step to the next")
    within_turns: Turns | None = Field(None, description="most turns from one step to the next")


class ObligationCheck(BaseCheck):
    """Whenever the trigger is heard, the answer must follow (or must not). Not applicable without trigger."""

    kind: Literal["obligation"]
    met_when: ClassVar[str] = (
        "each time `trigger` is said (for once in a call use `when: {said: ...}`), `then` follows "
        "(`must: false`: does not follow), `within_s`/`within_turns`"
    )
    trigger: TextCheck
    then: TextCheck
    must: bool = Field(True, description="false: it must NOT follow")
    within_s: Seconds | None = None
    within_turns: Turns | None = None


class AllCheck(BaseCheck):
    """Every one of several checks holds."""

    kind: Literal["all_of"]
    met_when: ClassVar[str] = "each of its `checks` is met"
    checks: tuple[Check, ...] = Field(min_length=1, max_length=50)


class AnyCheck(BaseCheck):
    """At least one of several checks holds."""

    kind: Literal["any_of"]
    met_when: ClassVar[str] = "one of its `checks` is met"
    checks: tuple[Check, ...] = Field(min_length=1, max_length=50)


class NotCheck(BaseCheck):
    """The check inside does not hold."""

    kind: Literal["not"]
    met_when: ClassVar[str] = "its `check` is not met"
    check: Check


Check = Annotated[
    WordCheck
    | FindingCheck
    | MetricCheck
    | SentimentCheck
    | EventCheck
    | LanguageCheck
    | ManualCheck
    | PluginCheck
    | JudgeCheck
    | SequenceCheck
    | ObligationCheck
    | AllCheck
    | AnyCheck
    | NotCheck,
    Field(discriminator="kind"),
]

for _model in (AllCheck, AnyCheck, NotCheck):
    _model.model_rebuild()


def limits(low: float | None, high: float | None) -> str:
    """Limits in words; at least one of them is given."""
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    return f"at least {low:g}" if low is not None else f"at most {high:g}"


def placed(outer: Strict, place: Place = ()) -> Iterator[tuple[Strict, Place]]:
    """A part of a rubric and all parts inside it, outermost first, each with its place in the YAML."""
    yield outer, place
    for name in type(outer).model_fields:
        inner = getattr(outer, name)
        if isinstance(inner, Strict):
            yield from placed(inner, (*place, name))
        elif isinstance(inner, tuple):
            for at, one in enumerate(inner):
                if isinstance(one, Strict):
                    yield from placed(one, (*place, name, at))


def parts(outer: Strict, kind: type[Part]) -> list[Part]:
    """The parts of one class among a part of a rubric and all parts inside it, outermost first."""
    return [part for part, _ in placed(outer) if isinstance(part, kind)]


def learning(check: object) -> PhraseCheck | None:
    """The part of a check that can learn from people: phrases, not forbidden, that must be said once.

    Of several such parts of an ``any_of``, whose other parts must be phrases too, the first by meaning.
    """
    given = check.checks if isinstance(check, AnyCheck) else (check,)
    phrases = [part for part in given if isinstance(part, PhraseCheck)]
    if len(phrases) < len(given):
        return None
    plain = [one for one in phrases if not one.negate and one.at_least == 1 and one.at_most is None]
    able = [one for one in plain if one.match in ("fuzzy", "meaning") and one.any]
    return next((one for one in able if one.match == "meaning"), next(iter(able), None))
