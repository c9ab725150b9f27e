"""The rubric as its author meets it: errors with their lines, hostile files, the commands, other channels."""

import json
import sys
import time
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from pipeline import rubric, score
from pipeline.cli.commands import app
from pipeline.conversation import FINDING_KINDS, CallMetadata, Conversation, Scorecard, Transcript, Turn
from pipeline.errors import RubricError, UsageError
from pipeline.matching import load_matcher
from pipeline.rubric.load import read_source, read_yaml
from tests import talk

MATCHER = load_matcher(models=False)
ROOT = Path(__file__).parents[2]
HEAD = "rubric: r\nmode: question\npass_mark: 50\nsections:\n  - id: s\n    criteria:\n"


def form(*criteria: str, more: str = "") -> rubric.Rubric:
    """A rubric of criteria in YAML's short form."""
    return rubric.parse(HEAD + "".join(f"      - {{{c}}}\n" for c in criteria) + more, "r.yaml")


def faults(*criteria: str, more: str = "") -> str:
    """What is said of a rubric that is wrong."""
    with pytest.raises(RubricError) as told:
        form(*criteria, more=more)
    return told.value.message


def turns(*said: tuple[str, str], timed: bool = True) -> Conversation:
    """A dialogue of five seconds a turn, or without times."""
    return Conversation(Transcript("call", talk.turns(said, every_s=5.0 if timed else None)))


def run(*args: str) -> tuple[int, str, str]:
    """A command as typed: exit code, data, words for people."""
    done = CliRunner().invoke(app, list(args))
    return done.exit_code, done.stdout, done.stderr


def scored(one: rubric.Rubric, call: Conversation) -> Scorecard:
    """The call's scorecard."""
    return score.score(call, one, CallMetadata("call"), min_confidence=0.4, matcher=MATCHER)


def test_every_mistake_is_told_at_once_with_line_and_hint(tmp_path: Path) -> None:
    """Misspelt keys and kinds, wrong types, values out of range: one list, one exit code, no traceback."""
    path = tmp_path / "bad.yaml"
    path.write_text(
        "rubric: bad one\nmode: pionts\npass_mark: 140\nsections:\n  - id: s\n    wieght: 2\n    criteria:\n"
        "      - {id: a, question: q, check: {kind: regexp, any: [x]}}\n"
        "      - {id: b, question: q, check: {kind: phrases, any: [hi], window: {first_s: -3}}}\n"
        "      - {id: c, question: q, when: {answers: {bb: yes, a: yes}}, check: {kind: manual}}\n"
        "      - {id: c, question: q, check: {kind: metric, metric: talk_ration, above: 1}}\n"
        "tests:\n  - {name: 3, turns: [], expect: {a: yes}}\n"
        "  - {name: t, turns: [{agent: hi}], expect: {x: yes}}\n"
    )
    with pytest.raises(RubricError) as told:
        rubric.load(str(path))
    lines = told.value.message.splitlines()
    places = [line.removeprefix(f"{path}:") for line in lines[1:]]
    assert [p.split(":")[0] for p in places] == [
        "1", "2", "3", "6", "8", "9", "10", "10", "11", "11", "13", "14",
    ]  # fmt: skip
    assert lines[0] == f"{path}: 12 errors"
    assert "unknown key 'above'" in places[9]
    assert sum("no criterion 'bb' (did you mean 'b'?)" in p for p in places) == 1
    assert "did you mean 'weight'?" in places[3]
    assert "did you mean 'regex'?" in places[4]


@pytest.mark.parametrize(
    ("criteria", "said"),
    [
        (("id: a, question: q, check: {kind: manual}",) * 2, "used twice"),
        (
            ("id: a, question: q, when: {answers: {b: yes}}, check: {kind: manual}",
             "id: b, question: q, when: {answers: {a: yes}}, check: {kind: manual}"),
            "r.yaml:7: criteria depend on each other in a circle",
        ),
        (("id: a, question: q, when: {answers: {zz: yes}}, check: {kind: manual}",), "no criterion 'zz'"),
        (("id: a, question: q, check: {kind: regex, any: ['(a']}",), "not a regular expression"),
        (("id: a, question: q, check: {kind: metric, metric: hold_sec, max: 1}",), "did you mean 'hold_s'?"),
        (("id: a, question: q, when: {metadata: {quue: x}}, check: {kind: manual}",), "mean 'queue'?"),
    ],
)  # fmt: skip
def test_what_only_the_whole_rubric_shows(criteria: tuple[str, ...], said: str) -> None:
    """Ids used twice, circles, names of nothing, patterns that are none."""
    assert said in faults(*criteria)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("weight: lots, check: {kind: manual}", "weight"),
        ("check: {kind: phrases}", "give phrases under any or all"),
    ],
)
def test_a_criterion_with_a_fault_is_still_asked_what_it_refers_to(fault: str, told: str) -> None:
    """A weight that is no number, or a check without phrases, hides no condition that names nothing."""
    said = faults(f"id: a, question: q, when: {{answers: {{zz: yes}}}}, {fault}")
    assert told in said
    assert "no criterion 'zz'" in said


@pytest.mark.parametrize(
    ("fault", "hint"),
    [
        ("check: {kind: judge, question: q, examples: [{said: x, answer: yes, zz: 1}]}", "said, answer, why"),
        ("check: {kind: not, check: {kind: manual, zz: 1}}", "kind, required, scale"),
        ("when: {any: [{finding: {kind: risk, zz: 1}}]}, check: {kind: manual}", "kind, label"),
        ("levels: [{label: x, zz: 1, check: {kind: manual}}]", "label, check, share"),
    ],
)
def test_a_key_like_no_other_is_answered_with_those_of_its_place(fault: str, hint: str) -> None:
    """Whatever the part it stands in is part of."""
    assert f"unknown key 'zz' (known here: {hint})" in faults(f"id: a, question: q, {fault}")


def test_a_fault_in_an_auto_fail_is_told_alone() -> None:
    """Where a boolean may stand too, nobody is told to write one."""
    told = faults("id: a, question: q, auto_fail: {polciy: cap}, check: {kind: manual}")
    assert "did you mean 'policy'?" in told
    assert told.startswith("r.yaml: 1 error")
    assert "valid boolean" in faults("id: a, question: q, auto_fail: perhaps, check: {kind: manual}")


def test_a_condition_of_a_section_is_checked_and_waited_for() -> None:
    """Its windows may hang on a criterion, which must exist and is answered first."""
    text = HEAD + "      - {id: late, question: q, check: {kind: phrases, match: fuzzy, any: [goodbye]}}\n"
    text = text.replace(
        "  - id: s\n",
        "  - id: s\n    when: {said: {kind: phrases, match: fuzzy, "
        "any: [hello there], window: {before: {criterion: first}}}}\n",
    )
    with pytest.raises(RubricError, match="no criterion 'first'"):
        rubric.parse(text)
    check = "{kind: phrases, match: fuzzy, any: [thanks]}"
    text += f"  - {{id: t, criteria: [{{id: first, question: q, check: {check}}}]}}\n"
    said = turns(("agent", "hello there"), ("customer", "hm"), ("agent", "thanks"), ("agent", "goodbye"))
    assert scored(rubric.parse(text), said).final_score == 100


HOSTILE = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{n}: &{n} [{','.join([f'*{p}'] * 9)}]\n" for p, n in zip("abcdefg", "bcdefgh", strict=True)),
    "depth": "a: " + "[" * 5000,
    "code": "rubric: !!python/object/apply:os.system ['echo hi']\n",
    "nothing": "",
    "itself": "rubric: &a [*a]\n",
    "bell": "rubric: r\nversion: \a\n",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_files_are_refused_at_once(text: str) -> None:
    """Alias bombs, bottomless nesting, objects of Python: an error of ours, in no time."""
    began = time.monotonic()
    with pytest.raises(RubricError):
        rubric.parse(text)
    assert time.monotonic() - began < 5.0


def test_a_catastrophic_expression_is_bounded_and_undetermined() -> None:
    """It never hangs a batch and never fails an agent; other criteria are answered."""
    one = form("id: a, question: q, check: {kind: regex, any: ['(a|aa)+$']}",
               "id: b, question: q, check: {kind: regex, any: [hello]}")  # fmt: skip
    began = time.monotonic()
    card = scored(one, turns(*[("agent", "a" * 60 + "!"), ("agent", "hello")] * 50))
    assert time.monotonic() - began < 5.0
    answers = {a.id: a for s in card.sections for a in s.criteria}
    assert (answers["a"].answer, answers["b"].answer, card.outcome) == ("undetermined", "yes", "needs_review")
    assert "takes too long" in answers["a"].reason


def test_fifty_thousand_turns_are_scored() -> None:
    """Windows, sequences and obligations stay near linear in the length of a call."""
    one = form(
        "id: a, question: q, check: {kind: phrases, match: fuzzy, any: [anything], window: {last_s: 30}}",
        "id: b, question: q, check: {kind: obligation, "
        "trigger: {kind: regex, role: customer, any: [number 7]}, "
        "then: {kind: regex, any: [aha]}, within_turns: 1}",
    )
    said = [("customer", f"number {i}") if i % 2 else ("agent", "aha") for i in range(50_000)]
    began = time.monotonic()
    card = scored(one, turns(*said, ("agent", "anything")))
    assert time.monotonic() - began < 20.0
    assert [a.answer for s in card.sections for a in s.criteria] == ["yes", "yes"]


@pytest.mark.parametrize("timed", [True, False])
def test_windows_of_chats_count_turns_and_say_so(timed: bool) -> None:
    """Seconds where there are times; else about five seconds a turn, stated on the scorecard."""
    one = form("id: a, question: q, check: {kind: phrases, match: fuzzy, any: [thank you for calling], "
               "window: {first_s: 10}}")  # fmt: skip
    early = turns(("agent", "thank you for calling"), ("customer", "hi"), timed=timed)
    late = turns(*[("agent", "hm"), ("customer", "hm")] * 5, ("agent", "thank you for calling"), timed=timed)
    cards = [scored(one, early), scored(one, late)]
    assert [c.outcome for c in cards] == ["pass", "fail"]
    assert ["without times" in " ".join(c.warnings) for c in cards] == [not timed] * 2


def test_the_times_of_written_messages_are_no_seconds_of_speech() -> None:
    """A chat takes minutes for what a call says in seconds, so its windows count turns."""
    one = form("id: a, question: q, check: {kind: phrases, match: fuzzy, any: [anything else], "
               "window: {last_s: 20}}")  # fmt: skip
    said = ("agent", "hello"), ("customer", "hi"), ("agent", "anything else"), ("customer", "no")
    sent = talk.turns(said, every_s=60.0, last_s=0.0)
    card = scored(one, Conversation(Transcript("call", sent, medium="chat")))
    assert card.outcome == "pass"
    assert card.warnings == ("written, not spoken: windows in seconds were taken as counts of turns",)


def test_times_out_of_order_are_said_and_do_not_change_what_was_said_when() -> None:
    """Each turn is placed by its own time."""
    one = form(
        "id: a, question: q, check: {kind: phrases, match: fuzzy, any: [hello there], window: {first_s: 9}}"
    )
    said = (Turn(0, "agent", "bye now", 50.0, 54.0), Turn(1, "agent", "hello there", 1.0, 3.0))
    card = scored(one, Conversation(Transcript("call", said)))
    assert card.outcome == "pass"
    assert "not in the order" in card.warnings[0]


def test_minimum_floors_lift_what_was_answered_only() -> None:
    """Verint: below the minimum becomes the minimum; a form with nothing answered stays without a score."""
    text = HEAD.replace("- id: s", "- id: s\n    floor: 25")
    text += "      - {id: a, question: q, floor: 40, check: {kind: manual}}\n"
    one = rubric.parse(text + "      - {id: b, question: q, check: {kind: manual}}\n")

    def with_floors(answer: str) -> Scorecard:
        given = {"a": answer, "b": "na" if answer == "na" else "no"}
        verdicts = {c.id: score.Verdict(given[c.id]) for c in one.criteria()}
        return score.scorecard(
            "x", one, {c.id: score.recorded(c, verdicts[c.id], one) for c in one.criteria()}
        )

    assert with_floors("no").raw_score == 25  # (0.4 + 0) / 2 is below the section's floor
    assert with_floors("yes").raw_score == 50
    assert with_floors("na").raw_score is None


@pytest.mark.parametrize(
    ("heard", "points", "outcome"), [("bad", 0, "fail"), ("fair", 37.5, "fail"), ("good", 100, "pass")]
)
def test_zendesk_scale_with_a_critical_category(heard: str, points: float, outcome: str) -> None:
    """A 3-point scale is 0, 50, 100; a review the weighted mean; a critical rating below half makes it 0."""
    levels = (f"{{label: {name}, check: {{kind: regex, any: [{name}]}}}}" for name in ("good", "fair"))
    scale = f"levels: [{', '.join(levels)}]"
    one = form(f"id: a, question: q, weight: 3, auto_fail: true, {scale}",
               "id: b, question: q, weight: 1, check: {kind: regex, any: [good]}")  # fmt: skip
    card = scored(one, turns(("agent", heard)))
    assert (card.final_score, card.outcome) == (points, outcome)


PLUGIN = """
from pipeline.score import Verdict

def polite(conversation, metadata, options):
    said = any(options["word"] in turn.text for turn in conversation.transcript.turns)
    return Verdict("yes" if said else "no", reason="" if said else "never polite")

def broken(conversation, metadata, options):
    return "yes"
"""


def test_checks_of_other_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution's entry point answers; a missing or wrong one is an error of the rubric."""
    (tmp_path / "acme_checks.py").write_text(PLUGIN)
    about = tmp_path / "acme_checks-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-checks\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[callqa.checks]\nacme_polite = acme_checks:polite\nacme_broken = acme_checks:broken\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def asked(name: str) -> rubric.Rubric:
        return form(f"id: a, question: q, check: {{kind: plugin, name: {name}, options: {{word: please}}}}")

    assert scored(asked("acme_polite"), turns(("agent", "yes please"))).outcome == "pass"
    missed = scored(asked("acme_polite"), turns(("agent", "what")))
    assert (missed.outcome, missed.sections[0].criteria[0].reason) == ("fail", "never polite")
    with pytest.raises(RubricError, match="returned str, not a Verdict"):
        scored(asked("acme_broken"), turns(("agent", "hi")))
    with pytest.raises(RubricError, match="no check plugin 'acme_rude'") as told:
        scored(asked("acme_rude"), turns(("agent", "hi")))
    assert "acme_broken, acme_polite" in told.value.hint
    assert any("'acme_rude' is not installed" in w for w in rubric.lint(asked("acme_rude")))
    assert not any("not installed" in w for w in rubric.lint(asked("acme_polite")))


def test_lint_warns_of_what_does_nothing() -> None:
    """Idle weights, shadowed phrases, endless windows, auto-fails on estimates, parts no call can meet."""
    one = form(
        "id: a, question: q, points: 5, check: {kind: phrases, match: exact, any: [hello, hello there]}",
        "id: b, question: q, auto_fail: true, check: {kind: sentiment, min: 0}",
        "id: c, question: q, check: {kind: all_of, checks: [{kind: manual}, "
        "{kind: regex, any: [x], window: {first_s: 900}}]}",
    )
    told = "\n".join(rubric.lint(one))
    warnings = (
        "points do nothing in mode question",
        "“hello there” is never needed",
        "auto-fail on sentiment",
        "with a manual part no call can ever meet it",
        "900 is longer than most calls",
        "no tests",
    )
    for warning in warnings:
        assert warning in told


def test_lint_knows_what_can_be_found() -> None:
    """A condition on findings nothing makes never applies, and says so; every shipped list is known."""
    waiting = form(
        "id: a, question: q, when: {any: [{finding: {kind: sentiment, label: negative}}]}, "
        "check: {kind: finding, finding: risk}"
    )
    told = "\n".join(rubric.lint(waiting))
    assert "callqa finds no 'sentiment'" in told
    assert "no 'risk'" not in told
    lists = (Path(__file__).parents[2] / "pipeline" / "annotate" / "data").glob("phrases_*.yaml")
    made = {entry["kind"] for path in lists for entry in yaml.safe_load(path.read_text("utf-8"))}
    assert made
    assert made <= FINDING_KINDS


def test_lint_knows_the_languages_of_the_phrase_lists() -> None:
    """A Spanish form that asks for findings of words is told that they are not looked for in Spanish."""
    asked = (
        "id: a, question: q, when: {any: [{finding: {kind: risk}}]}, check: {kind: finding, finding: hold}"
    )
    told = "\n".join(rubric.lint(form(asked, more="language: es\n")))
    assert "a: callqa's phrase lists of 'risk' are English and Urdu: in es it finds none" in told
    assert "'hold'" not in told
    assert "phrase lists" not in "\n".join(rubric.lint(form(asked)))
    for check, warning in (
        ("{kind: metric, metric: has_closing, min: 1}", "phrase lists of 'closing' are English and Urdu"),
        ("{kind: phrases, match: lemma, any: [devolver]}", "lemma and token patterns know only English"),
        ("{kind: tokens, any: [[{LEMMA: devolver}]]}", "lemma and token patterns know only English"),
    ):
        one = f"id: a, question: q, check: {check}"
        assert warning in "\n".join(rubric.lint(form(one, more="language: es\n")))
        assert warning not in "\n".join(rubric.lint(form(one)))


@pytest.mark.parametrize("cap", [0, 40])
def test_a_capped_score_is_explained(cap: int) -> None:
    """A cap of 0 too."""
    one = form(f"id: a, question: q, auto_fail: {{policy: cap, cap: {cap}}}, check: {{kind: manual}}")
    assert f"a no fails the call, and its score is at most {cap}" in rubric.explain(one)


def test_every_rule_that_changes_a_score_is_explained() -> None:
    """Floors, and which grades auto-fail: a half is a yes, but below 60 % of the points."""
    levels = "[{label: full, check: {kind: manual}}, {label: half, check: {kind: manual}}]"
    fails = "auto_fail: {scope: section, below: 0.6}"
    one = form(f"id: a, question: q, floor: 25, {fails}, levels: {levels}", more="floor: 20\n")
    told = rubric.explain(one)
    assert "scores at least 20, unless it auto-fails" in told
    assert "less than 60% of the points fails its section" in told
    assert "a no fails" not in told
    assert "earns at least 25 % of its points" in told
    asked = form("id: a, question: q, check: {kind: manual, required: true}")
    (section,) = asked.sections
    told = rubric.explain(asked.model_copy(update={"sections": (section.model_copy(update={"floor": 30}),)}))
    assert "scores at least 30 when answered" in told
    assert "the call needs review until a person has answered" in told


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ("at_most: 1", "(in these words), at most once"),
        ("at_most: 0", "(in these words), never"),
        ("at_least: 1, at_most: 2", "(in these words), at least once, at most 2 times"),
    ],
)
def test_how_often_is_explained(limits: str, told: str) -> None:
    """Whether never is enough, too."""
    one = form(f"id: a, question: q, check: {{kind: phrases, match: exact, any: [okay], {limits}}}")
    assert told in rubric.explain(one)
    with pytest.raises(RubricError, match="always met"):
        form("id: a, question: q, check: {kind: phrases, any: [okay], at_least: 0}")


def test_a_finding_that_must_be_absent_is_explained_so() -> None:
    """Not as one that must be there."""
    one = form("id: a, question: q, check: {kind: finding, finding: profanity, role: agent, negate: true}")
    assert "profanity is not found (the agent)" in rubric.explain(one)


def test_the_schema_takes_every_rubric_that_is_valid() -> None:
    """Shipped ones, the example of the documentation, and numbers and single values in place of lists."""
    valid = Draft202012Validator(json.loads(run("rubric", "schema")[1]))
    docs = (ROOT / "docs" / "rubrics.md").read_text("utf-8")
    texts = [docs.split("```yaml\nrubric:")[1].split("```")[0].join(("rubric:", ""))]
    texts += [read_source(name)[0] for name in (*rubric.shipped(), "examples/harper_valley")]
    short = "id: a, question: 2026, when: {metadata: {queue: 5}, answers: {b: yes}}, check: {kind: manual}"
    more = "version: 2\napplies_to: {direction: inbound, medium: voice, client: Acme}\n"
    texts += [HEAD + f"      - {{{short}}}\n      - {{id: b, question: q, check: {{kind: manual}}}}\n" + more]
    for text in texts:
        assert rubric.parse(text)
        assert list(valid.iter_errors(read_yaml(text)[0])) == []
    assert not valid.is_valid({"rubric": "r", "mode": "points", "applies_to": {"direction": "sideways"}})


def test_a_rubric_from_template_to_tests(tmp_path: Path) -> None:
    """``new`` never overwrites; what it writes lints clean and is explained; ``schema`` completes it."""
    path = str(tmp_path / "acme.yaml")
    assert run("rubric", "new", path, "--from", "support")[0] == 0
    assert isinstance(CliRunner().invoke(app, ["rubric", "new", path]).exception, UsageError)
    assert rubric.load(path).id == "acme"
    assert "no errors, no warnings" in run("rubric", "lint", path)[2]
    assert "Passes from" in run("rubric", "explain", path)[1]
    schema = json.loads(run("rubric", "schema")[1])
    assert set(schema["properties"]) >= {"rubric", "mode", "sections", "tests"}
