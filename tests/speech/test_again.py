"""Words that decide answers, transcribed again by a larger model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from pipeline import rubric, score
from pipeline.conversation import (
    SAMPLE_RATE_HZ,
    AudioClip,
    CallMetadata,
    Conversation,
    Transcript,
    Turn,
    Word,
)
from pipeline.errors import ModelError, RecordingError
from pipeline.matching import load_matcher
from pipeline.process.again import TRANSCRIBED_AGAIN, SecondPass, Wanted
from pipeline.process.cache import StageCache
from pipeline.process.calls import process_group
from pipeline.process.prepare import prepare
from pipeline.process.stages import Stages
from pipeline.settings import Settings, TranscribeSettings
from pipeline.transcribe import Job, fingerprint, second
from pipeline.transcribe.again import Part, excerpts, parts_of, put_in
from tests.fakes import FakeAnnotator, fake_received, fake_stages

MATCHER = load_matcher()


def said(n: int, role: str, text: str, start_s: float, channel: int, word_s: float = 0.5) -> Turn:
    """A turn whose words follow each other without a pause."""
    words = tuple(
        Word(w, start_s + k * word_s, start_s + (k + 1) * word_s, 0.8) for k, w in enumerate(text.split())
    )
    return Turn(n, role, text, start_s, words[-1].end_s, channel, 0.8, words, "en")  # type: ignore[arg-type]


FIRST = Transcript(
    "c",
    (
        said(0, "agent", "this is Joe from North wind", 1.0, 0),
        said(1, "customer", "hi I have a four fusion", 5.0, 1),
        said(2, "agent", "okay my card is [CARD]", 9.0, 0),
        said(3, "customer", "the soridate came", 14.0, 1),
        said(4, "agent", "goodbye", 25.0, 0),
    ),
    channels=2,
)
CLIP = AudioClip(np.arange(2 * 30 * SAMPLE_RATE_HZ, dtype=np.float32).reshape(2, -1))


class Echo:
    """An engine that hears the same words in every excerpt, at given seconds of it."""

    def __init__(self, *heard: tuple[str, float], word_s: float = 0.5) -> None:
        self.heard, self.word_s = heard, word_s
        self.jobs: list[Job] = []

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """The same words for every job."""
        self.jobs += jobs
        turns = tuple(
            said(n, "unknown", text, at_s, 0, self.word_s) for n, (text, at_s) in enumerate(self.heard)
        )
        return [Transcript(job.call_id, turns) for job in jobs]


def transcribed_again(parts: Sequence[Part], *heard: tuple[str, float]) -> tuple[Transcript, list[Job]]:
    """The first transcript with parts transcribed again, and what the engine was asked."""
    engine = Echo(*heard)
    asked = excerpts(Job("c", CLIP, "en"), FIRST, parts)
    return put_in(FIRST, asked, engine.transcribe([one.job for one in asked])), engine.jobs


def test_words_transcribed_again_take_the_place_of_the_first() -> None:
    """Text, words and times are the second transcript's; everything around them stays."""
    second, (job,) = transcribed_again([Part(1, 0, 5)], ("I have a Ford Fusion", 0.8))

    assert second.turns[1].text == "I have a Ford Fusion"
    assert [word.start_s for word in second.turns[1].words] == pytest.approx([5.0, 5.5, 6.0, 6.5, 7.0])
    assert [turn for turn in second.turns if turn.turn != 1] == [t for t in FIRST.turns if t.turn != 1]
    assert job.clip.n_channels == 1
    assert job.language == "en"


def test_part_of_a_turn_keeps_the_rest_of_it() -> None:
    """Only the words asked for are others; a hyphen heard without a space before it stays without."""
    second, _ = transcribed_again([Part(1, 3, 5)], ("a Ford -Fusion", 0.6))

    assert second.turns[1].text == "hi I have a Ford -Fusion"
    assert len(second.turns[1].words) == 6


def test_what_is_not_heard_a_second_time_stays() -> None:
    """A second model that hears nothing takes no word away."""
    second, jobs = transcribed_again([Part(1, 0, 5), Part(3, 0, 2)])

    assert second == FIRST
    assert len(jobs) == 1


@pytest.mark.parametrize(
    ("heard", "confidence", "kept"),
    [
        ("the estimated hold time is", 0.5, "the soridate came"),  # made up: unlike, and less sure
        ("the estimated hold time is", 0.9, "the estimated hold time is"),  # the first was made up
        ("the sort date came", 0.5, "the sort date came"),  # the same words, heard better
    ],
)
def test_words_made_up_the_second_time_are_not_taken(heard: str, confidence: float, kept: str) -> None:
    """Where two transcripts of one sound have nothing in common, the surer one stays."""
    asked = excerpts(Job("c", CLIP, "en"), FIRST, [Part(3, 0, 2)])
    turn = said(0, "unknown", heard, 0.8, 0, 0.25)
    turn = replace(turn, words=tuple(replace(word, confidence=confidence) for word in turn.words))

    second = put_in(FIRST, asked, [Transcript("c", (turn,))])
    assert second.turns[3].text == kept


def test_an_excerpt_holds_the_sound_of_its_parts_alone() -> None:
    """A channel's parts are joined with silence between them, at the samples they have in the recording."""
    (one,) = excerpts(Job("c", CLIP), FIRST, [Part(1, 0, 5), Part(3, 0, 2)])
    samples = one.job.clip.samples[0]

    first = one.pieces[0]
    begin = int(first.at_s * SAMPLE_RATE_HZ)
    assert samples[begin] == CLIP.samples[1, int(first.start_s * SAMPLE_RATE_HZ)]
    assert one.job.clip.duration_s < 3.4 + 1.9 + 3 * 0.7
    assert not samples[: begin - 1].any()


def test_an_excerpt_is_heard_in_the_language_of_its_call() -> None:
    """Some seconds are too little to tell a language by: what the whole call was heard as is known."""
    urdu = replace(FIRST, turns=tuple(replace(turn, language="ur") for turn in FIRST.turns))
    mixed = replace(FIRST, turns=(*urdu.turns[:3], *FIRST.turns[3:]))

    assert [one.job.language for one in excerpts(Job("c", CLIP), urdu, [Part(1, 0, 5)])] == ["ur"]
    assert [one.job.language for one in excerpts(Job("c", CLIP, "en"), urdu, [Part(1, 0, 5)])] == ["en"]
    assert [one.job.language for one in excerpts(Job("c", CLIP), mixed, [Part(1, 0, 5)])] == [None]


def test_what_privacy_took_out_is_not_transcribed_again() -> None:
    """Nor is what the same person said just before or after: half a card number would not be found."""
    spans = [(turn.role, turn.start_s or 0.0, turn.end_s or 0.0) for turn in FIRST.turns]

    parts = parts_of(FIRST, spans, 1.0)

    assert parts == ()
    assert len(parts_of(replace(FIRST, turns=FIRST.turns[3:]), spans, 1.0)) == 2


def test_no_more_is_transcribed_again_than_asked_for() -> None:
    """The words that matter most are taken first, up to a length."""
    spans = [("customer", 14.0, 15.5), ("customer", 5.0, 8.0)]
    open_ = Transcript("c", tuple(t for t in FIRST.turns if "[" not in t.text), channels=2)

    assert parts_of(open_, spans, 0.3) == (Part(3, 0, 2),)  # type: ignore[arg-type]
    assert parts_of(open_, spans, 1.0) == (Part(1, 0, 5), Part(3, 0, 2))  # type: ignore[arg-type]


class Fixed(Echo):
    """An engine that hears the first transcript in every recording."""

    fingerprint = "fixed"

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """The same transcript for every job."""
        self.jobs += jobs
        return [replace(FIRST, call_id=job.call_id, duration_s=30.0) for job in jobs]


def batch_stages(larger: Echo, parts: tuple[Part, ...]) -> Stages:
    """Stages whose score has the customer's last words as evidence."""
    stages = fake_stages(Fixed())  # type: ignore[arg-type]
    engine = cast(Any, larger)
    engine.fingerprint = "second"
    again = SecondPass(engine, "large", lambda asked: [Wanted(parts, ("Joe",)) for _ in asked], lambda t: t)
    return replace(stages, again=again, load_audio=lambda received: CLIP)


def test_ledger_and_evidence_say_what_was_transcribed_again(tmp_path: Path) -> None:
    """The row warns, the stage is counted, and evidence of those words names the model that heard them."""
    larger = Echo(("thank you goodbye", 0.7), word_s=0.25)
    stages = batch_stages(larger, (Part(4, 0, 0),))
    received = fake_received(tmp_path, {"a.wav": "one"})

    (record,) = process_group(received, stages, StageCache(tmp_path / "state"))

    assert record.conversation is not None
    assert record.conversation.transcript.turns[4].text == "thank you goodbye"
    assert any(
        w.endswith("s transcribed again by large, because answers depend on them")
        for w in record.ledger.warnings
    )
    assert [stage.model for stage in record.stages if stage.stage == "again"] == ["large"]
    (answer,) = record.scorecards[0].sections[0].criteria
    assert (answer.answer, answer.evidence[0].rule) == ("yes", "fake; transcribed again by large")
    assert larger.jobs[0].names == ("Joe",)


def test_what_was_transcribed_again_is_kept(tmp_path: Path) -> None:
    """A second run under the same model and rubrics asks neither engine."""
    larger = Echo(("thank you goodbye", 0.7), word_s=0.25)
    stages = batch_stages(larger, (Part(4, 0, 0),))
    received = fake_received(tmp_path, {"a.wav": "one"})
    cache = StageCache(tmp_path / "state")

    first, again = (process_group(received, stages, cache)[0] for _ in range(2))

    assert first.conversation == again.conversation
    assert first.scorecards == again.scorecards
    assert len(larger.jobs) == 1


class Stumbling(FakeAnnotator):
    """Breaks on words that were transcribed again."""

    def annotate(
        self, transcripts: Sequence[Transcript], metadata: Sequence[CallMetadata]
    ) -> Iterator[Conversation]:
        """As the fake, or an error."""
        if any(TRANSCRIBED_AGAIN in w for one in transcripts for w in one.warnings):
            raise ValueError("words nobody thought of")
        return super().annotate(transcripts, metadata)


def test_a_call_whose_second_words_cannot_be_annotated_keeps_the_first(tmp_path: Path) -> None:
    """A fault in what is only a second transcription costs no call its score."""
    stages = replace(batch_stages(Echo(("well", 0.7)), (Part(4, 0, 0),)), annotator=Stumbling())

    (record,) = process_group(fake_received(tmp_path, {"a.wav": "one"}), stages, StageCache(tmp_path / "s"))

    assert record.ledger.status == "scored"
    assert record.conversation is not None
    assert record.conversation.transcript.turns[4].text == FIRST.turns[4].text


def test_a_call_on_which_nothing_hangs_is_heard_once(tmp_path: Path) -> None:
    """No sound is opened again, no stage counted."""
    larger = Echo()
    stages = batch_stages(larger, ())

    (record,) = process_group(fake_received(tmp_path, {"a.wav": "one"}), stages, StageCache(tmp_path / "s"))

    assert not larger.jobs
    assert "again" not in {stage.stage for stage in record.stages}


def test_nothing_is_loaded_unless_it_is_asked_for() -> None:
    """Off is the default; the first transcript, and its fingerprint, do not depend on the choice."""
    off = TranscribeSettings(model="base")
    on = off.model_copy(update={"again": "decisive", "again_model": "tiny.en"})

    assert second(off) is None
    assert second(on) == off.model_copy(update={"model": "tiny.en", "again_model": "tiny.en"})
    assert fingerprint(on) == fingerprint(off)


FORM = rubric.parse("""
rubric: disclosure
version: 1.0.0
mode: points
pass_mark: 80
sections:
  - id: words
    criteria:
      - id: recorded
        question: Is it said?
        points: 10
        check: {kind: phrases, any: [this call is recorded], match: fuzzy, window: {first_s: 20}}
      - id: not_recorded
        question: Is it not said?
        points: 10
        check:
          {kind: phrases, any: [this call is recorded], match: fuzzy, window: {first_s: 20}, negate: true}
""")


def hanging(text: str, unsure: int | None = None, start_s: float = 1.0) -> list[Any]:
    """What decides the two criteria in a call in which the agent says a text; one of its words is unsure."""
    turn = said(0, "agent", text, start_s, 0, 0.3)
    if unsure is not None:
        words = list(turn.words)
        words[unsure] = replace(words[unsure], confidence=0.1)
        turn = replace(turn, words=tuple(words))
    conversation = Conversation(
        Transcript("c", (said(1, "agent", "hello", 0.0, 0), turn), language="en", channels=2)
    )
    about = CallMetadata("c")
    (told,) = score.answer_calls([(about, conversation, {})], FORM, min_confidence=0.4, matcher=MATCHER)
    found = []
    for criterion in FORM.criteria():
        one = FORM.model_copy(
            update={"sections": (FORM.sections[0].model_copy(update={"criteria": (criterion,)}),)}
        )
        asked = [(one, told.answers)]
        found.append(score.words_that_decide(conversation, about, asked, min_confidence=0.4, matcher=MATCHER))
    return found


@pytest.mark.parametrize(
    ("text", "unsure"),
    [
        ("this call is recorded for training", None),  # firm
        ("this car is recorded for training", None),  # near
        ("we will look at your bill now", None),  # far
        ("we will look at your bill now", 3),  # far, with a word hardly heard
        ("this call is recorded for training", 4),
    ],
)
def test_yes_and_no_hang_on_the_same_words(text: str, unsure: int | None) -> None:
    """A criterion and its opposite ask for the same words again: nothing leans towards yes."""
    wanted, opposite = hanging(text, unsure)

    assert wanted == opposite


def test_a_firm_match_hangs_on_nothing_and_a_near_one_on_its_words() -> None:
    """Said plainly, nothing is transcribed again; nearly said, what came nearest is."""
    firm, _ = hanging("this call is recorded for training")
    near, _ = hanging("this car is recorded for training")

    assert firm == []
    assert near
    assert all(role == "agent" and 1.0 <= start_s < end_s <= 3.1 for role, start_s, end_s in near)


def test_words_hardly_heard_count_where_the_criterion_looks() -> None:
    """In the window of an unmet criterion, a word of low confidence is transcribed again; outside, not."""
    inside, _ = hanging("we will look at your bill now", unsure=3)
    outside, _ = hanging("we will look at your bill now", unsure=3, start_s=40.0)

    assert ("agent", pytest.approx(1.9), pytest.approx(2.2)) in inside
    assert all(start_s < 40.0 for _, start_s, _ in outside)


OBLIGATION = rubric.parse("""
rubric: promise
version: 1.0.0
mode: question
pass_mark: 80
sections:
  - id: words
    criteria:
      - id: read_back
        question: Was the order read back?
        check:
          kind: obligation
          trigger: {kind: phrases, match: fuzzy, role: customer, any: [sign me up]}
          then: {kind: phrases, match: fuzzy, any: [let me read that back]}
""")


def test_words_that_may_make_a_criterion_apply_are_transcribed_again() -> None:
    """A trigger that may lie in words of low confidence is transcribed again; the answer to it is not."""
    turn = said(0, "customer", "sing bee cup please", 1.0, 1)
    turn = replace(turn, words=tuple(replace(word, confidence=0.1) for word in turn.words))
    agent = said(1, "agent", "let us see", 4.0, 0)
    agent = replace(agent, words=tuple(replace(word, confidence=0.1) for word in agent.words))
    conversation = Conversation(Transcript("c", (turn, agent), language="en", channels=2))
    about = CallMetadata("c")
    (told,) = score.answer_calls([(about, conversation, {})], OBLIGATION, min_confidence=0.0, matcher=MATCHER)

    found = score.words_that_decide(
        conversation, about, [(OBLIGATION, told.answers)], min_confidence=0.0, matcher=MATCHER
    )

    assert told.answers["read_back"].answer == "na"
    assert {role for role, _, _ in found} == {"customer"}


def test_words_made_up_in_no_time_leave_the_budget_to_others() -> None:
    """A hundred words in a tenth of a second do not keep a short sentence from being transcribed again."""
    invented = said(0, "customer", "do that " * 50, 5.0, 1, 0.001)
    real = said(1, "customer", "yes let us do it", 1.0, 1)
    firm = said(2, "agent", "thank you very much for calling us today", 8.0, 0)
    transcript = Transcript("c", (real, invented, firm), language="en", channels=2)

    parts = parts_of(transcript, [("customer", 5.0, 5.1), ("customer", 1.0, 3.0)], 0.9)

    assert Part(1, 0, 4) in parts


def test_a_larger_model_that_is_not_there_is_said_before_anything_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where small cannot be had, the run ends with one sentence instead of after the first window."""

    def no_network(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("urllib.request.urlopen", no_network)
    settings = Settings.model_validate(
        {"transcribe": {"again": "decisive"}, "store": {"db": str(tmp_path / "calls.duckdb")}}
    )

    with pytest.raises(ModelError, match="needs a second model: no weights for model 'small'") as caught:
        prepare([tmp_path], settings)

    assert "callqa models pull small" in caught.value.hint
