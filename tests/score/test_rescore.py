"""Stored calls under another rubric: what is asked again, what is kept, who flips and why."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline import matching, rubric, score
from pipeline.cli.commands import app
from pipeline.contract import from_dict, to_json
from pipeline.conversation import CallRecord, Conversation, Scorecard
from pipeline.rescore import Rescored, rescore
from pipeline.rubric.queries import Found, Query
from pipeline.store import CallFilter, Store
from tests.talk import exchange

ROOT = Path(__file__).parents[2]
FORM = """
rubric: desk
version: "{version}"
mode: question
pass_mark: {pass_mark}
sections:
  - id: s
    criteria:
      - id: greeting
        question: Greeted?
        weight: {weight}
        check: {{kind: phrases, match: fuzzy, any: ["{greeting}"]}}
      - id: help
        question: Offered more help?
        check: {{kind: phrases, match: fuzzy, any: [anything else I can help with]}}
      - id: after
        question: Said goodbye after it?
        check: {{kind: phrases, match: fuzzy, any: [have a nice day], window: {{after: {{criterion: help}}}}}}
"""
BASE = {"version": "1", "pass_mark": "60", "weight": "1", "greeting": "thank you for calling"}
LINES = ("thank you for calling acme", "my card is lost", "is there anything else I can help with", "no")


def form(**changes: str) -> rubric.Rubric:
    """The rubric with something changed."""
    return rubric.parse(FORM.format(**{**BASE, **changes}), "desk.yaml")


def call(name: str, lines: tuple[str, ...] = LINES) -> CallRecord:
    """A call in which agent and customer take turns."""
    return exchange(name, lines)


class Asked:
    """The real matcher, and which phrases it was asked for."""

    def __init__(self) -> None:
        self.matcher = matching.load_matcher(models=False)
        self.fingerprint, self.notes = self.matcher.fingerprint, self.matcher.notes
        self.phrases: set[str] = set()

    def find(self, query: Query, texts: list[str]) -> list[Found]:
        """Remember and pass on."""
        self.phrases |= set(query.phrases)
        return self.matcher.find(query, texts)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Three calls scored under the first version: one passes, one misses the greeting, one has one word."""
    with Store(tmp_path / "qa.duckdb") as opened:
        opened.load([call("good"), call("rude", ("yes what", *LINES[1:])), call("short", ("hello",))])
        list(run(opened, form(), Asked()))
        yield opened


def run(store: Store, new: rubric.Rubric, asked: Asked, **options: int) -> dict[str, Rescored]:
    """Everything re-scored, by call."""
    return {r.call_id: r for r in rescore(store, new, asked, min_confidence=0.4, **options)}


def test_changed_weights_and_marks_read_no_words(store: Store) -> None:
    """Nothing is searched for again, and the scores are those of a full scoring."""
    asked = Asked()
    new = form(weight="3", pass_mark="90", version="2")
    done = run(store, new, asked)
    assert asked.phrases == set()
    for metadata, conversation in store.conversations():
        fresh = score.score(conversation, new, metadata, min_confidence=0.4, matcher=Asked())
        assert done[metadata.call_id].after == fresh
    assert done["good"].changes == ("same answers, other weights",)


def test_a_call_whose_score_is_withheld_stays_so_under_new_weights(store: Store) -> None:
    """The agent was not understood: there are answers from the customer's words, and no score."""
    weak = call("weak", ("yes what", *LINES[::2]))
    said = weak.conversation.transcript
    mumbled, *clear = said.turns
    turns = (replace(mumbled, confidence=0.1), *(replace(turn, role="customer") for turn in clear))
    store.load([replace(weak, conversation=Conversation(replace(said, turns=turns)))])
    text = FORM.replace("match: fuzzy", "match: fuzzy, role: any")
    old, new = (rubric.parse(text.format(**{**BASE, "weight": weight}), "desk.yaml") for weight in "13")
    before = run(store, old, Asked())["weak"].after
    assert (before.outcome, before.final_score, before.answers[0].answer) == ("needs_review", None, "yes")

    after = run(store, new, Asked())["weak"].after

    assert (after.outcome, after.final_score) == ("needs_review", None)
    assert after.review_reasons == before.review_reasons


def test_new_weights_load_no_model() -> None:
    """A re-score without new words to find needs neither torch nor spaCy, which take seconds to load."""
    told = subprocess.run(
        [sys.executable, "-c", "import sys, pipeline.rescore; print({'torch', 'spacy'} & set(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "set()"


def test_scoring_by_meaning_needs_no_torch(tmp_path: Path) -> None:
    """``callqa rescore`` and ``callqa score`` find paraphrases where torch cannot be imported."""
    db, path, said = tmp_path / "qa.duckdb", tmp_path / "desk.yaml", tmp_path / "call.json"
    path.write_text(FORM.format(**BASE).replace("match: fuzzy", "match: meaning"))
    record = call("good", ("thanks for calling us", "yes", "is there anything more I can do for you", "no"))
    with Store(db) as opened:
        opened.load([record])
    said.write_text(to_json(record.conversation.transcript))
    program = f"""
import sys
sys.modules["torch"] = None
from pipeline.cli.commands import app
for command in (["rescore", "--db", {str(db)!r}], ["score", {str(said)!r}, "--json"]):
    app([*command, "--rubric", {str(path)!r}], standalone_mode=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    with Store(db, read_only=True) as opened:
        (stored,) = opened.scorecards()
    for sections in (stored.sections, from_dict(Scorecard, json.loads(done.stdout), source="score").sections):
        (section,) = sections
        by_id = {a.id: a for a in section.criteria}
        assert (by_id["greeting"].answer, by_id["help"].answer) == ("yes", "yes")
        assert by_id["help"].evidence[0].rule.startswith("meaning: ")
    assert stored.warnings == ()


def test_of_a_changed_rubric_only_what_changed_is_asked(store: Store) -> None:
    """A new phrase asks for itself; criteria that wait for a changed one are asked with it."""
    asked = Asked()
    done = run(store, form(greeting="yes what"), asked)
    assert asked.phrases == {"yes what"}
    assert done["rude"].changes[0].startswith("greeting: no → yes")
    before = FORM.replace("anything else I can help with", "is there anything else")
    run(store, rubric.parse(before.format(**{**BASE, "greeting": "yes what"}), "d.yaml"), asked)
    assert asked.phrases == {"yes what", "is there anything else", "have a nice day"}


@pytest.mark.parametrize("changed", ["call", "matcher", "confidence"])
def test_another_call_matcher_or_confidence_asks_everything(store: Store, changed: str) -> None:
    """An answer is kept only while everything it rests on is the same."""
    asked = Asked()
    if changed == "call":
        store.load([call(name) for name in ("good", "rude", "short")])
    elif changed == "matcher":
        asked.fingerprint += "+newer"
    else:
        list(rescore(store, form(), Asked(), min_confidence=0.9))
    run(store, form(pass_mark="90"), asked)
    assert "thank you for calling" in asked.phrases


def test_old_scores_stay_and_flips_are_told_and_stored(store: Store) -> None:
    """Both versions can be read, and the view names who flips with the reason of each outcome."""
    flips = [r for r in run(store, form(pass_mark="30", version="2"), Asked()).values() if r.flipped]
    assert {(r.call_id, r.before.outcome if r.before else "", r.after.outcome) for r in flips} == {
        ("rude", "fail", "pass")
    }
    assert flips[0].changes == ("pass mark 60.0 → 30.0",)
    hashes = {
        c.rubric.hash
        for h in (form(), form(pass_mark="30", version="2"))
        for c in store.scorecards(CallFilter(rubric=h.hash))
    }
    assert len(hashes) == 2
    told = store.query("SELECT call_id, old_outcome, new_outcome, old_why, new_why FROM v_flips")
    assert told == [
        {
            "call_id": "rude",
            "old_outcome": "fail",
            "new_outcome": "pass",
            "old_why": "missed greeting, after",
            "new_why": "",
        }
    ]


def test_several_processes_give_the_same_answers(store: Store) -> None:
    """Whoever is asked."""
    new = form(greeting="yes what")
    alone = run(store, new, Asked(), processes=1)
    scores = {name: (r.after.final_score, r.after.outcome) for name, r in alone.items()}
    store.load([call(f"more-{i}") for i in range(5)])
    together = {
        r.call_id: r for r in rescore(store, new, matching.load_matcher(), min_confidence=0.4, processes=2)
    }
    assert len(together) == 8
    assert {n: (r.after.final_score, r.after.outcome) for n, r in together.items() if n in scores} == scores


def test_calls_whose_words_were_erased_keep_their_figures(store: Store) -> None:
    """There is nothing left to ask, and no score is lost to that."""
    store.purge(CallFilter(call_ids=("good",)), keep_figures=True)
    assert set(run(store, form(pass_mark="90"), Asked())) == {"rude", "short"}
    kept = store.query("SELECT outcome FROM v_scorecards WHERE call_id = 'good'")
    assert kept == [{"outcome": "pass"}]


def test_forgetting_in_the_middle_of_a_batch_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is remembered, every text that is wanted is there."""
    texts = [f"thank you for calling number {word}" for word in ("one", "two", "three", "four")]
    texts += ["thank you for calling again"]
    query = Query("meaning", ("thanks for your call",), unless=("I called you",), key="k")
    whole = [f.at for f in matching.load_matcher().find(query, texts)]
    assert len(whole) > 2
    monkeypatch.setattr(matching.wording, "MAX_CACHED_TEXTS", 0)
    matcher = matching.load_matcher()
    assert [[f.at for f in matcher.find(query, texts)] for _ in range(2)] == [whole] * 2
    assert [f.at for f in matcher.find(query, [*texts, texts[-1]])] == [*whole, 5]


def test_the_command_tells_flips_and_why(tmp_path: Path) -> None:
    """``callqa rescore``: a line a flip on standard output, the sum on standard error."""
    db, first, second = tmp_path / "qa.duckdb", tmp_path / "one.yaml", tmp_path / "two.yaml"
    first.write_text(FORM.format(**BASE))
    second.write_text(FORM.format(**{**BASE, "pass_mark": "30", "version": "2"}))
    with Store(db) as opened:
        opened.load([call("good"), call("rude", ("yes what", *LINES[1:]))])
    command = ["rescore", "--db", str(db), "--rubric"]
    result = CliRunner().invoke(app, [*command, str(first)], catch_exceptions=False)
    assert (result.stdout, "nobody flips" in result.stderr) == ("", True)
    result = CliRunner().invoke(app, [*command, str(second), "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {
        "call_id": "rude", "outcome_before": "fail", "outcome_after": "pass",
        "score_before": 33.3333, "score_after": 33.3333, "changes": ["pass mark 60.0 → 30.0"],
    }  # fmt: skip
    assert "2 calls scored under desk 2" in result.stderr
    assert "1 fail → pass" in result.stderr


def test_lint_asks_stored_calls(tmp_path: Path) -> None:
    """``callqa rubric lint --db``: what no stored call ever met, windows beyond the stored calls' length."""
    path = tmp_path / "desk.yaml"
    path.write_text(
        FORM.format(**{**BASE, "greeting": "welcome to the opera"}).replace(
            "match: fuzzy, any: [any", "window: {first_s: 90}, match: fuzzy, any: [any"
        )
    )
    db = str(tmp_path / "qa.duckdb")
    with Store(db) as opened:
        opened.load([call(f"c{i}") for i in range(20)])
        run(opened, rubric.load(str(path)), Asked())

    def lines(*more: str) -> str:
        return CliRunner().invoke(app, ["rubric", "lint", str(path), *more], catch_exceptions=False).stdout

    assert "first_s" not in lines()
    told = lines("--db", db)
    assert "greeting: none of the stored calls has ever met it" in told
    assert "help: none" not in told
    assert "help: first_s: 90 is longer than half of the stored calls (20 s)" in told
