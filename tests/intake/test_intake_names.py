"""What file names and call detail records say, and that nothing they say is guessed."""

import contextlib
import datetime as dt
import re
import string
import textwrap
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.conversation import Received
from pipeline.errors import RecordingError, UsageError
from pipeline.intake import cdr, discover, metadata, names, notable, sidecar, template, times
from pipeline.intake.times import Zones
from pipeline.settings import IntakeSettings, IntakeSource
from tests import file_names, metadata_cases

ZONES = ["UTC", "Asia/Karachi", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
FULL = "{date:%Y%m%d}-{time:%H%M%S}_{agent}_{customer}_{direction}.wav"


def receive(folder: Path, name: str, intake: IntakeSettings) -> Received:
    """One recording of that name, with what lies beside it, through intake."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + name.encode())
    (item,) = discover([folder], intake)
    return item


def test_a_template_reads_every_token() -> None:
    """Date, time, agent, customer and direction come out; the suffix is no part of the match."""
    facts = names.load(FULL).read(Path("20250327-092517_u7_5551234_in.mp3"), "Asia/Karachi")

    assert facts.values == {
        "started_at": dt.datetime(2025, 3, 27, 9, 25, 17, tzinfo=ZoneInfo("Asia/Karachi")),
        "agent_id": "u7",
        "customer_ref": "5551234",
        "direction": "inbound",
    }


@pytest.mark.parametrize(
    "name",
    [
        "20250327-092517_u7_x_5551234_in.wav",  # one part too many: could be split two ways
        "20250327-092517_u7_5551234.wav",
        "20251327-092517_u7_5551234_in.wav",  # no such month
        "20250327-092517_u7_5551234_sideways.wav",
        "00000327-092517_u7_5551234_in.wav",
        "٢٠٢٥0327-092517_u7_5551234_in.wav",  # digits, but not of this alphabet
    ],
)
def test_a_name_that_does_not_fit_costs_the_metadata_or_where_strict_the_call(
    tmp_path: Path, name: str
) -> None:
    """The call goes on without what the name would say, loudly; ``strict`` quarantines it instead."""
    lenient = receive(tmp_path, name, IntakeSettings(filename_template=FULL))
    strict = receive(tmp_path, name, IntakeSettings(filename_template=FULL, strict=True))

    assert lenient.fault is None
    assert (lenient.metadata.started_at, lenient.metadata.agent_id) == (None, None)
    assert "does not fit" in lenient.warnings[0]
    assert "1 of 1 files have names that do not fit" in notable([lenient])[0]
    assert strict.fault.reason == "name_mismatch"


def test_a_source_may_be_stricter_than_the_rest(tmp_path: Path) -> None:
    """``strict`` of a source wins over that of ``[intake]``, either way."""
    for own, general in ((True, False), (False, True)):
        source = IntakeSource(filename_template=FULL, strict=own)
        item = receive(tmp_path, "odd.wav", IntakeSettings(sources=(source,), strict=general))
        assert (item.fault is not None) is own


def test_the_unique_id_dates_a_name_that_does_not_fit(tmp_path: Path) -> None:
    """Of a name that no form of the system fits, Asterisk's unique id is still what it is."""
    item = receive(
        tmp_path, "kopie_van-5-1743042317.12206 (2).wav", IntakeSettings(filename_template="freepbx")
    )

    assert item.metadata.call_id == "1743042317.12206"
    assert item.metadata.started_at == dt.datetime(2025, 3, 27, 2, 25, 17, tzinfo=dt.UTC)
    assert "only the unique id in it is used" in item.warnings[0]


def test_a_manifest_may_date_a_call_whose_name_does_not_fit(tmp_path: Path) -> None:
    """Then the name is only worth a warning."""
    (tmp_path / "manifest.csv").write_text("file,start\nodd.wav,2025-03-27 09:00\n")
    item = receive(tmp_path, "odd.wav", IntakeSettings(filename_template=FULL))
    assert item.fault is None
    assert "does not fit" in " ".join(item.warnings)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("recording.wav", "no token"),
        ("{agnet}.wav", "unknown token {agnet}"),
        ("{agent}{customer}.wav", "nothing between"),
        ("{agent}_{agent}.wav", "twice"),
        ("{agent:%Y}.wav", "takes no format"),
        ("{date:%Q}.wav", "directive %Q"),
        ("{time:%H%M}.wav", "without a year"),
        ("{datetime:%Y%m%d}_{time:%H}.wav", "beside"),
        ("{agent}_{.wav", "brace"),
    ],
)
def test_a_template_that_could_guess_is_a_usage_error(text: str, says: str) -> None:
    """It is refused before any file is read, with what to write instead."""
    with pytest.raises(UsageError, match=says):
        list(discover([Path(__file__)], IntakeSettings(sources=(IntakeSource(filename_template=text),))))


@pytest.mark.parametrize("form", file_names.FORMS, ids=lambda form: form.name)
def test_presets_read_the_names_of_known_systems(tmp_path: Path, form: file_names.Form) -> None:
    """Each form of name says who called whom and when, exactly; and nothing is said where it is known."""
    item = file_names.receive(form, tmp_path)

    assert item.fault is None
    said = file_names.said(item)
    assert {name: said.get(name) for name in form.says} == dict(form.says)
    expected = dt.datetime.fromisoformat(form.started) if form.started else None
    assert item.metadata.started_at == expected
    assert bool(item.warnings) is bool(form.doubt)
    assert form.doubt in " ".join(item.warnings)


def test_every_form_names_the_public_page_it_comes_from() -> None:
    """A reader can check each form against what others wrote; every preset has one."""
    assert all(form.page.startswith(("https://", "http://")) for form in file_names.FORMS)
    assert {form.preset for form in file_names.FORMS} == set(names.PRESETS)


def test_1000_mangled_names_are_dated_rightly_or_not_at_all_and_none_is_lost() -> None:
    """Endings, capitals, cuts, copies, empty parts, counters of any length, dates that do not exist."""
    counts = file_names.run(1000, seed=17)
    assert sum(counts.values()) == 1000
    assert set(counts) <= {"exact", "absent, told", "no time in the form"}
    assert counts["exact"] > 600


@pytest.mark.parametrize("counter", ["0", "6", "56", "59", "599", "6789", "353068", "1" * 18])
@pytest.mark.parametrize("ending", [".wav", ".WAV", ".gsm.wav", ".wav49", ""])
def test_a_unique_id_has_a_counter_of_any_length(counter: str, ending: str) -> None:
    """Two digits after the dot make 13 characters, and are no milliseconds."""
    path = Path(f"external-101-7205551234-20230105-151531-1672931731.{counter}{ending}")

    facts = names.load("freepbx").read(path, "UTC")

    assert facts.values["started_at"] == dt.datetime(2023, 1, 5, 15, 15, 31, tzinfo=dt.UTC)
    assert facts.values["call_id"] == f"1672931731.{counter}"
    assert facts.warnings == ()


def test_milliseconds_are_milliseconds() -> None:
    """13 digits without a dot are an epoch in ms, in a name as in a column."""
    facts = names.load("{agent}_{epoch}.wav").read(Path("u1_1743042317000.wav"), "UTC")
    assert facts.values["started_at"] == dt.datetime(2025, 3, 27, 2, 25, 17, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("vicidial", "20250327-092517_1001_5551234567-all.wav"),
        ("vicidial-agent-first", "20250327-092517_5551234567_1001-all.wav"),
        ("vicidial", "20250327-092517_5551234567_agent_7-all.wav"),  # or a campaign and agent 7
        ("goautodial", "20250327-092517_5551234567_TESTCAMP_agent_7-all.wav"),
        ("freepbx", "recording-of-monday.wav"),
        ("freepbx", "out-918005551234-101-20220301-020102.wav"),
        ("amazon-pca", "A_GUID_1_GUID_2_AGENT_x_DT_2021-12-01T07-55-51.wav"),
        ("twilio", "recording.wav"),
        ("amazon-pca", "Auto1_GUID_001_AGENT_AndrewK.wav"),
    ],
)
def test_presets_refuse_names_that_make_no_sense(preset: str, name: str) -> None:
    """The wrong preset for a folder is noticed at its first file."""
    with pytest.raises(RecordingError, match=preset):
        names.load(preset).read(Path(name), "UTC")


def test_the_epoch_number_of_a_name_checks_the_zone(tmp_path: Path) -> None:
    """09:25:17 with the epoch of 02:25:17Z is UTC+7: fine in Jakarta, elsewhere a warning and the truth."""
    name = "force-0821345678-3201-20250327-092517-1743042317.12206.wav"
    truth = dt.datetime(2025, 3, 27, 2, 25, 17, tzinfo=dt.UTC)

    good = receive(tmp_path / "a", name, IntakeSettings(filename_template="issabel", timezone="Asia/Jakarta"))
    bad = receive(tmp_path / "b", name, IntakeSettings(filename_template="issabel", timezone="Asia/Karachi"))

    assert good.metadata.started_at == bad.metadata.started_at == truth
    assert (good.metadata.timezone, good.warnings) == ("Asia/Jakarta", ())
    assert bad.metadata.timezone == "Etc/GMT-7"
    assert "UTC+07:00" in bad.warnings[0]


def test_call_detail_records_describe_recordings(tmp_path: Path) -> None:
    """Found in the folder, with header or as Master.csv; the answered leg wins; no number goes to extra."""
    name = "q-1509-9257299718-20250327-092517-1743042317.12206.wav"
    (tmp_path / "cdr.csv").write_text(
        "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,"
        "accountcode,uniqueid,recordingfile\n"
        "2025-03-27 09:25:10,,9257299718,1509,ext-queues,SIP/trunk-1,,Queue,1509,20,0,NO ANSWER,"
        f"acme,1743042317.12206,{name}\n"
        "2025-03-27 09:25:17,,9257299718,1509,ext-queues,SIP/trunk-1,SIP/3201-00a,Queue,1509,200,"
        f"180,ANSWERED,acme,1743042317.12206,{name}\n"
    )
    (tmp_path / "Master.csv").write_text(
        '"acme","201","0015551234567","from-internal","x <201>","SIP/201-1","SIP/out-2","Dial","SIP/x",'
        '"2025-03-27 10:00:00","2025-03-27 10:00:05","2025-03-27 10:01:00",60,55,"ANSWERED",'
        '"DOCUMENTATION","1743044400.7",""\n'
    )
    for file in (name, "1743044400.7.wav"):
        (tmp_path / file).write_bytes(b"RIFF" + file.encode())

    outbound, queued = discover([tmp_path], IntakeSettings(timezone="Asia/Jakarta"))

    call = queued.metadata
    assert (call.agent_id, call.queue, call.client, call.direction) == ("3201", "1509", "acme", "inbound")
    assert call.customer_ref == "9257299718"
    assert call.started_at == dt.datetime(2025, 3, 27, 2, 25, 17, tzinfo=dt.UTC)
    assert queued.warnings == ()
    assert call.extra["billsec"] == "180"
    assert "9257299718" not in "".join(call.extra[key] for key in call.extra if key != "recordingfile")
    assert (outbound.metadata.agent_id, outbound.metadata.direction) == ("201", "outbound")


CDR = (
    "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,"
    "accountcode,uniqueid,linkedid,recordingfile\n"
)
RECORDING = "in-18005550100-7205551234-20230105-151530-1672931730.55.wav"


def test_the_epoch_is_believed_over_name_and_records(tmp_path: Path) -> None:
    """A telephone system on UTC with the zone set to Denver: name, CDR and unique id, one true moment."""
    (tmp_path / "cdr.csv").write_text(
        f"{CDR}2023-01-05 15:15:30,,7205551234,101,from-did,PJSIP/t-1,PJSIP/101-2,Dial,x,60,50,ANSWERED,,"
        f"1672931730.55,1672931730.55,{RECORDING}\n"
    )
    (tmp_path / RECORDING).write_bytes(b"RIFF" + RECORDING.encode())

    for template_ in (None, "freepbx"):
        (item,) = discover([tmp_path], IntakeSettings(timezone="America/Denver", filename_template=template_))
        assert item.metadata.started_at == dt.datetime(2023, 1, 5, 15, 15, 30, tzinfo=dt.UTC)
        assert item.metadata.timezone == "America/Denver"  # a server on UTC says nothing of the site
        assert "the epoch number is used" in " ".join(item.warnings)
        assert "1 of 1 files two sources disagree about the time" in notable([item])[0]


@pytest.mark.parametrize("day", ["2025-06-13", "6/13/2025"])
def test_the_legs_of_a_call_are_in_the_order_of_time(tmp_path: Path, day: str) -> None:
    """Five past ten comes after five to ten, though not as text."""
    legs = [
        f"{day} {clock},,7205551234,{agent},from-did,PJSIP/t-1,PJSIP/{agent}-2,Dial,x,60,50,ANSWERED,,"
        f"1749808500.{n},1749808500.1,a.wav\n"
        for n, (clock, agent) in enumerate(
            (("10:05:00", 102), ("09:55:00" if "-" in day else "9:55:00", 101))
        )
    ]
    (tmp_path / "cdr.csv").write_text(CDR + "".join(legs))
    (tmp_path / "a.wav").write_bytes(b"RIFF of a call")
    (item,) = discover([tmp_path], IntakeSettings())
    assert item.metadata.started_at.isoformat() == "2025-06-13T09:55:00+00:00"
    assert "rows 3, 2 are one call that 101 and 102 handled" in " ".join(item.warnings)


def test_an_offset_has_no_more_than_59_minutes() -> None:
    """It is refused and not carried into the hours."""
    with pytest.raises(times.BadTime):
        times.zone("+05:99")


@pytest.mark.parametrize(
    ("said", "truth"),
    [
        ("2023-01-05 15:15:30", "2023-01-05T15:15:30+00:00"),  # local time of an assumed zone: the epoch wins
        (
            "2023-01-05T14:15:30Z",
            "2023-01-05T14:15:30+00:00",
        ),  # an exact time in the manifest is the person's
    ],
)
def test_an_epoch_number_beats_local_time_of_an_assumed_zone(tmp_path: Path, said: str, truth: str) -> None:
    """Also where the more trusted source wrote the local time."""
    (tmp_path / "manifest.csv").write_text(f"file,start\n{RECORDING},{said}\n")
    settings = IntakeSettings(timezone="America/Denver", filename_template="freepbx")
    item = receive(tmp_path, RECORDING, settings)

    assert item.metadata.started_at == dt.datetime.fromisoformat(truth)
    assert "started_at: manifest.csv row 2 and file name disagree" in " ".join(item.warnings)


def test_a_caller_who_waited_is_no_conflict(tmp_path: Path) -> None:
    """The call came at 15:15:30, its recording began when the agent answered six minutes later."""
    name = "q-1509-7205551234-20230105-152130-1672931730.55.wav"
    (tmp_path / "cdr.csv").write_text(
        f"{CDR}2023-01-05 15:15:30,,7205551234,1509,ext-queues,PJSIP/t-1,PJSIP/101-2,Queue,1509,500,140,"
        f"ANSWERED,,1672931730.55,1672931730.55,{name}\n"
    )
    (tmp_path / "manifest.csv").write_text(f"file,start\n{name},2023-01-05 15:15\n")
    item = receive(tmp_path, name, IntakeSettings(filename_template="freepbx"))
    assert item.metadata.started_at == dt.datetime(2023, 1, 5, 15, 15, tzinfo=dt.UTC)
    assert item.warnings == ()


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("linked", ["1672931730.55", ""])
def test_a_call_that_was_sent_on_is_of_both_agents(tmp_path: Path, order: int, linked: str) -> None:
    """It begins with the first, is counted for who talked longest, and says that there were two."""
    second_id, again = ("1672931790.60", "") if linked else ("1672931730.55", RECORDING)
    rows = [
        f"15:15:30,,7205551234,101,c,SIP/t-1,SIP/101-2,Dial,x,70,60,ANSWERED,,1672931730.55,{linked},{RECORDING}",
        f"15:16:30,,101,102,c,SIP/101-3,SIP/102-4,Dial,x,310,300,ANSWERED,,{second_id},{linked},{again}",
    ]
    (tmp_path / "cdr.csv").write_text(CDR + "".join(f"2023-01-05 {row}\n" for row in rows[::order]))
    item = receive(tmp_path, RECORDING, IntakeSettings(filename_template="freepbx"))

    call = item.metadata
    assert (call.agent_id, call.customer_ref, call.direction) == ("102", "7205551234", "inbound")
    assert call.extra["agents"] == "101;102"
    assert call.started_at == dt.datetime(2023, 1, 5, 15, 15, 30, tzinfo=dt.UTC)
    assert any("101 and 102 handled; agent_id is 102, who talked longest" in text for text in item.warnings)


JUNE_13 = dt.datetime(2025, 6, 13, 14, 15, tzinfo=dt.UTC)


def test_a_queue_is_called_by_its_name(tmp_path: Path) -> None:
    """Rubrics are for queues by name; the number that the telephone system knows stays in extra."""
    settings = IntakeSettings(filename_template="freepbx", queues={"1509": "support"})
    (tmp_path / "manifest.csv").write_text(
        "file,queue\nq-1509-7205551234-20230105-151530-1672931730.55.wav,support\n"
    )
    item = receive(tmp_path, "q-1509-7205551234-20230105-151530-1672931730.55.wav", settings)

    assert (item.metadata.queue, item.metadata.extra["queue_number"]) == ("support", "1509")
    assert item.warnings == ()


@pytest.mark.parametrize(
    ("header", "row", "expected"),
    [
        ("Customer Phone", "720-555-1234", {"customer_ref": "720-555-1234"}),
        ("Caller ID", "7205551234", {"customer_ref": "7205551234"}),
        ("Phone Number,Agent Extension", "720 555,101", {"customer_ref": "720 555", "agent_id": "101"}),
        ("Customer ID,Customer Phone", "C-9,720", {"customer_ref": "C-9"}),
        ("Queue Number,AgentCode", "1509,u7", {"queue": "1509", "agent_id": "u7"}),
        ("Call Date,Call Time", "06/13/2025,2:15:00 PM", {"started_at": JUNE_13}),
        ("Start Date,Start Time", "2025-06-13,14:15", {"started_at": JUNE_13}),
        ("Date/Time", "13.06.2025 14:15", {"started_at": JUNE_13}),
    ],
)  # fmt: skip
def test_columns_under_the_names_people_give_them(
    tmp_path: Path, header: str, row: str, expected: dict[str, object]
) -> None:
    """A column that means one of ours is ours, so that what is private is treated so."""
    (tmp_path / "manifest.csv").write_text(f"file,{header}\na.wav,{row}\n")
    item = receive(tmp_path, "a.wav", IntakeSettings())
    assert item.metadata is not None
    assert {name: getattr(item.metadata, name) for name in expected} == expected


def test_a_day_without_a_time_of_day_is_told_and_kept(tmp_path: Path) -> None:
    """It is no start, and not lost."""
    (tmp_path / "manifest.csv").write_text("file,call date\na.wav,2025-06-13\n")
    item = receive(tmp_path, "a.wav", IntakeSettings())
    assert (item.metadata.started_at, item.metadata.extra) == (None, {"call_date": "2025-06-13"})
    assert "without a time of day" in item.warnings[0]
    (note,) = notable([item])
    assert note.startswith("1 of 1 files have a start that was left out")
    assert note.endswith("call_date '2025-06-13' left out: a date without a time of day")


@pytest.mark.parametrize(
    "text",
    ["03/04/2025 09:00", "12/11/2025 09:00", "06/13/25 09:00", "13/13/2025 09:00", "06/31/2025 09:00",
     "06-13/2025 09:00", "06/13/2025 13:00 PM", "06/13/2025 0:30 AM", "06/13/2025",
     "3.4.25", "2025-03-27", "yesterday", "09:25", "2025-02-30 10:00", "2025032709",
     "4 Marz 2025 14:05", "Mar 32 2025 14:05", "04-Mar-25 14:05", "2025/13/04 9:25", "2025-03-04 14:05 PM",
     "45743.39", "", "Thu, 27 Mar 2025 09:25:17 PKT", "1899-12-30 00:00", "2025-03-27T25:00:00", "9" * 400],
)  # fmt: skip
def test_times_that_can_be_read_two_ways_are_refused(text: str) -> None:
    """Day before month or month before day, a date alone, a zone that is no standard: never guessed."""
    with pytest.raises(times.BadTime):
        times.parse(text, "UTC")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2025-03-27 09:25:17", "2025-03-27T09:25:17+05:00"),
        ("2025-03-27T09:25:17Z", "2025-03-27T09:25:17+00:00"),
        ("2025-03-27 09:25:17 +0200", "2025-03-27T09:25:17+02:00"),
        ("2025-03-27 9:25", "2025-03-27T09:25:00+05:00"),
        ("20250327-092517", "2025-03-27T09:25:17+05:00"),
        ("20250327092517", "2025-03-27T09:25:17+05:00"),
        ("1743042317", "2025-03-27T02:25:17+00:00"),
        ("1743042317000", "2025-03-27T02:25:17+00:00"),
        ("Thu, 27 Mar 2025 09:25:17 +0000", "2025-03-27T09:25:17+00:00"),
        ("1743042317.56", "2025-03-27T02:25:17+00:00"),
        ("06/13/2025 09:25", "2025-06-13T09:25:00+05:00"),
        ("13/06/2025 09:25:17", "2025-06-13T09:25:17+05:00"),
        ("13.6.2025 9:25", "2025-06-13T09:25:00+05:00"),
        ("6/13/2025, 9:25:17 PM", "2025-06-13T21:25:17+05:00"),
        ("06/13/2025 12:05 a.m.", "2025-06-13T00:05:00+05:00"),
        ("05/05/2025 12:05 PM", "2025-05-05T12:05:00+05:00"),
        ("2025/03/04 9:25", "2025-03-04T09:25:00+05:00"),
        ("2025-03-04 2:05 PM", "2025-03-04T14:05:00+05:00"),
        ("4-Mar-2025 14:05:30", "2025-03-04T14:05:30+05:00"),
        ("4 March 2025, 14:05", "2025-03-04T14:05:00+05:00"),
        ("Mar 4 2025 2:05PM", "2025-03-04T14:05:00+05:00"),
        ("Sept 4, 2025, 12:05 am", "2025-09-04T00:05:00+05:00"),
    ],
)
def test_times_in_every_usual_form_are_read(text: str, iso: str) -> None:
    """A time without a zone is local time of the site."""
    assert times.parse(text, "Asia/Karachi") == dt.datetime.fromisoformat(iso)


@pytest.mark.parametrize(
    ("hour", "how"), [("2025-03-30 02:30:00", "never"), ("2025-10-26 02:30:00", "twice")]
)
def test_the_hours_of_a_clock_change_are_not_guessed(tmp_path: Path, hour: str, how: str) -> None:
    """The call is kept without a start, and the ledger says why."""
    (tmp_path / "manifest.csv").write_text(f"file,start\na.wav,{hour}\n")
    item = receive(tmp_path, "a.wav", IntakeSettings(timezone="Europe/Berlin"))
    assert item.metadata.started_at is None
    assert f"happened {how} in Europe/Berlin" in item.warnings[0]


MOMENTS = st.integers(788_918_400, 2_208_988_800).map(  # 1995 to 2040, as naive local times
    lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=None)
)
WORDS = st.text(string.ascii_letters + string.digits + "äß+ .@", min_size=1, max_size=12).filter(
    lambda w: w == w.strip() and not w.endswith(".")
)


@settings(max_examples=400)
@given(MOMENTS, st.sampled_from(ZONES), WORDS, WORDS, st.sampled_from(["inbound", "out", "internal"]))
def test_generated_names_are_dated_exactly_or_not_at_all(
    moment: dt.datetime, zone_name: str, agent: str, customer: str, direction: str
) -> None:
    """For any moment and zone: the true instant, or no start with a warning where the clocks changed."""
    path = Path(f"{moment:%Y%m%d-%H%M%S}_{agent}_{customer}_{direction}.wav")

    facts = names.load(FULL).read(path, zone_name)

    zone = ZoneInfo(zone_name)
    instants = {moment.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    if len(instants) == 2:
        assert "started_at" not in facts.values
        assert "happened" in facts.warnings[0]
    else:
        assert facts.values["started_at"] == instants.pop()
    assert (facts.values["agent_id"], facts.values["customer_ref"]) == (agent, customer)


@settings(max_examples=200)
@given(
    st.integers(800_000_000 + 10**9, 2_100_000_000),
    st.sampled_from(ZONES),
    st.sampled_from(ZONES),
    st.integers(0, 300),
)
def test_a_wrong_zone_never_moves_a_call_that_carries_its_epoch(
    epoch: int, true_zone: str, configured: str, waited_s: int
) -> None:
    """Whatever zone is configured, the start is the true one, within the offsets clocks really have."""
    began = dt.datetime.fromtimestamp(epoch + waited_s, ZoneInfo(true_zone))
    name = f"q-1509-9257299718-{began:%Y%m%d-%H%M%S}-{epoch}.7.wav"

    facts = names.load("freepbx").read(Path(name), configured)

    assert abs((facts.values["started_at"] - began).total_seconds()) <= 300
    if began.utcoffset() != began.astimezone(ZoneInfo(configured)).utcoffset():
        assert facts.warnings


def test_no_described_recording_is_dated_wrongly_in_silence() -> None:
    """Names, manifests and sidecars as systems write them, right and wrong: exact, told or refused."""
    counts = metadata_cases.run(250, seed=7)
    assert sum(counts.values()) == 250
    assert set(counts) <= {"exact", "absent, told", "wrong, told", "refused"}
    assert counts["exact"] > 125


TEXT = st.text(max_size=40)
RECORDS = st.dictionaries(
    st.one_of(st.sampled_from([alias for aliases in metadata.ALIASES.values() for alias in aliases]), TEXT),
    st.one_of(TEXT, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXT, max_size=3)),
    max_size=12,
)


@settings(max_examples=300)
@given(RECORDS, st.sampled_from(ZONES))
def test_hostile_metadata_never_crashes_and_is_never_misread(
    record: dict[str, object], zone_name: str
) -> None:
    """Any record gives metadata a store can keep: an aware start or none, an id that prints."""
    facts = metadata.read(record, source="fuzz", zones=Zones(zone_name, {}))
    call, _ = metadata.merge([facts], default_call_id="f" * 16, zone_name=zone_name)

    assert call.started_at is None or call.started_at.utcoffset() is not None
    assert call.call_id
    assert call.call_id.isprintable()
    for text in (call.call_id, call.agent_id or "", *call.extra, *call.extra.values()):
        text.encode("utf-8")


CELLS = st.sampled_from(["", "1672931730.55", "7205551234", "101", "ANSWERED", "2023-01-05 15:15:30", "Queue",
                         "9" * 30, "SIP/101-2", "06/13/2025", "x.wav"]) | TEXT  # fmt: skip
COLUMNS = CDR.strip().split(",")


@settings(max_examples=200)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=len(COLUMNS)), max_size=5), st.sampled_from(ZONES))
def test_hostile_call_detail_records_never_crash(rows: list[list[str]], zone_name: str) -> None:
    """Whatever the cells hold, a recording they match has an aware start or none."""
    rows = [row + ["1672931730.55"] * (len(COLUMNS) - len(row)) for row in rows]
    records = cdr.read(Path("cdr.csv"), [COLUMNS, *rows])
    facts = records.find(Path("q-1-2-20230105-151530-1672931730.55.wav"), Zones(zone_name, {}))
    start = facts.values.get("started_at") if facts else None
    assert start is None or start.utcoffset() is not None


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.sampled_from(["agent", "customer", "tel:+1555"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["purpose", "userId", "sessions", "segments", "queueId", "ani", "dnis"]), inner
        )
    ),
    max_leaves=15,
)


@settings(max_examples=200)
@given(st.lists(VALUES, max_size=4), VALUES)
def test_any_genesys_conversation_is_flat_or_nothing(participants: list[object], direction: object) -> None:
    """Strangers' JSON under Genesys' keys never crashes."""
    document = {"conversationId": "c", "participants": participants, "originatingDirection": direction}
    assert sidecar.is_genesys(document)
    facts = metadata.read(sidecar.flat(document), source="fuzz", zones=Zones("UTC", {}))
    assert facts.values["call_id"] == "c"


@settings(max_examples=200)
@given(st.text(alphabet=string.printable + "é漢\x00", max_size=60), st.sampled_from([FULL, *names.PRESETS]))
def test_any_name_fits_or_is_refused(name: str, which: str) -> None:
    """No name crashes a template, and one that fits gives an aware start or none."""
    try:
        facts = names.load(which).read(Path("/x") / (name.replace("/", "-").strip(".") or "x"), "UTC")
    except RecordingError:
        return
    start = facts.values.get("started_at")
    assert start is None or start.utcoffset() is not None


@settings(max_examples=100)
@given(st.text(alphabet="{}:%_.-abcdeYmdHMSagentime", max_size=40))
def test_any_template_compiles_or_is_refused(text: str) -> None:
    """A template typed wrong is a usage error, never a crash."""
    with contextlib.suppress(UsageError):
        assert template.compile_template(text).tokens


ROOT = Path(__file__).parents[2]
RECORDINGS = (ROOT / "docs" / "recordings.md").read_text("utf-8")
ROWS = re.findall(r"^\|([^|]*)\| `(filename_template = [^`]+)` \| `([^`]+)` \|", RECORDINGS, re.MULTILINE)
BLOCKS = re.findall(r"(?:^    .*\n)+", RECORDINGS, re.MULTILINE)


@pytest.mark.parametrize(("_system", "line", "name"), ROWS, ids=[name for _, _, name in ROWS])
def test_each_line_of_configuration_in_the_documents_reads_its_name(
    tmp_path: Path, _system: str, line: str, name: str
) -> None:
    """A reader may copy it; the name fits it even where names must."""
    settings = IntakeSettings(**tomllib.loads(line), strict=True)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    item = receive(tmp_path, name, settings)
    assert item.fault is None
    assert "name" not in item.noted


def test_the_documents_list_every_preset_and_their_settings_load(tmp_path: Path) -> None:
    """No preset is a secret, and each block of settings is one callqa takes."""
    lines = " ".join(line for _, line, _ in ROWS)
    assert all(f'"{preset}"' in lines for preset in names.PRESETS)
    blocks = [
        tomllib.loads(textwrap.dedent(block)) for block in BLOCKS if "[intake" in block or "[[" in block
    ]
    assert len(blocks) == 4
    for block in blocks:
        if "media_dir" in block["intake"]:
            block["intake"]["media_dir"] = tmp_path
        list(discover([ROOT / "sample_audio"], IntakeSettings(**block["intake"])))
