"""Speaker labels at the start of lines: ``Agent: hello``, ``[SPEAKER_00] hello``, ``(speaker 1) hello``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.intake import pieces

_TIME = r"(?:[\[(]?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,3})?[\])]?\s+(?:-\s+)?)?"
_BEFORE_COLON = re.compile(
    rf"\s*(?:-\s*|>>\s*)?{_TIME}[\[(]?([^\W\d_][\w .'’()#-]{{0,39}})[\])]?\s*:(?:\s+(\S.*)|\s*$)", re.S
)
_IN_BRACKETS = re.compile(
    rf"\s*{_TIME}[\[(]\s*((?:speaker|spk)[ _-]?\w{{1,3}})\s*[\])]\s*:?\s*(.*)", re.S | re.I
)
_NUMBERED = re.compile(r"(?:speaker|spk|person|party|channel|participant|voice)[ _-]?\w{1,3}", re.I)
_MOST_WORDS = 4


def split(lines: Sequence[str]) -> list[tuple[str | None, str]]:
    """Split each line into the speaker's label (None without one) and the text.

    A label is accepted when it names a role, numbers a speaker, or stands before several lines: in
    "Remember: it is closed" it is part of the text.
    """
    parts = [_split_line(line) for line in lines]
    counts = Counter(label for label, _ in parts if label)
    return [
        (label, text) if label and _is_believed(label, counts[label]) else (None, line.strip())
        for (label, text), line in zip(parts, lines, strict=True)
    ]


def carried(labelled: Sequence[tuple[str | None, str]]) -> Iterator[tuple[str | None, str]]:
    """Give each line without a label the label of the line before it."""
    speaker = None
    for label, text in labelled:
        speaker = label or speaker
        yield speaker, text


def _split_line(line: str) -> tuple[str | None, str]:
    match = _IN_BRACKETS.match(line) or _BEFORE_COLON.match(line)
    if match is None:
        return None, line.strip()
    return match[1].strip(" ()"), (match[2] or "").strip()


def _is_believed(label: str, count: int) -> bool:
    words = re.findall(r"[^\W_]+", label)
    if not words or len(words) > _MOST_WORDS:
        return False
    if _NUMBERED.fullmatch(label):
        return True
    if len(words) > 1 and not all(w[0].isupper() or w[0].isdigit() for w in words):
        return False
    return count > 1 or pieces.role_of(label) != "unknown"
