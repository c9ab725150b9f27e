"""Scoring semantics: the vendors' published examples, auto-fails, not applicable, evidence."""

from dataclasses import replace

import pytest

from pipeline import rubric, score
from pipeline.conversation import (
    CallMetadata,
    Conversation,
    CriterionAnswer,
    Evidence,
    Transcript,
    Turn,
    Word,
)
from pipeline.matching import load_matcher
from pipeline.rubric.cases import run_cases
from tests import talk

MATCHER = load_matcher()


def manual(mode: str, **extra: str) -> rubric.Rubric:
    """Genesys' example: two one-point questions of weight 40, one of weight 20."""
    return rubric.parse(f"""
rubric: form
mode: {mode}
pass_mark: 65
{extra.get("top", "")}
sections:
  - id: g1
    weight: 40
    criteria:
      - {{id: a, question: "A?", check: {{kind: manual}}}}
      - {{id: b, question: "B?", check: {{kind: manual}} {extra.get("b", "")}}}
  - id: g2
    weight: 20
    criteria:
      - {{id: c, question: "C?", check: {{kind: manual}}}}
""")


def given(form: rubric.Rubric, **answers: str) -> dict[str, CriterionAnswer]:
    """Answers of a person."""
    return {c.id: score.recorded(c, score.Verdict(answers[c.id]), form) for c in form.criteria()}


def say(*lines: tuple[str, str], confidence: float | None = None) -> Conversation:
    """A dialogue, one turn a line, five seconds each."""
    turns = talk.turns(lines, confidence=confidence)
    return Conversation(Transcript("call", turns, duration_s=5.0 * len(turns), channels=2))


def answer_of(
    check: str, conversation: Conversation, more: str = "", *, language: str = "en"
) -> CriterionAnswer:
    """The answer to one criterion."""
    form = rubric.parse(f"""
rubric: one
language: {language}
mode: question
sections:
  - id: s
    criteria:
      - id: a
        question: A?
        {more}
        check: {check}
""")
    card = score.score(conversation, form, CallMetadata("call"), min_confidence=0.4, matcher=MATCHER)
    return card.sections[0].criteria[0]


@pytest.mark.parametrize(
    ("limits", "answers"),
    [
        ("at_most: 1", ["yes", "yes", "no", "no"]),
        ("at_most: 0", ["yes", "no", "no", "no"]),
        ("at_least: 1, at_most: 2", ["no", "yes", "yes", "no"]),
        ("negate: true, at_least: 2", ["yes", "yes", "no", "no"]),
    ],
)
def test_at_most_is_met_where_it_is_never_said(limits: str, answers: list[str]) -> None:
    """Said never, once, twice and three times; only ``at_least`` asks that it is said at all."""
    check = f"{{kind: phrases, match: exact, any: [okay], {limits}}}"
    said = (("agent", "okay"), ("customer", "the river was high this spring"))
    calls = [say(("agent", "the road is closed"), said[1], *said * times) for times in range(4)]
    assert [answer_of(check, call).answer for call in calls] == answers


@pytest.mark.parametrize("match", ["exact", "fuzzy", "meaning"])
def test_an_act_done_twice_in_one_turn_is_counted_twice(match: str) -> None:
    """Recognisers write a minute as one turn."""
    check = f"{{kind: phrases, match: {match}, any: [let me check that for you], at_least: 2}}"
    twice = "Let me check that for you now. It will take a while, so let me check that for you and call back."
    assert answer_of(check, say(("agent", twice))).answer == "yes"
    assert answer_of(check, say(("agent", "Let me check that for you now."))).answer == "no"


@pytest.mark.parametrize(
    ("mode", "expected"), [("points", 60.0), ("section", 66.6667), ("question", 66.6667)]
)
def test_genesys_example_and_its_normalised_twin(mode: str, expected: float) -> None:
    """The same answers score 60 % by points and 66.7 % by normalised weights."""
    form = manual(mode)
    assert score.scorecard("x", form, given(form, a="yes", b="no", c="yes")).raw_score == expected


@pytest.mark.parametrize(
    ("top", "final", "outcome"),
    [
        ("auto_fail: {policy: zero}", 0.0, "fail"),
        ("auto_fail: {policy: cap, cap: 30}", 30.0, "fail"),
        ("auto_fail: {policy: flag}", 66.6667, "fail"),
        ("auto_fail: {policy: zero, scope: section}", 33.3333, "fail"),
    ],
)
def test_auto_fail_policies_keep_the_raw_score(top: str, final: float, outcome: str) -> None:
    """zero, cap, flag and section scope change the final score only, and say why."""
    form = manual("section", top=top, b=", auto_fail: true")
    card = score.scorecard("x", form, given(form, a="yes", b="no", c="yes"))
    assert (card.raw_score, card.final_score, card.outcome) == (66.6667, final, outcome)
    assert card.autofail_reasons == ("b: B?",)
    assert card.sections[0].auto_failed


@pytest.mark.parametrize("unsure", ["undetermined", "na"])
def test_an_auto_fail_never_fires_on_doubt(unsure: str) -> None:
    """Not applicable and undetermined answers fire no auto-fail."""
    form = manual("section", b=", auto_fail: true")
    card = score.scorecard("x", form, given(form, a="yes", b=unsure, c="yes"))
    assert card.autofail_reasons == ()
    assert card.final_score == 100
    assert card.outcome == ("needs_review" if unsure == "undetermined" else "pass")


def test_not_applicable_leaves_the_sum_or_passes() -> None:
    """N/A is excluded by default, passes where the rubric says so, and a form of it has no score."""
    form = manual("section")
    assert score.scorecard("x", form, given(form, a="no", b="na", c="na")).raw_score == 0
    nothing = score.scorecard("x", form, given(form, a="na", b="na", c="na"))
    assert (nothing.raw_score, nothing.outcome) == (None, "not_scored")
    passing = manual("section", top="not_applicable: as_pass")
    assert score.scorecard("x", passing, given(passing, a="no", b="na", c="na")).raw_score == 66.6667


def test_a_miss_says_where_it_looked_and_what_came_nearest() -> None:
    """A no carries role, window, the number of turns searched and the nearest candidate."""
    call = say(("agent", "hello"), ("customer", "hi"), ("agent", "can I help you with anything"))
    got = answer_of(
        "{kind: phrases, any: [anything else I can help with], match: fuzzy, window: {first_s: 30}}", call
    )
    assert got.answer == "no"
    assert (got.searched.role, got.searched.turns, got.searched.start_s) == ("agent", 2, 0.0)
    assert got.nearest.turn == 2


def test_a_dialogue_in_a_rubric_is_in_the_rubrics_language() -> None:
    """A Spanish rubric tests Spanish lines; one of another language can be tested by naming it."""
    form = rubric.parse("""
rubric: uno
mode: question
language: es
sections:
  - id: s
    criteria:
      - {id: a, question: "A?", check: {kind: phrases, match: exact, any: [buenos días]}}
tests:
  - {name: bueno, turns: [{agent: "Hola, buenos días"}], expect: {a: yes}}
  - {name: malo, turns: [{agent: "Hola, qué tal"}], expect: {a: no}}
  - {name: inglés, metadata: {language: en}, turns: [{agent: "Good morning"}], expect: {a: undetermined}}
""")
    results = run_cases(form, lambda c, r, m: score.score(c, r, m, min_confidence=0.4, matcher=MATCHER))
    assert [result.faults for result in results] == [(), (), ()]


@pytest.mark.parametrize(
    ("lines", "language", "told"),
    [
        ("Hola, buenos días", None, "is in en (guessed: no language is stated)"),
        ("नमस्ते, कहिए", None, "is in an unknown language (none is stated)"),
        ("Good morning", "en", "is in en, which"),
    ],
)
def test_a_guessed_language_is_not_told_as_a_fact(lines: str, language: str | None, told: str) -> None:
    """Whoever reads the reason learns that the language has to be stated."""
    call = say(("agent", lines))
    call = replace(call, transcript=replace(call.transcript, language=language))
    answer = answer_of("{kind: phrases, match: exact, any: [hasta luego]}", call, language="es")
    assert (answer.answer, told in answer.reason) == ("undetermined", True), answer.reason


@pytest.mark.parametrize(
    ("check", "more", "told"),
    [
        ("{kind: finding, finding: empathy}", "", "no phrase lists of empathy"),
        ("{kind: finding, finding: pii}", "", "no phrase lists of pii"),
        ("{kind: metric, metric: agent_words, min: 1}", "when: {finding: {kind: risk}}", "lists of risk"),
        (
            "{kind: phrases, match: exact, any: [euros], window: {after: {finding: greeting}}}",
            "",
            "greeting was not heard",
        ),
        ("{kind: phrases, match: lemma, any: [devolver]}", "", "know only English"),
        ("{kind: tokens, any: [[{POS: VERB}]]}", "", "know only English"),
    ],
)
def test_what_cannot_be_told_in_a_language_is_never_a_no(check: str, more: str, told: str) -> None:
    """Neither is what an English parser takes for a verb in Spanish a yes."""
    lines = ("agent", "Le devolveremos los veinte euros por la tarde"), ("customer", "Muy bien, gracias")
    call = say(*lines)
    spanish = replace(call, transcript=replace(call.transcript, language="es"))

    answer = answer_of(check, spanish, more, language="es")

    assert (answer.answer, told in answer.reason) == ("undetermined", True), answer.reason
    assert answer_of("{kind: finding, finding: silence}", spanish, language="es").answer == "no"


def test_a_miss_names_the_counter_example_that_struck_a_match_out() -> None:
    """An author sees which sentence of `unless` turned a yes into a no, whatever else came near."""
    call = say(
        ("agent", "you said you do not know the number"),
        ("customer", "yes"),
        ("agent", "I don't know but let me find out for you"),
    )
    got = answer_of("{kind: phrases, any: [I don't know], unless: [I don't know but let me find out]}", call)
    assert got.answer != "yes"
    assert got.nearest.turn == 2
    assert "nearer to the counter-example: I don't know but let me find out" in got.nearest.rule


def test_the_middle_of_a_curve_is_a_yes() -> None:
    """Whatever its end is: 49 of 98 is half of the points, with no rounding below."""
    for end in range(2, 400, 2):
        call = replace(say(("agent", "Hello")), metrics={"agent_words": end / 2})
        told = answer_of(f"{{kind: metric, metric: agent_words, curve: [[0, 0], [{end}, 1]]}}", call)
        assert told.answer == "yes", end


def test_weak_recognition_abstains() -> None:
    """A miss in speech recognised below the confidence asked for is undetermined."""
    check = "{kind: phrases, any: [this call is recorded]}"
    assert answer_of(check, say(("agent", "blah"), confidence=0.9)).answer == "no"
    weak = answer_of(check, say(("agent", "blah"), confidence=0.2))
    assert weak.answer == "undetermined"
    assert "0.20" in weak.reason


def test_a_missing_speaker_is_undetermined_and_needs_review() -> None:
    """When nobody is known to be the agent, nothing the agent must say is failed."""
    got = answer_of("{kind: phrases, any: [hello]}", say(("unknown", "hello")))
    assert (got.answer, got.reason) == ("undetermined", "nobody in this transcript is known to be the agent")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{kind: phrases, any: [this call is recorded], match: fuzzy}", "undetermined"),
        ("{kind: phrases, any: [this call is recorded], match: fuzzy, negate: true}", "undetermined"),
        ("{kind: phrases, any: [how can I help you], match: fuzzy}", "yes"),
        ("{kind: phrases, any: [what is your postcode], match: fuzzy}", "no"),
        ("{kind: phrases, any: [this call is recorded], match: fuzzy, window: {last_s: 5}}", "no"),
    ],
)
def test_words_of_somebody_whose_role_is_unknown_may_be_the_agents(check: str, expected: str) -> None:
    """A third voice on the line decides nothing by itself, and hides nothing either."""
    call = say(("agent", "how can I help you"), ("unknown", "this call is recorded"), ("customer", "my bill"))
    got = answer_of(check, call)
    assert got.answer == expected
    if expected == "undetermined":
        assert got.reason == "said by somebody who may be the agent or not"
        assert (got.nearest.turn, got.nearest.role) == (1, "unknown")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("{kind: phrases, any: [for that purpose]}", "yes"),
        ("{kind: phrases, any: [thank you]}", "undetermined"),
        ("{kind: phrases, any: [thank you], negate: true}", "undetermined"),
    ],
)
def test_what_was_done_is_a_yes_even_if_nobody_knows_whether_it_was_due(check: str, expected: str) -> None:
    """Metadata that says whether a criterion applies may be missing; then only a miss stays open."""
    call = say(("agent", "what you tell me is used for that purpose"), ("customer", "fine"))
    got = answer_of(check, call, "when: {metadata: {queue: [collections]}}")
    assert got.answer == expected
    if expected == "yes":
        assert got.evidence[0].quote == "for that purpose"
    else:
        assert got.reason == "cannot tell whether it applies: queue is not known"


@pytest.mark.parametrize("name", rubric.shipped())
def test_shipped_rubrics_pass_their_own_tests(name: str) -> None:
    """Every example inside every shipped rubric is answered as its author expects."""
    form = rubric.load(name)
    assert form.tests
    faults = {
        result.name: result.faults
        for result in run_cases(
            form, lambda c, r, m: score.score(c, r, m, min_confidence=0.4, matcher=MATCHER)
        )
        if result.faults
    }
    assert faults == {}


LONG = "i see well let me look at that for you this call may be recorded for quality"
RECORDED = "{kind: phrases, any: ['this call may be recorded']}"


def timed(text: str, *, step_s: float = 1.0, start_s: float = 10.0, words: str | None = None) -> Turn:
    """One turn whose words (those of the text unless given) last ``step_s`` each."""
    said = (text if words is None else words).split()
    spoken = tuple(Word(w, start_s + n * step_s, start_s + (n + 1) * step_s) for n, w in enumerate(said))
    return Turn(0, "agent", text, start_s, start_s + len(text.split()) * step_s, words=spoken)


def found_in(*turns: Turn) -> Evidence:
    """What answers whether the call was announced as recorded."""
    (evidence,) = answer_of(RECORDED, Conversation(Transcript("call", turns, duration_s=99.0))).evidence
    return evidence


def test_evidence_has_the_times_of_its_words() -> None:
    """Who plays the evidence hears the quote, not what the same turn said before it."""
    got = found_in(timed(LONG))

    assert (got.quote, got.start_s, got.end_s) == ("this call may be recorded", 20.0, 25.0)


def test_evidence_after_a_redacted_number_has_the_times_of_its_words() -> None:
    """A number that is one placeholder in text and words moves nothing that follows."""
    got = found_in(timed("your card is [CARD] and this call may be recorded okay"))

    assert (got.start_s, got.end_s) == (15.0, 20.0)


@pytest.mark.parametrize("words", ["", "these are other words", LONG.upper()])
def test_without_words_of_its_own_evidence_has_its_share_of_the_turn(words: str) -> None:
    """No word times, or those of other words: about the right place, and never outside the turn."""
    got = found_in(timed(LONG, words=words))

    assert got.start_s == pytest.approx(20.0, abs=1.5)
    assert got.end_s == pytest.approx(25.0, abs=1.5)


def test_evidence_never_lies_outside_its_turn() -> None:
    """Word times of a faulty source do not send the player elsewhere."""
    turn = timed(LONG, start_s=500.0)
    got = found_in(Turn(0, "agent", LONG, 10.0, 25.0, words=turn.words))

    assert (got.start_s, got.end_s) == (25.0, 25.0)


def test_a_quote_over_two_turns_ends_in_the_second() -> None:
    """A sentence that recognition cut in two is quoted whole, with its own first and last moment."""
    first, second = timed("well this call may"), timed("be recorded for quality", start_s=14.5)
    got = found_in(first, Turn(1, "agent", second.text, 14.5, second.end_s, words=second.words))

    assert (got.quote, got.turn, got.start_s, got.end_s) == ("this call may be recorded", 0, 11.0, 16.5)


def test_evidence_of_text_without_times_has_none() -> None:
    """A chat's evidence names its turn."""
    got = found_in(Turn(0, "agent", LONG))

    assert (got.turn, got.start_s, got.end_s) == (0, None, None)
