"""What a number read out is: a card, an account, a telephone number, or nobody's secret.

Formats and check digits decide where they can (Luhn: ISO/IEC 7812-1; IBAN: ISO 7064 mod 97);
else the cue words before (``cues``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.conversation import Turn
from pipeline.privacy import cues, numbers, urdu
from pipeline.privacy.numbers import Run

QUANTITY_AFTER = re.compile(
    r"^\W*(?:dollars?|pounds?|euros?|rupees?|cents?|bucks|percent|%|minutes?|hours?|days?|weeks?|months?|"
    r"years?|times|o'?clock|[ap]\.? ?m\b|kilo\w*|miles?|gigs?|gb|mb|points?|people|items?|thousand|million|"
    rf"hundred|{urdu.UNITS_AFTER})"
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
UNDATED = frozenset({"cvv", "pin", "ssn", "dob", "expiry"})  # asked for these, a date is an answer
MAX_BREAKS = 12  # a run with more parts than this is a list
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


def kinds(run: Run, turns: Sequence[Turn]) -> Iterator[tuple[Run, str | None]]:
    """A run as the numbers it is made of, each with its kind.

    Where the other side asked for another number it is cut; elsewhere it is cut at its breaks when
    that explains every digit and the run as a whole is nothing known.
    """
    parts = numbers.part(run, run.ends, turns) if run.ends and not is_card(run.digits) else [run]
    for one in parts:
        kind = kind_of(one)
        if kind is None and not is_cleared(one):
            yield from _explained(one, turns)
        else:
            yield one, kind


def _explained(run: Run, turns: Sequence[Turn]) -> Iterator[tuple[Run, str | None]]:
    """The fewest parts that leave the fewest digits unexplained; a card somewhere inside makes it a card."""
    best: list[tuple[int, int, list[tuple[Run, str | None]]]] = [(0, 0, [])]
    edges = [0, *run.breaks[:MAX_BREAKS], len(run.tokens)]
    for end in range(1, len(edges)):
        choices = []
        for start in range(end):
            open_digits, count, told = best[start]
            one = _between(run, edges[start], edges[end], turns)
            kind = kind_of(one)
            left = 0 if kind is not None else len(one.digits)
            choices.append((open_digits + left, count + 1, [*told, (one, kind)]))
        best.append(min(choices, key=lambda choice: choice[:2]))
    unexplained, _, told = best[-1]
    if unexplained and _may_hold_card(run):
        yield run, "card"
    else:
        yield from told


def _between(run: Run, start: int, end: int, turns: Sequence[Turn]) -> Run:
    places = [at for at in (start, end) if 0 < at < len(run.tokens)]
    return numbers.part(run, places, turns)[1 if start else 0]


def _may_hold_card(run: Run) -> bool:
    """Whether a card's number is somewhere in it: read twice, corrected, or with its date and code."""
    cue = _cue(run)
    if len(run.digits) < 14 or cue in ("harmless", "account", "iban", "phone", "national_id"):
        return False
    return holds_card(run.digits) or any(is_card(reading) for reading in run.corrected())


def _cue(run: Run) -> str | None:
    return cues.nearest(run.before, len(run.digits), is_corrected=run.is_corrected)


def is_quantity(run: Run) -> bool:
    """Whether a unit follows: "901 dollars", "three ten p.m."."""
    return bool(QUANTITY_AFTER.match(run.after))


def is_cleared(run: Run) -> bool:
    """Whether the words around say that it is nobody's secret: an order number, a price, a year."""
    cue = _cue(run)
    if cue == "harmless" or is_quantity(run):
        return True
    if YEAR.fullmatch(run.digits) and YEAR_CUE.search(run.before):
        return cue not in ("dob", "expiry")
    return _is_date(run, cue)


def _is_date(run: Run, cue: str | None) -> bool:
    """Whether it is a date, or nothing but years and dates one after the other."""
    if cue in UNDATED:
        return False
    after_month = MONTH_CUE.search(run.before)
    if len(run.digits) <= MONTH_DIGITS and after_month:
        return True
    edges = [0, *run.breaks, len(run.tokens)]
    parts = [numbers.written(run.tokens[start:end]) for start, end in itertools.pairwise(edges)]
    if after_month and len(parts[0]) <= 2:  # "march 22, 1985", and a year after it
        parts = parts[1:]
    return all(YEAR.fullmatch(part) or WRITTEN_DATE.fullmatch(part) for part in parts)


def kind_of(run: Run) -> str | None:
    """Which private thing one number is; None when it is none.

    The order is the order of certainty: check digits, written formats, then cue words with the
    lengths they allow.
    """
    digits, count = run.digits, len(run.digits)
    if count < 3:
        return None
    cue = _cue(run)
    by_itself = _by_format(run, cue)
    if by_itself is not None:
        return by_itself
    if is_cleared(run):
        return None
    said_once = _said_once(digits)
    if said_once != digits:
        return kind_of(replace(run, digits=said_once, breaks=(), ends=()))
    if (
        cue in (None, "phone", "zip")
        and count in (10, 11, 12)
        and (cue == "phone" or digits[0] == "0" or count == 10)
    ):
        return "phone"
    if cue is None and 14 <= count <= 19 and ISSUERS.match(digits):
        return "card"  # misheard, so that its check digit is wrong
    return _by_cue(cue, run)


def _said_once(digits: str) -> str:
    """A number that was said twice or three times, once."""
    for times in (2, 3):
        once = digits[: len(digits) // times]
        if len(once) >= 5 and once * times == digits:
            return once
    return digits


def _by_format(run: Run, cue: str | None) -> str | None:
    """Kinds recognised by check digits or written shape."""
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
    """Kinds that a cue word names, within the lengths each can have."""
    count = len(run.digits)
    if cue == "cvv" and cues.fits("pin", count) and count > cues.LENGTHS["cvv"][1]:
        return "pin"  # a security code of six digits was sent, not printed
    if cue is None or not cues.fits(cue, count, is_corrected=run.is_corrected):
        return None
    if LAST_DIGITS.search(run.before) and cue not in ("ssn", "cvv"):
        return None
    return "address" if cue == "zip" else cue
