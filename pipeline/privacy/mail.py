"""E-mail addresses as they are spoken: "john dot smith at gmail dot com", spelled or not.

Walks from each "at": right to a top-level domain, left over what can be a mailbox. Linear in the
length of the turn, however it is worded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.text.words import MARKS_TOO, Token, tokens, word_set

WRITTEN = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
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


def find(text: str) -> Iterator[tuple[int, int]]:
    """Characters (start, end) of every written or spoken address."""
    for match in WRITTEN.finditer(text) if "@" in text else ():
        yield match.start(), match.end()
    said = tokens(text, MARKS_TOO)
    after = 0
    for at, token in enumerate(said):
        if token.text not in AT or at < after:
            continue
        end = _domain_end(said, at + 1)
        start = _local_start(said, at, after)
        if end is not None and start < at:
            after = end
            yield said[start].start, said[end - 1].end


def _domain_end(said: Sequence[Token], start: int) -> int | None:
    """The token after the top-level domain, None when none follows soon."""
    for place in range(start + 1, min(len(said), start + MAX_DOMAIN_WORDS)):
        end = place
        while end + 1 < len(said) and _is_domain(said[end], said[end + 1]):
            end += 2
        if end > place:
            return end
    return None


def _is_domain(dot: Token, word: Token) -> bool:
    """Whether the two end a host name: "dot com", ".com", but not the "in" of "at home. In"."""
    is_joined = dot.text != "." or dot.end == word.start or word.text not in WORDS_TOO
    return dot.text in DOTS and word.text in DOMAINS and is_joined


def _local_start(said: Sequence[Token], at: int, after: int) -> int:
    """The first token of the mailbox name before ``at``; ``at`` itself when there is none."""
    start = at
    for place in range(at - 1, max(after, at - MAX_LOCAL_TOKENS) - 1, -1):
        if not _belongs(said, place, at):
            break
        start = place
    while start < at and said[start].text in JOINERS:
        start += 1
    return start


def _belongs(said: Sequence[Token], place: int, at: int) -> bool:
    """Whether a token can be of the mailbox name, given that all between it and ``at`` are."""
    word, following = said[place].text, said[place + 1].text
    is_last = place + 1 == at
    if word in JOINERS:
        return not is_last and not (following in JOINERS and word in DOTS)
    if word in LEADS:  # "a" and "i" are letters among letters; before "dot" anything is a name
        letters = ("" if is_last else following, said[place - 1].text if place else "")
        spelled = len(word) == 1 and any(len(letter) == 1 for letter in letters)
        return spelled or (not is_last and following in JOINERS)
    return word[0].isalnum()
