"""Conversation metrics follow their definitions, and say None where a recording cannot tell."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import metrics
from pipeline.conversation import Transcript, Turn, Word


def turn(number: int, role: str, start_s: float, end_s: float, text: str = "so it is") -> Turn:
    """A turn whose words fill it evenly."""
    parts = text.split()
    step = (end_s - start_s) / max(1, len(parts))
    words = tuple(Word(w, start_s + i * step, start_s + (i + 1) * step) for i, w in enumerate(parts))
    return Turn(number, role, text, start_s, end_s, words=words)


CALL = Transcript(
    "c",
    (
        turn(0, "agent", 1, 5, "good morning how can i help"),
        turn(1, "customer", 6, 16, "my line is down " * 5),
        turn(2, "agent", 14, 18, "let me look at that for you"),
        turn(3, "customer", 25, 27, "okay thanks"),
    ),
    duration_s=30.0,
    channels=2,
)


def test_talk_times_are_sums_of_intervals() -> None:
    """Agent 4 + 4 seconds, customer 10 + 2, their ratio, and silence around them."""
    values = metrics.measure(CALL)

    assert values["agent_talk_s"] == pytest.approx(8)
    assert values["customer_talk_s"] == pytest.approx(12)
    assert values["agent_talk_ratio"] == pytest.approx(0.4)
    assert values["silence_s"] == pytest.approx(1 + 1 + 7 + 3)
    assert values["customer_wpm"] == pytest.approx(60 * 22 / 12)


def test_dead_air_is_long_silence_inside_the_call_only() -> None:
    """The seven seconds count; lead-in, tail and short gaps do not; a hold is not dead air."""
    values = metrics.measure(CALL)
    held = metrics.measure(CALL, hold_spans=[(18.0, 25.0)])

    assert (values["dead_air_count"], values["dead_air_longest_s"]) == (1, pytest.approx(7))
    assert (held["dead_air_count"], held["hold_s"]) == (0, pytest.approx(7))


def test_redacted_speech_is_not_dead_air() -> None:
    """Words taken out for privacy leave no silence behind."""
    assert metrics.measure(CALL, redacted_spans=[(19.0, 24.0)])["dead_air_count"] == 0


def test_overtalk_is_charged_to_who_started_second() -> None:
    """The agent started over the customer for two seconds."""
    values = metrics.measure(CALL)

    assert values["overtalk_count"] == 1
    assert values["overtalk_s"] == pytest.approx(2)
    assert (values["agent_interruptions"], values["customer_interruptions"]) == (1, 0)


def test_a_backchannel_is_an_overlap_but_no_interruption() -> None:
    """Saying "uh huh" over the other's words takes no floor."""
    call = dataclasses.replace(CALL, turns=(turn(0, "agent", 0, 10), turn(1, "customer", 4, 4.6, "uh huh")))

    values = metrics.measure(call)

    assert (values["overlap_count"], values["overtalk_count"], values["customer_interruptions"]) == (1, 0, 0)


def test_mono_does_not_guess_overlap() -> None:
    """One channel cannot tell who spoke over whom: None, not zero."""
    values = metrics.measure(dataclasses.replace(CALL, channels=1))

    assert values["overtalk_s"] is None
    assert values["agent_interruptions"] is None
    assert values["agent_talk_s"] is not None


def test_a_chat_has_words_but_no_seconds() -> None:
    """Text without times keeps what text tells."""
    chat = Transcript("c", (Turn(0, "agent", "hello, how can I help?"),), medium="chat")

    values = metrics.measure(chat)

    assert values["agent_words"] == 5
    assert values["agent_questions"] == 1
    assert values["agent_talk_s"] is None
    assert values["silence_s"] is None


@pytest.mark.parametrize("turns", [(), (Turn(0, "agent", "   "),), (Turn(0, "unknown", "hello"),)])
def test_hardly_any_conversation_is_measured_without_fault(turns: tuple[Turn, ...]) -> None:
    """No turns, empty turns, unknown speakers: every metric is present."""
    assert metrics.measure(Transcript("c", turns, duration_s=5.0)).keys() == metrics.METRICS.keys()


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("what is your name", True),
        ("okay and do you have the number", True),
        ("Um, er, what was it called", True),
        ("is there anything else", True),
        ("you got it?", True),
        ("what a day that was", True),
        ("i know what you did", False),
        ("that is what i said.", False),
        ("میرا بل کیا ہے؟", True),
    ],
)
def test_questions_are_known_without_question_marks(text: str, asks: bool) -> None:
    """Spoken questions are told by how they begin."""
    assert metrics.is_question(text) == asks


spans = st.tuples(st.floats(0, 100), st.floats(0, 20)).map(lambda p: (p[0], p[0] + p[1]))


@given(st.lists(st.tuples(st.sampled_from(["agent", "customer"]), spans), max_size=12))
def test_times_always_add_up(pieces: list[tuple[str, tuple[float, float]]]) -> None:
    """However turns lie: silence and the union of speech fill the recording, nothing is negative."""
    turns = tuple(Turn(i, r, "a b", a, b) for i, (r, (a, b)) in enumerate(pieces))
    call = Transcript("c", turns, duration_s=125.0, channels=2)
    values = metrics.measure(call)

    speech = metrics.intervals(call)
    spoken = 125.0 - sum(b - a for a, b in metrics.gaps(speech, 125.0))
    assert values["silence_s"] == pytest.approx(125.0 - spoken)
    assert all(value is None or value >= 0 for value in values.values())
    assert (values["overtalk_s"] or 0) <= min(
        values["agent_talk_s"] or 0, values["customer_talk_s"] or 0
    ) + 1e-6


@given(st.lists(st.integers(0, 60), max_size=8, unique=True), st.lists(spans, max_size=5))
def test_taking_spans_out_leaves_only_what_none_covers(
    ends: list[int], taken: list[tuple[float, float]]
) -> None:
    """Pieces lie inside a whole and touch nothing taken; nothing else is gone."""
    in_order = sorted(map(float, ends))
    wholes = list(zip(in_order[::2], in_order[1::2], strict=False))
    left = metrics.without(wholes, taken)
    for a, b in left:
        assert any(c <= a < b <= d for c, d in wholes)
        assert all(b <= c or d <= a for c, d in taken if d > c)
    gone = [metrics.without([whole], left) for whole in wholes]
    assert not metrics.without([piece for pieces in gone for piece in pieces], taken)


@pytest.mark.parametrize("name", ["dev-001", "dev-002"])
def test_real_calls_are_measured_as_their_truth_says(shared_data: Path, name: str) -> None:
    """From true turn times the definitions give the composed talk times and overlaps."""
    truth = json.loads((shared_data / "calls" / f"{name}.truth.json").read_text())
    turns = tuple(
        Turn(i, t["role"], t["text"], t["start_s"], t["end_s"]) for i, t in enumerate(truth["turns"])
    )
    call = Transcript(name, turns, duration_s=truth["duration_s"], channels=2)
    hold = truth["hold"]

    values = metrics.measure(call, hold_spans=[(hold["start_s"], hold["end_s"])])

    for role in ("agent", "customer"):
        true_s = sum(t.end_s - t.start_s for t in turns if t.role == role)
        assert values[f"{role}_talk_s"] == pytest.approx(true_s, rel=0.05)
    assert values["overlap_count"] == truth["overlaps"]
    assert values["dead_air_s"] == 0
