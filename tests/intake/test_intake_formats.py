"""Conversations that come as JSON: vCon of every version, Contact Lens, other recognisers."""

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.conversation import Received
from pipeline.errors import RecordingError, UsageError
from pipeline.intake import discover, mail, media, read_transcript
from pipeline.settings import AudioSettings, IntakeSettings
from pipeline.speakers import assign_roles

SOUND = b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(range(200))
BODY = base64.urlsafe_b64encode(SOUND).decode().rstrip("=")
PARTIES = [
    {"tel": "+15550001", "name": "Ann", "meta": {"role": "agent"}, "org": "acme"},
    {"tel": "+15550002", "name": "Bob", "role": "customer"},
]


def write(path: Path, document: object) -> Path:
    """A JSON file."""
    path.write_text(json.dumps(document))
    return path


def recording(**more: object) -> dict[str, Any]:
    """A recorded dialog with its sound inside."""
    return {
        "type": "recording", "start": "2025-03-27T09:25:17+05:00", "duration": 30, "parties": [1, 0],
        "encoding": "base64url", "body": BODY, **more,
    }  # fmt: skip


def container(*dialogs: dict[str, Any], **more: object) -> dict[str, Any]:
    """A vCon."""
    return {"vcon": "0.4.0", "uuid": "u-1", "created_at": "2025-03-27T04:30:00Z", "parties": PARTIES,
            "dialog": list(dialogs), **more}  # fmt: skip


def receive(path: Path) -> list[Received]:
    """What comes in from one path."""
    return list(discover([path], IntakeSettings()))


def b64(digest: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


SHA512 = b64(hashlib.sha512(SOUND).digest())
VERSIONS = [
    ("0.0.1", {"mimetype": "audio/x-wav", "alg": "SHA-512", "signature": SHA512}),
    ("0.0.2", {"mimetype": "audio/x-wav"}),
    ("0.3.0", {"mediatype": "audio/x-wav", "content_hash": f"sha512-{SHA512}"}),
    ("0.4.0", {"mediatype": "audio/x-wav", "content_hash": [f"sha512-{SHA512}", "sha3-unknown"]}),
]


@pytest.mark.parametrize(("version", "fields"), VERSIONS)
def test_a_recording_inside_a_vcon_of_any_version_is_a_recording(
    tmp_path: Path, version: str, fields: dict[str, Any]
) -> None:
    """It comes in under the hash of its sound, with parties, start and direction; the sound comes out."""
    path = write(tmp_path / "a.vcon", container(recording(**fields), vcon=version))

    (item,) = receive(path)

    assert (item.fault, item.kind, item.path) == (None, "recording", path)
    assert item.sha256 == hashlib.sha256(SOUND).hexdigest()
    call = item.metadata
    assert (call.call_id, call.direction, call.agent_name, call.client) == ("u-1", "inbound", "Ann", "acme")
    assert call.started_at.isoformat() == "2025-03-27T09:25:17+05:00"
    with media(item) as sound:
        assert sound.read_bytes() == SOUND
        assert tmp_path not in sound.parents
    assert not sound.exists()


def test_a_vcon_with_several_recordings_is_several_calls(tmp_path: Path) -> None:
    """Each has its own path and id in the ledger, and its own sound."""
    other = base64.urlsafe_b64encode(SOUND + b"2").decode()
    path = write(tmp_path / "a.json", container(recording(), recording(body=other)))

    first, second = receive(path)

    assert [i.metadata.call_id for i in (first, second) if i.metadata] == ["u-1", "u-1-1"]
    assert second.path.name == "a.json#dialog-1"
    with media(second) as sound:
        assert sound.read_bytes() == SOUND + b"2"


def test_the_same_sound_alone_and_in_a_vcon_is_one_call(tmp_path: Path) -> None:
    """Content is what makes a duplicate, not its wrapping."""
    (tmp_path / "a.wav").write_bytes(SOUND)
    write(tmp_path / "b.vcon", container(recording()))
    items = list(discover([tmp_path], IntakeSettings()))
    assert [i.fault.reason if i.fault else None for i in items] == [None, "duplicate"]


def test_what_systems_write_beside_recordings_is_understood(tmp_path: Path) -> None:
    """A contact record of Amazon Connect with nested objects, Twilio's resource, and a vCon."""
    record = {
        "ContactId": "ct-9",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": "2025-03-27T09:25:17Z",
        "Agent": {"Username": "ann", "ARN": "arn:x"},
        "Queue": {"Name": "billing"},
    }
    twilio = {"sid": "RE1", "start_time": "Thu, 27 Mar 2025 09:25:17 +0000", "channels": 2}
    linked = container({"type": "recording", "url": "https://example.org", "start": "2025-03-27T09:25:17Z"})
    for name, document in (("a", record), ("b", twilio), ("c", linked)):
        (tmp_path / f"{name}.wav").write_bytes(SOUND + name.encode())
        write(tmp_path / f"{name}.wav.json", document)

    calls = [item.metadata for item in discover([tmp_path], IntakeSettings()) if item.metadata]

    assert [c.call_id for c in calls] == ["ct-9", "RE1", "u-1"]
    assert {c.started_at.isoformat() for c in calls if c.started_at} == {"2025-03-27T09:25:17+00:00"}
    assert (calls[0].agent_id, calls[0].queue, calls[0].direction) == ("ann", "billing", "inbound")


def test_party_history_tells_the_hold_times(tmp_path: Path) -> None:
    """From each hold to the next unhold, in seconds of the recording."""
    history = [
        {"party": 1, "event": "join", "time": "2025-03-27T04:25:17Z"},
        {"party": 1, "event": "hold", "time": "2025-03-27T04:25:27Z"},
        {"party": 1, "event": "unhold", "time": "2025-03-27T04:25:57.500Z"},
        {"party": 0, "event": "drop", "time": "2025-03-27T04:26:00Z"},
    ]
    (item,) = receive(write(tmp_path / "a.vcon", container(recording(party_history=history))))
    assert item.metadata.hold_spans == ((10.0, 40.5),)


SIGNED_TWICE = base64.b64encode(b'{"payload": "x", "signatures": [], "dialog": 5}').decode()


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (container(recording(body="@@@@")), "damaged"),
        (container(recording(content_hash="sha512-AAAA")), "damaged"),
        (container({"type": "recording", "url": "https://example.org/a.wav"}), "external_media"),
        (container(), "not_a_call"),
        ({"protected": "x", "recipients": [], "ciphertext": "x"}, "encrypted"),
        ({"payload": "AAAA", "signatures": []}, "damaged"),
        ({"payload": SIGNED_TWICE, "signatures": []}, "not_a_call"),
        ({"hello": "world"}, "not_a_call"),
    ],
)  # fmt: skip
def test_a_vcon_that_cannot_be_used_says_why(tmp_path: Path, document: object, reason: str) -> None:
    """Damage, encryption and links to elsewhere end in the ledger; nothing is fetched."""
    (item,) = receive(write(tmp_path / "a.vcon", document))
    assert item.fault.reason == reason


def test_a_signed_vcon_is_read_with_a_warning(tmp_path: Path) -> None:
    """The signature is not checked, and the ledger says so."""
    payload = base64.urlsafe_b64encode(json.dumps(container(recording())).encode()).decode().rstrip("=")
    (item,) = receive(write(tmp_path / "a.vcon", {"payload": payload, "signatures": [{}]}))
    assert item.fault is None
    assert "signature" in item.warnings[0]
    with media(item) as sound:
        assert sound.read_bytes() == SOUND


def test_a_vcon_with_only_a_transcript_is_a_transcript(tmp_path: Path) -> None:
    """Speakers are told by role, party number or name; the old key of the body is read as well."""
    said = [
        {"speaker": "Agent", "message": "Hello, Ann here."},
        {"speaker": 1, "text": "Hi.", "start": 2.0, "end": 2.5},
        {"speaker": "Bob", "text": "Me again."},
    ]
    linked = {"type": "recording", "url": "https://example.org/a.mp3", "start": "2025-03-27T09:25:17Z"}
    for key in ("body", "transcript"):
        analysis = [{"type": "transcript", "dialog": 0, "vendor": "x", key: said}]
        (item,) = receive(write(tmp_path / f"{key}.vcon", container(linked, analysis=analysis)))

        heard = read_transcript(item)

        assert item.kind == "transcript"
        assert [(t.role, t.text) for t in heard.turns] == [
            ("agent", "Hello, Ann here."),
            ("customer", "Hi."),
            ("customer", "Me again."),
        ]


def test_messages_of_a_vcon_are_a_chat(tmp_path: Path) -> None:
    """Text dialogs become turns in order of time, with seconds since the first."""
    texts = [
        {"type": "text", "start": "2025-03-27T09:00:30Z", "parties": [0], "body": "How can I help?"},
        {
            "type": "text",
            "start": "2025-03-27T09:00:00Z",
            "parties": [1, 0],
            "originator": 1,
            "body": "Hello",
        },
    ]
    (item,) = receive(write(tmp_path / "a.vcon", container(*texts)))

    heard = read_transcript(item)

    assert item.metadata.medium == heard.medium == "chat"
    assert [(t.turn, t.role, t.start_s, t.text) for t in heard.turns] == [
        (0, "customer", 0.0, "Hello"),
        (1, "agent", 30.0, "How can I help?"),
    ]


def test_contact_lens_voice_is_read_with_roles_and_times(tmp_path: Path) -> None:
    """Milliseconds become seconds, participants become roles, the contact id the call id."""
    document = {
        "Version": "1.1.0", "Channel": "VOICE", "LanguageCode": "en-US",
        "CustomerMetadata": {"ContactId": "ct-1"},
        "Participants": [
            {"ParticipantId": "p1", "ParticipantRole": "AGENT"},
            {"ParticipantId": "p2", "ParticipantRole": "CUSTOMER"},
        ],
        "Transcript": [
            {
                "Id": "1", "ParticipantId": "p1", "Content": "Hello.", "BeginOffsetMillis": 500,
                "EndOffsetMillis": 1250,
            },
            {
                "Id": "2", "ParticipantId": "p2", "Content": "Hi.", "BeginOffsetMillis": 1500,
                "EndOffsetMillis": 1900,
            },
        ],
    }  # fmt: skip
    (item,) = receive(write(tmp_path / "a.json", document))

    heard = read_transcript(item)

    assert (item.metadata.call_id, heard.call_id, heard.language) == ("ct-1", "ct-1", "en")
    assert [(t.role, t.start_s, t.end_s, t.text) for t in heard.turns] == [
        ("agent", 0.5, 1.25, "Hello."),
        ("customer", 1.5, 1.9, "Hi."),
    ]


def test_contact_lens_chat_is_dated_by_its_first_message(tmp_path: Path) -> None:
    """Absolute times give the start and the seconds; events without words are passed over."""
    document = {
        "Channel": "CHAT",
        "CustomerMetadata": {"ContactId": "ct-2"},
        "Participants": [{"ParticipantId": "a", "ParticipantRole": "AGENT"}],
        "Transcript": [
            {"ParticipantId": "c", "ParticipantRole": "CUSTOMER", "AbsoluteTime": "2025-03-27T09:00:00.000Z",
             "ContentType": "text/plain", "Content": "Hello"},
            {"ParticipantId": "a", "AbsoluteTime": "2025-03-27T09:00:05.000Z",
             "ContentType": "application/vnd.amazonaws.connect.event.typing"},
            {"ParticipantId": "a", "AbsoluteTime": "2025-03-27T09:00:12.000Z", "Content": "How can I help?"},
        ],
    }  # fmt: skip
    (item,) = receive(write(tmp_path / "a.json", document))

    heard = read_transcript(item)

    assert (item.metadata.medium, item.metadata.started_at.isoformat()) == (
        "chat",
        "2025-03-27T09:00:00+00:00",
    )
    assert [(t.role, t.start_s) for t in heard.turns] == [("customer", 0.0), ("agent", 12.0)]


def linked(**more: object) -> dict[str, Any]:
    """A recorded dialog with its sound elsewhere."""
    url = "https://files.example.org/rec/call%201.wav?sig=x"
    return {"type": "recording", "start": "2025-03-27T09:25:17Z", "parties": [1, 0], "url": url, **more}


HASHED = f"sha512-{SHA512}"
HEX = hashlib.sha512(SOUND).hexdigest()


@pytest.mark.parametrize(
    ("place", "fields"),
    [
        ("call 1.wav", {}),
        ("call 1.wav", {"content_hash": HASHED}),
        ("other.wav", {"filename": "recordings/other.wav", "content_hash": [HASHED]}),
        ("other.wav", {"filename": "C:\\rec\\other.wav", "alg": "SHA-512", "signature": SHA512}),
        ("other.wav", {"filename": "other.wav", "alg": "sha-512", "signature": SHA512}),
        (f"{HASHED}.wav", {"content_hash": HASHED}),
        (f"{HEX}.wav", {"content_hash": HASHED}),
        ("media/call 1.wav", {"content_hash": HASHED}),
        ("media/2025/call 1.wav", {}),
        (f"media/{SHA512}", {"content_hash": HASHED}),
        ("media/2025/of another name.wav", {"content_hash": HASHED}),
    ],
)
def test_a_linked_recording_is_found_by_name_or_hash(
    tmp_path: Path, place: str, fields: dict[str, Any]
) -> None:
    """Beside the vCon or in the media folder; the vCon says whose call it is, once."""
    (tmp_path / "media").mkdir()
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).write_bytes(SOUND)
    write(tmp_path / "z.vcon", container(linked(**fields)))
    settings = IntakeSettings(media_dir=tmp_path / "media")

    first, *rest = discover([tmp_path], settings)

    assert (first.fault, first.kind, first.path.name) == (None, "recording", "z.vcon")
    assert first.sha256 == hashlib.sha256(SOUND).hexdigest()
    assert (first.metadata.agent_name, first.metadata.direction) == ("Ann", "inbound")
    checked = "content_hash" in fields or "signature" in fields
    assert bool(first.warnings) is not checked
    with media(first) as sound:
        assert sound.read_bytes() == SOUND
    assert (tmp_path / place).exists()
    assert [i.fault.reason if i.fault else None for i in rest if i.path.suffix == ".wav"] in (
        [],
        ["duplicate"],
    )


def test_a_recording_of_another_content_is_not_taken(tmp_path: Path) -> None:
    """The right name with the wrong hash is refused, unless the right content is there as well."""
    (tmp_path / "call 1.wav").write_bytes(SOUND + b"changed")
    path = write(tmp_path / "a.vcon", container(linked(content_hash=HASHED)))
    (item,) = receive(path)
    assert item.fault.reason == "damaged"
    assert item.fault.message == "a.vcon: call 1.wav does not have the sha512 the vCon states"

    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "x.wav").write_bytes(SOUND)
    (item,) = discover([path], IntakeSettings(media_dir=tmp_path / "media"))
    assert item.fault is None
    assert item.media == tmp_path / "media" / "x.wav"


@pytest.mark.parametrize("stated", ["sha512-***", "sha512-", "sha512"])
def test_a_hash_that_cannot_be_decoded_fits_no_recording(tmp_path: Path, stated: str) -> None:
    """The call gets a fault of its own; the others of the run go on."""
    path = write(tmp_path / "a.vcon", container(linked(content_hash=stated)))
    (item,) = discover([path], IntakeSettings(media_dir=tmp_path))
    assert item.fault.reason == "external_media"

    (tmp_path / "call 1.wav").write_bytes(SOUND)
    (item,) = discover([path], IntakeSettings(media_dir=tmp_path))
    assert item.fault.reason == "damaged"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_linked_recording_that_cannot_be_read_costs_one_call(tmp_path: Path) -> None:
    """The other conversations of the vCon are received, and the message names the recording."""
    (tmp_path / "call 1.wav").write_bytes(SOUND)
    (tmp_path / "call 1.wav").chmod(0)
    path = write(tmp_path / "a.vcon", container(linked(), recording()))
    first, second = discover([path], IntakeSettings(media_dir=tmp_path))
    assert first.fault.message.startswith("call 1.wav cannot be read")
    assert second.fault is None


def test_two_recordings_of_a_name_need_a_hash(tmp_path: Path) -> None:
    """Which one is meant is not guessed; copies of one recording are no question."""
    for name, sound in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "call 1.wav").write_bytes(SOUND + sound)
    vcon = tmp_path / "in" / "a.vcon"
    vcon.parent.mkdir()
    write(vcon, container(linked()))
    (item,) = discover([vcon], IntakeSettings(media_dir=tmp_path))
    assert "2 different files are called call 1.wav" in item.fault.message

    (tmp_path / "b" / "call 1.wav").write_bytes(SOUND + b"1")
    (item,) = discover([vcon], IntakeSettings(media_dir=tmp_path))
    assert item.fault is None


@pytest.mark.parametrize(
    "name", ["../secret.wav", "..", ".", "/etc/passwd", "..\\secret.wav", ".secret.wav", "a\0b",
             "x" * 5000, "a.vcon", "link.wav"]
)  # fmt: skip
def test_a_name_in_a_vcon_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    """No folder above, no absolute path, no link, no hidden file, not the vCon itself."""
    (tmp_path / "secret.wav").write_bytes(SOUND)
    inner = tmp_path / "in"
    inner.mkdir()
    (inner / ".secret.wav").write_bytes(SOUND)
    (inner / "link.wav").symlink_to(tmp_path / "secret.wav")
    path = write(inner / "a.vcon", container(linked(filename=name, url=f"https://x/{name}")))
    for folder in (None, inner):
        (item,) = discover([path], IntakeSettings(media_dir=folder))
        assert item.fault.reason == "external_media"
        assert "media_dir" in item.fault.hint


def test_a_media_folder_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    """Said before anything is read."""
    with pytest.raises(UsageError, match=r"intake\.media_dir"):
        list(discover([tmp_path], IntakeSettings(media_dir=tmp_path / "gone")))


MAIL = """From: Bob <bob@example.org>\r
To: help@acme.example\r
Subject: card\r
MIME-Version: 1.0\r
Content-Type: multipart/alternative; boundary="b"\r
\r
--b\r
Content-Type: text/plain; charset="iso-8859-1"\r
Content-Transfer-Encoding: base64\r
\r
{plain}\r
--b\r
Content-Type: text/html\r
\r
<p>Hello</p>\r
--b--\r
""".replace(
    "{plain}",
    base64.b64encode("I lost my card, café.\n\nOn Monday, Ann wrote:\n> Hi\n".encode("latin-1")).decode(),
)
PAGE = (
    "<html><head><title>x</title><style>p{}</style></head><body>"
    "<p>I lost my&nbsp;card, caf&eacute;.<blockquote>Hi</blockquote></body></html>"
)


@pytest.mark.parametrize(
    "fields",
    [
        {"mediatype": "message/rfc822", "body": MAIL},
        {"mimetype": "message/rfc822", "encoding": "base64url", "body": b64(MAIL.encode())},
        {"mediatype": "text/plain", "body": MAIL},
        {"mediatype": 'multipart/alternative; boundary="b"', "body": MAIL.partition("\r\n\r\n")[2]},
        {"mediatype": "message/rfc822", "body": "Content-Type: text/html\n\n" + PAGE},
        {"mediatype": "message/rfc822",
         "body": "Content-Transfer-Encoding: quoted-printable\n\nI lost my card, caf=C3=A9.\n> old words\n"},
        {"mediatype": "text/html", "body": PAGE},
        {"mediatype": "text/plain", "encoding": "base64", "body": b64("I lost my card, café.".encode())},
        {"mediatype": "text/plain",
         "body": "I lost my card, café.\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\nHi"},
    ],
)  # fmt: skip
def test_an_email_is_its_words(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Out of MIME, base64, quoted-printable and HTML; headers and quoted mail are no words of the writer."""
    parties = [{"mailto": "bob@example.org"}, {"mailto": "help@acme.example"}]
    asked = {"type": "text", "start": "2025-03-27T09:00:00Z", "parties": [0, 1], "originator": 0, **fields}
    answer = {
        "type": "text", "start": "2025-03-27T10:00:00Z", "parties": [1, 0], "originator": 1,
        "mediatype": "text/plain", "body": "I am sorry to hear that. Can I have your card number?",
    }  # fmt: skip
    (item,) = receive(write(tmp_path / "a.vcon", container(asked, answer, parties=parties)))

    heard = read_transcript(item)

    assert item.metadata.medium == heard.medium == "email"
    assert [turn.text.replace("\xa0", " ") for turn in heard.turns] == [
        "I lost my card, café.",
        answer["body"],
    ]
    told = assign_roles(heard, None, item.metadata, AudioSettings())
    assert [turn.role for turn in told.turns] == ["customer", "agent"]
    assert told.role_confidence > 0.75


def test_a_recognisers_numbers_are_not_a_vcons_parties(tmp_path: Path) -> None:
    """Deepgram numbers voices as it hears them: who is who is for the wording to say."""
    greeting, answer = "thank you for calling how can i help you", "i lost my card yesterday"
    words = [
        {"word": w, "start": n, "end": n + 0.5, "speaker": n // 9}
        for n, w in enumerate(f"{greeting} {answer}".split())
    ]
    body = {"results": {"channels": [{"alternatives": [{"words": words}]}]}}
    analysis = [{"type": "transcript", "dialog": 0, "vendor": "deepgram", "body": body}]
    swapped = [{"role": "customer"}, {"role": "agent"}]
    (item,) = receive(write(tmp_path / "a.vcon", container(linked(), analysis=analysis, parties=swapped)))
    assert item.metadata is not None

    told = assign_roles(read_transcript(item), None, item.metadata, AudioSettings())

    assert list(dict.fromkeys(turn.role for turn in told.turns)) == ["agent", "customer"]
    assert told.role_confidence is not None


@settings(max_examples=200)
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(["message/rfc822", "text/html", "multipart/mixed; boundary=b", ""]),
)
def test_any_mail_is_read(content: bytes, kind: str) -> None:
    """Whatever bytes a message has: text, never a crash."""
    head = b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    for body in (content, head + content):
        mail.words(body, kind).encode("utf-8", "replace")


KEYS = st.sampled_from(
    re.findall(
        r"\w+",
        """vcon uuid parties dialog analysis type body start encoding party_history event time party role meta
        name originator content_hash alg signature mediatype duration transcript segments turns text speaker
        Transcript Participants ParticipantId ParticipantRole Content BeginOffsetMillis EndOffsetMillis
        AbsoluteTime CustomerMetadata ContactId Channel LanguageCode results channels alternatives words word
        payload signatures ciphertext schema call_id url""",
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(BODY),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
USUAL = ["recording", "text", "transcript", "hold", "agent", "2025-03-27T09:00:00Z", BODY]
VALUES = st.sampled_from(USUAL) | JSON


@settings(max_examples=300)
@given(
    st.dictionaries(KEYS, VALUES, max_size=8),
    st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=3),
    st.sampled_from(["vcon", "lens", "segments", "ours"]),
)
def test_any_json_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, top: dict[str, Any], inner: list[dict[str, Any]], shape: str
) -> None:
    """Whatever strangers write: a call with printable metadata, or a fault with its reason; never a crash."""
    forms: dict[str, dict[str, Any]] = {
        "vcon": {"vcon": "0.4.0", "dialog": inner, "parties": inner, "analysis": inner},
        "lens": {"Participants": inner, "Transcript": inner},
        "segments": {"segments": inner},
        "ours": {"turns": inner},
    }
    path = tmp_path_factory.getbasetemp() / "fuzz.json"
    path.write_text(json.dumps({**top, **forms[shape]}))
    for item in receive(path):
        if item.fault is not None:
            assert item.fault.reason
            continue
        try:
            if item.kind == "transcript":
                assert read_transcript(item).turns
            else:
                with media(item) as sound:
                    assert sound.stat().st_size
        except RecordingError:
            continue
