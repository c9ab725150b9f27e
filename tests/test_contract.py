"""The public JSON contract reads what it writes, and refuses the rest with reasons."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import contract
from pipeline.conversation import Conversation, Doubt, Finding, Sentiment, Transcript, Turn, Word
from pipeline.errors import RecordingError

doubts = st.builds(
    Doubt, st.sampled_from(["too_quiet", "clipped"]), st.text(max_size=9), st.sampled_from([None, "agent"])
)
times = st.floats(0, 1e5, allow_nan=False)
words = st.builds(Word, st.text(max_size=8), times, times, st.none() | st.floats(0, 1))
turns = st.builds(
    Turn,
    turn=st.integers(0, 99),
    role=st.sampled_from(["agent", "customer", "system", "unknown"]),
    text=st.text(max_size=30),
    start_s=st.none() | times,
    end_s=st.none() | times,
    words=st.lists(words, max_size=3).map(tuple),
    sentiment=st.none() | st.builds(Sentiment, st.floats(-1, 1), st.sampled_from(["negative", "neutral"])),
)
transcripts = st.builds(
    Transcript,
    call_id=st.text(max_size=9),
    turns=st.lists(turns, max_size=3).map(tuple),
    language=st.none(),
    warnings=st.lists(st.sampled_from(["clipped", "odd"]), max_size=2).map(tuple),
    doubts=st.lists(doubts, max_size=2).map(tuple),
)


@given(transcripts)
def test_a_transcript_survives_the_trip_through_json(transcript: Transcript) -> None:
    """Nothing is lost or changed between to_json and from_dict."""
    document = json.loads(contract.to_json(transcript))

    assert document["schema"] == "callqa.transcript/1"
    assert contract.from_dict(Transcript, document, source="t") == transcript


@given(transcripts)
def test_a_conversation_is_written_flat_and_read_back(transcript: Transcript) -> None:
    """On paper the turns stand at the top level, beside findings and metrics."""
    found = Finding("risk", "churn", 0, 1.0, 2.0, "cancel", None, "callqa.risk.v1")
    conversation = Conversation(transcript, (found,), {"talk_ratio": None}, warnings=("late",))

    document = json.loads(contract.to_json(conversation))

    assert [t["text"] for t in document["turns"]] == [t.text for t in transcript.turns]
    assert document["findings"][0]["label"] == "churn"
    assert contract.from_dict(Conversation, document, source="c") == conversation


def test_turn_numbers_and_the_call_id_may_be_left_out() -> None:
    """Their place says them: the position in the list and the file's name."""
    document = {"turns": [{"role": "agent", "text": "hello"}, {"role": "customer", "text": "hi"}]}

    transcript = contract.from_dict(Transcript, document, source="calls/a17.chat.json")

    assert transcript.call_id == "a17"
    assert [t.turn for t in transcript.turns] == [0, 1]


def test_a_transcript_written_before_doubts_had_a_kind_keeps_them() -> None:
    """What answers depend on is found among the warnings of an older file, and in no newer one."""
    said = [
        "too quiet: the agent's speech is 64 dB below full scale",
        "too quiet: speech on channel 2 is 60 dB below full scale",
        "a constant offset (DC) was removed",
        "it was heard as en and sounds like ur",
        "clipped: 5.0 % of samples are at full scale",
        "recognised weakly (mean word confidence 0.20): it is clipped",
    ]
    turns = [{"role": "agent", "text": "hello"}]

    old = contract.from_dict(Transcript, {"turns": turns, "warnings": said}, source="c")
    new = contract.from_dict(Transcript, {"turns": turns, "warnings": said, "doubts": []}, source="c")

    assert old.warnings == tuple(said)
    assert old.doubts == (
        Doubt("too_quiet", said[0], "agent"),
        Doubt("too_quiet", said[1]),
        Doubt("other_language", said[3]),
        Doubt("clipped", said[4]),
        Doubt("recognised_weakly", said[5]),
    )
    assert new.doubts == ()


def test_only_turns_with_role_and_text_are_required() -> None:
    """Another recogniser's plain transcript is accepted, unknown keys ignored."""
    document = {"call_id": "a", "turns": [{"turn": 0, "role": "agent", "text": "hello", "speaker_id": 7}]}

    transcript = contract.from_dict(Transcript, document, source="t")

    assert transcript.turns[0].words == ()
    assert transcript.turns[0].start_s is None


@pytest.mark.parametrize(
    ("document", "reason", "names"),
    [
        ([], "not_transcript", "JSON object"),
        ({"schema": "callqa.scorecard/1"}, "wrong_schema", "callqa.transcript/1"),
        ({"call_id": "x"}, "invalid", "turns"),
        ({"call_id": "x", "turns": [{"turn": 0, "role": "boss", "text": ""}]}, "invalid", "turns.0.role"),
    ],
)
def test_wrong_documents_say_where_and_why(document: object, reason: str, names: str) -> None:
    """Each refusal names the place and keeps a machine-readable reason."""
    with pytest.raises(RecordingError) as caught:
        contract.from_dict(Transcript, document, source="calls/a.json")

    assert caught.value.reason == reason
    assert names in caught.value.message
    assert "calls/a.json" in caught.value.message


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    """Binary junk named .json is a recording error, not a crash."""
    path = tmp_path / "a.json"
    path.write_bytes(b"\xff\xfe\x00junk")

    with pytest.raises(RecordingError, match="not readable as JSON"):
        contract.read(Transcript, path)
