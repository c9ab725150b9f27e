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
from collections.abc import Iterator

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.pieces import Json, Reader, Said, first, listed, objects, record, seconds
from pipeline.turns import TimedWord


def _segments(document: Json) -> Said | None:
    segments = objects(document.get("segments"))
    if not any("text" in one and not isinstance(one.get("start", ""), str) for one in segments):
        return None
    per_s = pieces.units_per_s(segments)  # a program between Whisper and callqa may have written milliseconds
    about = {**_about(document), "duration_s": seconds(document.get("duration"), per_s)}
    return Said(lambda: [_segment(one, per_s) for one in segments], about)


def _segment(given: Json, per_s: float) -> Turn:
    words = pieces.words(given.get("words"), per_s)  # in WhisperX numbers have no times
    main_speaker = Counter(w.speaker for w in words if w.speaker).most_common(1)
    return pieces.turn(
        given.get("text"),
        seconds(given.get("start"), per_s),
        seconds(given.get("end"), per_s),
        speaker=given.get("speaker", main_speaker[0][0] if main_speaker else None),
        confidence=_confidence(given, words),
        words=words,
    )


def _confidence(segment: Json, words: list[TimedWord]) -> float | None:
    """The stated confidence, else None for a segment with words, else exp(mean token log-probability)."""
    stated = pieces.share(first(segment, ("confidence", "score")))
    log_prob = segment.get("avg_logprob")
    if stated is not None or words or isinstance(log_prob, bool) or not isinstance(log_prob, int | float):
        return stated
    return round(math.exp(log_prob), 4) if -100 < log_prob <= 0 else None


def _about(document: Json) -> Json:
    given = first(document, ("language", "language_code")) or record(document.get("result")).get("language")
    return {"language": pieces.text(given), "duration_s": document.get("duration")}


def _cpp(document: Json) -> Said | None:
    segments = listed(document, "transcription", "offsets", "text")
    return Said(lambda: map(_cpp_segment, segments), _about(document)) if segments else None


def _cpp_segment(given: Json) -> Turn:
    """A segment of whisper.cpp; it has a ``speaker`` if that was told to diarise by channel."""
    offsets = record(given.get("offsets"))
    start_s, end_s = seconds(offsets.get("from"), 1000), seconds(offsets.get("to"), 1000)
    speaker = None if given.get("speaker") == "?" else given.get("speaker")
    return pieces.turn(given.get("text"), start_s, end_s, speaker=speaker)


def _chunks(document: Json) -> Said | None:
    """The ``speakers`` segments of insanely-fast-whisper, else the ``chunks`` of Transformers."""
    chunks = objects(document.get("speakers")) or objects(document.get("chunks"))
    timed = [one for one in chunks if isinstance(one.get("timestamp"), list) and "text" in one]
    return Said(lambda: _chunk_turns(timed), _about(document)) if timed else None


def _chunk_turns(chunks: list[Json]) -> Iterator[Turn]:
    for one in chunks:
        start_s, end_s = ([seconds(t) for t in one["timestamp"]] + [None, None])[:2]
        yield pieces.turn(one.get("text"), start_s, end_s, speaker=one.get("speaker"))


READERS: dict[str, Reader] = {
    "Whisper and WhisperX": _segments,
    "whisper.cpp": _cpp,
    "Transformers and insanely-fast-whisper": _chunks,
}
