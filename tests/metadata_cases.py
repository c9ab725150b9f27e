"""Generated names and metadata: is any call dated wrongly without a word, does any input crash?

    python -m bench.metadata [cases]

Each case is a recording of a known moment at a site of a known zone, described by a file name, a
manifest row or a sidecar in one of the ways systems write them, sometimes wrongly (a configured zone
that is not the site's, two sources that disagree, day and month swapped, junk). Intake must give the
true moment, or none with a warning, or refuse the file; a wrong moment counts as told only when a warning
names it. Used by ``bench/metadata.py``.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.conversation import Received
from pipeline.errors import UsageError
from pipeline.intake import discover
from pipeline.settings import IntakeSettings, IntakeSource

ZONES = (
    "UTC", "Asia/Karachi", "Asia/Jakarta", "America/New_York", "Europe/Berlin", "Australia/Adelaide",
    "Asia/Kathmandu", "America/St_Johns", "Pacific/Auckland", "Africa/Cairo",
)  # fmt: skip
TEMPLATE = "{date:%Y%m%d}-{time:%H%M%S}_{agent}_{customer}_{direction}.wav"
JUNK = (
    "", "yesterday", "03/04/2025 09:00", "2025-13-40 99:99", "0", "9" * 30, "\x00", "NaN",
    "２０２５-01-01 10:00",
)  # fmt: skip
WRITTEN = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%d%H%M%S", "%d/%m/%Y %H:%M", "%m/%d/%y %H:%M")
COLUMNS = ("started_at", "Start Time", "start", "date and time")
SAME_S = 60.0


@dataclass
class Case:
    """One recording: its true moment, and how it is described.

    Attributes:
        moment: When it truly began, in the site's zone.
        configured: The zone the settings give its source.
        name: File name.
        template: Template or preset of its source.
        row: Its manifest row, without the file column.
        sidecar: Text of its sidecar.
    """

    moment: dt.datetime
    configured: str
    name: str
    template: str | None = None
    row: dict[str, str] = field(default_factory=dict)
    sidecar: str = ""

    @property
    def local(self) -> dt.datetime:
        """The moment as the site's clock showed it."""
        return self.moment.replace(tzinfo=None)


def make_case(rng: random.Random, number: int) -> Case:
    """A random case; a third of all moments lie within three hours of a clock change."""
    zone = ZoneInfo(rng.choice(ZONES))
    moment = dt.datetime.fromtimestamp(rng.randint(1_000_000_000, 1_800_000_000), zone)
    if rng.random() < 0.33:
        moment = _near_change(moment, zone, rng)
    case = Case(moment, str(zone), f"call-{number}.wav")
    rng.choice(KINDS)(case, rng, number)
    return case


def run(cases: int, seed: int = 0) -> dict[str, int]:
    """Take all cases through intake.

    Returns:
        Counts of ``exact``, ``absent, told``, ``refused``, ``wrong, told``, ``absent, silent``,
        ``wrong, silent`` and ``crashed``; the last three must be 0.
    """
    rng = random.Random(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(cases):
            case = make_case(rng, number)
            place = Path(folder) / str(number)
            place.mkdir()
            try:
                outcome = _judge(case, _receive(case, place))
                counts[outcome] += 1
                if outcome.endswith("silent"):
                    print(f"{outcome}: {case}", file=sys.stderr)
            except UsageError:  # a manifest that cannot be read as one stops the batch with a message
                counts["refused"] += 1
            except Exception as error:
                counts["crashed"] += 1
                print(f"{type(error).__name__}: {error} in {case}", file=sys.stderr)
    return dict(counts)


def _receive(case: Case, place: Path) -> Received:
    (place / case.name).write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt " + case.name.encode())
    if case.sidecar:
        (place / f"{case.name}.json").write_text(case.sidecar)
    if case.row:
        with (place / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["file", *case.row])
            writer.writeheader()
            writer.writerow({"file": case.name, **case.row})
    source = IntakeSource(timezone=case.configured, filename_template=case.template)
    (item,) = discover([place], IntakeSettings(sources=(source,)))
    return item


def _judge(case: Case, item: Received) -> str:
    if item.fault is not None or item.metadata is None:
        return "refused"
    told = any("start" in w or "date" in w or "clock" in w or "time" in w for w in item.warnings)
    if item.metadata.started_at is None:
        return "absent, told" if told else "absent, silent"
    if abs((item.metadata.started_at - case.moment).total_seconds()) <= SAME_S:
        return "exact"
    return "wrong, told" if told else "wrong, silent"


def _near_change(moment: dt.datetime, zone: ZoneInfo, rng: random.Random) -> dt.datetime:
    """A moment close to the next change of the zone's offset, where it has any."""
    for days in range(370):
        later = (moment.astimezone(dt.UTC) + dt.timedelta(days=days)).astimezone(zone)
        if later.utcoffset() != moment.utcoffset():
            return (later.astimezone(dt.UTC) - dt.timedelta(hours=rng.uniform(-3, 27))).astimezone(zone)
    return moment


def _template(case: Case, rng: random.Random, number: int) -> None:
    agent, way = f"u{number % 7}", rng.choice(["in", "outbound", "internal"])
    case.template, case.name = TEMPLATE, f"{case.local:%Y%m%d-%H%M%S}_{agent}_{5550000 + number}_{way}.wav"
    if rng.random() < 0.2:  # a part too many, a part too few, day before month
        swapped = f"{case.local:%d%m%Y-%H%M%S}_a_b_in.wav"
        case.name = rng.choice([f"x_{case.name}", case.name.replace("_", "-", 1), swapped])


def _freepbx(case: Case, rng: random.Random, number: int) -> None:
    if rng.random() < 0.4:
        case.configured = rng.choice(ZONES)  # often not the site's
    epoch = int(case.moment.timestamp()) - rng.randint(0, 40)
    case.template = "freepbx"
    case.name = f"q-1509-92572{number:05d}-{case.local:%Y%m%d-%H%M%S}-{epoch}.{number}.wav"


def _vicidial(case: Case, rng: random.Random, number: int) -> None:
    case.template = rng.choice(["vicidial", "vicidial-agent-first"])
    case.name = f"{case.local:%Y%m%d-%H%M%S}_555{number:07d}_1{number % 90:03d}-all.mp3"


def _manifest(case: Case, rng: random.Random, number: int) -> None:
    column, written = rng.choice(COLUMNS), rng.choice(WRITTEN)
    case.row = {column: case.local.strftime(written)}
    if column == "date and time":
        case.row = {"date": f"{case.local:%Y-%m-%d}", "time": f"{case.local:%H:%M:%S}"}
    if rng.random() < 0.3:
        case.row["timezone"], case.configured = case.configured, "UTC"
    elif rng.random() < 0.3:
        case.row = {"started_at": case.moment.isoformat()}
        case.configured = rng.choice(ZONES)


def _sidecar(case: Case, rng: random.Random, number: int) -> None:
    stamp: object = rng.choice(
        [case.moment.isoformat(), int(case.moment.timestamp()), int(case.moment.timestamp() * 1000),
         f"{case.moment.astimezone(dt.UTC):%a, %d %b %Y %H:%M:%S} +0000", f"{case.local:%Y-%m-%d %H:%M:%S}"]
    )  # fmt: skip
    case.sidecar = json.dumps({"startTime": stamp, "conversationId": f"c-{number}"})
    if rng.random() < 0.1:
        case.sidecar = case.sidecar[: rng.randint(0, len(case.sidecar))] or "{"


def _conflict(case: Case, rng: random.Random, number: int) -> None:
    """Manifest in UTC as the switch wrote it, name in local time: they may differ, the manifest is right."""
    _template(case, rng, number)
    case.row = {"start": case.moment.astimezone(dt.UTC).isoformat()}
    case.configured = rng.choice(ZONES)


def _junk(case: Case, rng: random.Random, number: int) -> None:
    zone = rng.choice([case.configured, "Mars/Olympus", "+25:00"])
    case.row = {"start": rng.choice(JUNK) or "n/a", "timezone": zone}
    case.row |= {name: rng.choice(JUNK) for name in ("direction", "hold_spans", "agent_channel")}


KINDS: tuple[Callable[[Case, random.Random, int], None], ...] = (
    _template, _freepbx, _vicidial, _manifest, _manifest, _sidecar, _conflict, _junk,
)  # fmt: skip
