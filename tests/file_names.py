"""The names that telephone systems give recordings: what each says, and what mangled ones become.

    python -m bench.intake [mangled names]

``FORMS`` is the table of forms read, by system, each with a public page that shows or defines it, and what must
come out of it. ``mangle`` makes variants as they reach a folder: another ending or two, capitals, an empty
part, a counter of another length, a date that does not exist, a cut, a copy's ``(1)``. Every variant must
come in as a call, and its start must be the true one, or absent, with a warning. What nothing can tell is
a name whose only date is another real day. ``tests/intake/test_intake_names.py`` uses both.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.conversation import Received
from pipeline.intake import discover
from pipeline.settings import IntakeSettings

CALLRECORDING = (
    "https://github.com/escomputers/freepbx-docker/blob/32e6f8c15c9f49454dd7a7ff13c39e9ccf466370/"
    "freepbx/amp_conf/htdocs/admin/modules/callrecording/functions.inc.php"
)
"""FreePBX's dial plan: ``${ARG2}-${ARG3}-${FROMEXTEN}-${TIMESTR}-${UNIQUEID}`` and its prefixes."""
BEFORE_2012 = (
    "https://github.com/FreePBX/core/blob/0a9c60d2e9b7e414d464ee772365b2ebbb4b196b/agi-bin/recordingcheck"
)
IN_LOGS = "https://github.com/hkjarral/AVA-AI-Voice-Agent-for-Asterisk/pull/262"
ISSABEL = "https://diditho.com/2025/04/23/understanding-issabel-asterisk-call-recording-file-format"
QUEUE = "https://github.com/ggml-org/whisper.cpp/issues/3546"
UNIQUE_ID = "https://github.com/ipoddubny/webcdr/issues/3"
MONITOR = (
    "http://cc.zycoo.com:3100/dingyu/Asterisk/raw/a11161c7970559526fb3f5556bc330c8cfebf532/"
    "doc/Asterisk-Admin-Guide/Asterisk-13-Application_Monitor_29394908.html"
)
VICIDIAL = "https://dev.to/gamlin/vicidial-quality-assurance-scoring-with-call-recordings-2425"
VICIDIAL_STAGE = "https://vicifast.com/blog/vicidial-recording-filename-stage-api"
VICIDIAL_STEREO = "https://vicifast.com/blog/vicidial-parallel-rec-filenames"
GOAUTODIAL = (
    "https://github.com/goautodial/ce-v3-www/blob/b1db07c9c085433edfc96825ed1601fab10b9a9e/"
    "application/models/go_campaign.php"
)
GENESYS = "https://help.mypurecloud.com/articles/working-with-exported-recordings-in-aws-s3-bucket"
TWILIO = "https://www.twilio.com/docs/voice/api/recording"
PCA = (
    "https://github.com/aws-samples/amazon-transcribe-post-call-analytics/blob/"
    "f3ae54e5159a893178d6c92c856a8580743e0207/docs/deployment/configuration.md"
)
PCA_SAMPLES = (
    "https://github.com/aws-samples/amazon-transcribe-post-call-analytics/blob/"
    "33c0c751e963aa74d996ccb2ba86243741861c25/pca-server/src/pca/pca-aws-file-drop-trigger.py"
)


@dataclass(frozen=True)
class Form:
    """A form of name.

    Attributes:
        system: What writes it.
        preset: The value of ``filename_template``.
        page: A public page that shows or defines it.
        name: A name of this form.
        says: What must come out: fields of the call, ``extra`` under ``extra.NAME``; None must be absent.
        started: Its start, as ISO 8601 with offset; "" where the form carries no time.
        timezone: IANA zone of the system.
        doubt: A part of the warning that must come with it.
    """

    system: str
    preset: str
    page: str
    name: str
    says: Mapping[str, str | None]
    started: str = ""
    timezone: str = "UTC"
    doubt: str = ""


DENVER = "America/Denver"
JAN_5 = "2023-01-05T{}-07:00"
CUSTOMER = "7205551234"


def _pbx(
    system: str,
    page: str,
    name: str,
    started: str,
    says: dict[str, str | None],
    zone: str = DENVER,
    doubt: str = "",
) -> Form:
    return Form(
        system, "issabel" if system == "Issabel" else "freepbx", page, name, says, started, zone, doubt
    )


FORMS: tuple[Form, ...] = (
    _pbx("FreePBX", CALLRECORDING, "external-101-7205551234-20230105-081531-1672931731.56.wav",
         JAN_5.format("08:15:31"), {"agent_id": "101", "customer_ref": CUSTOMER, "direction": "inbound", "call_id": "1672931731.56"}),
    _pbx("FreePBX", CALLRECORDING, "external-101-2001-20230105-081535-1672931735.59.wav",
         JAN_5.format("08:15:35"), {"agent_id": "101", "customer_ref": "2001", "direction": "inbound"}),
    _pbx("FreePBX", CALLRECORDING, "in-7205551234-2001-20230105-081530-1672931730.55.wav",
         JAN_5.format("08:15:30"), {"agent_id": "2001", "customer_ref": CUSTOMER, "direction": "inbound"}),
    _pbx("FreePBX", IN_LOGS, "in-17778611565101-13164619284-20260309-113203-1773081123.265.wav",
         "2026-03-09T11:32:03-07:00", {"extra.did": "17778611565101", "customer_ref": "13164619284", "direction": "inbound", "agent_id": None},
         "America/Phoenix"),
    _pbx("FreePBX", CALLRECORDING, "in-27874742660-27211110888-20240703-094641-1720000001.2247.ogg",
         "2024-07-03T09:46:41+00:00", {"extra.did": "27874742660", "customer_ref": "27211110888", "direction": "inbound"}, "UTC"),
    _pbx("FreePBX", CALLRECORDING, "in-s-unknown-20230105-081530-1672931730.7.wav",
         JAN_5.format("08:15:30"), {"direction": "inbound", "customer_ref": None, "agent_id": None}),
    _pbx("FreePBX", CALLRECORDING, "out-918005551234-101-20220301-020102-1646125262.9.gsm.wav",
         "2022-03-01T02:01:02-07:00", {"agent_id": "101", "customer_ref": "918005551234", "direction": "outbound"}),
    _pbx("FreePBX", CALLRECORDING, "out-71222-002-20241105-091730-1730780250.107.wav",
         "2024-11-05T09:17:30+05:00", {"agent_id": "002", "customer_ref": "71222", "direction": "outbound"}, "Asia/Karachi"),
    _pbx("FreePBX", CALLRECORDING, "internal-202-201-20230105-081530-1672931730.101.wav",
         JAN_5.format("08:15:30"), {"agent_id": "201", "extra.called": "202", "direction": "internal", "customer_ref": None}),
    _pbx("FreePBX", CALLRECORDING, "exten-295-258-20230105-081530-1672931730.904025.wav",
         JAN_5.format("08:15:30"), {"agent_id": "258", "extra.called": "295", "direction": "internal"}),
    _pbx("FreePBX", CALLRECORDING, "rg-600-7205551234-20230105-081533-1672931733.57.wav",
         JAN_5.format("08:15:33"), {"queue": "600", "customer_ref": CUSTOMER, "direction": "inbound", "agent_id": None}),
    _pbx("FreePBX", BEFORE_2012, "g600-7205551234-20230105-081533-1672931733.57.wav",
         JAN_5.format("08:15:33"), {"queue": "600", "customer_ref": CUSTOMER, "direction": "inbound"}),
    _pbx("FreePBX", BEFORE_2012, "g101-20110105-014210-1294216930.55.wav",
         "2011-01-05T01:42:10-07:00", {"extra.called": "101", "direction": "unknown", "queue": None, "agent_id": None}),
    _pbx("FreePBX", BEFORE_2012, "OUT101-20110105-014210-1294216930.55.wav",
         "2011-01-05T01:42:10-07:00", {"agent_id": "101", "direction": "outbound", "customer_ref": None}),
    _pbx("FreePBX", BEFORE_2012, "20110105-014210-1294216930.55.wav",
         "2011-01-05T01:42:10-07:00", {"call_id": "1294216930.55", "direction": "unknown", "agent_id": None}),
    _pbx("FreePBX", QUEUE, "q-1509-9257299718-20251130-005355-1764453235.353068.wav",
         "2025-11-30T00:53:55+03:00", {"queue": "1509", "customer_ref": "9257299718", "direction": "inbound"}, "Europe/Moscow"),
    _pbx("FreePBX", CALLRECORDING, "q-7999-199-20230105-081530-1672931730.16402.wav",
         JAN_5.format("08:15:30"), {"queue": "7999", "customer_ref": "199", "direction": "internal"}),
    _pbx("FreePBX", CALLRECORDING, "generic-18005550100-7205551234-20230105-081530-1672931730.8.wav",
         JAN_5.format("08:15:30"), {"extra.did": "18005550100", "customer_ref": CUSTOMER, "direction": "inbound"}),
    _pbx("FreePBX", CALLRECORDING, "parked-101-7205551234-20230105-081530-1672931730.12.wav",
         JAN_5.format("08:15:30"), {"agent_id": "101", "customer_ref": CUSTOMER, "direction": "inbound"}),
    _pbx("FreePBX", CALLRECORDING, "8000-8000-always-20230105-081530-1672931730.13.wav",
         JAN_5.format("08:15:30"), {"extra.called": "8000", "direction": "unknown", "agent_id": None}),
    _pbx("FreePBX", CALLRECORDING, "force-18005550100-7205551234-20230105-081530-1672931730.14.wav",
         JAN_5.format("08:15:30"), {"direction": "unknown", "agent_id": None, "customer_ref": None}, doubt="neither number is an extension"),
    _pbx("Issabel", ISSABEL, "force-0821345678-3201-20250327-092517-1743042317.12206.wav",
         "2025-03-27T09:25:17+07:00", {"agent_id": "3201", "customer_ref": "0821345678", "direction": "outbound"}, "Asia/Jakarta"),
    _pbx("Issabel", ISSABEL, "q-1509--20250327-092517-1743042317.12206.wav",
         "2025-03-27T09:25:17+07:00", {"queue": "1509", "customer_ref": None, "direction": "inbound"}, "Asia/Jakarta"),
    Form("Asterisk", "asterisk", UNIQUE_ID, "1743042317.56.mp3", {"call_id": "1743042317.56"}, "2025-03-27T02:25:17+00:00"),
    Form("Asterisk", "asterisk", MONITOR, "1743042317.12206-in.wav",
         {"call_id": "1743042317.12206-in", "extra.leg": "in", "direction": "unknown"}, "2025-03-27T02:25:17+00:00",
         doubt="one side of its call"),
    Form("VICIdial", "vicidial", VICIDIAL, "20250327-092517_5551234567_1001-all.mp3",
         {"agent_id": "1001", "customer_ref": "5551234567", "direction": "unknown"}, "2025-03-27T09:25:17+00:00"),
    Form("VICIdial", "vicidial-agent-first", VICIDIAL, "20250327-092517_1001_5551234567-all.wav",
         {"agent_id": "1001", "customer_ref": "5551234567"}, "2025-03-27T09:25:17+00:00"),
    Form("VICIdial", "vicidial", VICIDIAL_STEREO, "FR_S_20051020-103108_3125551212.wav",
         {"customer_ref": "3125551212", "agent_id": None}, "2005-10-20T10:31:08+00:00"),
    Form("VICIdial", "vicidial", VICIDIAL_STEREO, "CO_S_20051020-103108_3125551212.wav",
         {"customer_ref": "3125551212", "extra.leg": "customer-only"}, "2005-10-20T10:31:08+00:00", doubt="one side of its call"),
    Form("VICIdial", "vicidial", VICIDIAL_STAGE, "20240610-143022__1000.wav",
         {"agent_id": "1000", "customer_ref": None}, "2024-06-10T14:30:22+00:00"),
    Form("GOautodial", "goautodial", GOAUTODIAL, "20251018-182407_609229717_TESTCAMP_agent012-all.gsm",
         {"agent_id": "agent012", "customer_ref": "609229717", "queue": "TESTCAMP"}, "2025-10-18T18:24:07+00:00"),
    Form("GOautodial", "goautodial", GOAUTODIAL, "20210305-141517_5551234570_TESTCAMP_agent007-in.wav",
         {"agent_id": "agent007", "customer_ref": "5551234570", "queue": "TESTCAMP", "extra.leg": "in", "direction": "unknown"},
         "2021-03-05T14:15:17+00:00", doubt="one side of its call"),
    Form("Genesys Cloud", "genesys", GENESYS, "year=2025/month=03/day=27/hour=02/conversation_id=c-9/rec-1.opus",
         {"call_id": "rec-1", "extra.conversation_id": "c-9"}),
    Form("Twilio", "twilio", TWILIO, "RE0123456789abcdef0123456789abcdef.wav",
         {"call_id": "RE0123456789abcdef0123456789abcdef"}),
    Form("Post-call analytics", "amazon-pca", PCA, "Auto1_GUID_001_AGENT_AndrewK_DT_2021-12-01T07-55-51.wav",
         {"call_id": "001", "agent_id": "AndrewK", "extra.label": "Auto1"}, "2021-12-01T07:55:51+00:00"),
    Form("Post-call analytics", "amazon-pca", PCA_SAMPLES, "redacted-Auto0_GUID_000_AGENT_ChrisL_DT_2022-03-19T06-01-22_Mono.wav",
         {"call_id": "000", "agent_id": "ChrisL", "extra.note": "Mono"}, "2022-03-19T06:01:22+00:00"),
    Form("Post-call analytics", "amazon-pca", PCA_SAMPLES, "Auto1_GUID_001_AGENT_AndrewK_DT2022-03-20T07-55-51.wav",
         {"call_id": "001", "agent_id": "AndrewK"}, "2022-03-20T07:55:51+00:00"),
    Form("Post-call analytics", "amazon-pca", PCA, "Auto_CUST_c_1_GUID_7_AGENT_a_2_DT_2021-12-01T07-55-51.wav",
         {"call_id": "7", "agent_id": "a_2", "customer_ref": "c_1", "extra.label": "Auto"}, "2021-12-01T07:55:51+00:00"),
    Form("Post-call analytics", "amazon-pca", PCA, "2021-12-01T07-55-51_AGENT_AndrewK_GUID_001_CUST_c1_Mono.wav",
         {"call_id": "001", "agent_id": "AndrewK", "customer_ref": "c1", "extra.note": "Mono"}, "2021-12-01T07:55:51+00:00"),
)  # fmt: skip
# ruff: noqa: E501 - a table


def receive(form: Form, folder: Path, name: str = "") -> Received:
    """One recording of a form, through intake."""
    path = folder / (name or form.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + path.name.encode())
    settings = IntakeSettings(filename_template=form.preset, timezone=form.timezone)
    (item,) = discover([path], settings)
    return item


def said(item: Received) -> dict[str, str | None]:
    """What came out of a name, under the names that ``Form.says`` uses."""
    call = item.metadata
    fields = ("call_id", "agent_id", "customer_ref", "queue", "direction")
    return {name: getattr(call, name) for name in fields} | {f"extra.{k}": v for k, v in call.extra.items()}


def mangle(form: Form, rng: random.Random) -> tuple[Form, str]:
    """A form with another true moment, and its name as something on the way left it."""
    form = _moved(form, rng)
    folder, _, name = form.name.rpartition("/")
    stem, _, ending = name.rpartition(".")
    endings = [".WAV", ".wav.mp3", ".gsm.wav", ".ogg", ".Mp3", ".wav.WAV", f".{ending}"]
    match rng.randrange(9):
        case 0:
            stem = stem.upper() if rng.random() < 0.5 else stem.lower()
        case 1:
            stem = re.sub(r"\.\d+", f".{rng.randrange(10 ** rng.randint(1, 15))}", stem)
        case 2:
            cut = rng.randrange(1, len(stem))
            stem = stem[:cut] if rng.random() < 0.5 else stem[cut:]
        case 3:
            stem += rng.choice([" (1)", " - Copy", "_1", "-2", "~", ".part"])
        case 4:
            stem = stem.replace(rng.choice("-_"), rng.choice(["_", "--", " ", "-"]), rng.randint(1, 9))
        case 5:
            stem = rng.choice(["copy of ", "pbx1-", "acme_", "S_"]) + stem
        case 6:  # a date that no calendar has; where an epoch number tells, also another day
            other = [r"\g<1>13\3", r"\g<1>\g<2>32"] + [r"\1\3\2"] * (form.preset in {"freepbx", "issabel"})
            stem = re.sub(r"(?<!\d)(20\d\d)(\d\d)(\d\d)(?=-)", rng.choice(other), stem)
        case 7:
            parts = re.split("([-_])", stem)
            del parts[rng.randrange(len(parts))]
            stem = "".join(parts)
        case 8:
            pass
    return form, f"{folder}/{stem.strip() or 'x'}{rng.choice(endings)}".removeprefix("/")


def _moved(form: Form, rng: random.Random) -> Form:
    """The same form at another moment: its stamp, epoch and start all follow."""
    if not form.started:
        return form
    start = dt.datetime.fromisoformat(form.started)
    later = start + dt.timedelta(seconds=rng.randrange(0, 400) * 86_400 + rng.randrange(86_400) - 43_200)
    local = later.astimezone(ZoneInfo(form.timezone))
    name = form.name
    for written in ("%Y%m%d-%H%M%S", "%Y-%m-%dT%H-%M-%S"):
        name = name.replace(start.strftime(written), local.strftime(written))
    name = name.replace(str(int(start.timestamp())), str(int(later.timestamp())))
    return replace(form, name=name, started=local.isoformat())


def run(cases: int, seed: int = 0) -> dict[str, int]:
    """Take mangled names through intake.

    Returns:
        Counts of ``exact``, ``absent, told``, ``no time in the form``, ``absent, silent``, ``mis-dated``
        and ``lost``; the last three must be 0. A start is exact within a minute.
    """
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(cases):
            form, name = mangle(FORMS[number % len(FORMS)], rng)
            item = receive(form, Path(folder) / str(number), name)
            outcome = _judge(form, item)
            counts[outcome] += 1
            if outcome in {"lost", "mis-dated", "absent, silent"}:
                fault = item.fault.message if item.fault else item.metadata
                print(f"{outcome}: {name} of {form.name}: {fault}", file=sys.stderr)
    return dict(counts)


def _judge(form: Form, item: Received) -> str:
    if item.fault is not None or item.metadata is None:
        return "lost"
    start = item.metadata.started_at
    if start is None:
        told = "name" in item.noted or any("started_at" in text for text in item.warnings)
        return "absent, told" if told else "absent, silent" if form.started else "no time in the form"
    apart_s = abs((start - dt.datetime.fromisoformat(form.started)).total_seconds()) if form.started else 1e9
    return "exact" if apart_s <= 60 else "mis-dated"
