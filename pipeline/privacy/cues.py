"""Cue words that say what a number is: "card number", "callback", "order number", "on the back".

The nearest cue before a number decides, unless its kind cannot have that many digits: after "the PIN for
your card?", the nearest cue is the card, but four digits are the PIN. A cue such as "order number" means that
the number is harmless. So does a cue of quantity ("about", "dollars"), if the number is short enough for one.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.privacy import languages, urdu
from pipeline.text.words import SMALL, TENS

CUES = {
    "cvv": (
        r"\bc ?v ?[vc]2?\b|security (?:code|number|digits)|(?:on|at|from) the (?:back|reverse)|"
        r"back of (?:it|(?:the|your|my|that|this) card)|signature (?:strip|panel)|"
        r"verification (?:value|number)|(?:three|3|four|4)[- ]digits? (?:security |verification )?code|"
        r"(?:code|(?:four|4)(?: \w+)?) on the front|"
        r"(?<!last )(?<!final )(?<!first )(?:three|3)[- ](?:(?:little|small|other) )?"
        r"(?:digits?|numbers|figures)"
    ),
    "expiry": r"expir\w*|\bexp\b|valid (?:thru|through|until|till|to)|good (?:thru|through)",
    "pin": (
        r"\bpins?\b|pass ?code|one[- ]time|\botp\b|"
        r"(?:verification|access|authentication|login|temporary) code|"
        r"(?:five|5|six|6|seven|7|eight|8)[- ]digit (?:\w+ )?code|"
        r"(?:confirmation )?code (?:that )?(?:we|i|they)(?:'ve| have|'ll| will)? (?:just )?"
        r"(?:sen[dt]|text(?:ed)?|email(?:ed)?)|"
        r"(?:sen[dt]|text(?:ed)?|email(?:ed)?) (?:it to )?(?:you|me) (?:a|the|your|my) (?:\w+ )?code|"
        r"pass ?word|pass ?phrase|memorable|security (?:word|answer)"
    ),
    "account": r"account(?: number)?|routing|sort code|\baba\b|\bbsb\b|loan number|khata|کھاتہ|اکاؤنٹ",
    "iban": r"\biban\b|\bi ban\b",
    "national_id": (
        r"\bcnic\b|c n i c|سی این آئی سی|national id\w*(?: card)?|\bid(?:entity)? (?:card|number)|"
        r"shanakhti(?: card)?|شناختی(?: کارڈ)?|passport|پاسپورٹ|"
        r"driv\w+(?:['’]s)? licen[cs]e|licen[cs]e number|national insurance|\bni number|aadha+r|"
        r"tax(?:payer)? (?:id\w*|number)|medicare|\bnhs\b"
    ),
    "ssn": r"social(?: (?:security|insurance))?(?! (?:media|network|club|worker))|\bs ?s ?n\b",
    "card": (
        r"card(?: number)?|visa|master ?card|amex|american express|long number|sixteen digits?|"
        r"16 digits?|کارڈ"
    ),
    "phone": (
        r"(?:phone|mobile|cell|contact|telephone|callback|whatsapp|home|work|best|daytime|evening|landline|"
        r"another|other|alternat\w+|backup|second|different|emergency)(?: phone)? ?number|"
        r"\bphone\b|\bwhatsapp\b|\bmobile\b|\blandline\b|موبائل|رابطہ|"
        r"\bcell\b|\btelephone\b|(?:call|reach|text|ring|contact|try|hold of) (?:me|us|you|him|her|them)|"
        r"emergency contact|call ?back|\bfax\b|number (?:is|here is)|my number|"
        r"number (?:to|for) (?:call|reach|contact)|فون|نمبر"
    ),
    "dob": r"birth ?(?:day|date)?|\bborn\b|\bd ?o ?b\b|paidaish",
    "zip": r"zip(?: code)?|post ?code|postal code",
    "harmless": (
        r"order|reference|\bref\b|tracking|ticket|(?<!in )case|confirmation|invoice|policy|booking|"
        r"reservation|model|serial|flight|extension|item|part number|product|receipt|claim|"
        r"complaint number|transaction|\bid for\b|employee|badge|store|branch|version|meter|reading|"
        r"job number|work order|awb|quote|stock|\bsku\b|\bvin\b|\blot\b|catalog(?:ue)?|\bupc\b|bar ?code|"
        rf"\bimei\b|asset|mileage|odometer|{urdu.HARMLESS}"
    ),
    "money": r"[$£€](?! ?\d)|dollars?|pounds?|rupees?|price|cost|total|balance|amount|percent",
    "vague": r"about|around|request|last(?! (?:two|three|four|five|\d|digits))|past|every|within|for the",
}
# A cue includes the words that follow in its noun phrase, so that "order number is" is no cue of a telephone.
REST = r"(?:\W+(?:number|numbers|no|code|id|is|was|are|it's|that's|here|نمبر)\b)*"
_GROUPS = (
    f"(?P<{kind}>{'|'.join(filter(None, (cue, languages.CUES.get(kind))))})" for kind, cue in CUES.items()
)
PATTERN = re.compile(f"(?:{'|'.join(_GROUPS)}){REST}")
OBJECT = re.compile(r"\b(?:for|on|about|with|regarding|of|to|in) (?:the|your|this|my|that|an?|our)\W+$")
MEASURED = re.compile(rf"(?:\d|\b(?:{'|'.join([*SMALL, *TENS])}|hundred|thousand|million))[\s-]*$")
SENTENCE_END = re.compile(r"[.?!](?!\w)")
QUANTITY_DIGITS = {"money": 9, "vague": 6}  # most digits of a price and of an estimate
LENGTHS = {
    "card": (8, 19),
    "cvv": (3, 4),
    "pin": (4, 8),
    "expiry": (3, 6),
    "account": (5, 17),
    "iban": (8, 30),
    "national_id": (6, 15),
    "ssn": (4, 9),
    "phone": (7, 15),
    "dob": (4, 8),
    "zip": (5, 9),
}
"""Least and most digits of each kind."""
UNBOUNDED = frozenset({"card", "account", "iban", "national_id", "ssn", "phone"})
"""Kinds that may have more digits than this, since a number may be said twice, or two together."""


def names_a_kind(text: str) -> bool:
    """Whether a text mentions a kind of number."""
    lowered = text.lower()
    return "code" in lowered or any(m.lastgroup not in QUANTITY_DIGITS for m in PATTERN.finditer(lowered))


def fits(kind: str, count: int, *, is_corrected: bool = False) -> bool:
    """Whether a number of a kind can have ``count`` digits; a corrected one up to twice as many as usual."""
    if kind not in LENGTHS:
        return False
    least, most = LENGTHS[kind]
    return least <= count and (kind in UNBOUNDED or count <= most * (2 if is_corrected else 1))


def _is_of_another(cue: re.Match[str]) -> bool:
    """Whether a cue of quantity is about a number before it, or about its own sentence: "35 pounds? 319"."""
    if cue.lastgroup == "money":
        return bool(MEASURED.search(cue.string, max(0, cue.start() - 20), cue.start()))
    return cue.lastgroup == "vague" and bool(SENTENCE_END.search(cue.string, cue.end()))


@lru_cache(maxsize=256)  # a number is looked at several times, and its lines stand before other numbers too
def _cues_in(line: str) -> list[tuple[str, int]]:
    """The kinds of the cues of a line and where they start."""
    return [(m.lastgroup or "", m.start()) for m in PATTERN.finditer(line) if not _is_of_another(m)]


def nearest(before: str, count: int, *, is_corrected: bool) -> str | None:
    """The kind of the nearest cue before a number that allows its length, ``count`` digits.

    ``before`` is in lower case, one line per turn; only the last line with a cue counts. The result may be
    ``harmless``; it is the nearest kind if none allows the length, and None if there is no cue.
    """
    first: str | None = None
    for line in reversed(before.split("\n")):
        found = _cues_in(line)
        for place in range(len(found) - 1, -1, -1):
            kind, start = found[place]
            if kind in QUANTITY_DIGITS:
                if count <= QUANTITY_DIGITS[kind]:
                    return "harmless" if first is None else first
                continue
            earlier = [k for k, _ in found[:place] if fits(k, count, is_corrected=is_corrected)]
            if earlier and OBJECT.search(line[:start]):  # "the best number for the order"
                continue
            if kind == "harmless":
                return kind if first is None else first
            if fits(kind, count, is_corrected=is_corrected):
                return kind
            first = first or kind
        if first is not None:
            break
    return first
