"""E-mail addresses as they are spoken: "john dot smith at gmail dot com", spelled or not.

Walks from each "at": right to a top-level domain, left over what can be a mailbox. Linear in the
length of the turn, however it is worded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.text.words import word_set

WRITTEN = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]|_")
DOMAINS = word_set(
    "com org net edu gov co io pk uk us in info biz ca de au nz ie fr es it nl be ch dk no se fi pl pt eu ae "
    "sa za ng ke br mx کام"
)
WORDS_TOO = word_set("us in it no be info")  # after a written full stop these start the next sentence
AT = word_set("at ایٹ")
DOTS = word_set("dot . period ڈاٹ")
JOINERS = DOTS | word_set("underscore _ score under dash hyphen minus - plus +")
# What leads up to an address and is no part of it.
LEADS = word_set(
    "look looking go going online available visit shop buy find is it's its me us you email mail address at "
    "that my to be would on that's the a by and so yeah yes okay sure was i uh um write send it e"
)
MAX_LOCAL_TOKENS = 24
MAX_DOMAIN_WORDS = 6

Span = tuple[int, int, str]


def find(text: str) -> Iterator[tuple[int, int]]:
    """Characters (start, end) of every written or spoken address."""
    for match in WRITTEN.finditer(text) if "@" in text else ():
        yield match.start(), match.end()
    tokens = [(m.start(), m.end(), m.group().lower()) for m in TOKEN.finditer(text)]
    after = 0
    for at, (_, _, word) in enumerate(tokens):
        if word not in AT or at < after:
            continue
        end = _domain_end(tokens, at + 1)
        start = _local_start(tokens, at, after)
        if end is not None and start < at:
            after = end
            yield tokens[start][0], tokens[end - 1][1]


def _domain_end(tokens: Sequence[Span], start: int) -> int | None:
    """The token after the top-level domain, None when none follows soon."""
    for place in range(start + 1, min(len(tokens), start + MAX_DOMAIN_WORDS)):
        end = place
        while end + 1 < len(tokens) and _is_domain(tokens[end], tokens[end + 1]):
            end += 2
        if end > place:
            return end
    return None


def _is_domain(dot: Span, word: Span) -> bool:
    """Whether the two end a host name: "dot com", ".com", but not the "in" of "at home. In"."""
    is_joined = dot[2] != "." or dot[1] == word[0] or word[2] not in WORDS_TOO
    return dot[2] in DOTS and word[2] in DOMAINS and is_joined


def _local_start(tokens: Sequence[Span], at: int, after: int) -> int:
    """The first token of the mailbox name before ``at``; ``at`` itself when there is none."""
    start = at
    for place in range(at - 1, max(after, at - MAX_LOCAL_TOKENS) - 1, -1):
        if not _belongs(tokens, place, at):
            break
        start = place
    while start < at and tokens[start][2] in JOINERS:
        start += 1
    return start


def _belongs(tokens: Sequence[Span], place: int, at: int) -> bool:
    """Whether a token can be of the mailbox name, given that all between it and ``at`` are."""
    word, following = tokens[place][2], tokens[place + 1][2]
    is_last = place + 1 == at
    if word in JOINERS:
        return not is_last and not (following in JOINERS and word in DOTS)
    if word in LEADS:  # "a" and "i" are letters among letters; before "dot" anything is a name
        letters = ("" if is_last else following, tokens[place - 1][2] if place else "")
        spelled = len(word) == 1 and any(len(letter) == 1 for letter in letters)
        return spelled or (not is_last and following in JOINERS)
    return word[0].isalnum()
