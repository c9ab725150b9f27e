"""Transcripts of Deepgram for pre-recorded audio.

https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded: ``results.channels`` hold words
with times, and with speakers if requested; ``results.utterances`` hold the same words grouped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, record
from pipeline.turns import TimedWord, build_turns


def _is_deepgram(document: Json) -> bool:
    results = record(document.get("results"))
    has_channels = any("alternatives" in one for one in objects(results.get("channels")))
    return has_channels or any("transcript" in one for one in objects(results.get("utterances")))


def _turns(document: Json) -> Iterable[Turn]:
    results = record(document["results"])
    channels, utterances = objects(results.get("channels")), objects(results.get("utterances"))
    words: list[TimedWord] = []
    for at, one in enumerate(channels):
        words += _words(pieces.best(one), at if len(channels) > 1 else None)
    if not words:
        several = len({str(one.get("channel")) for one in utterances}) > 1
        for one in utterances:
            words += _words(one, pieces.channel(one.get("channel")) if several else None)
    if words:
        return build_turns(words)
    return [pieces.segment(one) for one in utterances] or [
        pieces.turn(pieces.best(one).get("transcript"), None, None, on=at) for at, one in enumerate(channels)
    ]


def _words(group: Json, on: int | None) -> Iterator[TimedWord]:
    speaker = pieces.label(group.get("speaker"))
    for word in pieces.words(group.get("words")):
        yield replace(word, channel=on, speaker=word.speaker or speaker)


def _about(document: Json) -> Mapping[str, object]:
    channels = objects(record(document["results"]).get("channels"))
    language = pieces.stated(channels, "detected_language")
    return {"language": language, "duration_s": record(document.get("metadata")).get("duration")}


FORMS = (Form("Deepgram", _is_deepgram, _turns, _about),)
