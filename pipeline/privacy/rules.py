"""What a number read out is: a card, an account, a telephone number, or nobody's secret.

Formats and check digits decide where they can (Luhn: ISO/IEC 7812-1; IBAN: ISO 7064 mod 97);
else the nearest cue word in the sixty characters before decides. A cue such as "order number"
clears the number.
"""

from __future__ import annotations

import re

from pipeline.privacy import urdu
from pipeline.privacy.numbers import Run

CUES: tuple[tuple[str, str], ...] = (
    (
        "cvv",
        (
            r"\bc ?v ?[vc]2?\b|security (?:code|number)|(?:on|at) the back|signature (?:strip|panel)|"
            r"verification (?:value|number)"
        ),
    ),
    ("expiry", r"expir\w*|\bexp\b|valid (?:thru|through|until|till|to)|good (?:thru|through)"),
    ("pin", r"\bpin\b|pass ?code|one[- ]time|\botp\b"),
    ("account", r"account(?: number)?|routing|sort code|\baba\b|khata|کھاتہ|اکاؤنٹ"),
    ("iban", r"\biban\b|\bi ban\b"),
    (
        "national_id",
        (
            r"\bcnic\b|c n i c|سی این آئی سی|national id\w*(?: card)?|\bid(?:entity)? (?:card|number)|"
            r"shanakhti(?: card)?|شناختی(?: کارڈ)?|passport|پاسپورٹ|"
            r"driver'?s? licen[cs]e|national insurance|\bni number|aadha+r"
        ),
    ),
    ("ssn", r"social(?: security)?|\bs ?s ?n\b"),
    (
        "card",
        (
            r"card(?: number)?|visa|master ?card|amex|american express|long number|sixteen digits?|"
            r"16 digits?|"
            r"کارڈ"
        ),
    ),
    (
        "phone",
        (
            r"(?:phone|mobile|cell|contact|telephone|callback|whatsapp|home|work|best)(?: phone)? ?number|"
            r"\bphone\b|\bwhatsapp\b|\bmobile\b|موبائل|رابطہ|"
            r"\bcell\b|\btelephone\b|(?:call|reach|text|ring|contact|try) (?:me|us|you|"
            r"him|her|them)|"
            r"call ?back|\bfax\b|number (?:is|here is)|my number|فون|نمبر"
        ),
    ),
    ("dob", r"birth ?(?:day|date)?|\bborn\b|\bd ?o ?b\b|paidaish"),
    ("zip", r"zip(?: code)?|post ?code|postal code"),
    (
        "harmless",
        (
            r"order|reference|\bref\b|tracking|ticket|(?<!in )case|confirmation|invoice|policy|booking|"
            r"reservation|model|"
            r"serial|flight|extension|item|part number|product|receipt|claim|request|complaint number|"
            r"transaction|"
            r"\bid for\b|employee|badge|store|branch|version|\$|£|€|dollars?|pounds?|rupees?|price|"
            r"cost|total|"
            r"balance|"
            r"amount|percent|about|around|last(?! (?:two|three|four|five|\d|digits))|"
            r"past|every|within|for the|meter|reading|job number|"
            r"work order|"
            rf"awb|quote|{urdu.HARMLESS}"
        ),
    ),
)
# "order number is" must not end as the telephone's "number is": a cue takes its noun phrase along.
REST = r"(?:\W+(?:number|numbers|no|code|id|is|was|are|it's|that's|here|نمبر)\b)*"
PATTERN = re.compile("(?:" + "|".join(f"(?P<{kind}>{cue})" for kind, cue in CUES) + f"){REST}")
QUANTITY_AFTER = re.compile(
    r"^\W*(?:dollars?|pounds?|euros?|rupees?|cents?|bucks|percent|%|minutes?|hours?|days?|weeks?|months?|"
    r"years?|"
    r"times|o'?clock|[ap]\.? ?m\b|kilo\w*|miles?|gigs?|gb|mb|points?|people|items?|thousand|million|"
    rf"hundred|{urdu.UNITS_AFTER})"
)
LAST_DIGITS = re.compile(
    r"(?:last|final|ending|ends)\W+(?:(?:in|with|of|four|three|two|4|digits?|the|my|your|card|is|are|"
    r"it's)\W+)*$"
)
ISSUERS = re.compile(r"^(?:4|5[1-5]|2[2-7]|3[0-9]|6)")  # Visa, Mastercard, Amex/Diners/JCB, Discover/Maestro


def luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1: doubled every second digit from the right, sum divisible by ten."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban(text: str) -> bool:
    """The check of ISO 13616: country and check digits moved to the end, mod 97 = 1."""
    text = re.sub(r"\W", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def holds_card(digits: str) -> bool:
    """Whether a payment card's number is among the digits (read twice or corrected, it may be inside)."""
    return any(
        ISSUERS.match(digits[start:]) and luhn(digits[start : start + length])
        for length in (16, 15, 14, 19)
        for start in range(len(digits) - length + 1)
    )


def is_card(digits: str) -> bool:
    """Whether the digits are one payment card's, of the two usual lengths."""
    return len(digits) in (15, 16) and bool(ISSUERS.match(digits)) and luhn(digits)


def nearest_cue(before: str) -> str | None:
    """The kind of the last cue word before a number; None when there is none."""
    kind = None
    for match in PATTERN.finditer(before[-90:]):
        kind = match.lastgroup
    return kind


def kind_of(run: Run) -> str | None:
    """Which private thing a number is; None when it is none.

    The order is the order of certainty: check digits, written formats, then cue words with the
    lengths they allow.
    """
    digits, count = run.digits, len(run.digits)
    if count < 3:
        return None
    cue = nearest_cue(run.before)
    by_itself = _by_format(run, cue)
    if by_itself is not None:
        return by_itself
    if QUANTITY_AFTER.match(run.after) or cue == "harmless":
        return None
    if (
        cue in (None, "phone", "zip")
        and count in (10, 11, 12)
        and (cue == "phone" or digits[0] == "0" or count == 10)
    ):
        return "phone"
    return _by_cue(cue, count, digits, run)


def _by_format(run: Run, cue: str | None) -> str | None:
    """Kinds recognised by check digits or written shape."""
    digits, count, written = run.digits, len(run.digits), run.written
    if cue != "national_id" and count >= 14:
        if any(is_card(token.digits) for token in run.tokens) or is_card(digits):
            return "card"
        if cue not in ("harmless", "account", "iban", "phone") and (
            holds_card(digits) or any(is_card(reading) for reading in run.corrected())
        ):
            return "card"
    if re.fullmatch(r"\d{5}-\d{7}-\d", written):
        return "national_id"
    if re.fullmatch(r"\d{3}-\d{2}-\d{4}", written):
        return "ssn"
    if run.before.endswith("+") and 9 <= count <= 15:  # E.164
        return "phone"
    if re.fullmatch(r"\(?\d{3}\)?[-. ]?\d{3}[-.]\d{4}", written) and re.search(r"[-.)]", written):
        return "phone"
    return None


def _by_cue(cue: str | None, count: int, digits: str, run: Run) -> str | None:
    """Kinds that a cue word names, within the lengths each can have (corrections make it longer)."""
    slack = count if run.is_corrected else 0
    ranges = {
        "card": (8, 19 + slack),
        "cvv": (3, 4 + slack),
        "pin": (4, 8 + slack),
        "expiry": (3, 6 + slack),
        "account": (5, 17 + slack),
        "iban": (8, 30 + slack),
        "national_id": (6, 15 + slack),
        "ssn": (4, 9 + slack),
        "phone": (7, 15 + slack),
        "dob": (4, 8 + slack),
        "zip": (5, 9 + slack),
    }
    if cue not in ranges or (LAST_DIGITS.search(run.before) and cue != "ssn"):
        return None
    least, most = ranges[cue]
    if not least <= count <= most:
        return None
    return "address" if cue == "zip" else cue
