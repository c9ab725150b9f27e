"""Finds promises: what an agent says will be done later, by whom and when.

A promise consists of a future form ("I will", "we are going to", "someone will"), a verb of doing something
later, and the words to the end of the clause, with a time if one is said. What the agent does at once ("I
will check that now") is no promise.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

WHO = (
    r"(?P<who>i|we|they|he|she|it|you|someone|somebody|(?:a|the|my|our|your|one of our) (?:\w+ )?"
    r"(?:manager|supervisor|technician|engineer|team|department|colleague|specialist|representative|agent|"
    r"driver|"
    r"courier|adviser|advisor|office|bank|branch|refund|replacement|card|letter|email|cheque|check|package))"
)
WILL = (
    r"(?:will(?: definitely| certainly| also| personally| then| be)?|(?:am|are|is) going to|shall|"
    r"can have \w+|promise (?:to|you|that) ?\w*)"
)
DOING = (
    r"(?P<what>(?:have (?:someone|somebody|them|a \w+|my \w+|our \w+) )?(?:be )?(?:call(?:ing)?|phone|ring|"
    r"text|email|e mail|mail(?:ing)?|send(?:ing)?|post|ship(?:ping)?|refund(?:ing|ed)?|credit(?:ing|ed)?|"
    r"reimburse|waive|replace|follow(?:ing)? up|get(?:ting)? back|reach(?:ing)? out|contact(?:ing|ed)?|"
    r"arrange|schedule|book|escalate|submit|raise|file|open a|issue|update you|notify|let you know|"
    r"come out|visit|deliver(?:ed)?|arrive|receive|make sure|ensure|process(?:ed)?|fix(?:ed)?|"
    r"resolve(?:d)?|look into|investigate|activate|transfer(?:red)?)\b(?: \w+){0,9}?)"
)
DAY = r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
COUNT = (
    r"(?:\d+|a|an|one|two|three|four|five|six|seven|eight|nine|ten|fourteen|fifteen|twenty|thirty|forty|"
    r"forty eight|twenty four|seventy two|the next)"
)
UNIT = r"(?:business |working |calendar )?(?:minutes?|hours?|days?|weeks?|months?)"
WHEN = (
    rf"(?:(?:by|on|before|this|next|until|first thing)? ?(?:tomorrow|today|tonight|{DAY}|"
    rf"this (?:afternoon|evening|week)|next (?:week|month)|"
    rf"the end of (?:the |this )?(?:day|week|month|business))(?: (?:morning|afternoon|evening|night))?|"
    rf"(?:within|in|after|for)(?: about| the next)? {COUNT}(?: (?:to|or|and|-) {COUNT})? {UNIT}|"
    rf"{COUNT} to {COUNT} {UNIT}|as soon as (?:possible|\w+ \w+)|no later than \w+|"
    r"shortly|later(?: today)?|soon|right after|once (?:it|this|that|the) \w+|when (?:it|the|they) \w+)"
)
STOP = r"(?= (?:and|but|so|because|if|okay|ok|is|are|alright|right|or|in order|thank|thanks)\b|$)"
PROMISE = re.compile(rf"\b{WHO} {WILL} {DOING}(?: (?P<when>{WHEN})|{STOP})")
BEFORE = re.compile(rf"(?P<when>{WHEN})$")
# These verbs make a promise only if a time is said; else the thing is done at once, or only said politely.
WEAK = re.compile(r"(?:look into|make sure|ensure|transfer|book|schedule)\b")
FUTURE = frozenset(["will", "going", "promise", "shall", "have"])
"""One of these is in every promise."""
NOT_LATER = re.compile(r"\b(?:you to (?:a|the|my|our)|now|for you now|on hold|a (?:quick )?look|if you)\b")


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise in the words ``start`` to ``end`` (exclusive) of a turn."""

    start: int
    end: int
    who: str
    what: str
    when: str | None

    def described(self) -> str:
        """One line: who, what, when."""
        return f"{self.who}: {self.what}" + (f" ({self.when})" if self.when else "")


def find(words: Sequence[str]) -> Iterator[Promise]:
    """Find the promises in a turn's fluent words."""
    if FUTURE.isdisjoint(words):
        return
    text = " ".join(words)
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    for match in PROMISE.finditer(text):
        if match["who"] == "you" and not re.match(r"(?:be |)(?:receive|get)", match["what"]):
            continue
        if NOT_LATER.search(match["what"]):
            continue
        when = match["when"]
        if when is None:
            earlier = BEFORE.search(text[: match.start()].rstrip())
            when = earlier["when"] if earlier else None
        if when is None and WEAK.match(match["what"]):
            continue
        first, last = bisect_right(starts, match.start()) - 1, bisect_left(starts, match.end())
        yield Promise(first, last, match["who"], match["what"].strip(), when.strip() if when else None)
