"""Speakers named in the text itself: ``Agent: hello``, ``[SPEAKER_00] hello``, ``(speaker 1) hello``."""

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
    """Each line as its speaker's label, where one stands before it, and what is said.

    A label is believed where it names a role or numbers a speaker, or stands before several lines:
    "Remember: it is closed" names nobody.
    """
    parted = [_parted(line) for line in lines]
    seen = Counter(label for label, _ in parted if label)
    return [
        (label, said) if label and _is_believed(label, seen[label]) else (None, line.strip())
        for (label, said), line in zip(parted, lines, strict=True)
    ]


def carried(named: Sequence[tuple[str | None, str]]) -> Iterator[tuple[str | None, str]]:
    """Lines without a label go on as the speaker before them, where labels are in use."""
    speaker = None
    for label, said in named:
        speaker = label or speaker
        yield speaker, said


def _parted(line: str) -> tuple[str | None, str]:
    found = _IN_BRACKETS.match(line) or _BEFORE_COLON.match(line)
    if found is None:
        return None, line.strip()
    return found[1].strip(" ()"), (found[2] or "").strip()


def _is_believed(label: str, times: int) -> bool:
    words = re.findall(r"[^\W_]+", label)
    if not words or len(words) > _MOST_WORDS:
        return False
    if (
        len(words) > 1
        and not all(w[0].isupper() or w[0].isdigit() for w in words)
        and not _NUMBERED.fullmatch(label)
    ):
        return False
    return times > 1 or pieces.role_of(label) != "unknown" or _NUMBERED.fullmatch(label) is not None
