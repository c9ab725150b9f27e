"""Read transcripts of other tools: each format follows its published schema and is recognised by content.

The formats are tried on the document and on what is inside the wrappers that services and scripts put around
a result. vCon, which holds more than a transcript, is read by ``intake.vcon``.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats import amazon, azure, bare, google, lines, others, whisper
from pipeline.intake.pieces import Json, Reader, Said

READERS: dict[str, Reader] = {
    **amazon.READERS,
    **azure.READERS,
    **others.READERS,
    **google.READERS,
    **whisper.READERS,
    bare.NAME: bare.read,
}
"""By the name of the tool, in the order in which they are tried: the more specific ones first."""
_WRAPPERS = ("response", "result", "results", "transcription", "transcript", "data", "output", "body")
_DEEPEST = 3


def find(document: object) -> tuple[str, Said] | None:
    """The tool that wrote a JSON document, and the transcript in it; None when no known format fits."""
    for inner in _views(document):
        for tool, read in READERS.items():
            if (said := read(inner)) is not None:
                return tool, said
    return None


def turns(body: object) -> tuple[Turn, ...]:
    """The turns of a transcript in any known format or plain text; empty when no format fits."""
    if isinstance(body, str):
        return pieces.ordered(lines.read(body).turns())
    found = find(body)
    return pieces.ordered(found[1].turns()) if found else ()


def _views(document: object) -> Iterator[Json]:
    """The document and the objects inside its wrappers, outermost first."""
    level = [{"turns": document}] if isinstance(document, list) else [document]
    for _ in range(_DEEPEST):
        inner = [view for view in level if isinstance(view, dict)]
        yield from (v for v in inner if not str(v.get("schema", "")).startswith("callqa."))
        level = [view[name] for view in inner for name in _WRAPPERS if isinstance(view.get(name), dict)]
