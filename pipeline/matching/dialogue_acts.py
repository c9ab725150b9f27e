"""Whether speech does the same act as a phrase: asserts, asks, denies, reports or supposes the same.

Acts are recognised by cues of spoken English: regular expressions that tolerate recognition errors. A cue
that is in the speech but not in the phrases, or the reverse, changes the log-odds that the act is the same;
``training/train_dialogue_acts.py`` fits the weights.
"""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache
from pathlib import Path

from pipeline.text.words import unpunctuated

WEIGHTS = Path(__file__).parent / "weights" / "dialogue_acts.tsv"
LOWEST, HIGHEST = -4.0, 2.0
"""Limits of the log-odds, since cues are only hints."""
BEFORE, AFTER = 6, 2
"""Words before and after a stretch that are searched for cues too ("he never told me that ...")."""
OPENERS = r"^(?:so |and |um |uh |okay |right |now |well |hi |alright )*"
PEOPLE = (
    r"you|he|she|they|agent|colleague|lady|guy|man|notes?|letter|engineer|driver|sister|brother|wife|"
    r"husband|friend|who"
)
AUXILIARIES = (
    r"did|do|does|have|has|had|was|were|is|are|am|can|could|will|would|shall|should|may|might|any|"
    r"don't|didn't|isn't|aren't|can't|won't|wouldn't"
)
CUES: dict[str, re.Pattern[str]] = {
    "denied": re.compile(
        r"\b(?:not|never|no|nobody|nothing|none|without|cannot|cant|wont|dont|unable|refused?|instead)\b|n't\b"
    ),
    "unreal": re.compile(
        r"\b(?:would|could|should|might|must|may)(?: not)?(?:'ve| have|n't have| of) \w+|"
        r"\b\w+'d (?:have|'ve)\b|"
        r"\bif (?:you|we|i|he|she|they|the \w+|somebody|someone)(?:'d| had)\b"
    ),
    "reported": re.compile(
        rf"\b(?:{PEOPLE})(?:'re|'s| are| is| was| were|'ve| have| has)?(?: just)? (?:sa(?:id|ys?|ying)|"
        r"t(?:old|ell|elling)|ask(?:ed|ing)?|mention\w*|promis\w+|think|thought|want(?:s|ed)?|claim\w*|"
        r"report\w*|never \w+)\b"
    ),
    "asks_first": re.compile(rf"{OPENERS}(?:{AUXILIARIES})\b"),
    "past": re.compile(
        r"\b(?:was|were|did|had|used to|yesterday|ago|last (?:week|month|year|time|night|tuesday)|already|"
        r"previously|earlier|before|this morning)\b"
    ),
    "first_person": re.compile(r"\b(?:i|i'm|i'll|i've|i'd|me|my|we|we're|we'll|we've|us|our)\b"),
    "second_person": re.compile(r"\b(?:you|you're|you'll|you've|your|yours|you'd)\b"),
    "third_person": re.compile(
        r"\b(?:he|she|they|his|her|their|him|them|somebody|someone|anyone|nobody|customers|people|colleague|"
        r"friend|neighbour|sister|brother|wife|husband|engineer|driver|shop|company|manager|agent|daughter|"
        r"son|mother)\b"
    ),
    "denied_first": re.compile(r"^(?:\w+ ){0,3}\w*(?:n't|not|no|never|nothing)\b"),
}
PROMISE = re.compile(
    r"^(?:i|we)(?:'ll| will| shall| can| could|(?: am|'m| are|'re) going to) "
    r"(?!need|ask|have|like|want|require)"
)
BY_THE_SPEAKER = re.compile(r"\b(?:i|i'm|i'll|i'd|we|we're|we'll|we'd|let|somebody|someone|he|she|they)\b")
BY_THE_OTHER = re.compile(
    r"\bplease\b|\b(?:me|us)\b|\byou(?:'ll|'d| can| will| need| have| should| could| may)\b"
)


@lru_cache(maxsize=65_536)
def cues(text: str) -> tuple[bool, ...]:
    """Whether a text has each of ``CUES``."""
    plain = unpunctuated(text)
    return tuple(cue.search(plain) is not None for cue in CUES.values())


def same_act(said: str, phrase: str) -> float:
    """Log-odds, -4..2, that speech does the act of a phrase, judged by its cues."""
    bias, *weights = _weights()
    odds = bias[0] + math.fsum(
        only_said if heard else only_asked
        for heard, asked, (only_said, only_asked) in zip(cues(said), cues(phrase), weights, strict=True)
        if heard != asked
    )
    return min(HIGHEST, max(LOWEST, odds))


def other_doer(said: str, phrase: str) -> bool:
    """Whether a phrase promises what the speech asks the other side to do: "please call me back"."""
    if not PROMISE.match(unpunctuated(phrase)):
        return False
    plain = unpunctuated(said)
    return BY_THE_OTHER.search(plain) is not None and not BY_THE_SPEAKER.search(plain)


@cache
def _weights() -> list[tuple[float, float]]:
    """The bias, then the weights of each of ``CUES``: only in the speech, and only in the phrase."""
    rows = [line.split("\t") for line in WEIGHTS.read_text("utf-8").splitlines()[1:]]
    table = {name: (float(said), float(asked)) for name, said, asked in rows}
    return [table[name] for name in ("bias", *CUES)]
