"""Decides the kind of a number read out: a card, an account, a telephone number..., or harmless.

Check digits (Luhn: ISO/IEC 7812-1; IBAN: ISO 7064 mod 97) and formats decide where they can, else the cue
words before the number (``cues``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise

from pipeline.conversation import Turn
from pipeline.privacy import cues, languages, numbers, urdu
from pipeline.privacy.numbers import Run

QUANTITY_AFTER = re.compile(
    r"^[^\w.,;:?!،۔।]*(?:dollars?|pounds?|euros?|rupees?|cents?|bucks|percent|%|minutes?|hours?|days?|weeks?|months?|"
    r"years?|times|o'?clock|[ap]\.? ?m\b|kilo\w*|miles?|gigs?|gb|mb|points?|people|items?|thousand|million|"
    rf"hundred|{urdu.UNITS_AFTER}|{languages.UNITS_AFTER})"
)
LAST_DIGITS = re.compile(
    r"(?:last|final|ending|ends)\W+(?:(?:in|with|of|four|three|two|4|digits?|the|my|your|card|is|are|"
    r"it's)\W+)*$"
)
DAY = r"(?:0?[1-9]|[12]\d|3[01])"
WRITTEN_DATE = re.compile(rf"{DAY}([-/.]){DAY}\1(?:19|20)?\d{{2}}|(?:19|20)\d{{2}}-[01]\d-[0-3]\d")
YEAR = re.compile(r"(?:19[3-9]|20[0-4])\d")
YEAR_CUE = re.compile(r"\b(?:in|since|from|until|till|of|year|a|an|the|my)\W+$")
MONTH = (
    r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
MONTH_CUE = re.compile(rf"\b(?:{MONTH})\W+(?:the\W+)?$")
MONTH_DIGITS = 6  # "march 27, 1990"
UNDATED = frozenset({"cvv", "pin", "ssn", "dob", "expiry"})  # after these cues, a date is not harmless
MAX_BREAKS = 12  # a run with more breaks is a list, and the rest of them is ignored
ISSUERS = re.compile(r"^(?:4|5[1-5]|2[2-7]|3[0-9]|6)")  # Visa, Mastercard, Amex/Diners/JCB, Discover/Maestro


def luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1: every second digit from the right doubled, the sum is divisible by ten."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def iban(text: str) -> bool:
    """The check of ISO 13616: with country and check digits moved to the end, the remainder by 97 is 1."""
    text = re.sub(r"\W", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def holds_card(digits: str) -> bool:
    """Whether the digits contain a payment card's number, as they do if it is said twice or corrected."""
    return any(
        ISSUERS.match(digits[start:]) and luhn(digits[start : start + length])
        for length in (16, 15, 14, 19)
        for start in range(len(digits) - length + 1)
    )


def is_card(digits: str) -> bool:
    """Whether the digits are a payment card's number of one of the two usual lengths."""
    return len(digits) in (15, 16) and bool(ISSUERS.match(digits)) and luhn(digits)


def kinds(run: Run, turns: Sequence[Turn]) -> Iterator[tuple[Run, str | None]]:
    """The numbers that a run consists of, each with its kind.

    A run is cut where the other side asked for another number, and before a quantity at the end of a part:
    "319. 50 pounds". A part that is neither private nor harmless as a whole is cut at its breaks, too.
    """
    asked = [run] if is_card(run.digits) else numbers.parts(run, run.ends, turns)
    for part in chain.from_iterable(_without_quantity(part, turns) for part in asked):
        kind = kind_of(part)
        if kind is None and not is_cleared(part):
            yield from _split(part, turns)
        else:
            yield part, kind


def _without_quantity(run: Run, turns: Sequence[Turn]) -> list[Run]:
    """A run, cut before its last number if a unit follows, since the unit says nothing about the others."""
    if is_card(run.digits) or not QUANTITY_AFTER.match(run.after):
        return [run]
    place = numbers.last_number(run.tokens)
    return numbers.parts(run, [place], turns) if place else [run]


def _split(run: Run, turns: Sequence[Turn]) -> Iterator[tuple[Run, str | None]]:
    """Cut a run at its breaks so that the fewest digits have no kind and, of such cuts, into fewest parts.

    If some digits have no kind and there is a card's number anywhere in the run, all of it is a card.
    """
    best: list[tuple[int, int, list[tuple[Run, str | None]]]] = [(0, 0, [])]  # the best cut up to each edge
    edges = [0, *run.breaks[:MAX_BREAKS], len(run.tokens)]
    for end in range(1, len(edges)):
        choices = []
        for start in range(end):
            unknown, count, parts = best[start]
            last = numbers.part(run, edges[start], edges[end], turns)
            kind = kind_of(last)
            unknown += 0 if kind is not None else len(last.digits)
            choices.append((unknown, count + 1, [*parts, (last, kind)]))
        best.append(min(choices, key=lambda choice: choice[:2]))
    unknown, _, parts = best[-1]
    if unknown and _may_hold_card(run):
        yield run, "card"
    else:
        yield from parts


def _may_hold_card(run: Run) -> bool:
    """Whether a card's number may be in a run: said twice, corrected, or with its date and code."""
    cue = _cue(run)
    if len(run.digits) < 14 or cue in ("harmless", "account", "iban", "phone", "national_id"):
        return False
    return holds_card(run.digits) or any(is_card(reading) for reading in run.corrected())


def _cue(run: Run) -> str | None:
    return cues.nearest(run.before, len(run.digits), is_corrected=run.is_corrected)


def is_quantity(run: Run) -> bool:
    """Whether a unit follows the number, "901 dollars", "three ten p.m.", and it is short enough for one."""
    return len(run.digits) <= cues.QUANTITY_DIGITS["money"] and bool(QUANTITY_AFTER.match(run.after))


def is_cleared(run: Run) -> bool:
    """Whether the words around the number make it harmless: an order number, a price, a year."""
    cue = _cue(run)
    if cue == "harmless" or is_quantity(run):
        return True
    if YEAR.fullmatch(run.digits) and YEAR_CUE.search(run.before):
        return cue not in ("dob", "expiry")
    return _is_date(run, cue)


def _is_date(run: Run, cue: str | None) -> bool:
    """Whether a run is a date, or nothing but years and dates one after the other."""
    if cue in UNDATED:
        return False
    after_month = MONTH_CUE.search(run.before)
    if len(run.digits) <= MONTH_DIGITS and after_month:
        return True
    edges = [0, *run.breaks, len(run.tokens)]
    parts = [numbers.written(run.tokens[start:end]) for start, end in pairwise(edges)]
    if after_month and len(parts[0]) <= 2:  # "march 22, 1985", and a year after it
        parts = parts[1:]
    return all(YEAR.fullmatch(part) or WRITTEN_DATE.fullmatch(part) for part in parts)


def kind_of(run: Run) -> str | None:
    """The private kind of a number; None if it has none.

    The surest signs are tried first: check digits, written formats, then cue words with their lengths.
    """
    digits, count = run.digits, len(run.digits)
    if count < 3:
        return None
    cue = _cue(run)
    by_format = _by_format(run, cue)
    if by_format is not None:
        return by_format
    if is_cleared(run):
        return None
    said_once = _said_once(digits)
    if said_once != digits:
        return kind_of(replace(run, digits=said_once, breaks=(), ends=()))
    is_phone_length = count == 10 or (count in (11, 12) and (cue == "phone" or digits[0] == "0"))
    if cue in (None, "phone", "zip") and is_phone_length:
        return "phone"
    if cue is None and 14 <= count <= 19 and ISSUERS.match(digits):
        return "card"  # with a misheard digit, so that the check digit is wrong
    return _by_cue(cue, run)


def _said_once(digits: str) -> str:
    """The digits of a number once, if they are the same number said two or three times."""
    for times in (2, 3):
        once = digits[: len(digits) // times]
        if len(once) >= 5 and once * times == digits:
            return once
    return digits


def _by_format(run: Run, cue: str | None) -> str | None:
    digits, count, written = run.digits, len(run.digits), numbers.written(run.tokens)
    if (
        cue != "national_id"
        and count >= 14
        and not (cue == "harmless" and run.breaks)  # two order numbers one after the other
        and (is_card(digits) or any(is_card(token.digits) for token in run.tokens))
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


def _by_cue(cue: str | None, run: Run) -> str | None:
    """The kind that the cue names, if it can have that many digits."""
    count = len(run.digits)
    if cue == "cvv" and cues.fits("pin", count) and count > cues.LENGTHS["cvv"][1]:
        return "pin"  # a longer security code is not the card's, but one that was sent
    if cue is None or not cues.fits(cue, count, is_corrected=run.is_corrected):
        return None
    if LAST_DIGITS.search(run.before) and cue not in ("ssn", "cvv"):
        return None
    return "address" if cue == "zip" else cue
