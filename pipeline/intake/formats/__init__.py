"""Read transcripts of other tools: each format follows its published schema and is recognised by content.

The formats are tried on the document and on what is inside the wrappers that services and scripts put around
a result. vCon, which holds more than a transcript, is read by ``intake.vcon``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats import amazon, azure, bare, google, others, whisper
from pipeline.intake.pieces import Form, Json

FORMS: tuple[Form, ...] = (
    *amazon.FORMS,
    *azure.FORMS,
    *others.FORMS,
    *google.FORMS,
    *whisper.FORMS,
    *bare.FORMS,
)
"""All formats in the order in which they are tried: the more specific ones first."""
_WRAPPERS = ("response", "result", "results", "transcription", "transcript", "data", "output", "body")
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class FoundTranscript:
    """A transcript in a known format: its format, and the part of the document that holds it."""

    form: Form
    inner: Json

    def turns(self) -> tuple[Turn, ...]:
        """The turns in order of time; empty when there is no speech."""
        return pieces.ordered(self.form.turns(self.inner))

    def about(self) -> Json:
        """Metadata of the call and the transcript, as from ``Form.about``, without None."""
        return {name: value for name, value in self.form.about(self.inner).items() if value is not None}


def find(document: object) -> FoundTranscript | None:
    """The transcript in a JSON document; None when no known format fits."""
    for inner in _views(document):
        for form in FORMS:
            if form.fits(inner):
                return FoundTranscript(form, inner)
    return None


def turns(body: object) -> tuple[Turn, ...]:
    """The turns of a transcript in any known format or plain text; empty when no format fits."""
    if isinstance(body, str):
        return pieces.ordered(bare.spoken_lines(body))
    found = find(body)
    return found.turns() if found else ()


def _views(document: object) -> Iterator[Json]:
    """The document and the objects inside its wrappers, outermost first."""
    level = [{"turns": document}] if isinstance(document, list) else [document]
    for _ in range(_DEEPEST):
        inner = [view for view in level if isinstance(view, dict)]
        yield from (v for v in inner if not str(v.get("schema", "")).startswith("callqa."))
        level = [view[name] for view in inner for name in _WRAPPERS if isinstance(view.get(name), dict)]
