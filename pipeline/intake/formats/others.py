"""Formats of other recognisers and contact centres, each by its published schema.

https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded: ``results.channels`` hold words
with times, and with speakers if requested; ``results.utterances`` hold the same words grouped;
https://www.assemblyai.com/docs/api-reference/transcripts/get (milliseconds, channels numbered from 1),
https://docs.speechmatics.com/speech-to-text/batch/output (``results`` of words and punctuation),
https://docs.rev.ai/api/asynchronous/transcripts/ (``monologues``),
https://developer.genesys.cloud/analyticsdatamanagement/speechtextanalytics/transcript-url (``phrases``),
https://elevenlabs.io/docs/api-reference/speech-to-text/convert (``words`` with ``speaker_id``, or
``transcripts`` by ``channel_index``), and
https://www.twilio.com/docs/voice/intelligence/api/transcript-sentence-resource (``sentences``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces
from pipeline.intake.pieces import Json, Reader, Said, listed, objects, record, seconds
from pipeline.turns import TimedWord, build_turns


def _deepgram(document: Json) -> Said | None:
    results = record(document.get("results"))
    if not listed(results, "channels", "alternatives") and not listed(results, "utterances", "transcript"):
        return None
    channels, utterances = objects(results.get("channels")), objects(results.get("utterances"))
    about = {
        "language": pieces.stated(channels, "detected_language"),
        "duration_s": record(document.get("metadata")).get("duration"),
    }
    return Said(lambda: _deepgram_turns(channels, utterances), about)


def _deepgram_turns(channels: list[Json], utterances: list[Json]) -> Iterable[Turn]:
    words: list[TimedWord] = []
    for at, one in enumerate(channels):
        words += _deepgram_words(pieces.best(one), at if len(channels) > 1 else None)
    if not words:
        several = len({str(one.get("channel")) for one in utterances}) > 1
        for one in utterances:
            words += _deepgram_words(one, pieces.channel(one.get("channel")) if several else None)
    if words:
        return build_turns(words)
    return [pieces.segment(one) for one in utterances] or [
        pieces.turn(pieces.best(one).get("transcript"), None, None, on=at) for at, one in enumerate(channels)
    ]


def _deepgram_words(group: Json, on: int | None) -> Iterator[TimedWord]:
    speaker = pieces.label(group.get("speaker"))
    for word in pieces.words(group.get("words")):
        yield replace(word, channel=on, speaker=word.speaker or speaker)


_ASSEMBLYAI_KEYS = frozenset(
    ["audio_url", "audio_duration", "acoustic_model", "language_model", "speech_model", "speech_models"]
)
"""Keys that only AssemblyAI's responses have."""


def _assemblyai(document: Json) -> Said | None:
    content = document.get("utterances") or document.get("words") or document.get("text")
    if not _ASSEMBLYAI_KEYS & document.keys() or not isinstance(content, list | str):
        return None
    about = {"language": document.get("language_code"), "duration_s": document.get("audio_duration")}
    return Said(lambda: _assemblyai_turns(document), about)


def _assemblyai_turns(document: Json) -> Iterable[Turn]:
    utterances = objects(document.get("utterances"))
    if utterances:
        return [
            pieces.segment(one, 1000, 1, pieces.words(one.get("words"), 1000, base=1)) for one in utterances
        ]
    words = pieces.words(document.get("words"), 1000, base=1)
    return build_turns(words) or [pieces.turn(document.get("text"), None, None)]


def _speechmatics(document: Json) -> Said | None:
    results = objects(document.get("results"))
    if not any(one.get("type") == "word" and "alternatives" in one for one in results):
        return None
    config = record(record(document.get("metadata")).get("transcription_config"))
    about = {"language": config.get("language"), "duration_s": record(document.get("job")).get("duration")}
    return Said(lambda: build_turns(pieces.items(results, _speaker)), about)


def _speaker(item: Json) -> object:
    speaker = pieces.best(item).get("speaker")
    return item.get("channel") or (None if speaker == "UU" else speaker)  # UU: unknown


def _rev(document: Json) -> Said | None:
    monologues = listed(document, "monologues", "elements")
    return Said(lambda: map(_monologue, monologues)) if monologues else None


def _monologue(given: Json) -> Turn:
    elements = objects(given.get("elements"))
    timed = pieces.words([e for e in elements if e.get("type") == "text"])
    text = "".join(e["value"] for e in elements if isinstance(e.get("value"), str))
    span = (timed[0].start_s, timed[-1].end_s) if timed else (None, None)
    return pieces.turn(text, *span, speaker=given.get("speaker"), words=timed)


def _genesys(document: Json) -> Said | None:
    transcripts = listed(document, "transcripts", "phrases")
    if not transcripts:
        return None
    about = {
        "call_id": document.get("conversationId"),
        "started_at": document.get("conversationStartTime"),
        "language": pieces.stated(transcripts, "language"),
    }
    return Said(lambda: _genesys_turns(transcripts), about)


def _genesys_turns(transcripts: list[Json]) -> Iterator[Turn]:
    """Phrases of Genesys Cloud, with times in milliseconds since 1970 or since the start of the call."""
    phrases = [p for one in transcripts for p in objects(one.get("phrases"))]
    starts_ms = [pieces.number(one.get("startTimeMs")) for one in phrases]
    first_ms = min((ms for ms in starts_ms if ms and ms >= pieces.EPOCH_MS), default=0.0)
    roles: dict[object, Role] = {"internal": "agent", "external": "customer"}
    for one, start_ms in zip(phrases, starts_ms, strict=True):
        start_s = None if start_ms is None else seconds(start_ms - first_ms, 1000)
        length_s = seconds(record(one.get("duration")).get("milliseconds"), 1000)
        yield pieces.turn(
            pieces.text(one.get("decoratedText"), one.get("text")),
            start_s,
            None if start_s is None or length_s is None else start_s + length_s,
            speaker=pieces.label(one.get("participantPurpose")),
            role=roles.get(pieces.label(one.get("participantPurpose")), "unknown"),
            confidence=pieces.share(one.get("confidence")),
        )


def _elevenlabs(document: Json) -> Said | None:
    """The words of one channel, or of the transcript of each channel."""
    transcripts = objects(document.get("transcripts"))
    words = [
        {"channel": channel.get("channel_index"), **one}
        for channel in transcripts or [document]
        for one in objects(channel.get("words"))
        if one.get("type") == "word" and "text" in one
    ]
    if not words:
        return None
    language = pieces.stated([document, *transcripts], "language_code")
    return Said(lambda: build_turns(pieces.words(words)), {"language": language})


def _twilio(document: Json) -> Said | None:
    sentences = listed(document, "sentences", "media_channel")
    return Said(lambda: [pieces.segment(one, base=1) for one in sentences]) if sentences else None


READERS: dict[str, Reader] = {
    "Deepgram": _deepgram,
    "AssemblyAI": _assemblyai,
    "Speechmatics": _speechmatics,
    "Rev AI": _rev,
    "Genesys Cloud": _genesys,
    "ElevenLabs": _elevenlabs,
    "Twilio": _twilio,
}
