"""Annotates transcripts with sentiment, findings and metrics, using spaCy.

    transcript ─▶ redact ─▶ [written to disk] ─▶ annotate ─▶ Conversation

``load_annotator`` compiles the phrase lists and loads the model once, for any number of calls.
``privacy.redact`` runs before, when a transcript is first written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import metrics, privacy
from pipeline.annotate import call_kind, findings
from pipeline.conversation import CallMetadata, Conversation, Transcript
from pipeline.interpreter import without_torch
from pipeline.privacy.languages import TABLES as LANGUAGES
from pipeline.settings import AnnotateSettings, PrivacySettings
from pipeline.text.first_names import FIRST_NAMES
from pipeline.text.language import LISTED, language_of

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MOST_FELT_TURNS = 10_000  # most turns of a call with sentiment; a call of ten hours has half as many turns
CALLS_AT_ONCE = 16  # calls whose turns are processed together: full batches, bounded memory


@dataclass
class Annotator:
    """Turns transcripts into conversations; ``fingerprint`` changes whenever the output could change."""

    settings: AnnotateSettings
    fingerprint: str
    _pipelines: dict[str, Language] = field(default_factory=dict)

    def annotate(
        self, transcripts: Iterable[Transcript], metadata: Iterable[CallMetadata | None]
    ) -> Iterator[Conversation]:
        """Annotate transcripts with roles, each with its metadata or None; the order stays."""
        pairs = zip(transcripts, metadata, strict=True)
        while calls := list(islice(pairs, CALLS_AT_ONCE)):
            docs = self._docs([transcript for transcript, _ in calls])
            for number, (transcript, about) in enumerate(calls):
                of_turns = [docs[number, position] for position in range(len(transcript.turns))]
                yield _conversation(transcript, about, of_turns, self.settings)
            del docs, of_turns  # before the next calls' take their memory

    def pipeline(self, language: str) -> Language:
        """The spaCy pipeline of a language, built when first used; its ``config`` describes it."""
        with without_torch():
            from pipeline.annotate import components

        if language not in self._pipelines:
            self._pipelines[language] = components.build(language, self.settings)
        return self._pipelines[language]

    def _docs(self, transcripts: Sequence[Transcript]) -> dict[tuple[int, int], Doc]:
        """The annotated Doc of each turn, by the positions of its transcript and of the turn in it.

        The turns of one language are processed together. Sentiment takes most of the time and is left out
        for transcripts with more turns than any real call has.
        """
        groups: dict[tuple[str, bool], list[tuple[int, int]]] = {}
        for number, transcript in enumerate(transcripts):
            with_sentiment = len(transcript.turns) <= MOST_FELT_TURNS
            for position, turn in enumerate(transcript.turns):
                language = language_of(turn, transcript.language)
                groups.setdefault((language, with_sentiment), []).append((number, position))
        docs: dict[tuple[int, int], Doc] = {}
        for (language, with_sentiment), keys in groups.items():
            nlp = self.pipeline(language)
            group: list[Doc] = []
            for number, position in keys:
                turn = transcripts[number].turns[position]
                doc = nlp.make_doc(turn.text[: nlp.max_length])
                doc._.role = turn.role
                group.append(doc)
            left_out = [] if with_sentiment else ["callqa_sentiment_v1"]
            docs.update(zip(keys, nlp.pipe(group, batch_size=len(group), disable=left_out), strict=True))
        return docs


def load_annotator(settings: AnnotateSettings, privacy: PrivacySettings) -> Annotator:
    """Load an annotator, with the matchers and the sentiment model for English.

    Raises:
        UsageError: A phrase list or taxonomy named in the settings is wrong.
        ModelError: The shipped weights are missing or damaged.
    """
    annotator = Annotator(settings, fingerprint(settings, privacy))
    annotator.pipeline("en")
    return annotator


def fingerprint(settings: AnnotateSettings, privacy: PrivacySettings) -> str:
    """Digest of everything that determines the output: code, shipped data, settings and the user's files."""
    digest = hashlib.sha256(settings.model_dump_json().encode() + privacy.model_dump_json().encode())
    here = Path(__file__).parent
    own_files = [*here.glob("*.py"), *(here / "data").iterdir(), FIRST_NAMES]
    shared_code = [
        path for name in ("encoder", "privacy", "text") for path in (here.parent / name).glob("*.py")
    ]
    user_files = [path for path in (settings.phrases, settings.topics) if path and path.is_file()]
    for path in [*sorted(own_files), *sorted(shared_code), here.parent / "metrics.py", *user_files]:
        digest.update(path.read_bytes())
    return f"annotate:{digest.hexdigest()[:16]}"


def _conversation(
    transcript: Transcript, metadata: CallMetadata | None, docs: Sequence[Doc], settings: AnnotateSettings
) -> Conversation:
    """The conversation of one call, from its transcript and the annotated Docs of its turns."""
    from pipeline.annotate.sentiment import sentiment_path  # imports spaCy

    turns = tuple(
        replace(turn, sentiment=doc._.sentiment) for turn, doc in zip(transcript.turns, docs, strict=True)
    )
    transcript = replace(transcript, turns=turns)
    facts = [doc._.facts for doc in docs]
    private = findings.with_names(privacy.find(transcript), turns, facts)
    found = findings.of_text(turns, facts, private)
    spans = [span for of_turn in private.values() for span in of_turn]
    redacted = [(s.start_s, s.end_s) for s in spans if s.start_s is not None and s.end_s is not None]
    reported = metadata.hold_spans if metadata else ()
    unannounced_s = settings.unannounced_hold_s
    silences = [*findings.holds_and_pauses(transcript, found, unannounced_s, reported, redacted)]
    found += [findings.timed(*silence) for silence in silences]
    hold_spans = [span for kind, _, span in silences if kind == "hold"]
    excused = [*redacted, *(span for kind, _, span in silences if kind == "pause")]  # are not dead air
    found += findings.of_time(transcript, hold_spans, excused)
    found += call_kind.of_call(transcript)
    path = sentiment_path(turns)
    found += findings.lowest_points(path, turns, private)
    found.sort(key=lambda f: (f.start_s is None, f.start_s or 0.0, f.turn is None, f.turn or 0))
    return Conversation(
        transcript=transcript,
        findings=(*found, *findings.contact_reason(found, turns)),
        metrics=metrics.measure(
            transcript,
            hold_spans=hold_spans,
            redacted_spans=excused,
            greeting_turns=[f.turn for f in found if f.kind == "greeting" and f.turn is not None],
            closing_turns=[f.turn for f in found if f.kind == "closing" and f.turn is not None],
        ),
        sentiment=path,
        warnings=tuple(_warnings(transcript)),
    )


def _warnings(transcript: Transcript) -> Iterator[str]:
    """Sentences for the user about what could not be annotated."""
    if len(transcript.turns) > MOST_FELT_TURNS:
        yield f"{len(transcript.turns):,} turns: no sentiment beyond {MOST_FELT_TURNS:,} turns"
    languages = {language_of(turn, transcript.language) for turn in transcript.turns}
    for language in sorted(languages - set(LISTED)):
        words = "" if language in LANGUAGES else " in figures (its number words and questions are not known)"
        yield (
            f"language {language!r}: no sentiment and no phrase lists of this language; "
            f"times, private numbers{words} and English phrases only"
        )
