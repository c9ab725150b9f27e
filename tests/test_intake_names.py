"""What file names and call detail records say, and that nothing they say is guessed."""

import contextlib
import datetime as dt
import string
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench.metadata
from pipeline.conversation import Received
from pipeline.errors import RecordingError, UsageError
from pipeline.intake import discover, metadata, names, template, times
from pipeline.settings import IntakeSettings, IntakeSource

ZONES = ["UTC", "Asia/Karachi", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"]
SID = "0123456789abcdef0123456789abcdef"
AGENT_1001 = {"agent_id": "1001", "customer_ref": "5551234567"}
FULL = "{date:%Y%m%d}-{time:%H%M%S}_{agent}_{customer}_{direction}.wav"


def receive(folder: Path, name: str, intake: IntakeSettings) -> Received:
    """One recording of that name through intake."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + name.encode())
    (item,) = discover([path], intake)
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
def test_a_name_that_does_not_fit_is_refused_loudly(tmp_path: Path, name: str) -> None:
    """A call without its date would corrupt every report, so it goes to the ledger with the reason."""
    item = receive(tmp_path, name, IntakeSettings(filename_template=FULL))
    assert item.fault is not None
    assert item.fault.reason == "name_mismatch"


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


@pytest.mark.parametrize(
    ("preset", "name", "expected"),
    [
        (
            "freepbx",
            "q-1509-9257299718-20251130-005355-1764453235.353068.wav",
            {"queue": "1509", "customer_ref": "9257299718", "direction": "inbound"},
        ),
        (
            "issabel",
            "force-0821345678-3201-20250327-092517-1743042317.12206.wav",
            {"agent_id": "3201", "customer_ref": "0821345678", "direction": "outbound"},
        ),
        (
            "freepbx",
            "external-201-+15551234567-20250327-022517-1743042317.1.WAV",
            {"agent_id": "201", "customer_ref": "+15551234567", "direction": "inbound"},
        ),
        (
            "asterisk",
            "internal-202-201-20250327-022517-1743042317.1.wav",
            {"agent_id": "201", "direction": "internal"},
        ),
        ("asterisk", "1743042317.12206.wav", {"call_id": "1743042317.12206"}),
        (
            "vicidial",
            "20250327-092517_5551234567_1001-all.mp3",
            AGENT_1001,
        ),
        (
            "vicidial",
            "20250327-092517_5551234567_1001.wav",
            AGENT_1001,
        ),
        (
            "vicidial-agent-first",
            "20250327-092517_1001_5551234567-all.wav",
            AGENT_1001,
        ),
        (
            "twilio",
            "RE0123456789abcdef0123456789abcdef.wav",
            {"call_id": "RE0123456789abcdef0123456789abcdef"},
        ),
        ("genesys", "year=2025/month=03/day=27/hour=02/conversation_id=c-9/rec-1.opus", {"call_id": "rec-1"}),
        (
            "amazon-pca",
            "Auto1_GUID_001_AGENT_AndrewK_DT_2021-12-01T07-55-51.wav",
            {"call_id": "001", "agent_id": "AndrewK"},
        ),
        (
            "amazon-pca",
            "Auto_2_GUID_7_CUST_c_1_AGENT_a_2_DT_2021-12-01T07-55-51.wav",
            {"call_id": "7", "agent_id": "a_2", "customer_ref": "c_1"},
        ),
    ],
)
def test_presets_read_the_names_of_known_systems(preset: str, name: str, expected: dict[str, str]) -> None:
    """Each preset turns a real name into who called whom."""
    facts = names.load(preset).read(Path("/monitor") / name, "UTC")
    assert expected.items() <= facts.values.items()


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("vicidial", "20250327-092517_1001_5551234567-all.wav"),
        ("vicidial-agent-first", "20250327-092517_5551234567_1001-all.wav"),
        ("freepbx", "force-0821345678-0921345678-20250327-092517-1743042317.12206.wav"),
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

    assert good.metadata is not None
    assert bad.metadata is not None
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

    outbound, queued = discover([tmp_path], IntakeSettings(timezone="Asia/Karachi"))

    call = queued.metadata
    assert call is not None
    assert (call.agent_id, call.queue, call.client, call.direction) == ("3201", "1509", "acme", "inbound")
    assert call.customer_ref == "9257299718"
    assert call.started_at == dt.datetime(2025, 3, 27, 4, 25, 17, tzinfo=dt.UTC)
    assert call.extra["billsec"] == "180"
    assert "9257299718" not in "".join(call.extra[key] for key in call.extra if key != "recordingfile")
    assert outbound.metadata is not None
    assert (outbound.metadata.agent_id, outbound.metadata.direction) == ("201", "outbound")


@pytest.mark.parametrize(
    "text",
    ["03/04/2025 09:00", "3.4.25", "2025-03-27", "yesterday", "09:25", "2025-02-30 10:00", "2025032709",
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
    assert item.metadata is not None
    assert item.metadata.started_at is None
    assert f"happened {how} in Europe/Berlin" in item.warnings[0]


MOMENTS = st.integers(788_918_400, 2_208_988_800).map(  # 1995 to 2040, as naive local times
    lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC).replace(tzinfo=None)
)
WORDS = st.text(string.ascii_letters + string.digits + "äß+ .@", min_size=1, max_size=12).filter(
    lambda w: w == w.strip() and not w.endswith(".")
)


@settings(max_examples=400, deadline=None)
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


@settings(max_examples=200, deadline=None)
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
    counts = bench.metadata.run(250, seed=7)
    assert sum(counts.values()) == 250
    assert set(counts) <= {"exact", "absent, told", "wrong, told", "refused"}
    assert counts["exact"] > 125


TEXT = st.text(max_size=40)
RECORDS = st.dictionaries(
    st.one_of(st.sampled_from([alias for aliases in metadata.ALIASES.values() for alias in aliases]), TEXT),
    st.one_of(TEXT, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(TEXT, max_size=3)),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.sampled_from(ZONES))
def test_hostile_metadata_never_crashes_and_is_never_misread(
    record: dict[str, object], zone_name: str
) -> None:
    """Any record gives metadata a store can keep: an aware start or none, an id that prints."""
    facts = metadata.read(record, source="fuzz", zone_name=zone_name, site_zones={})
    call, _ = metadata.merge([facts], default_call_id="f" * 16, zone_name=zone_name)

    assert call.started_at is None or call.started_at.utcoffset() is not None
    assert call.call_id
    assert call.call_id.isprintable()
    for text in (call.call_id, call.agent_id or "", *call.extra, *call.extra.values()):
        text.encode("utf-8")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=string.printable + "é漢\x00", max_size=60), st.sampled_from([FULL, *names.PRESETS]))
def test_any_name_fits_or_is_refused(name: str, which: str) -> None:
    """No name crashes a template, and one that fits gives an aware start or none."""
    try:
        facts = names.load(which).read(Path("/x") / (name.replace("/", "-").strip(".") or "x"), "UTC")
    except RecordingError:
        return
    start = facts.values.get("started_at")
    assert start is None or start.utcoffset() is not None


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="{}:%_.-abcdeYmdHMSagentime", max_size=40))
def test_any_template_compiles_or_is_refused(text: str) -> None:
    """A template typed wrong is a usage error, never a crash."""
    with contextlib.suppress(UsageError):
        assert template.compile_template(text).tokens
