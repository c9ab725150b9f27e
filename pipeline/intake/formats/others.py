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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces
from pipeline.intake.pieces import Form, Json, listed, objects, record, seconds
from pipeline.turns import TimedWord, build_turns


def _is_deepgram(document: Json) -> bool:
    results = record(document.get("results"))
    return listed("channels", "alternatives")(results) or listed("utterances", "transcript")(results)


def _deepgram(document: Json) -> Iterable[Turn]:
    results = record(document["results"])
    channels, utterances = objects(results.get("channels")), objects(results.get("utterances"))
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


def _about_deepgram(document: Json) -> Mapping[str, object]:
    channels = objects(record(document["results"]).get("channels"))
    language = pieces.stated(channels, "detected_language")
    return {"language": language, "duration_s": record(document.get("metadata")).get("duration")}


_ASSEMBLYAI_KEYS = frozenset(
    ["audio_url", "audio_duration", "acoustic_model", "language_model", "speech_model", "speech_models"]
)
"""Keys that only AssemblyAI's responses have."""


def _is_assemblyai(document: Json) -> bool:
    content = document.get("utterances") or document.get("words") or document.get("text")
    return bool(_ASSEMBLYAI_KEYS & document.keys()) and isinstance(content, list | str)


def _assemblyai(document: Json) -> Iterable[Turn]:
    utterances = objects(document.get("utterances"))
    if utterances:
        return [
            pieces.segment(one, 1000, 1, pieces.words(one.get("words"), 1000, base=1)) for one in utterances
        ]
    words = pieces.words(document.get("words"), 1000, base=1)
    return build_turns(words) if words else [pieces.turn(document.get("text"), None, None)]


def _about_assemblyai(document: Json) -> Mapping[str, object]:
    return {"language": document.get("language_code"), "duration_s": document.get("audio_duration")}


def _is_speechmatics(document: Json) -> bool:
    return any(
        one.get("type") == "word" and "alternatives" in one for one in objects(document.get("results"))
    )


def _speechmatics(document: Json) -> Iterable[Turn]:
    return build_turns(pieces.items(objects(document["results"]), _speaker))


def _speaker(item: Json) -> object:
    speaker = pieces.best(item).get("speaker")
    return item.get("channel") or (None if speaker == "UU" else speaker)  # UU: unknown


def _about_speechmatics(document: Json) -> Mapping[str, object]:
    config = record(record(document.get("metadata")).get("transcription_config"))
    return {"language": config.get("language"), "duration_s": record(document.get("job")).get("duration")}


def _rev(document: Json) -> Iterator[Turn]:
    for one in objects(document["monologues"]):
        elements = objects(one.get("elements"))
        timed = pieces.words([e for e in elements if e.get("type") == "text"])
        text = "".join(e["value"] for e in elements if isinstance(e.get("value"), str))
        span = (timed[0].start_s, timed[-1].end_s) if timed else (None, None)
        yield pieces.turn(text, *span, speaker=one.get("speaker"), words=timed)


def _genesys(document: Json) -> Iterator[Turn]:
    """Phrases of Genesys Cloud, with times in milliseconds since 1970 or since the start of the call."""
    phrases = [p for t in objects(document["transcripts"]) for p in objects(t.get("phrases"))]
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


def _about_genesys(document: Json) -> Mapping[str, object]:
    return {
        "call_id": document.get("conversationId"),
        "started_at": document.get("conversationStartTime"),
        "language": pieces.stated(objects(document["transcripts"]), "language"),
    }


def _elevenlabs_words(document: Json) -> Iterator[Json]:
    """The words of one channel, or of the transcript of each channel."""
    for channel in objects(document.get("transcripts")) or [document]:
        for one in objects(channel.get("words")):
            if one.get("type") == "word" and "text" in one:
                yield {"channel": channel.get("channel_index"), **one}


def _elevenlabs(document: Json) -> Iterable[Turn]:
    return build_turns(pieces.words(list(_elevenlabs_words(document))))


def _about_elevenlabs(document: Json) -> Mapping[str, object]:
    return {"language": pieces.stated([document, *objects(document.get("transcripts"))], "language_code")}


def _twilio(document: Json) -> Iterable[Turn]:
    return [pieces.segment(one, base=1) for one in objects(document["sentences"])]


FORMS = (
    Form("Deepgram", _is_deepgram, _deepgram, _about_deepgram),
    Form("AssemblyAI", _is_assemblyai, _assemblyai, _about_assemblyai),
    Form("Speechmatics", _is_speechmatics, _speechmatics, _about_speechmatics),
    Form("Rev AI", listed("monologues", "elements"), _rev),
    Form("Genesys Cloud", listed("transcripts", "phrases"), _genesys, _about_genesys),
    Form("ElevenLabs", lambda document: any(_elevenlabs_words(document)), _elevenlabs, _about_elevenlabs),
    Form("Twilio", listed("sentences", "media_channel"), _twilio),
)
