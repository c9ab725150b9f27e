"""Transcripts of Azure Speech (batch and fast transcription), and conversations of Azure's language service.

https://learn.microsoft.com/azure/ai-services/speech-service/batch-transcription-get (``recognizedPhrases``),
https://learn.microsoft.com/azure/ai-services/speech-service/fast-transcription-create (``phrases``),
https://learn.microsoft.com/azure/ai-services/language-service/conversational-pii/how-to-call-for-conversations
(``conversationItems``). Times are ticks of 100 ns, milliseconds or ISO 8601 durations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.pieces import Json, Reader, Said, objects, record
from pipeline.turns import TimedWord

TICKS_PER_S = 10_000_000
_DURATION = re.compile(r"P(?:T(?:(\d{1,5})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.A)


def _seconds(given: Json, name: str, per_s: float = TICKS_PER_S) -> float | None:
    """An ``offset`` or ``duration`` in seconds, from a key with a unit, ISO 8601, or ``per_s`` units."""
    for unit, unit_per_s in (("InTicks", TICKS_PER_S), ("Milliseconds", 1000), ("InMs", 1000)):
        if (time_s := pieces.seconds(given.get(name + unit), unit_per_s)) is not None:
            return time_s
    stated = given.get(name)
    if isinstance(stated, str) and (iso := _DURATION.fullmatch(stated.strip())):
        return int(iso[1] or 0) * 3600 + int(iso[2] or 0) * 60 + float(iso[3] or 0)
    return pieces.seconds(stated, per_s)


def _span(given: Json, per_s: float = TICKS_PER_S) -> tuple[float | None, float | None]:
    start_s, length_s = _seconds(given, "offset", per_s), _seconds(given, "duration", per_s)
    return start_s, None if start_s is None or length_s is None else start_s + length_s


def _camel_case(given: object) -> Json:
    """The object with keys as in version 3; older versions and Video Indexer begin them with a capital."""
    return {name[:1].lower() + name[1:]: value for name, value in record(given).items()}


def _words(given: object, per_s: float = TICKS_PER_S) -> list[TimedWord]:
    words = []
    for one in map(_camel_case, objects(given)):
        text = pieces.first(one, ("displayText", "text", "word"))
        words.append(pieces.word(text, *_span(one, per_s), one.get("confidence")))
    return [word for word in words if word]


def _batch(document: Json) -> Said | None:
    """A result file, or its ``transcription`` part when the file also has an analysis."""
    result = _camel_case(document.get("transcription")) or _camel_case(document)
    phrases = result.get("recognizedPhrases")
    if not isinstance(phrases, list):
        return None
    about = {
        "language": pieces.stated(objects(phrases), "locale"),
        "duration_s": _seconds(result, "duration"),
    }
    return Said(lambda: _turns(phrases, TICKS_PER_S), about)


def _fast(document: Json) -> Said | None:
    phrases = document.get("phrases")
    if not isinstance(document.get("combinedPhrases"), list) or not isinstance(phrases, list):
        return None
    about = {
        "language": pieces.stated(objects(phrases), "locale"),
        "duration_s": _seconds(document, "duration", 1000),
    }
    return Said(lambda: _turns(phrases, 1000), about)  # early versions: keys without a unit


def _turns(phrases: object, per_s: float) -> Iterator[Turn]:
    """Turns of batch or fast transcription; only the former has alternatives and phrases that failed."""
    for phrase in map(_camel_case, objects(phrases)):
        if phrase.get("recognitionStatus", "Success") != "Success":
            continue
        best = {**phrase, **_camel_case(pieces.best(phrase, "nBest"))}  # what both have, of the alternative
        yield pieces.turn(
            pieces.text(*(best.get(name) for name in ("display", "itn", "lexical", "text"))),
            *_span(phrase, per_s),
            speaker=phrase.get("speaker", best.get("speaker")),
            on=pieces.channel(phrase.get("channel")),
            confidence=pieces.share(best.get("confidence")),
            words=_words(best.get("displayWords"), per_s) or _words(best.get("words"), per_s),
        )


def _conversation(document: Json) -> Said | None:
    """The first conversation in a request, in a response, or in a call's results, which hold both."""
    results = record(record(document.get("conversationAnalyticsResults")).get("conversationPiiResults"))
    parents = (document, record(document.get("analysisInput")), results)
    candidates = [one for parent in parents for one in objects(parent.get("conversations"))]
    candidates += [record(document.get("conversation")), document]
    found = next((one for one in candidates if isinstance(one.get("conversationItems"), list)), None)
    if found is None:
        return None
    items, is_chat = objects(found["conversationItems"]), found.get("modality") == "text"
    about = {"language": found.get("language"), "medium": "chat" if is_chat else None}
    return Said(lambda: map(_item, items), about)


def _item(item: Json) -> Turn:
    redacted = record(item.get("redactedContent"))
    words = _words(item.get("audioTimings") or redacted.get("audioTimings"))
    start_s, end_s = _span(item)
    if start_s is None and words:
        start_s, end_s = words[0].start_s, words[-1].end_s
    elif end_s is None and words:
        end_s = words[-1].end_s
    said = (
        item.get("text"),
        redacted.get("text"),
        item.get("itn"),
        item.get("lexical"),
        redacted.get("lexical"),
    )
    return pieces.turn(
        pieces.text(*said),
        start_s,
        end_s,
        speaker=pieces.first(item, ("participantId", "role")),
        role=pieces.role_of(item.get("role")),
        on=pieces.channel(item.get("channel")),
        words=words,
    )


READERS: dict[str, Reader] = {
    "Azure Speech": _batch,
    "Azure Speech, fast transcription": _fast,
    "Azure conversations": _conversation,
}
