"""Read sidecars: JSON files beside a recording that hold the metadata of its call.

Metadata of Genesys Cloud are flat (``agentIds``, ``queueIds``, ``initialDirection``, …) or the whole
conversation with its participants. Sources: https://help.mypurecloud.com/?p=292632 and the
``participants`` that post-call analytics reads (aws-samples/amazon-transcribe-post-call-analytics).
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from pipeline.errors import RecordingError
from pipeline.intake import captions, formats, metadata, sniff, vcon
from pipeline.intake.formats import lines
from pipeline.intake.metadata import Facts
from pipeline.intake.pieces import Json, objects
from pipeline.intake.sniff import AUDIO_SUFFIXES, is_file
from pipeline.intake.times import Zones

_GENESYS = ("_call_metadata.json", "_metadata.json")
_AGENTS = ("agent", "user")  # not sets: the JSON may hold a list there, which cannot be looked up in a set
_CUSTOMERS = ("customer", "external")


def find(recording: Path) -> list[Path]:
    """The sidecars of a recording, most trusted first."""
    names = [f"{recording.name}.json", f"{recording.stem}.json"]
    names += [whole + ending for ending in _GENESYS for whole in (recording.name, recording.stem)]
    return [p for name in names if is_file(p := recording.with_name(name)) and p != recording]


def companions(names: list[str]) -> set[str]:
    """The names in a folder that belong to another file of the folder and are not calls of their own.

    JSON files belong to the recording of that name, subtitles to its recording or transcript, SubRip files
    to WebVTT files, and plain text to any of these: Whisper writes the same call in all these formats.
    """
    stems = {Path(n).stem for n in names if Path(n).suffix.lower() in AUDIO_SUFFIXES}
    belonging = {name for name in names if name.lower().endswith(".json") and _belongs(name, stems)}
    stems |= {Path(n).stem for n in names if Path(n).suffix.lower() in {".json", ".vcon"}}
    for suffix in (*captions.SUFFIXES, lines.SUFFIX):
        subtitles = [name for name in names if name.lower().endswith(suffix)]
        belonging |= {name for name in subtitles if _belongs(name, stems)}
        stems |= {Path(name).stem for name in subtitles}
    return belonging


def read(path: Path, zones: Zones) -> Facts:
    """Read the facts in a sidecar; a transcript beside its recording gives none.

    An empty sidecar is skipped with a warning, because in ``callqa transcribe call.mp3 --json > call.json``
    the shell creates it before callqa starts.

    Raises:
        RecordingError: The file is not readable JSON.
    """
    try:
        if not path.stat().st_size:
            return Facts(path.name, warnings=(f"{path.name} is empty and was skipped",))
        document = sniff.json_document(path)
    except (OSError, ValueError) as error:
        raise RecordingError(
            f"the sidecar {path.name} is not readable JSON",
            hint="correct or remove it, and run again",
            reason="bad_sidecar",
        ) from error
    record = _record(document, path.name) if isinstance(document, dict) else {}
    return metadata.read(record, source=path.name, zones=zones)


def _record(document: Json, name: str) -> Json:
    if vcon.is_vcon(document):
        container = vcon.unwrap(document, name)
        return vcon.record(container, next(iter(vcon.recordings(container)), None))
    if is_genesys(document):
        document = flat(document)
    is_transcript = isinstance(document.get("turns"), list) or formats.find(document)
    return {} if is_transcript else document


def is_genesys(document: Json) -> bool:
    """Whether a sidecar is a whole conversation of Genesys Cloud, with its participants."""
    return isinstance(document.get("participants"), list) and "conversationId" in document


def flat(document: Json) -> Json:
    """Flatten a Genesys conversation: add agents, queues, direction and the customer's number as fields."""
    people = objects(document["participants"])
    sessions = list(chain.from_iterable(objects(person.get("sessions")) for person in people))
    direction = document.get("originatingDirection") or document.get("initialDirection")
    customer = next((p for p in people if p.get("purpose") in _CUSTOMERS), {})
    end = "dnis" if direction == "outbound" else "ani"  # who was called, or who called
    numbers = (session.get(end) for session in objects(customer.get("sessions")))
    number = next((number for number in numbers if isinstance(number, str)), "")
    return {name: value for name, value in document.items() if not isinstance(value, dict | list)} | {
        "agentIds": [p.get("userId") for p in people if p.get("purpose") in _AGENTS],
        "queueIds": [part.get("queueId") for one in sessions for part in objects(one.get("segments"))],
        "initialDirection": direction,
        "customerNumber": number.removeprefix("tel:"),
    }


def _belongs(name: str, stems: set[str]) -> bool:
    if any(name.endswith(ending) and name.removesuffix(ending) in stems for ending in _GENESYS):
        return True
    dots = [at for at, char in enumerate(name) if char == "."]
    return any(name[:at] in stems for at in dots)
