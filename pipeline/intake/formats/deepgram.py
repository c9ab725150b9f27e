"""Deepgram's response to a recording.

https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded: ``results.channels`` hold words
with times, and speakers where asked for; ``results.utterances`` the same words in stretches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, record, seconds
from pipeline.turns import TimedWord, build_turns


def _is_deepgram(document: Json) -> bool:
    results = record(document.get("results"))
    heard = any("alternatives" in one for one in objects(results.get("channels")))
    return heard or any("transcript" in one for one in objects(results.get("utterances")))


def _best(heard: Json) -> Json:
    return next(iter(objects(heard.get("alternatives"))), {})


def _turns(document: Json) -> Iterable[Turn]:
    results = record(document["results"])
    channels, utterances = objects(results.get("channels")), objects(results.get("utterances"))
    words = [
        w for at, one in enumerate(channels) for w in _words(_best(one), at if len(channels) > 1 else None)
    ]
    if not words:
        several = len({str(one.get("channel")) for one in utterances}) > 1
        words = [
            w
            for one in utterances
            for w in _words(one, pieces.channel(one.get("channel")) if several else None)
        ]
    if words:
        return build_turns(words)
    stretches = [_utterance(one) for one in utterances]
    return stretches or [
        pieces.turn(_best(one).get("transcript"), None, None, on=at) for at, one in enumerate(channels)
    ]


def _words(stretch: Json, on: int | None) -> Iterator[TimedWord]:
    speaker = pieces.label(stretch.get("speaker"))
    for word in pieces.words(stretch.get("words")):
        yield replace(word, channel=on, speaker=word.speaker or speaker)


def _utterance(one: Json) -> Turn:
    return pieces.turn(
        one.get("transcript"),
        seconds(one.get("start")),
        seconds(one.get("end")),
        speaker=one.get("speaker"),
        on=pieces.channel(one.get("channel")),
        confidence=pieces.share(one.get("confidence")),
    )


def _about(document: Json) -> Mapping[str, object]:
    channels = objects(record(document["results"]).get("channels"))
    language = next((c.get("detected_language") for c in channels if c.get("detected_language")), None)
    return {"language": language, "duration_s": record(document.get("metadata")).get("duration")}


FORMS = (Form("Deepgram", _is_deepgram, _turns, _about),)
