"""The review packet: one page that opens offline in any browser and makes no network request.

``content`` and ``pages`` make the page's data, ``page/`` is the page itself; ``write`` puts both in one HTML
file. A strict content security policy allows its inline style and script by their digests. Each call is a
JSON block that the page parses when the call is opened. Callers' words never become markup: data is escaped
here, and the page inserts it as text only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import defaultdict
from importlib import resources
from pathlib import Path

from pipeline.conversation import Review
from pipeline.export.job import ExportJob
from pipeline.export.names import whole
from pipeline.export.packet.content import BLIND_COLUMNS, Json, blinded, call_document, index_row
from pipeline.export.packet.pages import overall_pages
from pipeline.export.sound import Sound, Sounds
from pipeline.export.summary import Totals, counted
from pipeline.review.sampling import rubric_ids

SCRIPTS = ("base.js", "overview.js", "player.js", "review.js", "call.js", "people.js", "main.js")


def write(job: ExportJob) -> list[Path]:
    """Write the packet: a file with the recordings in it, or a folder with index.html and recordings.

    Recordings of a packet that was in the folder before are deleted where the new page does not have them.
    """
    is_file = job.dest.suffix.lower() in {".html", ".htm"}
    page = job.dest if is_file else job.dest / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    sounds = Sounds(None if is_file else job.dest / "audio", job.redactor) if job.audio else None
    reviews: dict[str, list[tuple[str, Review]]] = defaultdict(list)
    ids = rubric_ids(job.store)
    for review in job.reviews():
        reviews[review.call_id].append((ids.get(review.rubric_hash, ""), review))
    earlier = [] if is_file else _recordings(page)
    totals, texts = Totals(), job.texts()
    rows: list[Json] = []
    written = [page]
    before, after = _page()
    with whole(page) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        out.write(before)
        read = counted(job.calls(), texts, totals)
        none = Sound(note="no recording in this packet")
        with_sound = sounds.of(read) if sounds else ((call, none) for call in read)
        calibration = job.calibration()  # before the recordings, which take long
        for position, (call, sound) in enumerate(with_sound):
            if sound.path:
                written.append(sound.path)
            document = call_document(call, texts, sound, reviews[call.metadata.call_id])
            out.write(data_block(f"call-{position}", blinded(document) if job.blind else document))
            row = index_row(call)
            rows.append({name: row[name] for name in BLIND_COLUMNS} if job.blind else row)
        packet = {"reviewable": not job.client_safe, "blind": job.blind, "calls": rows}
        packet |= overall_pages(totals, calibration, blind=job.blind)
        packet["id"] = hashlib.sha256(json.dumps(packet).encode()).hexdigest()[:16]
        out.write(data_block("packet", packet))
        out.write(after)
    for path in set(earlier).difference(written):
        path.unlink(missing_ok=True)
    return written


def _recordings(page: Path) -> list[Path]:
    """The recordings beside a page that it names; none when there is no page."""
    if not page.is_file():
        return []
    named = re.findall(rb'"audio":"audio/([A-Za-z0-9._-]+\.mp3)"', page.read_bytes())
    return [page.parent / "audio" / name.decode() for name in named]


def data_block(name: str, document: object) -> str:
    """A ``script`` element with JSON; ``<``, ``>`` and ``&`` are escaped so that no content can end it."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    escaped = re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", text)
    block = f'<script type="application/json" id="{name}">{escaped}</script>\n'
    return block.encode("utf-8", "replace").decode()


def _page() -> tuple[str, str]:
    """The page with style and script filled in, as the parts before and after the data."""
    page = resources.files("pipeline.export.packet") / "page"
    css = (page / "packet.css").read_text("utf-8")
    script = "(() => {\n" + "\n".join((page / name).read_text("utf-8") for name in SCRIPTS) + "\n})();"
    filled = (page / "page.html").read_text("utf-8")
    for name, value in (("csp", content_policy(css, script)), ("css", css), ("script", script)):
        filled = filled.replace("{{" + name + "}}", value, 1)
    before, after = filled.split("{{data}}", 1)
    return before, after


def content_policy(css: str, script: str) -> str:
    """The content security policy: only this style and script run, and only recordings are loaded."""

    def digest(text: str) -> str:
        return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")

    return (
        f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(css)}'; "
        "media-src 'self' file: data:; connect-src 'none'; base-uri 'none'; form-action 'none'"
    )
