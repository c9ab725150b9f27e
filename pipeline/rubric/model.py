"""The model of a rubric: sections of weighted criteria, conditions, auto-fail policy, tests.

``load`` makes it from YAML, ``score`` uses it. Its rules are those of the scorecards of contact-centre suites
(docs/rubrics.md names the source of each).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator
from pydantic.json_schema import GenerateJsonSchema

from pipeline.conversation import Answer, Direction, Medium, Outcome, RubricRef
from pipeline.rubric.checks import (
    BaseCheck,
    Check,
    Fraction,
    JudgeCheck,
    ManualCheck,
    Percent,
    PhraseCheck,
    Seconds,
    Strict,
    TextCheck,
    parts,
)
from pipeline.text.language import code_of

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


def _listed(value: Any) -> Any:
    """Put a single value into a list, so that either may be written."""
    return value if isinstance(value, list | tuple) or value is None else [value]


Names = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])]


def _as_before(body: Any) -> Any:
    """Remove keys that were added later and are unset, so that older rubrics keep their hash."""
    if isinstance(body, dict):
        return {k: _as_before(v) for k, v in body.items() if not (k == "unsure" and v is None)}
    return [_as_before(item) for item in body] if isinstance(body, list) else body


class HeardFinding(Strict):
    """A finding a condition asks for."""

    kind: str
    label: str | None = None


class Condition(Strict):
    """When something applies: everything given here must hold."""

    metadata: dict[str, Names] = Field(
        default_factory=dict, description="field of the call's metadata: value or list of values"
    )
    answers: dict[str, Names] = Field(
        default_factory=dict, description="id of another criterion: answer or list of answers"
    )
    finding: HeardFinding | None = None
    said: TextCheck | None = Field(None, description="a check of words that must be met")
    any: tuple[Condition, ...] = Field((), description="one of these conditions holds")
    unless: Condition | None = Field(None, description="this condition does not hold")

    @model_validator(mode="after")
    def _something(self) -> Condition:
        if not (self.metadata or self.answers or self.finding or self.said or self.any or self.unless):
            raise ValueError("an empty condition always holds; leave it out")
        return self


class AutoFail(Strict):
    """What one failed criterion does to the score."""

    policy: Literal["zero", "cap", "flag"] = Field(
        "zero", description="zero: score 0; cap: at most `cap`; flag: score kept, outcome fail"
    )
    cap: Percent | None = None
    scope: Literal["form", "section"] = Field("form", description="what fails")
    below: Fraction = Field(0.5, description="for graded criteria: fails below this share of its points")

    @model_validator(mode="after")
    def _cap(self) -> AutoFail:
        if (self.policy == "cap") != (self.cap is not None):
            raise ValueError("policy cap needs a cap, and only it has one")
        return self


NO_LEVEL = "none of these"
"""The answer that people choose when a call reaches no level of a graded scale."""


class Level(Strict):
    """One step of a graded scale: the first whose check holds is the answer."""

    label: str
    check: Check
    share: Fraction | None = Field(
        None, description="share of the points; when left out, evenly spaced, the best = 1 and none met = 0"
    )


class Criterion(Strict):
    """One question of the scorecard."""

    id: Id
    question: str = Field(min_length=1, max_length=500)
    guidance: str = Field("", description="for people: what yes, no and not applicable mean")
    points: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] = 1.0
    weight: Weight = Field(1.0, description="used by the modes question and section")
    counts: Literal["score", "bonus", "penalty", "info"] = Field(
        "score",
        description="bonus: only adds; penalty: only takes away, when the answer is no; info: not scored",
    )
    critical: bool = Field(False, description="counts towards the separate critical score")
    auto_fail: AutoFail | bool = Field(False, description="true: the rubric's own policy")
    floor: Percent = Field(0.0, description="an answered criterion earns at least this percent")
    when: Condition | None = Field(None, description="not applicable unless this holds")
    check: Check | None = None
    levels: tuple[Level, ...] = Field((), max_length=10, description="a graded scale, best first")

    @model_validator(mode="after")
    def _answerable(self) -> Criterion:
        if (self.check is None) == (not self.levels):
            raise ValueError("give either check or levels")
        if self.auto_fail and self.counts in {"bonus", "info"}:
            raise ValueError(f"a criterion that counts as {self.counts} cannot auto-fail")
        shares = [share for _, share in self.steps()]
        if shares != sorted(shares, reverse=True):
            raise ValueError("levels go from the best to the worst")
        return self

    def steps(self) -> list[tuple[Level, float]]:
        """The levels with the share of the points that each earns (Zendesk's (x-min)/(max-min))."""
        n = len(self.levels)
        return [
            (level, (n - at) / n if level.share is None else level.share)
            for at, level in enumerate(self.levels)
        ]

    def grades(self) -> dict[str, float]:
        """The possible answers of a graded scale, best first, with their shares of the points; else empty."""
        steps = [(level.label, share) for level, share in self.steps()]
        if steps and steps[-1][1] > 0:
            steps.append((NO_LEVEL, 0.0))
        return dict(steps)

    def grade(self, points: float | None) -> str:
        """The grade that earned these points; "" when the criterion is not graded or not answered."""
        grades = self.grades()
        if points is None or not grades:
            return ""
        return min(grades, key=lambda label: abs(self.earned(grades[label]) - points))

    def earned(self, share: float) -> float:
        """Points for a share of them, 0..1, but at least ``floor`` percent."""
        return round(self.points * max(share, self.floor / 100), 6)

    def checks(self) -> list[BaseCheck]:
        """All checks of this criterion, including nested ones; those of its condition come last."""
        checks = [self.check] if self.check is not None else [level.check for level in self.levels]
        in_condition = parts(self.when, BaseCheck) if self.when else []
        return [*(part for check in checks for part in parts(check, BaseCheck)), *in_condition]


class Section(Strict):
    """A group of criteria."""

    id: Id
    title: str = ""
    weight: Weight = Field(1.0, description="used by the modes points and section")
    floor: Percent = Field(0.0, description="an answered section scores at least this")
    when: Condition | None = Field(None, description="the whole section drops out unless this holds")
    criteria: tuple[Criterion, ...] = Field(min_length=1, max_length=200)


class AppliesTo(Strict):
    """Which calls a rubric is for; an empty field accepts every call."""

    client: Names = ()
    site: Names = ()
    queue: Names = ()
    team: Names = ()
    direction: Annotated[
        tuple[Direction, ...],
        BeforeValidator(_listed, json_schema_input_type=Direction | tuple[Direction, ...]),
    ] = ()
    medium: Annotated[
        tuple[Medium, ...], BeforeValidator(_listed, json_schema_input_type=Medium | tuple[Medium, ...])
    ] = ()
    language: Names = ()
    min_duration_s: Seconds | None = None
    max_duration_s: Seconds | None = None
    extra: dict[str, Names] = Field(default_factory=dict, description="any other column of the metadata")


class Case(Strict):
    """A short dialogue inside the rubric with the answers expected of it."""

    name: str
    metadata: dict[str, Any] = Field(default_factory=dict, description="e.g. queue, direction, duration_s")
    turns: tuple[dict[Literal["agent", "customer", "system", "unknown"], str], ...] = Field(
        min_length=1, max_length=500, description="one `role: words` each; a turn takes 0.4 s a word"
    )
    metrics: dict[str, float] = Field(default_factory=dict, description="stated, not measured")
    expect: dict[str, Answer] = Field(default_factory=dict, description="criterion id: answer")
    outcome: Outcome | None = None
    score: Percent | None = Field(None, description="final score, to half a point")

    @field_validator("turns")
    @classmethod
    def _one_speaker(cls, turns: tuple[dict[str, str], ...]) -> tuple[dict[str, str], ...]:
        if any(len(turn) != 1 for turn in turns):
            raise ValueError("each turn is one `role: words`")
        return turns


class SchemaOfYaml(GenerateJsonSchema):
    """Makes a JSON Schema in which a number may stand for a text (``version: 2``), as ``Strict`` allows."""

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """The JSON Schema of a text."""
        return super().str_schema(schema) | {"type": ["string", "number"]}


class Rubric(Strict):
    """A whole scorecard definition; ``hash`` is its identity, ``text`` the YAML it came from."""

    rubric: Id
    version: str = "1"
    title: str = ""
    description: str = ""
    language: str = Field("en", description="main language of the phrases, ISO 639-1")
    languages: Names = Field(
        (),
        description="all languages of the phrases, when there are several; speech in another is not judged",
    )
    company: Names = Field((), description="what {company} stands for in phrases: the names said on calls")
    mode: Literal["points", "question", "section"] = Field(
        description="points: Σ points x section weight; question: normalised question weights; "
        "section: question weights within normalised section weights"
    )
    pass_mark: Percent | None = Field(None, description="final score from which the call passes")
    floor: Percent = Field(0.0, description="an answered form scores at least this before auto-fails")
    not_applicable: Literal["exclude", "as_pass"] = "exclude"
    auto_fail: AutoFail = AutoFail(policy="zero")
    priority: int = Field(0, description="order among rubrics that apply to a call, highest first")
    applies_to: AppliesTo = AppliesTo()
    sections: tuple[Section, ...] = Field(min_length=1, max_length=100)
    tests: tuple[Case, ...] = Field((), max_length=500)

    _text: str = PrivateAttr("")
    _source: str = PrivateAttr("")

    def __hash__(self) -> int:
        return hash(self.hash)

    @property
    def id(self) -> str:
        """The rubric's name, stable over versions."""
        return self.rubric

    @property
    def text(self) -> str:
        """The exact YAML this rubric was read from."""
        return self._text

    @property
    def source(self) -> str:
        """The file or the shipped rubric it was read from."""
        return self._source

    @cached_property
    def hash(self) -> str:
        """SHA-256 of all keys but the tests; comments and formatting do not change it."""
        unset = {name for name in ("languages", "company") if not getattr(self, name)}
        body = self.model_dump(mode="json", exclude={"tests", *unset})
        return hashlib.sha256(json.dumps(_as_before(body), sort_keys=True).encode()).hexdigest()

    @cached_property
    def ref(self) -> RubricRef:
        """Name, version and hash, which every scorecard records."""
        return RubricRef(self.rubric, self.version, self.hash)

    def criteria(self) -> Iterator[Criterion]:
        """Every criterion in the order of the form."""
        for section in self.sections:
            yield from section.criteria

    @property
    def spoken(self) -> frozenset[str]:
        """ISO 639-1 codes of the languages in which the phrases can be found."""
        return frozenset(code_of(code) or code.lower() for code in self.languages or (self.language,))

    def by_meaning(self) -> bool:
        """Whether it has phrases to match by meaning, which takes a hundred times as long as by words."""
        return any(c.match == "meaning" for one in self.criteria() for c in parts(one, PhraseCheck))

    def judged(self) -> tuple[str, ...]:
        """Ids of the criteria with a check by a language model."""
        return tuple(c.id for c in self.criteria() if parts(c, JudgeCheck))

    def manual(self) -> tuple[str, ...]:
        """Ids of the criteria that people answer."""
        return tuple(c.id for c in self.criteria() if isinstance(c.check, ManualCheck))

    def auto_fail_of(self, criterion: Criterion) -> AutoFail | None:
        """What a failed criterion does to the score, or None if it does not auto-fail."""
        if isinstance(criterion.auto_fail, AutoFail):
            return criterion.auto_fail
        return self.auto_fail if criterion.auto_fail else None

    def with_origin(self, text: str, source: str) -> Rubric:
        """Record the text and the file this rubric was read from, and return it."""
        self._text, self._source = text, source
        return self
