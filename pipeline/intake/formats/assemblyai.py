"""AssemblyAI's transcript: times in milliseconds, speakers as letters, channels counted from 1.

https://www.assemblyai.com/docs/api-reference/transcripts/get
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects, seconds
from pipeline.turns import build_turns

_OWN = frozenset(
    ["audio_url", "audio_duration", "acoustic_model", "language_model", "speech_model", "speech_models"]
)
"""Keys of its responses that no other format has."""


def _is_assemblyai(document: Json) -> bool:
    said = document.get("utterances") or document.get("words") or document.get("text")
    return bool(_OWN & document.keys()) and isinstance(said, list | str)


def _turns(document: Json) -> Iterable[Turn]:
    utterances = objects(document.get("utterances"))
    if utterances:
        return [_utterance(one) for one in utterances]
    words = pieces.words(document.get("words"), 1000, base=1)
    return build_turns(words) if words else [pieces.turn(document.get("text"), None, None)]


def _utterance(one: Json) -> Turn:
    return pieces.turn(
        one.get("text"),
        seconds(one.get("start"), 1000),
        seconds(one.get("end"), 1000),
        speaker=one.get("speaker"),
        on=pieces.channel(one.get("channel"), base=1),
        confidence=pieces.share(one.get("confidence")),
        words=pieces.words(one.get("words"), 1000, base=1),
    )


def _about(document: Json) -> Mapping[str, object]:
    return {"language": document.get("language_code"), "duration_s": document.get("audio_duration")}


FORMS = (Form("AssemblyAI", _is_assemblyai, _turns, _about),)
