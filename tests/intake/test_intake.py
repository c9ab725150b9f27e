"""Paths in, received files out: nothing lost, nothing guessed, nothing read from outside."""

import json
import os
from pathlib import Path

import pytest

from pipeline.conversation import Received
from pipeline.errors import UsageError
from pipeline.intake import discover, notable, read_transcript
from pipeline.settings import IntakeSettings, IntakeSource
from pipeline.text.language import language_of

SETTINGS = IntakeSettings()


def wav(path: Path, content: str = "") -> Path:
    """A file that begins like a WAV; only ``audio`` looks further."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + (content or path.name).encode())
    return path


def transcript(path: Path, **more: object) -> Path:
    """A minimal transcript file."""
    body = {
        "schema": "callqa.transcript/1",
        "call_id": "t-1",
        "turns": [{"turn": 0, "role": "agent", "text": "hi"}],
    }
    path.write_text(json.dumps({**body, **more}))
    return path


def run(*paths: Path, settings: IntakeSettings = SETTINGS) -> list[Received]:
    """Everything that came in."""
    return list(discover(paths, settings))


def faults(items: list[Received]) -> dict[str, str]:
    """Reason by file name of what was refused."""
    return {item.path.name: item.fault.reason for item in items if item.fault}


def test_a_folder_is_walked_whole_and_in_order(tmp_path: Path) -> None:
    """Files of all depths come sorted, hidden ones stay out, each with hash, size and an id from content."""
    for name in ("b.wav", "a.wav", "deep/er/c.mp3", ".hidden.wav", ".git/d.wav"):
        wav(tmp_path / name)

    items = run(tmp_path)

    assert [i.path.name for i in items] == ["a.wav", "b.wav", "c.mp3"]
    for item in items:
        assert item.fault is None
        assert item.metadata.call_id == item.sha256[:16]
        assert item.size_bytes == item.path.stat().st_size


def test_names_as_long_as_the_disk_takes_are_no_trouble(tmp_path: Path) -> None:
    """A sidecar's longer name is looked for in vain; a longer one in a manifest costs that row alone."""
    recording = wav(tmp_path / f"{'x' * 251}.wav")
    (item,) = run(tmp_path)
    assert item.fault is None

    wav(tmp_path / "manifest" / "a.wav")
    (tmp_path / "manifest" / "manifest.csv").write_text(f"file,call_id\na.wav,m1\nx{recording.name},m2\n")
    items = run(tmp_path / "manifest")
    assert [item.fault and item.fault.reason for item in items] == [None, "missing"]


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    """A transcript called .wav is one; text called .wav is left to audio to refuse; notes are no call."""
    transcript(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_text("this is not sound")
    wav(tmp_path / "c.bin")
    (tmp_path / "notes.md").write_text("# notes")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "broken.json").write_text('{"turns": [')

    items = run(tmp_path)

    assert {i.path.name: i.kind for i in items if not i.fault} == {
        "a.wav": "transcript",
        "b.wav": "recording",
        "c.bin": "recording",
    }
    assert faults(items) == {"notes.md": "not_a_call", "empty.wav": "empty", "broken.json": "not_json"}


def test_a_missing_path_stops_before_anything_is_read(tmp_path: Path) -> None:
    """The person who typed the path hears of it, and nothing was processed."""
    wav(tmp_path / "a.wav")
    with pytest.raises(UsageError, match="does not exist"):
        next(discover([tmp_path, tmp_path / "nowhere"], SETTINGS))


def test_a_manifest_describes_the_files_of_its_folder(tmp_path: Path) -> None:
    """Columns under any usual name become metadata, unknown ones are kept, zones are honoured."""
    wav(tmp_path / "in" / "a.wav")
    wav(tmp_path / "b.wav")
    (tmp_path / "manifest.csv").write_text(
        "file,Call ID,Agent,team,direction,start time,tz,agent_channel,language,Disposition Code,hold_spans\n"
        "in/a.wav,c-1,u7,Blue,Incoming,2025-03-27 09:25:17,Asia/Karachi,right,en-GB,SALE,1.5-2.5; 4-9\n"
    )

    items = run(tmp_path)

    call = {i.path.name: i.metadata for i in items}
    assert faults(items) == {}
    a = call["a.wav"]
    assert (a.call_id, a.agent_id, a.team, a.direction, a.agent_channel, a.language) == (
        "c-1", "u7", "Blue", "inbound", 1, "en",
    )  # fmt: skip
    assert a.started_at.isoformat() == "2025-03-27T09:25:17+05:00"
    assert a.timezone == "Asia/Karachi"
    assert a.hold_spans == ((1.5, 2.5), (4.0, 9.0))
    assert a.extra == {"disposition_code": "SALE"}
    assert call["b.wav"].agent_id is None


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("file\tagent\na.wav\tZoë\n", "utf-16"), ("sep=;\r\nfile;agent\r\na.wav;Zoë\r\n", "utf-8-sig")],
)
def test_a_manifest_may_come_from_excel(tmp_path: Path, text: str, encoding: str) -> None:
    """Its Unicode text is UTF-16 with tabs; in its CSV a first line may name the delimiter."""
    wav(tmp_path / "a.wav")
    (tmp_path / "manifest.csv").write_bytes(text.encode(encoding))

    (item,) = run(tmp_path)

    assert item.metadata.agent_id == "Zoë"


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c"])
def test_only_a_line_break_ends_a_row(tmp_path: Path, separator: str) -> None:
    """Separators of Unicode and form feeds, which copied text brings along, stay inside their cell."""
    wav(tmp_path / "a.wav")
    (tmp_path / "manifest.csv").write_text(f"file,note,agent\na.wav,first{separator}second,ann\n", "utf-8")

    (item,) = run(tmp_path)

    assert item.metadata.agent_id == "ann"
    assert item.metadata.extra["note"] == "first second"


def test_a_manifest_may_come_from_a_mac(tmp_path: Path) -> None:
    """Its names have accents as characters of their own; either way of writing finds either file."""
    for name, written in (("Jose\u0301.wav", "Jos\u00e9.wav"), ("Ren\u00e9.wav", "Rene\u0301.wav")):
        (tmp_path / "manifest.csv").write_text(f"file,agent\n{written},u1\n", "utf-8")
        wav(tmp_path / name)
        (item,) = run(tmp_path)
        assert (item.fault, item.metadata.agent_id) == (None, "u1")
        (tmp_path / name).unlink()


def test_a_quote_that_is_not_closed_is_told(tmp_path: Path) -> None:
    """The rows that it swallows are not lost in silence; a note of several lines is no such cell."""
    for name in ("a.wav", "b.wav"):
        wav(tmp_path / name)
    for note, told in (('"a note', 1), ('"a note,\nof two lines"', 0)):
        (tmp_path / "manifest.csv").write_text(f"file,agent,note\na.wav,u1,{note}\nb.wav,u2,\n")
        first, _ = run(tmp_path)
        assert sum("quote that is not closed" in warning for warning in first.warnings) == told


def test_every_bad_row_of_a_manifest_is_accounted_for(tmp_path: Path) -> None:
    """Missing files, paths out of the folder, doubled and empty rows end in the ledger, good rows go on."""
    wav(tmp_path / "m" / "a.wav")
    wav(tmp_path / "secret.wav")
    manifest = tmp_path / "m" / "manifest.csv"
    manifest.write_text(
        "file,agent\na.wav,u1\ngone.wav,u2\n../secret.wav,u3\n/etc/passwd,u4\na.wav,u5\n,u6\nx.wav,u7,more\n"
    )

    for items in (run(manifest), run(tmp_path / "m")):
        assert [i.path.name for i in items if not i.fault] == ["a.wav"]
        assert faults(items) == {
            "gone.wav": "missing",
            "manifest.csv row 4": "outside_folder",
            "manifest.csv row 5": "outside_folder",
            "manifest.csv row 6": "duplicate_row",
            "manifest.csv row 7": "bad_row",
            "manifest.csv row 8": "bad_row",
        }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("agent,team\nu1,A\n", "no column names the files"),
        ("", "no column"),
        ("file,team,Team\na,b,c\n", "two columns"),
    ],
)
def test_a_manifest_that_is_none_is_a_usage_error(tmp_path: Path, text: str, says: str) -> None:
    """Without its manifest every call would go unlabelled, so nothing runs."""
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(UsageError, match=says):
        run(tmp_path)


def test_a_sidecar_describes_its_recording_and_is_no_call(tmp_path: Path) -> None:
    """All three names of sidecars work; other JSON named after a recording is passed over."""
    for name, sidecar in (("a.wav", "a.wav.json"), ("b.wav", "b.json"), ("c.wav", "c_metadata.json")):
        wav(tmp_path / name)
        (tmp_path / sidecar).write_text(
            json.dumps({"conversationId": f"conv-{name[0]}", "initialDirection": "outbound"})
        )
    transcript(tmp_path / "a.expected.json")
    wav(tmp_path / "d.wav")
    (tmp_path / "d.json").write_text("not json")

    items = run(tmp_path)

    assert [i.metadata.call_id for i in items if i.metadata] == ["conv-a", "conv-b", "conv-c"]
    assert {i.metadata.direction for i in items if i.metadata} == {"outbound"}
    assert faults(items) == {"d.wav": "bad_sidecar"}


GENESYS = {
    "mediaType": "Call", "conversationId": "conv-1", "initialDirection": "inbound",
    "startTime": "2025-03-27T02:25:17.000Z", "agentIds": ["a-1"], "queueIds": ["q-1"], "userIds": ["u-9"],
}  # fmt: skip


@pytest.mark.parametrize(
    "sidecar", ["X_metadata.json", "X.wav_metadata.json", "X_call_metadata.json", "X.wav_call_metadata.json"]
)
def test_genesys_metadata_is_read_under_each_of_its_names(tmp_path: Path, sidecar: str) -> None:
    """Agent and queue come out of their lists; the file is no call of its own."""
    wav(tmp_path / "X.wav")
    (tmp_path / sidecar).write_text(json.dumps(GENESYS))

    (item,) = run(tmp_path, settings=IntakeSettings(queues={"q-1": "support"}))

    call = item.metadata
    assert (call.call_id, call.agent_id, call.queue, call.direction) == (
        "conv-1",
        "a-1",
        "support",
        "inbound",
    )
    assert call.started_at.isoformat() == "2025-03-27T02:25:17+00:00"
    assert call.extra == {"user_ids": "u-9", "queue_number": "q-1"}


def test_of_several_agents_the_first_is_the_calls_and_all_are_kept(tmp_path: Path) -> None:
    """Two agents are no agent called "a-1;a-2": reports count people."""
    wav(tmp_path / "X.wav")
    (tmp_path / "X_metadata.json").write_text(json.dumps({**GENESYS, "agentIds": ["a-1", "a-2", "a-1"]}))

    (item,) = run(tmp_path)

    assert (item.metadata.agent_id, item.metadata.extra["agent_ids"]) == ("a-1", "a-1;a-2")
    assert "agent_ids names 2" in item.warnings[0]


@pytest.mark.parametrize(("direction", "number"), [("inbound", "+15551234567"), ("outbound", "+15557654321")])
def test_a_genesys_conversation_with_its_participants_is_read(
    tmp_path: Path, direction: str, number: str
) -> None:
    """Agent, queue and the customer's number, wherever in the conversation they stand."""
    sessions = [
        {"ani": "tel:+15551234567", "dnis": "tel:+15557654321", "segments": [{"segmentType": "interact"}]}
    ]
    document = {
        "conversationId": "conv-2",
        "conversationStart": "2025-03-27T02:25:17.000Z",
        "originatingDirection": direction,
        "participants": [
            {"purpose": "customer", "participantId": "p1", "sessions": sessions},
            {"purpose": "acd", "sessions": [{"segments": [{"queueId": "q-7"}]}]},
            {
                "purpose": "agent",
                "userId": "u-1",
                "sessions": [{"segments": [{"queueId": "q-7"}, "x"]}, None],
            },
            {"purpose": ["agent"], "sessions": "none"},
            "not a participant",
        ],
    }
    wav(tmp_path / "X.wav")
    (tmp_path / "X.wav_metadata.json").write_text(json.dumps(document))

    (item,) = run(tmp_path)

    call = item.metadata
    assert (call.call_id, call.agent_id, call.queue) == ("conv-2", "u-1", "q-7")
    assert (call.direction, call.customer_ref) == (direction, number)
    assert call.started_at is not None
    assert item.warnings == ()


@pytest.mark.parametrize("depth", [2, 480, 900, 5000])
def test_a_deeply_nested_sidecar_does_not_end_the_batch(tmp_path: Path, depth: int) -> None:
    """Lists within lists say nothing, or the file is refused."""
    wav(tmp_path / "X.wav")
    (tmp_path / "X.json").write_text(f'{{"agentIds": {"[" * depth}"x"{"]" * depth}}}')
    (item,) = run(tmp_path)
    assert item.fault is not None or (item.metadata is not None and item.metadata.agent_id is None)


def test_an_empty_file_made_for_the_output_is_no_bad_sidecar(tmp_path: Path) -> None:
    """The shell makes call.json before ``transcribe call.mp3 --json > call.json`` starts."""
    wav(tmp_path / "call.mp3")
    (tmp_path / "call.json").touch()

    (item,) = run(tmp_path / "call.mp3")

    assert item.fault is None
    assert item.warnings == ("call.json is empty and was skipped",)


def test_sources_that_disagree_are_a_warning_and_the_manifest_wins(tmp_path: Path) -> None:
    """Conflicts are kept with the call; what identifies a customer is not quoted."""
    wav(tmp_path / "a.wav")
    (tmp_path / "a.json").write_text(
        json.dumps({"direction": "outbound", "customer": "555-1234", "start": "2025-03-27T04:25:17Z"})
    )
    (tmp_path / "manifest.csv").write_text(
        "file,direction,customer,start\na.wav,inbound,555-9999,2025-03-27 09:25:17\n"
    )

    (item,) = run(tmp_path, settings=IntakeSettings(timezone="Asia/Dubai"))

    assert item.metadata.direction == "inbound"
    text = "\n".join(item.warnings)
    assert "direction: manifest.csv row 2 and a.json disagree (inbound / outbound)" in text
    assert "started_at" in text
    assert "looks like a wrong time zone" in text
    assert "customer_ref" in text
    assert "555" not in text


def test_the_same_content_is_one_call(tmp_path: Path) -> None:
    """A copy is skipped with the id of the call it repeats; another content under a taken id is refused."""
    wav(tmp_path / "a.wav", "same")
    wav(tmp_path / "b.wav", "same")
    wav(tmp_path / "c.wav", "other")
    (tmp_path / "manifest.csv").write_text("file,call_id\na.wav,c-1\nc.wav,c-1\n")

    items = run(tmp_path)

    assert faults(items) == {"b.wav": "duplicate", "c.wav": "duplicate_call_id"}
    assert "c-1" in next(i.fault.message for i in items if i.fault and i.fault.reason == "duplicate")


def test_two_clients_may_number_their_calls_alike(tmp_path: Path) -> None:
    """Each client's telephone system counts from 1: both calls come in."""
    wav(tmp_path / "acme" / "1.wav", "one")
    wav(tmp_path / "bolt" / "1.wav", "other")
    for client in ("acme", "bolt"):
        (tmp_path / client / "manifest.csv").write_text(f"file,call_id,client\n1.wav,1001,{client}\n")

    items = run(tmp_path)

    assert faults(items) == {}
    assert [(i.metadata.client, i.metadata.call_id) for i in items if i.metadata] == [
        ("acme", "1001"),
        ("bolt", "1001"),
    ]


def test_a_file_named_twice_comes_in_once(tmp_path: Path) -> None:
    """A folder, a file in it and its manifest, whichever is named first, through a link or not."""
    wav(tmp_path / "real" / "a.wav")
    (tmp_path / "real" / "manifest.csv").write_text("file,agent\na.wav,u1\n")
    folder = tmp_path / "link"
    folder.symlink_to(tmp_path / "real")
    named = [folder, folder / "a.wav", folder / "manifest.csv"]

    for order in (named, named[::-1]):
        (item,) = run(*order)
        assert item.path == folder / "a.wav"
        assert item.metadata.agent_id == "u1"


def test_links_do_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    """A link to a file or folder elsewhere is refused, a loop ends, a pipe is never opened."""
    wav(tmp_path / "in" / "a.wav")
    outside = wav(tmp_path / "out" / "b.wav")
    (tmp_path / "in" / "b.wav").symlink_to(outside)
    (tmp_path / "in" / "more").symlink_to(outside.parent)
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self.wav").symlink_to("self.wav")
    os.mkfifo(tmp_path / "in" / "pipe.wav")

    items = run(tmp_path / "in")

    assert [i.path.name for i in items if not i.fault] == ["a.wav"]
    assert faults(items) == {
        "b.wav": "outside_folder",
        "more": "outside_folder",
        "pipe.wav": "not_a_file",
        "self.wav": "unreadable",
    }


def test_names_that_are_no_text_are_refused_by_a_printable_name(tmp_path: Path) -> None:
    """A ledger cannot hold such a name, so it shows it escaped."""
    wav(tmp_path / "a.wav")
    for name in (b"bad-\xff.wav", b"line\nbreak.wav"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"RIFF")

    items = run(tmp_path)

    assert sorted(faults(items).values()) == ["bad_name", "bad_name"]
    assert all(str(i.path).isprintable() for i in items)


def test_transcripts_come_in_with_their_own_metadata(tmp_path: Path) -> None:
    """A chat transcript is a call; its own id, language and metadata are used."""
    transcript(
        tmp_path / "chat.json", medium="chat", language="en", metadata={"queue": "web", "agent_id": "u1"}
    )

    (item,) = run(tmp_path)

    assert item.kind == "transcript"
    assert (item.metadata.call_id, item.metadata.medium, item.metadata.queue) == ("t-1", "chat", "web")
    assert read_transcript(item).turns[0].text == "hi"


@pytest.mark.parametrize(
    ("stated", "spoken"), [("spa", "es"), ("Spanish", "es"), ("swe", "sv"), ("es-MX", "es"), ("en", "en")]
)
def test_a_transcript_is_read_in_the_language_of_its_call(tmp_path: Path, stated: str, spoken: str) -> None:
    """``spa`` is Spanish, ``swe`` no Swahili, and the language of the manifest outranks that of the file."""
    path = transcript(tmp_path / "a.json", language=stated)
    (item,) = run(path)
    read = read_transcript(item)
    assert language_of(read.turns[0], read.language) == item.metadata.language == spoken

    (tmp_path / "manifest.csv").write_text("file,language\na.json,deu\n")
    (item,) = run(tmp_path)
    read = read_transcript(item)
    assert language_of(read.turns[0], read.language) == item.metadata.language == "de"


def test_settings_of_a_source_hold_for_its_files(tmp_path: Path) -> None:
    """Zone, channel map by direction and fixed facts follow from where a file lies."""
    wav(tmp_path / "lahore" / "a.wav")
    wav(tmp_path / "b.wav")
    (tmp_path / "manifest.csv").write_text(
        "file,direction,start\nlahore/a.wav,outbound,2025-03-27 09:00\nb.wav,outbound,2025-03-27 09:00\n"
    )
    lahore = IntakeSource(
        path="*/lahore/*",
        timezone="Asia/Karachi",
        agent_channel={"inbound": 0, "outbound": 1},
        metadata={"client": "acme"},
    )

    items = run(tmp_path, settings=IntakeSettings(sources=(lahore,)))

    calls = {i.path.name: i.metadata for i in items}
    a, b = calls["a.wav"], calls["b.wav"]
    assert (a.client, a.agent_channel) == ("acme", 1)
    assert (b.client, b.agent_channel) == (None, None)


KARACHI = {"lahore": "Asia/Karachi"}


@pytest.mark.parametrize("told_by", ["row_site", "row_zone", "settings", "template"])
def test_a_local_time_is_in_the_zone_that_another_source_tells(tmp_path: Path, told_by: str) -> None:
    """The clock of a call said 09:25 in Lahore, whichever source has the time and whichever the site."""
    recording = wav(tmp_path / "lahore" / "20250327-092517_7.wav")
    template = "{date}-{time}_{agent}.wav"
    told: dict[str, str] = {}
    if told_by == "row_site":
        (tmp_path / "manifest.csv").write_text("file,site\nlahore/20250327-092517_7.wav,Lahore\n")
    elif told_by == "row_zone":
        (tmp_path / "manifest.csv").write_text("file,tz\nlahore/20250327-092517_7.wav,Asia/Karachi\n")
    elif told_by == "settings":
        told = {"site": "lahore"}
    else:
        template = "{site}/{date}-{time}_{agent}.wav"
    source = IntakeSource(path="*", filename_template=template, metadata=told)

    (item,) = run(tmp_path, settings=IntakeSettings(sources=(source,), site_timezones=KARACHI))

    assert item.path == recording
    assert item.metadata.started_at.isoformat() == "2025-03-27T09:25:17+05:00"
    assert (item.metadata.timezone, item.warnings) == ("Asia/Karachi", ())


@pytest.mark.parametrize("where", ["manifest", "sidecar"])
def test_a_written_time_is_in_the_zone_of_the_site_in_the_settings(tmp_path: Path, where: str) -> None:
    """A manifest or sidecar has the time alone; the settings name the site."""
    wav(tmp_path / "a.wav")
    if where == "manifest":
        (tmp_path / "manifest.csv").write_text("file,started_at\na.wav,2025-03-27 23:50:00\n")
    else:
        (tmp_path / "a.json").write_text('{"started_at": "2025-03-27 23:50:00"}')
    source = IntakeSource(path="*", metadata={"site": "LAHORE"})

    (item,) = run(tmp_path, settings=IntakeSettings(sources=(source,), site_timezones=KARACHI))

    assert item.metadata.started_at.isoformat() == "2025-03-27T23:50:00+05:00"


def test_a_manifest_is_used_whatever_the_order_of_the_arguments(tmp_path: Path) -> None:
    """``callqa run recordings/ calls.csv`` is the first command of the documentation."""
    for name in ("a.wav", "b.wav"):
        wav(tmp_path / name)
    table = tmp_path / "calls.csv"
    table.write_text("file,call_id,client\na.wav,id1,acme\nb.wav,id2,acme\n")
    (tmp_path / "manifest.csv").write_text("file,team\na.wav,red\n")

    for paths in ((tmp_path, table), (table, tmp_path)):
        calls = {item.path.name: item.metadata for item in run(*paths)}
        assert {name: call.call_id for name, call in calls.items()} == {"a.wav": "id1", "b.wav": "id2"}
        assert (calls["a.wav"].team, calls["b.wav"].team) == ("red", None)


def test_a_manifest_above_what_is_given_describes_it(tmp_path: Path) -> None:
    """A part of a folder that is run by itself keeps its calls' ids; nearer manifests add to farther ones."""
    calls = tmp_path / "calls"
    wav(calls / "sub" / "deep" / "a.wav")
    wav(calls / "sub" / "b.wav")
    (calls / "manifest.csv").write_text("file,call_id,agent_id\nsub/deep/a.wav,id1,5\nsub/b.wav,id2,6\n")
    (calls / "sub" / "manifest.csv").write_text("file,agent_id\nb.wav,77\n")
    (tmp_path / "manifest.csv").write_text("name,version\nanother program's,1\n")

    for start in (calls, calls / "sub", calls / "sub" / "deep" / "a.wav"):
        items = {item.path.name: item for item in run(start)}
        assert items["a.wav"].metadata.call_id == "id1"
        if "b.wav" in items:
            b = items["b.wav"]
            assert (b.metadata.call_id, b.metadata.agent_id) == ("id2", "77")
            assert any("agent_id" in warning and "disagree" in warning for warning in b.warnings)


def test_every_manifest_of_a_folder_counts(tmp_path: Path) -> None:
    """Two that differ in the case of their name, from two exports, are both read."""
    for name in ("a.wav", "b.wav"):
        wav(tmp_path / name)
    (tmp_path / "Manifest.csv").write_text("file,call_id\na.wav,id1\ngone.wav,id3\n")
    (tmp_path / "manifest.csv").write_text("file,call_id\nb.wav,id2\n")
    if len(list(tmp_path.glob("*.csv"))) < 2:
        pytest.skip("the disk does not tell them apart")

    items = run(tmp_path)

    assert {i.path.name: i.metadata.call_id for i in items if i.metadata} == {"a.wav": "id1", "b.wav": "id2"}
    assert faults(items) == {"gone.wav": "missing"}


def test_call_detail_records_in_another_encoding_stop_the_run(tmp_path: Path) -> None:
    """An accent in a caller's name must not cost all calls their agents without a word."""
    wav(tmp_path / "1743042317.56.wav")
    text = "calldate,clid,src,dst,disposition,uniqueid\n,José,101,5551234567,ANSWERED,1743042317.56\n"
    (tmp_path / "cdr.csv").write_bytes(text.encode("latin-1"))
    (tmp_path / "prices.csv").write_bytes("café,9\n".encode("latin-1"))

    with pytest.raises(UsageError, match=r"cdr\.csv: not UTF-8 text"):
        run(tmp_path)
    (tmp_path / "cdr.csv").unlink()
    assert faults(run(tmp_path)) == {"prices.csv": "not_a_call"}


def test_a_list_of_calls_under_another_name_is_not_passed_over_in_silence(tmp_path: Path) -> None:
    """A folder's CSV that names files but is not called manifest.csv is reported with what to do."""
    wav(tmp_path / "a.wav")
    (tmp_path / "calls.csv").write_text("file,client\na.wav,acme\n")
    (tmp_path / "prices.csv").write_text("item,price\ncard,5\n")
    received = run(tmp_path)
    assert faults(received) == {"calls.csv": "not_a_call", "prices.csv": "not_a_call"}
    (note,) = notable(received)
    assert "calls.csv names files, but was not used" in note
    assert f"callqa run {tmp_path / 'calls.csv'}" in note

    (item,) = run(tmp_path / "calls.csv")
    assert item.metadata.client == "acme"

    (tmp_path / "manifest.csv").write_text("file\ncalls.csv\n")
    assert faults(run(tmp_path / "manifest.csv")) == {"calls.csv": "unsupported"}


@pytest.mark.parametrize("column", ["Date", "Recording Date"])
def test_a_column_called_date_may_hold_the_time_too(tmp_path: Path, column: str) -> None:
    """Date and time in one cell are the start; a date alone is none, and the run says so at its start."""
    wav(tmp_path / "a.wav")
    table = tmp_path / "manifest.csv"
    table.write_text(f"file,{column}\na.wav,2026-03-13 14:05\n")
    (item,) = run(tmp_path)
    assert item.metadata.started_at.isoformat() == "2026-03-13T14:05:00+00:00"

    table.write_text(f"file,{column}\na.wav,2026-03-13\n")
    (item,) = run(tmp_path)
    assert (item.metadata.started_at, "start" in item.noted) == (None, True)
    assert "2026-03-13' left out: a date without a time of day" in notable([item])[0]

    table.write_text(f"file,{column},Call Time\na.wav,2026-03-13,14:05\n")
    (item,) = run(tmp_path)
    assert item.metadata.started_at.isoformat() == "2026-03-13T14:05:00+00:00"


def test_an_epoch_number_dates_a_record_whose_local_time_cannot_be_read(tmp_path: Path) -> None:
    """A table saved by a spreadsheet has 03/01/2026; the unique id still says which day that was."""
    wav(tmp_path / "1772355662.9.wav")
    header = "calldate,src,dst,disposition,uniqueid"
    (tmp_path / "cdr.csv").write_text(f"{header}\n03/01/2026 09:01,101,5551234567,ANSWERED,1772355662.9\n")

    (item,) = run(tmp_path)

    assert item.metadata.started_at.isoformat() == "2026-03-01T09:01:02+00:00"
    assert any("the epoch number is used" in warning for warning in item.warnings)
