"""Results of Google Speech-to-Text, and conversations of Google's contact-centre insights.

https://cloud.google.com/speech-to-text/docs/reference/rest/v1/speech/recognize (``speakerTag``),
https://cloud.google.com/speech-to-text/v2/docs/reference/rest/v2/BatchRecognizeResults (``speakerLabel``,
results by file), and
https://cloud.google.com/contact-center/insights/docs/conversation-data-format (``entries``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.conversation import Turn
from pipeline.intake import pieces
from pipeline.intake.pieces import Json, Reader, Said, first, listed, objects, record, seconds
from pipeline.turns import TimedWord, build_turns

_RESULT_END = ("resultEndTime", "resultEndOffset", "result_end_time", "result_end_offset")


def _results(document: Json) -> list[Json]:
    """The results of one recording, listed directly or under the address of its file."""
    results = objects(document.get("results"))
    for one in record(document.get("results")).values():
        inline = record(record(one).get("inlineResult")) or record(one)
        results += objects((record(inline.get("transcript")) or inline).get("results"))
    return [
        one
        for one in results
        if any("transcript" in a or "words" in a for a in objects(one.get("alternatives")))
    ]


def _speech(document: Json) -> Said | None:
    results = _results(document)
    language = pieces.stated(results, "languageCode", "language_code")
    return Said(lambda: _turns(results), {"language": language}) if results else None


def _turns(results: list[Json]) -> Iterable[Turn]:
    words = _words(results)
    return build_turns(words) if words else _turns_of_results(results)


def _words(results: list[Json]) -> list[TimedWord]:
    """Each word once: with diarisation the last result repeats all words with their speaker tags."""
    words: dict[tuple[object, ...], TimedWord] = {}
    for result in results:
        for one in objects(pieces.best(result).get("words")):
            word = pieces.word(
                one.get("word"),
                _time(first(one, ("startTime", "startOffset", "start_time", "start_offset"))),
                _time(first(one, ("endTime", "endOffset", "end_time", "end_offset"))),
                one.get("confidence"),
                on=pieces.channel(first(result, ("channelTag", "channel_tag")), base=1),
                speaker=first(one, ("speakerLabel", "speaker_label", "speakerTag", "speaker_tag")) or None,
            )
            if word:
                key = (word.channel, word.start_s, word.end_s, word.text)
                words[key] = word if word.speaker or key not in words else words[key]
    return list(words.values())


def _turns_of_results(results: list[Json]) -> Iterator[Turn]:
    """Turns of results without words: a result states its end and begins at the end of the one before."""
    ended: dict[int | None, float] = {}
    for result in results:
        on = pieces.channel(first(result, ("channelTag", "channel_tag")), base=1)
        best = pieces.best(result)
        end_s = _time(first(result, _RESULT_END))
        start_s = None if end_s is None else min(ended.get(on, 0.0), end_s)
        yield pieces.turn(
            best.get("transcript"), start_s, end_s, on=on, confidence=pieces.share(best.get("confidence"))
        )
        if end_s is not None:
            ended[on] = end_s


def _time(given: object) -> float | None:
    """A time in seconds, from ``1.300s`` or from an object with seconds and nanoseconds."""
    if not isinstance(given, dict):
        return seconds(given)
    whole, rest = seconds(given.get("seconds", 0)), seconds(given.get("nanos", 0), 1e9)
    return None if whole is None or rest is None else whole + rest


def _insights(document: Json) -> Said | None:
    """Messages, which have absolute times in microseconds."""
    entries = listed(document, "entries", "start_timestamp_usec", "text")
    if not entries:
        return None
    times_us = [pieces.number(one.get("start_timestamp_usec")) for one in entries]
    first_us = min((time_us for time_us in times_us if time_us is not None), default=0.0)
    first_ms = round(first_us / 1000)
    about = {"medium": "chat", "started_at": first_ms if first_ms >= pieces.EPOCH_MS else None}
    return Said(lambda: _messages(entries, times_us, first_us), about)


def _messages(entries: list[Json], times_us: Sequence[float | None], first_us: float) -> Iterator[Turn]:
    for one, time_us in zip(entries, times_us, strict=True):
        at_s = None if time_us is None else seconds(time_us - first_us, 1e6)
        role = pieces.role_of(one.get("role"))
        yield pieces.turn(one.get("text"), at_s, at_s, speaker=first(one, ("user_id", "role")), role=role)


READERS: dict[str, Reader] = {"Google Speech-to-Text": _speech, "Google conversational insights": _insights}
