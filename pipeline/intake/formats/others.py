"""Formats of less common recognisers and contact centres, each by its published schema.

https://docs.speechmatics.com/speech-to-text/batch/output (``results`` of words and punctuation),
https://docs.rev.ai/api/asynchronous/transcripts/ (``monologues``),
https://developer.genesys.cloud/analyticsdatamanagement/speechtextanalytics/transcript-url (``phrases``),
https://elevenlabs.io/docs/api-reference/speech-to-text/convert (``words`` with ``speaker_id``), and
https://www.twilio.com/docs/voice/intelligence/api/transcript-sentence-resource (``sentences``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pipeline.conversation import Role, Turn
from pipeline.intake import pieces
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, record, seconds
from pipeline.turns import build_turns


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


_EPOCH_MS = 6e11  # larger numbers are times since 1970; as an offset this would be 19 years


def _genesys(document: Json) -> Iterator[Turn]:
    """Phrases of Genesys Cloud, with times in milliseconds since 1970 or since the start of the call."""
    phrases = [p for t in objects(document["transcripts"]) for p in objects(t.get("phrases"))]
    starts_ms = [pieces.number(one.get("startTimeMs")) for one in phrases]
    first_ms = min((ms for ms in starts_ms if ms and ms >= _EPOCH_MS), default=0.0)
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


def _is_elevenlabs(document: Json) -> bool:
    return any(one.get("type") == "word" and "text" in one for one in objects(document.get("words")))


def _elevenlabs(document: Json) -> Iterable[Turn]:
    return build_turns(pieces.words([one for one in objects(document["words"]) if one.get("type") == "word"]))


def _twilio(document: Json) -> Iterable[Turn]:
    """Sentences of Twilio, whose channels are numbered from 1."""
    return [pieces.segment(one, base=1) for one in objects(document["sentences"])]


FORMS = (
    Form("Speechmatics", _is_speechmatics, _speechmatics, _about_speechmatics),
    Form(
        "Rev AI", lambda document: any("elements" in one for one in objects(document.get("monologues"))), _rev
    ),
    Form(
        "Genesys Cloud",
        lambda document: any("phrases" in one for one in objects(document.get("transcripts"))),
        _genesys,
        _about_genesys,
    ),
    Form(
        "ElevenLabs",
        _is_elevenlabs,
        _elevenlabs,
        lambda document: {"language": document.get("language_code")},
    ),
    Form(
        "Twilio",
        lambda document: any("media_channel" in one for one in objects(document.get("sentences"))),
        _twilio,
    ),
)
