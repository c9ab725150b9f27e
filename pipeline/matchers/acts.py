"""What a speaker does with the words: asserts, asks, denies, reports, supposes, orders, of whom and when.

Two sources, both cheap: cues of spoken English as regular expressions (they survive recognition
errors) and the parse of ``en_core_web_sm`` (root, subject, tense). The matcher compares these acts
between a phrase and a turn: same words in another act are not the same thing said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
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
    "conditional": re.compile(r"\b(?:if|unless|whether|suppose|in case)\b"),
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
    "echoed": re.compile(
        r"^(?:so|oh|okay so|right so|um so)? ?(?:you're|you are|you) "
        r"(?:asking|saying|want|said|told|asked|mean)"
    ),
    "asks_first": re.compile(rf"{OPENERS}(?:{AUXILIARIES})\b"),
    "asks_past": re.compile(
        r"\b(?:did|have|has|had|was|were) "
        r"(?:you|he|she|they|i|we|the|your|my|anyone|someone|somebody|it|that)\b"
    ),
    "asks_may": re.compile(
        r"\b(?:can|could|will|would|shall|may|might|do|are|is) (?:you|i|we|it|that|there|this)\b"
    ),
    "wh": re.compile(r"\b(?:what|what's|whats|who|who's|when|where|why|how|which|whose)\b"),
    "wh_first": re.compile(rf"{OPENERS}(?:what|what's|whats|who|who's|when|where|why|how|which|whose)\b"),
    "future": re.compile(r"\b(?:will|going to|gonna|shall|about to)\b|'ll\b"),
    "modal": re.compile(r"\b(?:can|could|would|may|might|should|must)\b"),
    "past": re.compile(
        r"\b(?:was|were|did|had|used to|yesterday|ago|last (?:week|month|year|time|night|tuesday)|already|"
        r"previously|earlier|before|this morning)\b"
    ),
    "elsewhere": re.compile(
        r"\b(?:later|next time|some time|whenever|any time|anytime|online|yourself|website|app)\b"
    ),
    "first_person": re.compile(r"\b(?:i|i'm|i'll|i've|i'd|me|my|we|we're|we'll|we've|us|our)\b"),
    "i_early": re.compile(r"^(?:\w+ ){0,4}(?:i|i'm|i'll|i've|i'd|we|we're|we'll|we've)\b"),
    "second_person": re.compile(r"\b(?:you|you're|you'll|you've|your|yours|you'd)\b"),
    "third_person": re.compile(
        r"\b(?:he|she|they|his|her|their|him|them|somebody|someone|anyone|nobody|customers|people|colleague|"
        r"friend|neighbour|sister|brother|wife|husband|engineer|driver|shop|company|manager|agent|daughter|"
        r"son|mother)\b"
    ),
    "please": re.compile(r"\b(?:please|kindly)\b"),
}
CUES |= {
    "denied_first": re.compile(r"^(?:\w+ ){0,3}\w*(?:n't|not|no|never|nothing)\b"),
    "asks_you": re.compile(r"\b(?:did|do|have|are|were|would|could|can|will) you\b"),
    "if_past": re.compile(r"\bif (?:\w+ ){0,3}(?:had|was|were|\w+ed|'d)\b|'d \w+ed\b"),
    "for_you": re.compile(r"\b(?:for|to) you\b"),
}
SAYING = frozenset(
    re.findall(
        r"\w+", "say tell ask think know want hear mention promise wonder mean see guess check let find"
    )
)
ROLES = (
    "to_me", "to_you", "to_others", "mine", "yours", "theirs", "i_to_you", "you_to_me", "i_deny", "you_deny",
    "others_deny", "denies_what_follows", "denied_below", "nothing", "there_is", "saying", "clause_below",
    "order", "question_below", "perfect", "passive",
)  # fmt: skip
"""Who does it to whom, and how far a negation reaches; see ``_roles``."""
STRUCTURE = {
    "nsubjpass": "passive", "auxpass": "passive", "ccomp": "clause_below", "advcl": "clause_below",
    "expl": "there_is",
}  # fmt: skip
PARSED = 14
SIZE = len(CUES) + PARSED + len(ROLES)
FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the to of for on in at is are be am was were i you we it that this my your our me us do does "
        "did can could will would may might has have had and or so um uh please with as if not what how "
        "there",
    )
)


@dataclass(frozen=True, slots=True)
class Act:
    """The acts in one clause: ``flags`` float32, shape (SIZE,), 0..1; ``lemmas`` are its content words."""

    flags: Array
    lemmas: frozenset[str]


def read_acts(parser: Any, texts: Sequence[str]) -> Iterable[Act]:
    """The acts of normalised texts (lower case, no punctuation), in their order.

    Args:
        parser: The loaded spaCy pipeline.
        texts: Clauses of up to about 18 words.
    """
    for text, doc in zip(texts, parser.pipe(texts, batch_size=128), strict=True):
        cues = [float(cue.search(text) is not None) for cue in CUES.values()]
        lemmas = frozenset(token.lemma_ for token in doc if token.text not in FUNCTION_WORDS)
        roles = _roles(doc)
        flags = cues + _parsed(doc) + [float(role in roles) for role in ROLES]
        yield Act(np.asarray(flags, dtype=np.float32), lemmas)


def _parsed(doc: Any) -> list[float]:
    """Root form, subject, negation and past forms as the parser sees them."""
    if not len(doc):
        return [0.0] * PARSED
    root = next((token for token in doc if token.dep_ == "ROOT"), doc[0])
    subject = next((t for t in root.children if t.dep_ in ("nsubj", "nsubjpass")), None)
    who = subject.text if subject is not None else ""
    return [
        float(root.tag_ == "VBD"),
        float(root.tag_ in ("VB", "VBP")),
        float(root.tag_ == "VBZ"),
        float(root.tag_ == "VBN"),
        float(root.tag_ == "VBG"),
        float(root.pos_ in ("NOUN", "PROPN")),
        float(who in ("i", "we")),
        float(who == "you"),
        float(subject is not None and who not in ("i", "we", "you")),
        float(subject is not None and subject.dep_ == "nsubjpass"),
        float(subject is not None and subject.i > root.i),
        float(subject is None),
        float(any(t.dep_ == "neg" for t in root.children)),
        sum(t.tag_ in ("VBD", "VBN") for t in doc) / 3,
    ]


def _roles(doc: Any) -> set[str]:
    """Which of ``ROLES`` a clause holds."""
    found: set[str] = set()
    for token in doc:
        found |= _role(token)
        if token.dep_ == "neg" or token.text in ("never", "not", "n't"):
            found |= _denial(token.head)
        if token.dep_ == "ROOT":
            found |= {"saying"} if token.lemma_ in SAYING else set()
            bare = not any(child.dep_ in ("nsubj", "aux") for child in token.children)
            found |= {"order"} if token.tag_ == "VB" and bare else set()
        elif token.tag_ in ("WP", "WRB", "WDT") and token.i > token.sent.root.i:
            found.add("question_below")
    return found


def _role(token: Any) -> set[str]:
    """What one word says about who does what to whom."""
    text, dep = token.text, token.dep_
    found = {"nothing"} if text in ("nothing", "nobody", "none", "no") else set()
    if dep in ("dobj", "dative", "pobj"):
        return found | _whom(token)
    if dep == "nsubj":
        return found | _whose_act(token)
    if dep == "poss":
        found.add("mine" if text in ("my", "our") else "yours" if text == "your" else "theirs")
    elif dep == "aux" and text in ("have", "has", "'ve"):
        found.add("perfect")
    elif dep in STRUCTURE:
        found.add(STRUCTURE[dep])
    return found


def _whom(token: Any) -> set[str]:
    if token.text in ("me", "us"):
        return {"to_me"}
    if token.text == "you":
        return {"to_you"}
    other = token.text in ("him", "her", "them", "it") or token.pos_ == "PROPN"
    return {"to_others"} if other else set()


def _whose_act(subject: Any) -> set[str]:
    objects = {child.text for child in subject.head.children if child.dep_ in ("dobj", "dative")}
    if subject.text in ("i", "we") and "you" in objects:
        return {"i_to_you"}
    return {"you_to_me"} if subject.text == "you" and objects & {"me", "us"} else set()


def _denial(verb: Any) -> set[str]:
    """Whose act a negated verb denies, and whether what hangs on it is denied too."""
    subjects = {child.text for child in verb.children if child.dep_ in ("nsubj", "nsubjpass")}
    whose = "i_deny" if subjects & {"i", "we"} else "you_deny" if "you" in subjects else "others_deny"
    if verb.dep_ != "ROOT":
        return {whose, "denied_below"}
    below = any(child.dep_ in ("ccomp", "xcomp", "advcl") for child in verb.children)
    return {whose, "denies_what_follows"} if below else {whose}
