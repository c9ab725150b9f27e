"""Other tools' transcripts: each format by its published schema, recognised by its content.

A document is looked at as it is, and inside the wrappers that services and scripts put around a result.
vCon, which says more than words, has a module of its own beside this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats import (
    amazon,
    assemblyai,
    azure,
    bare,
    contact_lens,
    deepgram,
    google,
    others,
    whisper,
)
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json

FORMS: tuple[Form, ...] = (
    *contact_lens.FORMS,
    *amazon.FORMS,
    *azure.FORMS,
    *deepgram.FORMS,
    *assemblyai.FORMS,
    *google.FORMS,
    *others.FORMS,
    *whisper.FORMS,
    *bare.FORMS,
)
"""In the order in which they are tried: the more particular shape first."""
_WRAPPERS = ("response", "result", "results", "transcription", "transcript", "data", "output", "body")
_DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Found:
    """A transcript in a known format: which, and the part of the document that is it."""

    form: Form
    inner: Json

    def turns(self) -> tuple[Turn, ...]:
        """Its turns in order of time; empty when nothing was said."""
        return pieces.ordered(self.form.turns(self.inner))

    def about(self) -> Json:
        """What it says of the call and of the transcript, as ``Form.about``."""
        return {name: value for name, value in self.form.about(self.inner).items() if value is not None}


def find(document: object) -> Found | None:
    """The transcript a JSON document holds, or None where it holds none that is known."""
    for inner in _views(document):
        for form in FORMS:
            if form.fits(inner):
                return Found(form, inner)
    return None


def turns(body: object) -> tuple[Turn, ...]:
    """The turns of a transcript in any known format, plain text included; empty when it is none."""
    if isinstance(body, str):
        return pieces.ordered(bare.spoken_lines(body))
    found = find(body)
    return found.turns() if found else ()


def _views(document: object) -> Iterator[Json]:
    """The document and what its wrappers hold, outermost first."""
    level = [{"turns": document}] if isinstance(document, list) else [document]
    for _ in range(_DEEPEST):
        inner = [view for view in level if isinstance(view, dict)]
        yield from (v for v in inner if not str(v.get("schema", "")).startswith("callqa."))
        level = [view[name] for view in inner for name in _WRAPPERS if isinstance(view.get(name), dict)]
