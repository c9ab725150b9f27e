"""The sample calls: complete, described, small, and what their manifest says they are."""

import json
from pathlib import Path

import pytest

from pipeline import audio
from pipeline.contract import read
from pipeline.conversation import Transcript
from pipeline.errors import RecordingError
from pipeline.intake import discover
from pipeline.settings import IntakeSettings

SAMPLES = Path(__file__).parents[2] / "sample_audio"
RECEIVED = {item.path.name: item for item in discover([SAMPLES], IntakeSettings())}
CALLS = sorted(name for name, item in RECEIVED.items() if not item.fault and not name.startswith("broken"))


def test_every_sample_is_described_and_has_its_expected_transcript() -> None:
    """Ten calls with agent, team, client, queue, direction and a start with its zone; no warning."""
    assert len(CALLS) == 10
    for name in CALLS:
        item = RECEIVED[name]
        call = item.metadata
        assert item.warnings == ()
        assert call is not None
        assert all((call.agent_id, call.team, call.client, call.queue, call.customer_ref))
        assert call.direction in {"inbound", "outbound"}
        assert call.started_at is not None
        expected = read(Transcript, SAMPLES / f"{Path(name).stem}.expected.json")
        assert expected.call_id == call.call_id


@pytest.mark.parametrize("name", CALLS)
def test_a_sample_lasts_as_long_as_its_transcript_says(name: str) -> None:
    """Each decodes, with the number of channels and the length of its expected transcript."""
    expected = read(Transcript, SAMPLES / f"{Path(name).stem}.expected.json")
    clip = audio.load(SAMPLES / name)

    assert clip.n_channels == expected.channels
    assert clip.duration_s == pytest.approx(expected.duration_s, abs=0.2)
    assert 30 <= clip.duration_s <= 120
    assert max(turn.end_s or 0 for turn in expected.turns) < clip.duration_s


@pytest.mark.parametrize(
    ("name", "reason"), [("broken-text", "not_audio"), ("broken-truncated", "truncated")]
)
def test_the_broken_samples_are_refused_with_their_reason(name: str, reason: str) -> None:
    """They are received like any recording and refused by the ears."""
    with pytest.raises(RecordingError) as refused:
        audio.load(RECEIVED[f"{name}.wav"].path)
    assert refused.value.reason == reason


def test_the_folder_stays_small() -> None:
    """Everyone who clones the project downloads it: less than 6 MB."""
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 6_000_000


def test_the_agent_speaks_on_the_channel_the_manifest_names() -> None:
    """The swapped call differs from the others in nothing but its channels."""
    document = json.loads((SAMPLES / "support-swapped.expected.json").read_text())
    call = RECEIVED["support-swapped.wav"].metadata
    assert call is not None
    assert call.agent_channel == 1
    assert {t["channel"] for t in document["turns"] if t["role"] == "agent"} == {1}


def test_a_bare_yes_answers_no_question_by_meaning() -> None:
    """The hold of ``billing-unresolved`` was not asked for; the "Yes." after it is no permission."""
    from pipeline import matching, rubric, score
    from pipeline.conversation import Conversation, Finding

    call = read(Transcript, SAMPLES / "billing-unresolved.expected.json")
    hold = Finding("hold", "unannounced", None, 17.7, 29.9, "", 12.2, "test")
    item = RECEIVED["billing-unresolved.wav"]
    assert item.metadata is not None

    card = score.score(
        Conversation(call, (hold,)),
        rubric.load("support"),
        item.metadata,
        min_confidence=0.4,
        matcher=matching.load_matcher(),
    )

    answers = {answer.id: answer.answer for section in card.sections for answer in section.criteria}
    assert answers["hold_permission"] == answers["further_assistance"] == "no"
