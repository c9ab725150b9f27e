"""Made-up conversations in which numbers are asked for and told in many ways, and ordinary numbers too."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.privacy import numbers

ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = tuple(numbers.TEENS)
TENS = ("", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ASKED = {
    "card": (
        "What's the card number?", "Can I have the long number on the front of your card, please?",
        "Could you read me the sixteen digits?", "Which card would you like to use?",
        "go ahead with the visa number whenever you are ready", "And the number on the card for this order?",
        "I'll take the payment now, what's the number on your Mastercard?",
    ),
    "cvv": (
        "And the security code?", "What are the three digits on the back?",
        "And the code on the back of the card?", "the CVV please",
        "and the three little numbers on the signature strip", "three-digit code?",
        "can i get the last three digits on the back",
    ),
    "expiry": (
        "What's the expiry date on the card?", "And when does it expire?", "expiration?", "Valid until?",
        "and the expiry please", "What date is it good through?",
    ),
    "pin": (
        "What's your PIN?", "Can you tell me the pin for your card?", "What's the passcode on the account?",
        "I've just texted you a code, what is it?", "read me the one-time code please",
        "What's the six-digit code we sent?",
    ),
    "account": (
        "What's the account number?", "Can you give me your account number for the booking?",
        "And which account is that?", "your account number please",
        "What's the routing number on the cheque?",
    ),
    "ssn": (
        "What's your social security number?", "And your social?", "Can I have your SSN, please?",
        "could you verify your full social for me", "What is the social on the account?",
    ),
    "phone": (
        "What is your phone number?", "And a callback number?", "What's the best number for the order?",
        "how can we reach you", "Is there another number?", "Can I get a good number to reach you on?",
        "And your cell?", "Any alternate number for the file?",
    ),
}  # fmt: skip
LEADS = (
    "", "", "It's ", "Yes, it's ", "Sure. ", "um ", "Okay, ", "that's ", "Yeah, so that's ", "okay it is ",
)  # fmt: skip
TAILS = ("", "", ".", ".", " okay", ". Thank you.", ", please", ". Did you get that?")
BACK = ("Okay.", "mm-hmm", "Go ahead.", "Right.", "uh huh", "Got it.", "Yep, and the rest?", "yes")
THANKS = ("Thank you.", "Perfect.", "Great, thanks.", "Okay.", "Got it.")
ORDINARY = (
    "That comes to {price} with tax.", "It was {price}, not {price}.",
    "we open at {time} and close at {time}", "I bought it on {date}.", "It's a {year} Honda Civic.",
    "The stock number is {stock}.", "the stock number's {stock}", "She came in {year} and left in {year}.",
    "My order number is {stock}.", "I have about {count} miles on it.",
    "It has {count} miles on the odometer.", "There are {few} of us.", "I waited for {few} minutes.",
    "Stock {stock}. {stock}. One moment now.", "I've been a customer since {year}.",
    "{few} days ago, at {time}", "Your appointment is on {date} at {time}.", "the reference is {stock}",
    "It costs {price} a month for {few} months.", "The {year} model or the {year} one?",
    "flight {few} leaves at {time}", "My ticket is {stock}, from {date}.",
    "The part number is {stock} and it was {price}.", "I've had the account since {year}.",
    "my card was charged {price} on {date}", "they called me at {time} about the {year} Camry",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """A number that was told, and what it is."""

    kind: str
    digits: str


def with_check_digit(body: str) -> str:
    """The digits with the one after them that makes them a card's number (Luhn)."""
    total = sum(sum(divmod(int(d) * (2 - place % 2), 10)) for place, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def number(kind: str, rng: random.Random) -> str:
    """Digits of a kind."""

    def some(count: int) -> str:
        return "".join(rng.choice("0123456789") for _ in range(count))

    return {
        "card": lambda: _card(rng),
        "cvv": lambda: some(3),
        "expiry": lambda: f"{rng.randint(1, 12):02d}{rng.randint(26, 32)}",
        "pin": lambda: some(rng.choice([4, 6])),
        "account": lambda: some(rng.choice([8, 9, 10, 12])),
        "ssn": lambda: some(9),
        "phone": lambda: rng.choice("23456789") + some(2) + rng.choice("23456789") + some(6),
    }[kind]()


def _card(rng: random.Random) -> str:
    start = rng.choice(["4", "51", "55", "6011"])
    return with_check_digit(start + "".join(rng.choice("0123456789") for _ in range(15 - len(start))))


def groups(kind: str, digits: str, rng: random.Random) -> list[str]:
    """The digits in the groups people say them in."""
    sizes = {"phone": [3, 3, 4], "ssn": [3, 2, 4], "expiry": [2, 2]}.get(kind)
    if sizes is None:
        size = rng.choice([2, 3, 4, 4, len(digits)]) if len(digits) > 3 else len(digits)
        sizes = [size] * (len(digits) // size + 1)
    return cut(digits, sizes)


def cut(digits: str, sizes: Iterable[int]) -> list[str]:
    """The digits in groups of these sizes; what is left over is a group too."""
    parts, at = [], 0
    for size in sizes:
        parts.append(digits[at : at + size])
        at += size
    return [part for part in (*parts, digits[at:]) if part]


def spoken(group: str, rng: random.Random, how: str) -> str:
    """One group as figures or in words."""
    if how == "figures":
        return group
    if how == "pairs" and len(group) % 2 == 0 and all(group[i] != "0" for i in range(0, len(group), 2)):
        return " ".join(_pair(group[i : i + 2]) for i in range(0, len(group), 2))
    said, at = [], 0
    zero = rng.choice(["zero", "oh"])
    while at < len(group):
        word = zero if group[at] == "0" else ONES[int(group[at])]
        if how == "doubles" and group[at : at + 2] == group[at] * 2:
            said.append(f"double {word}")
            at += 2
        else:
            said.append(word)
            at += 1
    return " ".join(said)


def _pair(two: str) -> str:
    if two[0] == "1":
        return TEENS[int(two[1])]
    return TENS[int(two[0])] + (f" {ONES[int(two[1])]}" if two[1] != "0" else "")


def answer(kind: str, digits: str, rng: random.Random) -> list[tuple[str, str]]:
    """A question and its answer, over one or several turns."""
    how = rng.choice(["figures", "words", "words", "pairs", "doubles"])
    said = [spoken(group, rng, how) for group in groups(kind, digits, rng)]
    turns = [("agent", rng.choice(ASKED[kind]))]
    lead, tail = rng.choice(LEADS), rng.choice(TAILS)
    if len(said) > 1 and rng.random() < 0.3:
        for at, group in enumerate(said):
            turns.append(("customer", (lead if at == 0 else "") + group))
            if at + 1 < len(said):
                turns.append(("agent", rng.choice(BACK) if rng.random() < 0.6 else group))
    else:
        between = rng.choice(["-", " "]) if how == "figures" else rng.choice([" ", " ", ", ", "... "])
        turns.append(("customer", lead + between.join(said) + tail))
    if rng.random() < 0.3:
        turns.append(("agent", f"So that's {' '.join(said)}?"))
        turns.append(("customer", rng.choice(["Yes.", "That's right.", "Correct, yes."])))
    elif rng.random() < 0.3:
        turns.append(("agent", rng.choice(THANKS)))
    return turns


def conversation(rng: random.Random) -> tuple[list[tuple[str, str]], list[Told]]:
    """Two to four numbers asked for one after the other."""
    turns: list[tuple[str, str]] = [
        ("agent", "Thank you for calling, how can I help you today?"),
        ("customer", "Hi, I'd like to sort something out, please."),
    ]
    told = []
    for kind in rng.sample(sorted(ASKED), rng.randint(2, 4)):
        digits = number(kind, rng)
        told.append(Told(kind, digits))
        turns += answer(kind, digits, rng)
    return turns, told


def ordinary(rng: random.Random) -> list[tuple[str, str]]:
    """A conversation in which no number is anybody's secret."""
    turns = []
    for _ in range(rng.randint(3, 8)):
        text = re.sub(r"{(\w+)}", lambda slot: _filled(slot[1], rng), rng.choice(ORDINARY))
        turns.append((rng.choice(["agent", "customer"]), text))
    return turns


def _filled(slot: str, rng: random.Random) -> str:
    year = rng.randint(1985, 2026)
    said_year = (
        f"{_pair(str(year)[:2])} {_pair(str(year)[2:])}"
        if year % 100 > 9
        else f"two thousand {ONES[year % 100] if year % 100 else ''}".strip()
    )
    dollars = rng.randint(3, 2500)
    return {
        "price": lambda: rng.choice([
            f"${dollars:,}.{rng.randint(10, 99)}", f"{dollars} dollars", f"${dollars}",
        ]),
        "time": lambda: rng.choice([
            f"{rng.randint(1, 12)}:{rng.randint(10, 59)}", f"{ONES[rng.randint(1, 9)]} thirty",
            f"{rng.randint(1, 12)} p.m.",
        ]),
        "date": lambda: rng.choice([
            f"{rng.randint(1, 12)}/{rng.randint(1, 28)}/{year}", f"March {rng.randint(1, 28)}, {year}",
            f"{year}-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}",
        ]),
        "year": lambda: str(year) if rng.random() < 0.6 or year < 2000 else said_year,
        "stock": lambda: rng.choice([
            f"{rng.randint(10**7, 10**8 - 1)}", f"{rng.randint(1000, 9999)} {rng.randint(1000, 9999)}",
            " ".join(ONES[rng.randint(1, 9)] for _ in range(8)),
        ]),
        "count": lambda: rng.choice([f"{rng.randint(10, 99)},000", f"{rng.randint(10000, 99999)}"]),
        "few": lambda: rng.choice([
            str(rng.randint(2, 400)), ONES[rng.randint(2, 9)], _pair(str(rng.randint(10, 99))),
        ]),
    }[slot]()  # fmt: skip
