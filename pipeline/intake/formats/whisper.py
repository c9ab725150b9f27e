"""JSON of Whisper and of the tools built on it, such as WhisperX.

https://github.com/openai/whisper/blob/main/whisper/transcribe.py (``segments``),
https://github.com/m-bain/whisperX/blob/main/whisperx/schema.py (the same with ``speaker`` and ``score``),
https://platform.openai.com/docs/api-reference/audio/json-object (``verbose_json``, ``diarized_json``),
https://github.com/ggml-org/whisper.cpp/blob/master/examples/cli/cli.cpp (``transcription``, milliseconds),
https://huggingface.co/docs/transformers/model_doc/whisper (``chunks``), and
https://github.com/Vaibhavs10/insanely-fast-whisper (``speakers``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.pieces import Form, Json, first, listed, objects, record, seconds
from pipeline.turns import TimedWord


def _is_segments(document: Json) -> bool:
    return any(
        "text" in one and "start" in one and not isinstance(one["start"], str)
        for one in objects(document.get("segments"))
    )


def _units_per_s(document: Json) -> float:
    """1000 when a program between Whisper and callqa wrote the segments in milliseconds, else 1."""
    return pieces.units_per_s(
        [
            (pieces.text(one.get("text")), seconds(one.get("start")), seconds(one.get("end")))
            for one in objects(document["segments"])
        ]
    )


def _segments(document: Json) -> Iterator[Turn]:
    per_s = _units_per_s(document)
    for one in objects(document["segments"]):
        words = pieces.words(one.get("words"), per_s)  # in WhisperX numbers have no times
        main_speaker = Counter(w.speaker for w in words if w.speaker).most_common(1)
        yield pieces.turn(
            one.get("text"),
            seconds(one.get("start"), per_s),
            seconds(one.get("end"), per_s),
            speaker=one.get("speaker", main_speaker[0][0] if main_speaker else None),
            confidence=_confidence(one, words),
            words=words,
        )


def _confidence(segment: Json, words: list[TimedWord]) -> float | None:
    """The stated confidence, else None for a segment with words, else exp(mean token log-probability)."""
    stated = pieces.share(first(segment, ("confidence", "score")))
    log_prob = segment.get("avg_logprob")
    if stated is not None or words or isinstance(log_prob, bool) or not isinstance(log_prob, int | float):
        return stated
    return round(math.exp(log_prob), 4) if -100 < log_prob <= 0 else None


def _about(document: Json) -> Mapping[str, object]:
    given = first(document, ("language", "language_code")) or record(document.get("result")).get("language")
    return {"language": pieces.text(given) or None, "duration_s": document.get("duration")}


def _about_segments(document: Json) -> Mapping[str, object]:
    return {**_about(document), "duration_s": seconds(document.get("duration"), _units_per_s(document))}


def _cpp(document: Json) -> Iterator[Turn]:
    """Segments of whisper.cpp; they have a ``speaker`` if it was told to diarise by channel."""
    for one in objects(document["transcription"]):
        offsets = record(one.get("offsets"))
        start_s, end_s = seconds(offsets.get("from"), 1000), seconds(offsets.get("to"), 1000)
        speaker = None if one.get("speaker") == "?" else one.get("speaker")
        yield pieces.turn(one.get("text"), start_s, end_s, speaker=speaker)


def _timed_chunks(document: Json) -> list[Json]:
    """The ``speakers`` segments of insanely-fast-whisper, else the ``chunks`` of Transformers."""
    chunks = objects(document.get("speakers")) or objects(document.get("chunks"))
    return [one for one in chunks if isinstance(one.get("timestamp"), list) and "text" in one]


def _chunks(document: Json) -> Iterator[Turn]:
    for one in _timed_chunks(document):
        start_s, end_s = ([seconds(t) for t in one["timestamp"]] + [None, None])[:2]
        yield pieces.turn(one.get("text"), start_s, end_s, speaker=one.get("speaker"))


FORMS = (
    Form("Whisper and WhisperX", _is_segments, _segments, _about_segments),
    Form("whisper.cpp", listed("transcription", "offsets", "text"), _cpp, _about),
    Form("Transformers and insanely-fast-whisper", lambda doc: bool(_timed_chunks(doc)), _chunks, _about),
)
