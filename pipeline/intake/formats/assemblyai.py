"""Transcripts of AssemblyAI: times in milliseconds, speakers as letters, channels numbered from 1.

https://www.assemblyai.com/docs/api-reference/transcripts/get
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.formats.form import Form
from pipeline.intake.pieces import Json, objects
from pipeline.turns import build_turns

_OWN_KEYS = frozenset(
    ["audio_url", "audio_duration", "acoustic_model", "language_model", "speech_model", "speech_models"]
)
"""Keys that only AssemblyAI's responses have."""


def _is_assemblyai(document: Json) -> bool:
    content = document.get("utterances") or document.get("words") or document.get("text")
    return bool(_OWN_KEYS & document.keys()) and isinstance(content, list | str)


def _turns(document: Json) -> Iterable[Turn]:
    utterances = objects(document.get("utterances"))
    if utterances:
        return [
            pieces.segment(one, 1000, 1, pieces.words(one.get("words"), 1000, base=1)) for one in utterances
        ]
    words = pieces.words(document.get("words"), 1000, base=1)
    return build_turns(words) if words else [pieces.turn(document.get("text"), None, None)]


def _about(document: Json) -> Mapping[str, object]:
    return {"language": document.get("language_code"), "duration_s": document.get("audio_duration")}


FORMS = (Form("AssemblyAI", _is_assemblyai, _turns, _about),)
