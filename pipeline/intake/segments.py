"""Other recognisers' transcripts: whatever they call their pieces, as turns.

Known shapes: a list of ``{speaker, text|message, start, end}``; an object with such a list under
``segments`` (Whisper, World Transcription Format), ``utterances`` or ``turns``; Deepgram's
``results.channels[].alternatives[]`` with words; and plain text, one turn that nobody is known to speak.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from pipeline.conversation import Role, Turn, Word

RoleOf = Callable[[object], Role]
_LISTS = ("turns", "segments", "utterances", "messages", "conversation")
_TEXTS = ("text", "message", "transcript", "content", "body")
_WORD_TEXTS = ("punctuated_word", "word", "text")
_SPEAKERS = ("role", "speaker", "channel", "party")
_ROLES: dict[str, Role] = {
    "agent": "agent",
    "advisor": "agent",
    "representative": "agent",
    "operator": "agent",
    "customer": "customer",
    "caller": "customer",
    "client": "customer",
    "user": "customer",
    "system": "system",
    "ivr": "system",
    "bot": "system",
}


def role_of(label: object) -> Role:
    """The role a speaker label names, ``unknown`` where it is only a number or a name."""
    return _ROLES.get(str(label).strip().casefold(), "unknown") if isinstance(label, str) else "unknown"


def turns(body: object, role_of_speaker: RoleOf = role_of) -> tuple[Turn, ...]:
    """The turns of a transcript in any known shape, in order of time; empty when it is none.

    Args:
        body: Parsed JSON, or plain text.
        role_of_speaker: Role of a speaker as the transcript names it: a label or a number.
    """
    made = [turn for turn in _turns(body, role_of_speaker) if turn.text]
    if all(turn.start_s is not None for turn in made):
        made.sort(key=lambda turn: turn.start_s or 0.0)
    return tuple(_numbered(made))


def seconds(value: object) -> float | None:
    """A time in seconds, or None where it is no sane number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) and 0 <= number < 1e9 else None


def _turns(body: object, role: RoleOf) -> Iterator[Turn]:
    if isinstance(body, str):
        yield Turn(0, "unknown", body.strip())
    elif isinstance(body, list):
        for piece in body:
            if isinstance(piece, dict):
                yield _turn(piece, role)
    elif isinstance(body, dict):
        results = body.get("results")
        inner = results if isinstance(results, dict) else body
        found = next((inner[name] for name in _LISTS if isinstance(inner.get(name), list)), None)
        if found is not None:
            yield from _turns(found, role)
        elif isinstance(inner.get("channels"), list):
            for channel, heard in enumerate(inner["channels"]):
                yield from _deepgram(heard, channel, len(inner["channels"]), role)
        elif text := next((body[name] for name in _TEXTS if isinstance(body.get(name), str)), None):
            yield from _turns(text, role)
        elif isinstance(body.get("transcript"), dict):
            yield from _turns(body["transcript"], role)


def _turn(piece: dict[str, Any], role: RoleOf) -> Turn:
    text = next((piece[name] for name in _TEXTS if isinstance(piece.get(name), str)), "")
    label = next(
        (piece[n] for n in ("role", "speaker", "channel", "party") if piece.get(n) is not None), None
    )
    start_s, end_s = (
        seconds(piece.get("start", piece.get("start_s"))),
        seconds(piece.get("end", piece.get("end_s"))),
    )
    if start_s is None or end_s is None or end_s < start_s:
        start_s = end_s = None
    confidence = seconds(piece.get("confidence"))
    words = tuple(_words(piece.get("words"))) if start_s is not None else ()
    sure = confidence if confidence is not None and confidence <= 1 else None
    return Turn(0, role(label), text.strip(), start_s, end_s, confidence=sure, words=words)


def _deepgram(heard: object, channel: int, n_channels: int, role: RoleOf) -> Iterator[Turn]:
    """One channel's best alternative, cut where the speaker changes."""
    alternatives = heard.get("alternatives") if isinstance(heard, dict) else None
    best = alternatives[0] if isinstance(alternatives, list) and alternatives else None
    if not isinstance(best, dict):
        return
    said = (
        [w for w in best.get("words") or () if isinstance(w, dict)]
        if isinstance(best.get("words"), list)
        else []
    )
    if not said:
        yield from _turns(best.get("transcript"), role)
        return
    for speaker, group in groupby(said, key=lambda w: channel if n_channels > 1 else w.get("speaker")):
        words = tuple(_words(list(group)))
        if words:
            text = " ".join(word.text for word in words)
            place = channel if n_channels > 1 else None
            yield Turn(0, role(speaker), text, words[0].start_s, words[-1].end_s, channel=place, words=words)


def _words(given: object) -> Iterator[Word]:
    for word in given if isinstance(given, list) else ():
        if not isinstance(word, dict):
            continue
        text = next(
            (word[n] for n in ("punctuated_word", "word", "text") if isinstance(word.get(n), str)), ""
        )
        start_s, end_s = seconds(word.get("start")), seconds(word.get("end"))
        if text.strip() and start_s is not None and end_s is not None and end_s >= start_s:
            sure = seconds(word.get("confidence", word.get("probability")))
            yield Word(text.strip(), start_s, end_s, sure if sure is not None and sure <= 1 else None)


def _numbered(made: list[Turn]) -> Iterator[Turn]:
    for number, turn in enumerate(made):
        yield replace(turn, turn=number)
