"""Azure Speech's batch and fast transcription, and the conversations of Azure's language service.

https://learn.microsoft.com/azure/ai-services/speech-service/batch-transcription-get (``recognizedPhrases``),
https://learn.microsoft.com/azure/ai-services/speech-service/fast-transcription-create (``phrases``),
https://learn.microsoft.com/azure/ai-services/language-service/conversational-pii/how-to-call-for-conversations
(``conversationItems``). Times are ticks of 100 ns, milliseconds or ISO 8601 durations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, record
from pipeline.turns import TimedWord

TICKS_PER_S = 10_000_000
_DURATION = re.compile(r"P(?:T(?:(\d{1,5})H)?(?:(\d{1,7})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?", re.A)


def _seconds(given: Json, name: str, per_s: float = TICKS_PER_S) -> float | None:
    """The ``offset`` or ``duration`` of an object, in the unit it names, else ``per_s`` to the second."""
    for unit, named_per_s in (("InTicks", TICKS_PER_S), ("Milliseconds", 1000), ("InMs", 1000)):
        if (found := pieces.seconds(given.get(name + unit), named_per_s)) is not None:
            return found
    stated = given.get(name)
    if isinstance(stated, str) and (iso := _DURATION.fullmatch(stated.strip())):
        return int(iso[1] or 0) * 3600 + int(iso[2] or 0) * 60 + float(iso[3] or 0)
    return pieces.seconds(stated, per_s)


def _span(given: Json, per_s: float = TICKS_PER_S) -> tuple[float | None, float | None]:
    start_s, length_s = _seconds(given, "offset", per_s), _seconds(given, "duration", per_s)
    return start_s, None if start_s is None or length_s is None else start_s + length_s


def _camel(given: object) -> Json:
    """An object with its names as of version 3: older versions and Video Indexer begin them with capitals."""
    return {name[:1].lower() + name[1:]: value for name, value in record(given).items()}


def _words(given: object, per_s: float = TICKS_PER_S) -> list[TimedWord]:
    found = []
    for each in objects(given):
        one = _camel(each)
        start_s, end_s = _span(one, per_s)
        said = pieces.first(one, ("displayText", "text", "word"))
        found.append(pieces.word(said, start_s, end_s, one.get("confidence")))
    return [w for w in found if w]


def _phrases(document: Json) -> object:
    """The phrases of a result file, also where a call's analysis stands beside them."""
    place = record(document.get("transcription")) or document
    return pieces.first(place, ("recognizedPhrases", "RecognizedPhrases"))


def _is_batch(document: Json) -> bool:
    return isinstance(_phrases(document), list)


def _batch(document: Json) -> Iterator[Turn]:
    for each in objects(_phrases(document)):
        phrase = _camel(each)
        best = _camel(pieces.best(phrase, "nBest"))
        if phrase.get("recognitionStatus", "Success") != "Success":
            continue
        yield pieces.turn(
            pieces.text(best.get("display"), best.get("itn"), best.get("lexical")),
            *_span(phrase),
            speaker=pieces.first({**best, **phrase}, ("speaker",)),
            on=pieces.channel(phrase.get("channel")),
            confidence=pieces.share(best.get("confidence")),
            words=_words(best.get("displayWords")) or _words(best.get("words")),
        )


def _about_batch(document: Json) -> Mapping[str, object]:
    place = record(document.get("transcription")) or document
    locale = pieces.stated(objects(_phrases(document)), "locale")
    return {"language": locale, "duration_s": _seconds(_camel(place), "duration")}


def _is_fast(document: Json) -> bool:
    return isinstance(document.get("combinedPhrases"), list) and isinstance(document.get("phrases"), list)


def _fast(document: Json) -> Iterator[Turn]:
    for phrase in objects(document["phrases"]):
        yield pieces.turn(
            phrase.get("text"),
            *_span(phrase, 1000),  # its early versions give milliseconds without saying so
            speaker=phrase.get("speaker"),
            on=pieces.channel(phrase.get("channel")),
            confidence=pieces.share(phrase.get("confidence")),
            words=_words(phrase.get("words"), 1000),
        )


def _about_fast(document: Json) -> Mapping[str, object]:
    locale = pieces.stated(objects(document["phrases"]), "locale")
    return {"language": locale, "duration_s": _seconds(document, "duration", 1000)}


def _conversations(document: Json) -> list[Json]:
    """The conversations of a request, a response, or a call's results that hold both."""
    results = record(record(document.get("conversationAnalyticsResults")).get("conversationPiiResults"))
    places = (document, record(document.get("analysisInput")), results)
    found = [one for place in places for one in objects(place.get("conversations"))]
    found += [record(document.get("conversation")), document]
    return [one for one in found if isinstance(one.get("conversationItems"), list)]


def _conversation(document: Json) -> Iterator[Turn]:
    for item in objects(_conversations(document)[0]["conversationItems"]):
        said = record(item.get("redactedContent"))
        timings = item.get("audioTimings") or said.get("audioTimings")
        words = _words(timings)
        start_s, end_s = _span(item)
        if start_s is None and words:
            start_s, end_s = words[0].start_s, words[-1].end_s
        elif end_s is None and words:
            end_s = words[-1].end_s
        yield pieces.turn(
            pieces.text(
                item.get("text"), said.get("text"), item.get("itn"), item.get("lexical"), said.get("lexical")
            ),
            start_s,
            end_s,
            speaker=pieces.first(item, ("participantId", "role")),
            role=pieces.role_of(item.get("role")),
            on=pieces.channel(item.get("channel")),
            words=words,
        )


def _about_conversation(document: Json) -> Mapping[str, object]:
    one = _conversations(document)[0]
    return {"language": one.get("language"), "medium": "chat" if one.get("modality") == "text" else None}


FORMS = (
    Form("Azure Speech", _is_batch, _batch, _about_batch),
    Form("Azure Speech, fast transcription", _is_fast, _fast, _about_fast),
    Form(
        "Azure conversations",
        lambda document: bool(_conversations(document)),
        _conversation,
        _about_conversation,
    ),
)
