"""Other tools' transcripts: every format by its published schema, and speakers who get roles."""

import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import contract, speakers
from pipeline.conversation import Transcript
from pipeline.errors import RecordingError
from pipeline.intake import discover, formats, read_transcript
from pipeline.process.calls import work_fingerprint
from pipeline.process.files import annotate_files, score_files
from pipeline.process.stages import Fingerprints
from pipeline.settings import AudioSettings, IntakeSettings, IntakeSource, Settings
from tests.other_tools import ASSEMBLYAI, BARE, BOTH, HELLO, HI, INSIGHTS, PCA, TOLD, TWILIO, WHISPER

DOCS = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text("utf-8")
IDS = [f"{n} {t[0]}" for n, t in enumerate(TOLD)]


def write(path: Path, document: object) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(document))
    return path


def read(path: Path, **intake: Any) -> Transcript:
    """A transcript file with the roles it ends up with."""
    (item,) = discover([path], IntakeSettings(**intake))
    if item.fault is not None:
        raise item.fault
    assert item.metadata is not None
    said = read_transcript(item)
    return speakers.assign_roles(said, None, item.metadata, AudioSettings(), item.first_party)


@pytest.mark.parametrize(("tool", "document", "told_apart"), TOLD, ids=IDS)
def test_every_format_is_read_with_its_turns_times_and_speakers(
    tmp_path: Path, tool: str, document: object, told_apart: list[tuple[object, object]]
) -> None:
    """Two turns in each: what was said, when to within 0.1 s, on which channel and by whom."""
    (item,) = discover([write(tmp_path / "a.json", document)], IntakeSettings())
    assert item.fault is None

    heard = read_transcript(item)

    assert heard.engine.name == tool
    assert [turn.text for turn in heard.turns] == [HELLO, HI]
    assert [(turn.channel, turn.speaker) for turn in heard.turns] == told_apart
    for turn, (_, start_s, end_s) in zip(heard.turns, BOTH, strict=True):
        assert turn.start_s is not None
        assert turn.end_s is not None
        assert abs(turn.start_s - start_s) <= 0.1
        assert abs(turn.end_s - end_s) <= 0.1
        assert all(word.text in turn.text or word.text in turn.text.lower() for word in turn.words)
        assert turn.confidence is None or turn.confidence > 0.85


@pytest.mark.parametrize(("tool", "document", "told_apart"), TOLD, ids=IDS)
def test_every_format_that_tells_speakers_apart_ends_with_roles(
    tmp_path: Path, tool: str, document: object, told_apart: list[tuple[object, object]]
) -> None:
    """By channel, name or number, with a stated confidence; no turn keeps a speaker's name."""
    said = read(write(tmp_path / "a.json", document))

    assert {turn.speaker for turn in said.turns} == {None}
    if told_apart == [(None, None)] * 2:
        assert {turn.role for turn in said.turns} == {"unknown"}
        assert said.role_confidence == 0.0
        return
    assert [turn.role for turn in said.turns] == ["agent", "customer"]
    if tool not in {"Post Call Analytics", "Genesys Cloud"}:  # which name the roles themselves
        assert said.role_confidence > 0.9
        assert {turn.channel for turn in said.turns} == {0, 1} or "wording" in said.warnings[-1]


def test_every_format_is_listed_with_its_page() -> None:
    """The user's guide names each tool, and the page its schema is from."""
    source = "".join(path.read_text("utf-8") for path in Path(formats.__file__).parent.glob("*.py"))
    pages = dict(re.findall(r"^\| \[([^\]]+)\]\((https://[^)]+)\) \|", DOCS, re.MULTILINE))
    for name in formats.READERS:
        assert name in DOCS
        assert name == "a list of turns" or pages[name] in source


def test_what_a_transcript_says_of_its_call_is_metadata(tmp_path: Path) -> None:
    """Post Call Analytics names agent, call and time; a time that is only when it was worked on is none."""
    (item,) = discover([write(tmp_path / "a.json", PCA)], IntakeSettings())
    call = item.metadata
    assert (call.call_id, call.agent_id, call.language, call.timezone) == (
        "guid-7",
        "ann",
        "en",
        "America/Denver",
    )
    assert call.started_at.isoformat() == "2025-03-27T09:25:17-06:00"
    assert read_transcript(item).duration_s == 7.5

    header = {**PCA["ConversationAnalytics"], "ProcessTime": "2025-03-27T15:25:20"}
    (item,) = discover(
        [write(tmp_path / "b.json", {**PCA, "ConversationAnalytics": header})], IntakeSettings()
    )
    assert item.metadata.started_at is None


def test_messages_with_dates_are_a_chat(tmp_path: Path) -> None:
    """Absolute times become seconds since the first message, and no words a minute are counted."""
    chat = [{"sender": "Ann", "message": HELLO, "sent_at": "2025-03-27T09:00:00Z"},
            {"sender": "Bob", "message": HI, "sent_at": "2025-03-27T09:00:12Z"}]  # fmt: skip
    for document, at_s in ((INSIGHTS, 4.0), (chat, 12.0)):
        (item,) = discover([write(tmp_path / "a.json", document)], IntakeSettings())

        said = read_transcript(item)

        assert item.metadata.medium == said.medium == "chat"
        assert [(t.text, t.start_s, t.end_s) for t in said.turns] == [(HELLO, 0.0, 0.0), (HI, at_s, at_s)]
        told = speakers.assign_roles(said, None, item.metadata, AudioSettings())
        assert [t.role for t in told.turns] == ["agent", "customer"]


def test_a_list_of_turns_may_say_that_it_is_email(tmp_path: Path) -> None:
    """The medium beside the list is the call's and the transcript's: who began a thread is the customer."""
    (item,) = discover([write(tmp_path / "a.json", {"medium": "email", "turns": BARE})], IntakeSettings())

    assert item.metadata.medium == read_transcript(item).medium == "email"


def test_words_never_become_metadata(tmp_path: Path) -> None:
    """A transcript beside its recording, and what stands beside a list of turns, leave no text in extra."""
    (tmp_path / "call.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    write(tmp_path / "call.json", WHISPER)
    write(tmp_path / "list.json", {"turns": BARE, "text": HELLO, "summary": HI, "agent": "ann"})

    calls = {item.path.name: item.metadata for item in discover([tmp_path], IntakeSettings())}

    assert [call.extra for call in calls.values() if call] == [{}, {}]
    listed = calls["list.json"]
    assert listed.agent_id == "ann"


SRT = f"""1
00:00:01,000 --> 00:00:02,500
Agent: Thank you for calling Acme.

2
00:00:02,500 --> 00:00:04,000
How can I help you?

3
00:00:05,000 --> 00:00:06,000
Customer: <i>{HI}</i>
"""
VTT = """WEBVTT - a call

NOTE made by hand

STYLE
::cue { color: red }

a
00:01.000 --> 00:02.500 align:start
<v.loud Ann Lee>Thank you for <c.x>calling</c> Acme.</v>

00:02.500 --> 00:04.000
<v Ann Lee>How can I help you?

00:05.000 --> 00:06.000
<v Bob>Hi, I <00:05.500>lost my card.
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.srt", SRT.encode()),
        ("a.srt", SRT.replace("\n", "\r\n").encode("utf-8-sig")),
        ("a.srt", SRT.encode("utf-16")),
        ("a.txt", SRT.replace("\n\n", "\n").encode()),
        ("a.vtt", VTT.encode()),
        ("a", VTT.replace("<v Ann Lee>", "Speaker 1: ").replace("<v.loud Ann Lee>", "Speaker 1: ")
         .replace("<v Bob>", "Speaker 2: ").encode()),
        ("a.srt", SRT.replace("Agent: ", "[SPEAKER_00]: ").replace("Customer: ", "[SPEAKER_01]: ").encode()),
        ("a.srt", SRT.replace("Agent: ", "(speaker 0) ").replace("Customer: ", "(speaker 1) ").encode()),
    ],
)  # fmt: skip
def test_subtitles_are_transcripts(tmp_path: Path, name: str, content: bytes) -> None:
    """Cues of one speaker are one turn; who is who is told by label, else by wording."""
    path = tmp_path / name
    path.write_bytes(content)

    said = read(path)

    assert [(t.role, t.text, t.start_s, t.end_s) for t in said.turns] == [
        ("agent", HELLO, 1.0, 4.0),
        ("customer", HI, 5.0, 6.0),
    ]


def test_subtitles_without_speakers_stay_cue_by_cue(tmp_path: Path) -> None:
    """Words such as "Remember:" are no speaker, and letters of Windows' are read."""
    path = tmp_path / "a.srt"
    first = "1\n00:00:01,000 --> 00:00:02,000\nRemember: café.\n\n"
    path.write_bytes((first + "2\n00:00:02,000 --> 00:00:03,000\nYes.\n").encode("cp1252"))

    said = read(path)

    assert [(t.role, t.text) for t in said.turns] == [("unknown", "Remember: café."), ("unknown", "Yes.")]


def test_subtitles_without_a_cue_say_so(tmp_path: Path) -> None:
    """A file named as subtitles is never passed over in silence."""
    path = tmp_path / "a.srt"
    path.write_text("hello")
    with pytest.raises(RecordingError, match=r"no cue with a time") as caught:
        read(path)
    assert caught.value.hint


TEXT = f"""Call 17 on Monday

Agent: Thank you for calling Acme.
How can I help you?
Customer: {HI}
"""
UNTIMED = [("agent", HELLO, None, None), ("customer", HI, None, None)]
TIMED = [("agent", HELLO, 1.0, 5.0), ("customer", HI, 5.0, 7.0)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (TEXT, UNTIMED),
        (TEXT.replace("Agent", ">> AGENT").replace("Customer", ">> CUSTOMER"), UNTIMED),
        (TEXT.replace("Agent", "[00:00:01] Agent").replace("Customer", "[00:00:05] Customer"), TIMED),
        (TEXT.replace("Agent", "0:01 - Agent").replace("Customer", "0:05 - Customer"), TIMED),
        (TEXT.replace("Agent", "Agent (00:01)").replace("Customer", "Customer (00:05)"), TIMED),
        (TEXT.replace("Agent: ", "Agent  0:01\n").replace("Customer: ", "Customer  0:05\n"), TIMED),
        (TEXT.replace("Agent", "00:01\nAgent").replace("Customer", "00:05\nCustomer"), TIMED),
        (
            TEXT.replace("Agent", "00:01 --> 00:03 Agent").replace("Customer", "00:05 --> 00:06 Customer"),
            [("agent", HELLO, 1.0, 3.0), ("customer", HI, 5.0, 6.0)],
        ),
    ],
    ids=["labels", "chevrons", "brackets", "dash", "after", "headers", "above", "spans"],
)
def test_plain_text_with_labels_is_a_transcript(tmp_path: Path, content: str, expected: list[object]) -> None:
    """With times before or after the label, or none; the heading is not said."""
    path = tmp_path / "a.txt"
    path.write_text(content)

    said = read(path)

    assert [(t.role, t.text, t.start_s, t.end_s) for t in said.turns] == expected
    assert bool(said.warnings) == (expected == TIMED)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_plain_text_may_be_of_any_windows_editor(tmp_path: Path, encoding: str) -> None:
    """A pound sign of Windows-1252 is no UTF-8."""
    path = tmp_path / "a.txt"
    path.write_bytes("Agent: That is £5.\r\nCustomer: Café, please.\r\n".encode(encoding))
    assert [turn.text for turn in read(path).turns] == ["That is £5.", "Café, please."]


def test_a_line_that_only_begins_with_a_time_goes_on_with_the_turn(tmp_path: Path) -> None:
    """Nothing said is taken for a time."""
    path = tmp_path / "a.txt"
    path.write_text("Agent: When may we call?\nCustomer: Let me see,\n10:30 would be fine.\n")
    assert [turn.text for turn in read(path).turns] == [
        "When may we call?",
        "Let me see, 10:30 would be fine.",
    ]


@pytest.mark.parametrize(
    "content",
    [
        "How to read this folder\nNote: all in English.\nNote: none is missing.\n",
        "Name: Ann Lee\nPhone: 4412\nName: Bob\nPhone: 4413\n",
        "hello there\nhow are you\n",
        "Agent: a monologue of one.\nAgent: so it is.\n",
    ],
    ids=["notes", "contacts", "prose", "alone"],
)
def test_other_text_is_no_call(tmp_path: Path, content: str) -> None:
    """Notes beside recordings are skipped as before."""
    (tmp_path / "a.txt").write_text(content)
    (item,) = discover([tmp_path], IntakeSettings())
    assert item.fault is not None
    assert item.fault.reason == "not_a_call"


@pytest.mark.parametrize("stated", [{}, {"duration_s": 40}])
def test_turns_without_ends_are_not_followed_by_dead_air(tmp_path: Path, stated: dict[str, int]) -> None:
    """Each lasts as its words do, and not beyond the next one or the call."""
    turns = talk([0, 2, 20, 39])
    turns[3] |= {"text": "thanks and bye for now"}

    said = read(write(tmp_path / "a.json", {"turns": turns, **stated}))

    assert [turn.end_s for turn in said.turns] == [2, 3.6, 21.6, 40 if stated else 41]
    assert "states no ends" in said.warnings[0]


def test_one_call_in_all_of_whispers_files_is_one_call(tmp_path: Path) -> None:
    """Subtitles belong to the transcript of their name, and all belong to its recording."""
    for name in ("a.srt", "a.vtt", "a.en.srt", "b.srt", "b.vtt", "a.txt", "b.txt"):
        (tmp_path / name).write_text({"srt": SRT, "vtt": VTT, "txt": "Agent: Hi.\nCustomer: Hi."}[name[-3:]])
    write(tmp_path / "a.json", WHISPER)
    assert [i.path.name for i in discover([tmp_path], IntakeSettings())] == ["a.json", "b.vtt"]

    (tmp_path / "a.mp3").write_bytes(b"ID3")
    assert [i.path.name for i in discover([tmp_path], IntakeSettings())] == ["a.mp3", "b.vtt"]


@pytest.mark.parametrize(
    "document",
    [
        {"hello": "world"},
        [],
        [1, 2],
        [{"name": "left-pad", "version": "1"}],
        {"turns": []},
        {"messages": [{"text": "no speaker"}]},
        [{"name": f"user {n}", "body": "a document"} for n in range(20)],
        {"schema": "callqa.scorecard/1", "segments": [{"text": "x", "start": 1}]},
        {"results": [{"title": "a search result"}]},
        {"results": {"items": [{"name": "a product"}]}},
        {"words": ["a", "b"]},
        {"entries": [{"text": "a diary"}]},
    ],
)
def test_unknown_json_keeps_its_clear_sentence(tmp_path: Path, document: object) -> None:
    """What is no conversation is skipped, and the ledger says why."""
    (item,) = discover([write(tmp_path / "a.json", document)], IntakeSettings())
    if document == {"turns": []}:  # callqa's own, with nobody speaking
        assert item.fault is None
        return
    assert item.fault.reason == "not_a_call"
    assert item.fault.message == "a.json is JSON, but no conversation callqa knows"
    assert "docs/recordings.md" in item.fault.hint


def test_the_first_party_may_be_set_for_a_place(tmp_path: Path) -> None:
    """One setting gives roles where wording cannot; a place of its own may differ; doubts are said aloud."""
    foreign = [
        {"speaker": s, "text": t} for s, t in (("2", "Jó napot."), ("1", "Üdvözlöm."), ("2", "Köszönöm."))
    ]
    path = write(tmp_path / "a.json", foreign)

    assert [t.role for t in read(path, first_party="agent").turns] == ["customer", "agent", "customer"]
    elsewhere = IntakeSource(path="*", first_party="customer")
    swapped = read(path, first_party="agent", sources=(elsewhere,))
    assert [t.role for t in swapped.turns] == ["agent", "customer", "agent"]
    assert swapped.role_confidence == 1.0

    doubted = read(write(tmp_path / "b.json", ASSEMBLYAI), first_party="customer")
    assert [t.role for t in doubted.turns] == ["customer", "agent"]
    assert doubted.role_confidence < 0.05
    assert "the wording says otherwise" in doubted.warnings[-1]

    alone = read(write(tmp_path / "d.json", foreign[:1] * 2), first_party="customer")
    assert [t.role for t in alone.turns] == ["customer", "customer"]
    assert alone.warnings[-1] == "the first party was taken as the customer, as the settings say"

    items = [next(discover([path], IntakeSettings(first_party=who))) for who in (None, "agent", "customer")]
    assert (
        len({work_fingerprint(item, Fingerprints("h", "j")) for item in items}) == 3
    )  # so a new one is heeded

    by_channel = read(write(tmp_path / "c.json", TWILIO), first_party="customer")
    assert [t.role for t in by_channel.turns] == ["customer", "agent"]


@pytest.mark.parametrize(
    ("labels", "roles"),
    [
        (("Agent 1", "Customer"), ["agent", "customer"]),
        (("HUMAN_AGENT", "END_USER"), ["agent", "customer"]),
        (("customer service", "Mr Smith"), ["agent", "customer"]),
        (("Ann", "client"), ["agent", "customer"]),
        (("assistant", "user"), ["agent", "customer"]),
        (("Virtual Agent", "Caller"), ["system", "customer"]),
        (("Agent", ""), ["agent", "unknown"]),
    ],
)
def test_labels_that_name_a_role_are_believed(
    tmp_path: Path, labels: tuple[str, str], roles: list[str]
) -> None:
    """And where one role is named, the one other speaker has the other."""
    turns = [{"speaker": s, "text": t} for s, t in zip(labels, (HELLO, HI), strict=True)]
    assert [t.role for t in read(write(tmp_path / "a.json", turns)).turns] == roles


def test_a_transferred_call_has_two_agents(tmp_path: Path) -> None:
    """A third speaker whose words are plainly an agent's is one."""
    said = [
        ("0", HELLO), ("1", HI), ("0", "One moment please, I'll put you through."),
        ("2", "Thank you for holding, my name is Joe from cards. How can I help you?"),
        ("1", "I lost my card, can you help?"),
        ("2", "I can help you with that. Is there anything else?"), ("1", "No thanks, that's all."),
    ]  # fmt: skip
    roles = [
        t.role for t in read(write(tmp_path / "a.json", [{"speaker": s, "text": t} for s, t in said])).turns
    ]
    assert roles == ["agent", "customer", "agent", "agent", "customer", "agent", "customer"]


def test_scoring_a_chat_without_roles_answers_it(tmp_path: Path) -> None:
    """The roles by wording reach the rubric: nobody has to be named agent for a greeting to be found."""
    said = [
        ("+15550001", HELLO), ("+15550002", HI), ("+15550001", "Is there anything else I can help with?"),
        ("+15550002", "No, thanks."), ("+15550001", "Thank you for contacting Acme. Have a great day!"),
    ]  # fmt: skip
    path = write(tmp_path / "a.json", [{"from": s, "text": t} for s, t in said])

    (card,) = score_files([path], "support", Settings())

    answers = {a.id: a for section in card.sections for a in section.criteria}
    assert not any("nobody in this transcript" in (a.reason or "") for a in answers.values())
    assert any(a.answer == "yes" and a.evidence and a.evidence[0].role == "agent" for a in answers.values())


def test_an_annotated_file_is_checked_as_a_transcript_is(tmp_path: Path, sample_audio: Path) -> None:
    """Times that are no numbers failed the call: nothing lay in the window of a criterion."""
    settings = Settings()
    (conversation,) = annotate_files([sample_audio / "support-good.expected.json"], settings)
    document = contract.to_dict(conversation)
    assert list(annotate_files([write(tmp_path / "same.json", document)], settings)) == [conversation]
    for turn in document["turns"]:
        turn |= {"start_s": math.nan, "end_s": -1.0, "text": "\x1b[2J" + turn["text"], "words": []}
    strange = write(tmp_path / "strange.json", document)
    ((read_again,), (card,)) = (
        annotate_files([strange], settings),
        score_files([strange], "support", settings),
    )
    assert {turn.start_s for turn in read_again.transcript.turns} == {None}
    assert not [turn for turn in read_again.transcript.turns if "\x1b" in turn.text]
    assert card.outcome == "pass"


HOSTILE: list[object] = [
    None, True, -1, 10**400, math.nan, math.inf, "", "x", "1e999", "\ud800", "\0", [], {}, [[]], [{}], 1e308,
]  # fmt: skip


@pytest.mark.parametrize(("tool", "document", "told_apart"), TOLD, ids=IDS)
def test_no_value_of_any_field_breaks_a_format(
    tmp_path: Path, tool: str, document: object, told_apart: list[tuple[object, object]]
) -> None:
    """Each field in turn is made wrong in several ways: the file is read without it, or refused."""
    path = tmp_path / "a.json"
    for n, place in enumerate(_places(document)):
        for bad in (HOSTILE * 2)[n % len(HOSTILE) :][:5]:
            path.write_text(json.dumps(_with(document, place, bad)))
            try:
                said = read(path)
            except RecordingError:
                continue
            for turn in said.turns:
                assert (turn.start_s is None) == (turn.end_s is None)
                assert turn.start_s is None or 0 <= turn.start_s <= (turn.end_s or 0.0) < 1e9
                turn.text.encode()


OWN = {
    "schema": "callqa.transcript/1", "call_id": "a", "language": "en", "duration_s": 9.0, "channels": 2,
    "role_confidence": 0.9, "turns": [{
        "role": "agent", "text": HELLO, "start_s": 0.5, "end_s": 2.0, "channel": 0, "confidence": 0.8,
        "words": [{"text": "Hello", "start_s": 0.5, "end_s": 1.0, "confidence": 0.9}],
    }],
}  # fmt: skip


@pytest.mark.parametrize("bad", [*HOSTILE, "\x1b]0;you\x9b", -math.inf, 1e10], ids=ascii)
def test_no_value_breaks_callqas_own_format(tmp_path: Path, bad: object) -> None:
    """Other programs write it too: what cannot be a time, a share or a text does not reach the store."""
    for place in _places(OWN):
        path = write(tmp_path / "a.json", _with(OWN, place, bad))
        try:
            said = read(path)
        except RecordingError:
            continue
        stored = json.dumps(contract.to_dict(said), allow_nan=False, ensure_ascii=False)
        assert stored.encode()
        assert "\x1b" not in json.loads(stored)["turns"][0]["text"] + said.call_id
        for span in (*said.turns, *said.turns[0].words):
            assert span.start_s is None or 0 <= span.start_s <= (span.end_s or 0.0) < 1e9
            assert span.confidence is None or 0 <= span.confidence <= 1
        assert said.duration_s is None or 0 < said.duration_s < 1e9


def _places(document: object, at: tuple[object, ...] = (), most: int = 40) -> list[tuple[object, ...]]:
    """Paths to values: of a list the first member stands for all."""
    found: list[tuple[object, ...]] = [at] if at else []
    if isinstance(document, dict):
        for key, value in document.items():
            found += _places(value, (*at, key))
    elif isinstance(document, list) and document:
        found += _places(document[0], (*at, 0))
    return found[:most]


def _with(document: Any, place: tuple[object, ...], value: object) -> object:
    if not place:
        return value
    made = dict(document) if isinstance(document, dict) else list(document)
    made[place[0]] = _with(document[place[0]], place[1:], value)
    return made


def test_a_deeply_nested_file_is_refused(tmp_path: Path) -> None:
    """Lists within lists, wrappers within wrappers: a sentence, never a crash."""
    for depth in (500, 900, 5000, 100_000):
        for inner in ('{"transcript":' * depth + '"x"' + "}" * depth, "[" * depth + "]" * depth):
            (tmp_path / "a.json").write_text(inner)
            (item,) = discover([tmp_path / "a.json"], IntakeSettings())
            assert item.fault.reason in {"not_a_call", "not_json"}


def test_twenty_thousand_speakers_are_survived(tmp_path: Path) -> None:
    """Work grows with the words, not with speakers times words."""
    turns = [{"speaker": f"s{n}", "text": "my account", "start": n, "end": n + 1} for n in range(20_000)]
    said = read(write(tmp_path / "a.json", turns))
    assert len(said.turns) == 20_000
    words = [{"word": "a", "start": n / 10, "end": n / 10 + 0.1, "speaker": n} for n in range(20_000)]
    heard = {"results": {"channels": [{"alternatives": [{"words": words}]}]}}
    assert len(read(write(tmp_path / "b.json", heard)).turns) == 20_000


@settings(max_examples=200)
@given(st.text(alphabet="ab: ->0123456789,.\n<v>/[]AgentSPKR_", max_size=300))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    """Whatever stands in a file named .srt or .txt."""
    for name in ("fuzz.srt", "fuzz.txt"):
        path = tmp_path_factory.getbasetemp() / name
        path.write_text(content or "\n")
        with contextlib.suppress(RecordingError):
            assert read(path).turns


SAID = ("Thank you for calling Northwind, how can I help?", "My bill is wrong", "Let me check that", "Thanks")


def talk(
    starts: list[object], ends: list[object] | None = None, start: str = "start"
) -> list[dict[str, object]]:
    """The turns of a short call with the times given."""
    sides = ("Agent", "Customer", "Agent", "Customer")
    turns = [{"speaker": w, "text": t, start: s} for w, t, s in zip(sides, SAID, starts, strict=True)]
    return turns if ends is None else [{**t, "end": end} for t, end in zip(turns, ends, strict=True)]


STARTS_MS = [0, 8000, 16000, 24000]
ENDS_MS = [4000, 12000, 20000, 28000]


@pytest.mark.parametrize(
    "document",
    [
        {"segments": talk(STARTS_MS, ENDS_MS), "duration": 28000},
        {"utterances": talk([*map(float, STARTS_MS)], [4000.5, *map(float, ENDS_MS[1:])])},
        {"turns": talk([*map(str, STARTS_MS)], [*map(str, ENDS_MS)])},
        {"turns": talk(STARTS_MS), "duration": 28000},
        {"messages": talk(STARTS_MS, start="timestamp"), "duration_s": 28},
    ],
    ids=["whisper", "floats", "text", "starts", "timestamps"],
)
def test_milliseconds_are_told_by_the_speed_of_speech(tmp_path: Path, document: object) -> None:
    """Nobody takes two minutes for a word; whole numbers, fractions and text alike, with ends or without."""
    heard = read(write(tmp_path / "a.json", document))

    assert [turn.start_s for turn in heard.turns] == [0, 8, 16, 24]
    assert heard.duration_s == 28


@pytest.mark.parametrize(
    "document",
    [
        {"segments": [{"text": " you", "start": 0.0, "end": 30.0}]},
        {"segments": [{"text": "Hello.", "start": 0, "end": 2}, {"text": "Bye.", "start": 900, "end": 901}]},
        {"turns": talk(["00:00:05", "00:20:05", "00:40:05", "01:00:05"], start="time")},
    ],
    ids=["silence", "hold", "clocks"],
)
def test_seconds_stay_seconds_where_little_is_said(tmp_path: Path, document: Any) -> None:
    """A word that Whisper made of silence, a quarter of an hour on hold, slow answers by the clock."""
    heard = read(write(tmp_path / "a.json", document))
    assert heard.duration_s in (30, 901, 3605.4)


@pytest.mark.parametrize("key", ["messages", "segments"])
@pytest.mark.parametrize("backwards", [False, True])
def test_clocks_go_on_past_midnight(tmp_path: Path, key: str, backwards: bool) -> None:
    """The night shift's greeting comes first, though its clock shows the larger number."""
    turns = talk(["23:58:00", "23:59:00", "00:00:30", "00:01:30"], start="start")
    document = {key: turns[::-1] if backwards else turns}

    heard = read(write(tmp_path / "a.json", document))

    assert [turn.text for turn in heard.turns] == list(SAID)
    assert [turn.start_s for turn in heard.turns] == [0, 60, 150, 210]


def test_a_time_of_day_is_no_time_of_the_recording(tmp_path: Path) -> None:
    """A chat at two in the afternoon is three minutes long, not fourteen hours."""
    turns = talk(["14:00:30", "14:01:30", "14:02:30", "14:03:30"], start="time")
    assert read(write(tmp_path / "a.json", {"messages": turns})).duration_s == 180.4


@pytest.mark.parametrize(
    ("first", "started_at"),
    [
        ("2026-03-13T14:00:00Z", "2026-03-13T14:00:00+00:00"),
        ("2026-03-13 14:00:00", "2026-03-13T14:00:00+05:00"),
        (1773410400000, "2026-03-13T14:00:00+00:00"),
    ],
)
def test_dated_messages_date_the_chat(tmp_path: Path, first: object, started_at: str) -> None:
    """A chat is in the week of its first message; a local time is in the zone of its place."""
    document = {"messages": talk([first] * 4, start="timestamp")}
    (item,) = discover([write(tmp_path / "a.json", document)], IntakeSettings(timezone="Asia/Karachi"))
    assert item.metadata.started_at.isoformat() == started_at

    document["start_time"] = "2026-03-13T13:59:00Z"
    (item,) = discover([write(tmp_path / "b.json", document)], IntakeSettings())
    assert item.metadata.started_at.isoformat() == "2026-03-13T13:59:00+00:00"


def test_entries_with_times_since_1970_date_the_chat(tmp_path: Path) -> None:
    """Google's entries have microseconds; small ones count from the start of the chat and tell no date."""
    for first_us, year in ((1773410400_000000, 2026), (0, None)):
        entries = [{"start_timestamp_usec": first_us, "text": "hi", "role": "AGENT"}]
        (item,) = discover([write(tmp_path / "a.json", {"entries": entries})], IntakeSettings())
        started = item.metadata.started_at
        assert (started and started.year) == year
        assert item.warnings == ()


@pytest.mark.parametrize(("stated", "code"), [("eng", "en"), ("urd", "ur"), ("ger-DE", "de"), ("haw", "haw")])
def test_a_language_of_three_letters_is_that_of_two(tmp_path: Path, stated: str, code: str) -> None:
    """Rubrics name ``en``; ElevenLabs and some manifests say ``eng``."""
    document = {"language": stated, "segments": WHISPER["segments"]}
    (item,) = discover([write(tmp_path / "a.json", document)], IntakeSettings())
    assert item.metadata.language == code


def test_json_in_another_encoding_is_read_or_named(tmp_path: Path) -> None:
    """PowerShell writes UTF-16, which is read; Latin-1 is quarantined with what to do about it."""
    text = json.dumps({"turns": talk([0, 2, 4, 6]), "agent_name": "José"}, ensure_ascii=False)
    (tmp_path / "a.json").write_text(text, "utf-16")
    (tmp_path / "b.json").write_text(text, "latin-1")
    (tmp_path / "notes.txt").write_text("notes", "utf-16")

    a, b, notes = discover([tmp_path], IntakeSettings())

    assert (a.fault, a.metadata.agent_name) == (None, "José")
    assert read_transcript(a).turns[0].text == SAID[0]
    assert b.fault.reason == "not_json"
    assert "save it as UTF-8" in b.fault.message
    assert notes.fault.reason == "not_a_call"
