"""Recordings heard poorly, or in which nobody speaks: no number, and one reason."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline import audio, rubric, score, speakers
from pipeline.conversation import (
    SAMPLE_RATE_HZ,
    AudioClip,
    CallMetadata,
    Conversation,
    Doubt,
    Finding,
    RoleSentiment,
    Transcript,
    Turn,
)
from pipeline.matching import load_matcher
from pipeline.settings import AudioSettings

SAMPLES = Path(__file__).parents[2] / "sample_audio"
MATCHER = load_matcher()
FORM = rubric.parse("""
rubric: mixed
mode: question
pass_mark: 60
sections:
  - id: s
    criteria:
      - {id: greets, question: "Greets?", check: {kind: phrases, role: agent, any: ["thank you for calling"]}}
      - id: no_churn
        question: "No churn?"
        check: {kind: finding, finding: risk, role: customer, negate: true}
      - {id: content, question: "Content?", check: {kind: sentiment, role: customer, min: -0.2}}
      - id: silence
        question: "No dead air?"
        check: {kind: event, event: silence, longer_than_s: 5, at_most: 0}
      - {id: greeting, question: "Greeting?", check: {kind: metric, metric: has_greeting, min: 1}}
""")


def heard(agent: float, customer: float) -> Conversation:
    """Two turns, recognised as surely as said."""
    turns = (
        Turn(0, "agent", "thank you for calling how can i help", 0, 4, confidence=agent),
        Turn(1, "customer", "my line is down again", 5, 8, confidence=customer),
    )
    felt = RoleSentiment(-0.5, (-0.5, None, None, None), None, -0.5, 1)
    return Conversation(
        Transcript("c", turns, language="en", duration_s=9.0, channels=2),
        findings=(Finding("risk", "churn", 1, 5, 8, "leave", None, "callqa.risk.v1"),),
        metrics={"has_greeting": 1.0},
        sentiment={"customer": felt},
    )


def card(conversation: Conversation) -> score.Scorecard:
    """Its scorecard."""
    return score.score(conversation, FORM, CallMetadata("c"), min_confidence=0.4, matcher=MATCHER)


def test_a_well_heard_call_has_a_number() -> None:
    """The same call under a number when its words can be trusted."""
    assert card(heard(0.8, 0.8)).final_score is not None


@pytest.mark.parametrize(("agent", "customer"), [(0.2, 0.3), (0.2, 0.95)])
def test_words_under_the_bound_make_no_number(agent: float, customer: float) -> None:
    """No score of form or section that somebody could average; one reason why, and a person is asked."""
    weak = card(heard(agent, customer))

    assert (weak.raw_score, weak.final_score, weak.outcome) == (None, None, "needs_review")
    assert [section.score for section in weak.sections] == [None]
    assert len(weak.review_reasons) == 1
    assert "recognition is too weak" in weak.why


def test_what_rests_on_weak_words_is_undetermined_and_what_rests_on_times_is_not() -> None:
    """Findings, feeling and word metrics of invented words say nothing; silence is still silence."""
    (section,) = card(heard(0.2, 0.2)).sections

    assert {c.id: c.answer for c in section.criteria} == {
        "greets": "undetermined",
        "no_churn": "undetermined",
        "content": "undetermined",
        "silence": "yes",
        "greeting": "undetermined",
    }


@pytest.mark.parametrize("turns", [(), (Turn(0, "unknown", " ", 0, 1),)])
def test_a_recording_without_speech_has_one_reason(turns: tuple[Turn, ...]) -> None:
    """Music, ambience, silence: not scored, because no speech was found, said once."""
    empty = card(Conversation(Transcript("c", turns, language="en", duration_s=30.0, channels=1)))

    assert (empty.outcome, empty.final_score) == ("not_scored", None)
    assert empty.review_reasons == ("no speech was found",)
    assert empty.why == "no speech was found"
    answers = [one for section in empty.sections for one in section.criteria]
    assert {one.answer for one in answers} == {"na"}  # so that no pass rate counts them


def quiet(level: float, noise: float = 0.0, **clip: object) -> tuple[Transcript, AudioClip]:
    """Eight seconds of a voice in the middle of sixteen, recognised weakly."""
    rng = np.random.default_rng(0)
    samples = rng.normal(0, noise, (2, 16 * SAMPLE_RATE_HZ)).astype(np.float32)
    spoken = slice(4 * SAMPLE_RATE_HZ, 12 * SAMPLE_RATE_HZ)
    samples[:, spoken] += rng.normal(0, level, (2, 8 * SAMPLE_RATE_HZ)).astype(np.float32)
    turns = tuple(Turn(n, "unknown", "words that nobody said", 4, 12, n, 0.2) for n in range(2))
    return Transcript("c", turns, language="en", channels=2), AudioClip(samples, **clip)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("transcript_and_clip", "metadata", "cause"),
    [
        (quiet(0.001), CallMetadata("c"), "speech is quiet (60 dB below full scale)"),
        (quiet(0.05, 0.05), CallMetadata("c"), "speech is only 3 dB above the noise"),
        (quiet(0.05, doubts=(Doubt("clipped", "clipped"),)), CallMetadata("c"), "it is clipped"),
        (quiet(0.05, source_sample_rate_hz=6000), CallMetadata("c"), "nothing above 3 kHz was recorded"),
        (quiet(0.05, codec="wav/gsm_ms"), CallMetadata("c"), "the codec wav/gsm_ms keeps little"),
        (quiet(0.05), CallMetadata("c", language="en"), "it was heard as en, as its data say"),
        (quiet(0.05), CallMetadata("c"), "why cannot be told from the sound"),
    ],
)  # fmt: skip
def test_a_weak_recording_says_why(
    transcript_and_clip: tuple[Transcript, AudioClip], metadata: CallMetadata, cause: str
) -> None:
    """Level, noise, clipping, band, codec and language are named where they can be told."""
    transcript, clip = transcript_and_clip

    told = speakers.assign_roles(transcript, clip, metadata, AudioSettings())

    (sentence,) = [w for w in told.warnings if w.startswith("recognised weakly")]
    assert cause in sentence
    assert told.said_of("recognised_weakly") == (sentence,)


def test_the_cause_is_in_the_reason_of_the_scorecard() -> None:
    """Who reads the scorecard sees what to mend."""
    weak = heard(0.2, 0.2)
    said = "recognised weakly (mean word confidence 0.20): it is clipped"

    doubt = Doubt("recognised_weakly", said)
    told = card(replace(weak, transcript=weak.transcript.doubted([doubt])))

    assert told.why.endswith(said)


def loud(db: float, n_channels: int = 2) -> tuple[Transcript, AudioClip]:
    """A shipped call whose second channel (or only one) is made quieter, heard with confidence."""
    clip = audio.load(SAMPLES / "support-swapped.wav")
    samples = clip.samples.copy() if n_channels == 2 else clip.samples.sum(axis=0, keepdims=True)
    samples[-1] *= np.float32(10 ** (db / 20))
    truth = json.loads((SAMPLES / "support-swapped.expected.json").read_text("utf-8"))["turns"]
    turns = tuple(
        Turn(n, "unknown", t["text"], t["start_s"], t["end_s"], t["channel"] if n_channels == 2 else 0, 0.9)
        for n, t in enumerate(truth)
    )
    return Transcript("c", turns, language="en", channels=n_channels), AudioClip(samples)


@pytest.mark.parametrize(("db", "is_told"), [(0.0, False), (-12.0, False), (-46.0, True)])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_speech_too_quiet_to_be_heard_whole_is_said(db: float, is_told: bool, n_channels: int) -> None:
    """What was heard has good confidence; what was missed leaves no trace but the level, even of one side."""
    transcript, clip = loud(db, n_channels)

    told = speakers.assign_roles(transcript, clip, CallMetadata("c"), AudioSettings())

    quiet_ = [w for w in told.warnings if w.startswith("too quiet")]
    assert len(quiet_) == is_told
    assert all(("the agent's" in w) == (n_channels == 2) for w in quiet_)
    role = "agent" if n_channels == 2 else None
    assert told.doubts == tuple(Doubt("too_quiet", w, role) for w in quiet_)


@pytest.mark.parametrize(
    ("doubt", "said", "unsaid"),
    [
        (Doubt("too_quiet", "64 dB below full scale"), "yes", "undetermined"),
        (Doubt("too_quiet", "64 dB below full scale", "agent"), "yes", "undetermined"),
        (Doubt("too_quiet", "64 dB below full scale", "customer"), "yes", "no"),
        (Doubt("clipped", "5.0 % of samples are at full scale"), "yes", "undetermined"),
        (Doubt("other_language", "it sounds like ur"), "undetermined", "undetermined"),
        (Doubt("recognised_weakly", "mean word confidence 0.45"), "yes", "no"),
        (None, "yes", "no"),
    ],
)
def test_scoring_heeds_what_is_wrong_with_the_sound(doubt: Doubt | None, said: str, unsaid: str) -> None:
    """Words that may be missing make a miss mean nothing; words that may be made up, a hit as well.

    A warning alone decides nothing, however it begins.
    """
    whole = heard(0.9, 0.9)
    transcript = whole.transcript.doubted([doubt] if doubt else [])
    warnings = (*transcript.warnings, "too quiet: speech", "clipped: speech", "it was heard as speech")
    whole = replace(whole, transcript=replace(transcript, warnings=warnings))
    without = replace(whole, transcript=replace(whole.transcript, turns=whole.transcript.turns[1:]))
    silent = replace(
        without,
        transcript=replace(
            without.transcript,
            turns=(Turn(0, "agent", "yes what is it", 0, 4, confidence=0.9), *without.transcript.turns),
        ),
    )

    for conversation, wanted in ((whole, said), (silent, unsaid)):
        greets = card(conversation).sections[0].criteria[0]
        assert greets.answer == wanted
        assert wanted != "undetermined" or greets.reason == (doubt and doubt.said)


def test_feeling_and_word_metrics_of_another_language_are_undetermined() -> None:
    """Words made up in the declared language have no feeling and greet nobody; silence is still silence."""
    whole = heard(0.9, 0.9)
    foreign = whole.transcript.doubted([Doubt("other_language", "it was heard as en and sounds like ur")])

    (section,) = card(replace(whole, transcript=foreign)).sections

    told = {c.id: c.answer for c in section.criteria}
    assert told.pop("silence") == "yes"
    assert set(told.values()) == {"undetermined"}
