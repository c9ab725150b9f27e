"""Finds e-mail addresses, written or spoken: "john dot smith at gmail dot com", spelled or not.

From each "at", it looks to the right for a top-level domain and to the left for the mailbox name. It takes
time linear in the length of the turn, whatever the words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.text.words import CLEAR_FILLERS, MARKS_TOO, Token, tokens, word_set

WRITTEN = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
DOMAINS = word_set(
    "com org net edu gov co io pk uk us in info biz ca de au nz ie fr es it nl be ch dk no se fi pl pt eu ae "
    "sa za ng ke br mx me app dev ai کام"
)
WORDS_TOO = word_set("us in it no be info me app")  # after a full stop and a space, these begin a sentence
AT = word_set("at ایٹ")
DOTS = word_set("dot . period ڈاٹ")
JOINERS = DOTS | word_set("underscore _ score under dash hyphen minus - plus +")
# Words that precede an address and are not part of it.
LEADS = CLEAR_FILLERS | word_set(
    "look looking go going online available visit shop buy find is it's its me us you email mail address at "
    "that my to be would on that's the a by and so yeah yes okay sure was i write send it e"
)
MAX_MAILBOX_TOKENS = 24
MAX_DOMAIN_WORDS = 6


def find(text: str) -> Iterator[tuple[int, int]]:
    """Characters (start, end) of each address."""
    for match in WRITTEN.finditer(text) if "@" in text else ():
        yield match.start(), match.end()
    words = tokens(text, MARKS_TOO)
    after = 0  # the token after the address before
    for at, token in enumerate(words):
        if token.text not in AT or at < after:
            continue
        end = _domain_end(words, at + 1)
        start = _mailbox_start(words, at, after)
        if end is not None and start < at:
            after = end
            yield words[start].start, words[end - 1].end


def _domain_end(words: Sequence[Token], start: int) -> int | None:
    """The index after the top-level domain; None if none follows soon."""
    for place in range(start + 1, min(len(words), start + MAX_DOMAIN_WORDS)):
        end = place
        while end + 1 < len(words) and _is_domain(words[end], words[end + 1]):
            end += 2
        if end > place:
            return end
    return None


def _is_domain(dot: Token, word: Token) -> bool:
    """Whether two tokens end a host name: "dot com" and ".com", but not ". In" in "at home. In"."""
    is_joined = dot.text != "." or dot.end == word.start or word.text not in WORDS_TOO
    return dot.text in DOTS and word.text in DOMAINS and is_joined


def _mailbox_start(words: Sequence[Token], at: int, after: int) -> int:
    """The index of the first token of the mailbox name before ``at``; ``at`` if there is none."""
    start = at
    for place in range(at - 1, max(after, at - MAX_MAILBOX_TOKENS) - 1, -1):
        if not _is_of_mailbox(words, place, at):
            break
        start = place
    while start < at and words[start].text in JOINERS:
        start += 1
    return start


def _is_of_mailbox(words: Sequence[Token], place: int, at: int) -> bool:
    """Whether a token can be part of the mailbox name, given that all tokens between it and ``at`` are."""
    word, following = words[place].text, words[place + 1].text
    is_last = place + 1 == at
    if word in JOINERS:
        return not is_last and not (following in JOINERS and word in DOTS)
    if word in LEADS:  # "a" and "i" belong to it among single letters, and every word does before "dot"
        neighbours = ("" if is_last else following, words[place - 1].text if place else "")
        is_spelled = len(word) == 1 and any(len(neighbour) == 1 for neighbour in neighbours)
        return is_spelled or (not is_last and following in JOINERS)
    return word[0].isalnum()
