"""What holds for every rubric and every set of answers: range, order, scale, sameness."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline import rubric, score
from pipeline.contract import to_json
from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Scorecard, Transcript
from pipeline.matching import load_matcher
from pipeline.rubric import Rubric
from tests import talk

MODES = st.sampled_from(["points", "question", "section"])
COUNTS = st.sampled_from(["score", "score", "score", "bonus", "penalty", "info"])
WEIGHTS = st.sampled_from([0.5, 1.0, 2.0, 7.0])
GIVEN = st.sampled_from(["yes", "no", "na", "undetermined"])


@st.composite
def answered(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, tuple[str, float]]]:
    """A rubric as plain data, and a person's answer to each criterion with its share of the points."""
    sections, answers = [], {}
    for s in range(draw(st.integers(1, 3))):
        criteria = []
        for c in range(draw(st.integers(1, 3))):
            name = f"c{s}{c}"
            counts = "score" if s == c == 0 else draw(COUNTS)
            fails = counts in ("score", "penalty") and draw(st.booleans())
            criteria.append(
                {
                    "id": name, "question": name, "points": draw(WEIGHTS), "weight": draw(WEIGHTS),
                    "counts": counts, "critical": draw(st.booleans()),
                    "floor": draw(st.sampled_from([0, 20])), "auto_fail": fails, "check": {"kind": "manual"},
                }
            )  # fmt: skip
            answers[name] = (draw(GIVEN), draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])))
        sections.append(
            {
                "id": f"s{s}",
                "weight": draw(WEIGHTS),
                "floor": draw(st.sampled_from([0, 30])),
                "criteria": criteria,
            }
        )
    policy = draw(st.sampled_from([{"policy": "zero"}, {"policy": "cap", "cap": 40}, {"policy": "flag"}]))
    scope = draw(st.sampled_from(["form", "section"]))
    form = {
        "rubric": "r", "mode": draw(MODES), "pass_mark": 60, "auto_fail": {**policy, "scope": scope},
        "not_applicable": draw(st.sampled_from(["exclude", "as_pass"])), "sections": sections,
    }  # fmt: skip
    return form, answers


def card(form: dict[str, Any], answers: dict[str, tuple[str, float]]) -> Scorecard:
    """The scorecard of those answers."""
    checked = Rubric.model_validate(form)
    return score.scorecard("call", checked, verdicts(checked, answers))


def verdicts(form: Rubric, answers: dict[str, tuple[str, float]]) -> dict[str, CriterionAnswer]:
    """Answers with the points they earn."""
    return {
        c.id: score.recorded(c, score.Verdict(answers[c.id][0], answers[c.id][1]), form)
        for c in form.criteria()
    }


@given(answered())
def test_scores_lie_in_their_range(case: tuple[Any, Any]) -> None:
    """Raw, final, critical and section scores are 0 to 100 or nothing, and an auto-fail never raises one."""
    done = card(*case)
    scores = [done.raw_score, done.final_score, done.critical_score, *(s.score for s in done.sections)]
    assert all(s is None or 0 <= s <= 100 for s in scores)
    if done.raw_score is not None and done.final_score is not None:
        assert done.final_score <= done.raw_score
    assert (done.raw_score is None) == (done.final_score is None)


@given(answered(), MODES)
def test_what_does_not_apply_changes_nothing(case: tuple[Any, Any], mode: str) -> None:
    """Excluded N/A: the same scores, outcome and other answers as if it had not been on the form."""
    form, answers = case
    form = {**form, "mode": mode, "not_applicable": "exclude"}
    extra = {"id": "extra", "question": "?", "auto_fail": True, "check": {"kind": "manual"}}
    sections = [dict(s) for s in form["sections"]]
    sections[0] = {**sections[0], "criteria": [*sections[0]["criteria"], extra]}
    without, having = (
        card(form, answers),
        card({**form, "sections": sections}, {**answers, "extra": ("na", 0.0)}),
    )
    assert (having.raw_score, having.final_score, having.outcome) == (
        without.raw_score, without.final_score, without.outcome,
    )  # fmt: skip
    assert [a for s in having.sections for a in s.criteria if a.id != "extra"] == [
        a for s in without.sections for a in s.criteria
    ]


@given(answered(), WEIGHTS)
def test_one_more_criterion_met_never_lowers_a_score(case: tuple[Any, Any], weight: float) -> None:
    """Whatever it weighs, in whichever section.

    In the modes points and question without section floors: there a section counts by what is in it, and
    one lifted to its floor counts more with every criterion, whatever its answer.
    """
    form, answers = case
    if form["mode"] != "section":
        form = {**form, "sections": [{**s, "floor": 0} for s in form["sections"]]}
    extra = {"id": "extra", "question": "?", "weight": weight, "points": weight, "check": {"kind": "manual"}}
    before = card(form, answers)
    assume(before.raw_score is not None)
    for at, section in enumerate(form["sections"]):
        sections = [dict(s) for s in form["sections"]]
        sections[at] = {**section, "criteria": [*section["criteria"], extra]}
        after = card({**form, "sections": sections}, {**answers, "extra": ("yes", 1.0)})
        assert before.raw_score is not None
        assert after.raw_score >= before.raw_score - 1e-3


def test_a_section_at_its_floor_counts_more_with_every_criterion() -> None:
    """The limit of the rule above: 0 of 1 point lifted to half a point, then 1 of 3 to one and a half."""
    poor = [{"id": name, "question": "?", "points": 1, "check": {"kind": "manual"}} for name in "abc"]
    good = {"id": "d", "question": "?", "points": 1, "check": {"kind": "manual"}}
    given = {"a": ("no", 0.0), "b": ("no", 0.0), "c": ("yes", 1.0), "d": ("yes", 1.0)}
    rest = {"id": "t", "criteria": [good]}
    sections = [[{"id": "s", "floor": 50, "criteria": poor[:n]}, rest] for n in (1, 3)]
    scores = [card({"rubric": "r", "mode": "points", "sections": some}, given).raw_score for some in sections]
    assert scores == [75.0, 62.5]


def test_a_section_held_to_a_cap_counts_by_points_where_the_form_does() -> None:
    """Half of the questions but 30 of 100 points: under a cap of 40 nothing more is taken away."""
    cap = {"policy": "cap", "cap": 40, "scope": "section"}
    manual = {"question": "?", "check": {"kind": "manual"}}
    criteria = [{"id": "a", "points": 7, "auto_fail": True, **manual}, {"id": "b", "points": 3, **manual}]
    form = {
        "rubric": "r",
        "mode": "points",
        "auto_fail": cap,
        "sections": [{"id": "s", "criteria": criteria}],
    }
    assert card(form, {"a": ("no", 0.0), "b": ("yes", 1.0)}).final_score == 30.0


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_section_is_held_to_the_strictest_of_its_auto_fails(order: str) -> None:
    """One holds the section to 0, one caps the form at 90: both count, whichever stands first."""
    manual = {"question": "?", "check": {"kind": "manual"}}
    fails = {"a": {"policy": "zero", "scope": "section"}, "b": {"policy": "cap", "cap": 90}}
    criteria = [{"id": n, "auto_fail": fails[n], **manual} for n in order]
    criteria.append({"id": "c", **manual})
    rest = {"id": "t", "criteria": [{"id": "d", **manual}]}
    form = {"rubric": "r", "mode": "section", "sections": [{"id": "s", "criteria": criteria}, rest]}
    scored = card(form, {"a": ("no", 0.0), "b": ("no", 0.0), "c": ("yes", 1.0), "d": ("yes", 1.0)})
    assert scored.final_score == 50.0
    assert scored.sections[0].score == 0.0


@given(answered())
def test_meeting_a_criterion_never_lowers_a_score(case: tuple[Any, Any]) -> None:
    """A no that becomes a yes: in every mode, with every floor and auto-fail, raw and final."""
    form, answers = case
    before = card(form, answers)
    for name in [name for name, (answer, _) in answers.items() if answer == "no"]:
        after = card(form, {**answers, name: ("yes", 1.0)})
        assert (after.raw_score or 0) >= (before.raw_score or 0) - 1e-3
        assert (after.final_score or 0) >= (before.final_score or 0) - 1e-3


@given(answered(), st.sampled_from([0.5, 3.0, 10.0]))
def test_weights_are_relative(case: tuple[Any, Any], factor: float) -> None:
    """All weights of one kind times a factor: the same scores."""
    form, answers = case
    scaled = [
        {**s, "weight": s["weight"] * factor,
         "criteria": [{**c, "weight": c["weight"] * factor} for c in s["criteria"]]}
        for s in form["sections"]
    ]  # fmt: skip
    before, after = card(form, answers), card({**form, "sections": scaled}, answers)
    for a, b in ((before.raw_score, after.raw_score), (before.final_score, after.final_score)):
        assert (a is None) == (b is None)
        assert a is None or b is None or abs(a - b) < 1e-3


WORDS = ("thank you for calling", "my bill", "anything else I can help with", "goodbye", "", "no")
ROLES = st.sampled_from(["agent", "customer", "unknown"])


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["agent", "customer", "unknown"]), st.sampled_from(WORDS)), max_size=8
    ),
    st.booleans(),
)
def test_any_transcript_scores_in_range_and_the_same_twice(said: list[tuple[Any, str]], timed: bool) -> None:
    """No turns, no roles, no times, no words: a scorecard, byte for byte the same again."""
    call = Conversation(Transcript("call", talk.turns(said, every_s=4.0 if timed else None, last_s=3.0)))
    form = rubric.load("support")
    first, second = (
        score.score(call, form, CallMetadata("call"), min_confidence=0.4, matcher=load_matcher(models=False))
        for _ in range(2)
    )
    assert to_json(first) == to_json(second)
    assert first.final_score is None or 0 <= first.final_score <= 100


def test_the_same_bytes_from_another_process() -> None:
    """Nothing hangs on the order of sets or the seed of hashes."""
    code = """
from pipeline import contract, matching, rubric, score
from pipeline.conversation import *
turns = tuple(Turn(i, "agent", said) for i, said in enumerate(["thank you for calling"] * 6))
call, form = Conversation(Transcript("c", turns)), rubric.load("support")
matcher = matching.load_matcher(models=False)
card = score.score(call, form, CallMetadata("c"), min_confidence=0.4, matcher=matcher)
print(card.rubric.hash, contract.to_json(card))
"""
    told = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1
