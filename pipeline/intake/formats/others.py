"""Recognisers and contact centres met less often, each by its published schema.

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
    named = pieces.best(item).get("speaker")
    return item.get("channel") or (None if named == "UU" else named)  # it could not tell


def _about_speechmatics(document: Json) -> Mapping[str, object]:
    config = record(record(document.get("metadata")).get("transcription_config"))
    return {"language": config.get("language"), "duration_s": record(document.get("job")).get("duration")}


def _rev(document: Json) -> Iterator[Turn]:
    for one in objects(document["monologues"]):
        elements = objects(one.get("elements"))
        timed = pieces.words([e for e in elements if e.get("type") == "text"])
        said = "".join(e["value"] for e in elements if isinstance(e.get("value"), str))
        span = (timed[0].start_s, timed[-1].end_s) if timed else (None, None)
        yield pieces.turn(said, *span, speaker=one.get("speaker"), words=timed)


_EPOCH_MS = 6e11  # no call lasts the nineteen years from 1970


def _genesys(document: Json) -> Iterator[Turn]:
    """Genesys Cloud: milliseconds since 1970, or since the communication began."""
    phrases = [p for t in objects(document["transcripts"]) for p in objects(t.get("phrases"))]
    starts_ms = [pieces.number(one.get("startTimeMs")) for one in phrases]
    began_ms = min((ms for ms in starts_ms if ms and ms >= _EPOCH_MS), default=0.0)
    sides: dict[object, Role] = {"internal": "agent", "external": "customer"}
    for one, start_ms in zip(phrases, starts_ms, strict=True):
        start_s = None if start_ms is None else seconds(start_ms - began_ms, 1000)
        length_s = seconds(record(one.get("duration")).get("milliseconds"), 1000)
        yield pieces.turn(
            pieces.text(one.get("decoratedText"), one.get("text")),
            start_s,
            None if start_s is None or length_s is None else start_s + length_s,
            speaker=pieces.label(one.get("participantPurpose")),
            role=sides.get(pieces.label(one.get("participantPurpose")), "unknown"),
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
    """Twilio's sentences: the channel counts from 1."""
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
