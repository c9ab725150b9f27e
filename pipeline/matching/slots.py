"""Finds the words that fill a slot of a phrase: ``{name}``, ``{amount}``, ``{date}``, ``{number}``.

In a text with capital letters a name is recognised by its capital, in others by a list of first names
(``text/first_names.py``): "this is Travis" has a name, "this is about your bill" has none.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.matching.ordinary import CONTENT, load
from pipeline.text.first_names import COMMON_TOO, first_names
from pipeline.text.words import Words, one_of, words

SLOT = re.compile(r"\{(\w+)\}")
MARK = re.compile(r"[\[<{]\s*([A-Za-z]+(?:[ _-][A-Za-z]+)*)[ _-]?\d*\s*[\]>}]")
"""What stands for removed private data: callqa's "[NAME]", and "<Person>", "{PHONE_NUMBER}", "[PERSON 1]"."""
MARKED = {
    "name": frozenset(["name", "person", "agent"]),
    "amount": frozenset(["amount", "money", "price"]),
    "date": frozenset(["date", "dob", "birth", "birthday", "expiry", "time"]),
    "number": frozenset([
        "account", "aadhaar", "card", "cnic", "cvv", "digits", "iban", "id", "number", "phone", "pin",
        "postcode", "reference", "ssn", "zip",
    ]),
}  # fmt: skip
"""Words of such marks, by the slot that they fill; those of ``ANY_MARK`` fill every slot."""
ANY_MARK = frozenset(["masked", "pii", "redacted", "removed"])
MONEY_BEFORE = frozenset(["rs", "inr", "pkr", "usd", "aed", "gbp", "eur"])
"""Currencies that are mostly written before the number; a quote ends with the number."""
MONEY = MONEY_BEFORE | frozenset([
    "dollar", "dollars", "pound", "pounds", "euro", "euros", "rupee", "rupees", "cent", "cents", "penny",
    "pence", "quid", "bucks", "fiver", "fivers", "tenner", "tenners", "grand", "dirham", "dirhams", "riyal",
    "riyals",
])  # fmt: skip
MONTHS = frozenset([
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december",
])  # fmt: skip
DAYS = frozenset([
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "tomorrow", "tonight",
    "today", "yesterday",
])  # fmt: skip
ORDINALS = frozenset([
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth", "thirtieth",
])  # fmt: skip
PERIODS = frozenset(["morning", "afternoon", "evening", "weekend", "week", "month", "year"])
UNITS = PERIODS | {"day", "hour", "minute", "gallon", "each", "piece", "person", "unit"}
"""What an amount is paid for; it does not tell a price from a balance."""
THIS = frozenset(["this", "next", "coming", "following"])
"""Words that make a date of one of ``PERIODS``: "next week", "this afternoon"."""
ENDINGS = frozenset(["st", "nd", "rd", "th"])
HALVES = frozenset(["am", "pm"])
CLOCK = HALVES | {"o'clock", "oclock", "noon", "midnight"}
DEPARTMENTS = frozenset([
    "accounts", "bank", "banking", "billing", "claims", "collections", "customer", "english", "internet",
    "insurance", "reception", "reservations", "sales", "security", "service", "services", "support",
    "technical",
])  # fmt: skip
"""Departments, which are not names: "this is Billing"."""
TITLES = frozenset(["mister", "mr", "missus", "mrs", "miss", "ms", "doctor", "dr", "sir", "madam"])
ARTICLES = frozenset(["a", "an", "the"])
"""Words after which no person's name stands: "this is a WhatsApp number"."""
CALLED = frozenset(["sir", "madam"])
"""Titles that are said without a name, so the word after one need not be a name: "I'm sorry sir you"."""
MONTH, UNSURE_MONTHS = one_of(MONTHS), frozenset(["may", "march"])
NUMBER = r"\d[\d.]*"
MANY = "(?:million|lakh|crore)"
ENDS = r"(?= \.|$)"
LENGTH = "(?:minute|hour|day|week|fortnight|month|year)"
ORDINAL = f"(?:{one_of(ORDINALS)})"
DAY = rf"(?:\d{{1,2}}|\d{{4}}|{ORDINAL})"
LATE_ORDINAL = f"(?:{one_of(ORDINALS - {'first', 'second', 'third'})})"
"""Without those that are said of much besides days."""
PRICED = r"(?:owe[sd]?|costs?|pay|paid|charged?|price|fee|balance|bill|total)"
AFTER_PRICED = r"(?: (?:you|us|me|is|was|of|only|just|about|exactly))*"
HOUR, AT = r"(?:1[0-2]|[1-9])", "(?:at|by|around|about|before|after|until|till|from)"
AFTER_HOUR = "(?:in the|on|and|so|then|please|okay|today|tonight|tomorrow)"
SPAN = rf"{NUMBER}(?: (?:to|or) {NUMBER})?(?: (?:working|business|calendar|full))? {LENGTH}s?"
FORMS = {
    slot: [re.compile(rf"(?<![^ ]){form}(?![^ ])") for form in forms]
    for slot, forms in {
        "number": (rf"({NUMBER})",),
        "amount": (
            rf"({NUMBER} (?:{one_of(MONEY)}))",
            rf"((?:{one_of(MONEY - MONEY_BEFORE)}) {NUMBER})",
            rf"(?:{one_of(MONEY_BEFORE)})(?: \.)? ({NUMBER})",
            r"(\d+\.\d\d|\d{1,3}(?: \d\d)+)",
            rf"({NUMBER} and a half(?: {MANY})? (?:{one_of(MONEY)}))",
            rf"((?:half )?a {MANY} (?:{one_of(MONEY)}))",
            r"an? (pound|dollar|euro|quid|grand|rupee|dirham|fiver|tenner)(?! of\b)",
            rf"({NUMBER} p)(?!(?: \.)? a?m\b)",
            rf"({NUMBER}) (?:(?:an?|per|each|every) (?:{LENGTH}|night|person|unit)|monthly|weekly|yearly)",
            rf"{PRICED}{AFTER_PRICED} ({NUMBER})(?:{ENDS}|(?= (?:on|for|by|but|now|today|plus)\b))",
        ),
        "date": (
            rf"({one_of((DAYS | MONTHS | CLOCK) - UNSURE_MONTHS - HALVES)})",
            rf"(?:{one_of(THIS)}) ({one_of(PERIODS)})",
            rf"({NUMBER}(?: {NUMBER})?)(?: [ap])?(?: \.)? (?:{one_of(ENDINGS | CLOCK)})",
            rf"({DAY})(?: (?:{one_of(ENDINGS)}))?(?: of)? ({MONTH})",
            rf"({MONTH})(?: the| of)? ({DAY})",
            rf"((?:half|quarter|{NUMBER}) past \d\d?)",
            r"(quarter to \d\d?)",
            rf"{AT} ({HOUR} [0-5][05]|(?:half|(?:5|10|20|25) to) {HOUR})",
            rf"(?:at|by|before|after|until|till) ({HOUR})(?:{ENDS}|(?= {AFTER_HOUR}\b))",
            rf"(?:in|within)(?: the next)? ({SPAN})",
            rf"(?:in|within) (?:an?|the next) (?!minute|day)({LENGTH})",
            r"within the (hour|day|week|month)",
            rf"in the (morning|afternoon|evening){ENDS}",
            r"(end of (?:day|(?:the )?(?:week|month|year))|(?<=by the )end of the day|close of business)",
            rf"the ({LATE_ORDINAL})(?:{ENDS}|(?= (?:at|between|before|after|until|if|so|then)\b))",
            rf"(?:on|by|from|until|till|before|after) the ({ORDINAL}){ENDS}",
            rf"the ((?:(?:20|30) )?{ORDINAL}) of (?:the|this|next|each|every) month",
            rf"the ((?:20|30) {ORDINAL}){ENDS}",
            r"((?:christmas|new years?) (?:eve|day))",
            r"(?:by|before|after|until|till|over|this|next) (christmas|easter|thanksgiving|eid|diwali)",
            r"((?:boxing|independence|labou?r|memorial|republic|veterans|thanksgiving|valentines?) day)",
            r"((?:bank|public|national) holiday)",
        ),
    }.items()
}
"""What fills a slot: the groups of each form, which are of the normalised words, with a full stop as a word
of its own where a sentence ends."""
MONTH_NUMBER, LATE_DAY = r"(?:0?[1-9]|1[0-2])", r"(?:1[3-9]|2\d|3[01])"
WRITTEN = re.compile(
    r"(?<![\d:/.-])(?:(?:[01]?\d|2[0-3]):[0-5]\d|(?:19|20)\d\d-[01]\d-[0-3]\d|"
    rf"\d\d?([/.-])\d\d?\1(?:19|20)\d\d|\d\d?/\d\d?/\d\d|(?!24/7){LATE_DAY}/{MONTH_NUMBER}|"
    rf"{MONTH_NUMBER}/{LATE_DAY}|0\d/\d\d?|\d\d?/0\d)(?![\d:/])"
)
"""Times and dates in figures: "15:30", "14/06", "2026-06-14"; not "9/10" or "24/7"."""


@lru_cache(maxsize=8192)
def places(slot: str, text: str) -> tuple[int, ...]:
    """Numbers of the words of a text that fill a slot, one of ``MARKED``."""
    said = words(text)
    written = [
        mark.span()
        for mark in MARK.finditer(text)
        if (MARKED[slot] | ANY_MARK).intersection(re.split(r"[ _-]", mark[1].lower()))
    ]
    written += [date.span() for date in WRITTEN.finditer(text) if slot == "date"]
    line, starts = "", list[int]()
    for i, word in enumerate(said.words):
        line += " . " if i and said.parted(text, i - 1, i) else " " if i else ""
        starts.append(len(line))
        line += word
    found = [form for pattern in FORMS.get(slot, ()) for form in pattern.finditer(line)]
    spoken = [form.span(group) for form in found for group in range(1, form.re.groups + 1)]
    return tuple(
        i
        for i in range(len(said.words))
        if any(low <= said.starts[i] < high for low, high in written)
        or any(low <= starts[i] < high for low, high in spoken)
        or (slot == "name" and _is_name(said, i, text))
    )


def names_in(text: str) -> list[tuple[int, int]]:
    """Where a text has names, as (start, end) characters; "bill" in small letters is not one."""
    said = words(text)
    return [
        (said.starts[i], said.ends[i])
        for i in places("name", text)
        if text[said.starts[i]].isupper()
        or (said.words[i] in first_names() and said.words[i] not in COMMON_TOO)
    ]


def _is_name(said: Words, at: int, text: str) -> bool:
    word, written = said.words[at], text[said.starts[at] : said.ends[at]]
    if at and said.words[at - 1] in TITLES - CALLED:
        rare = word in first_names() or load().weight(word) >= CONTENT
        return word not in TITLES and (rare or written[:1].isupper())
    if not word.isalpha() or len(word) < 2 or word in DAYS or word in MONTHS:
        return False
    if at and said.words[at - 1] in ARTICLES:
        return False
    stated = said.words[max(0, at - 2) : at] in (("name", "is"), ("my", "name")) and word not in TITLES
    if not re.search(r"[A-Z](?=[a-z])", text):  # without capitals
        return word in first_names() or (stated and word not in load().known)
    if not written[:1].isupper():
        return False
    if word in first_names():
        return True
    if word in load().known and not _is_introduced(said, at, text):
        return False
    return stated or not _in_longer_name(said, at, text)


def _is_introduced(said: Words, at: int, text: str) -> bool:
    """Whether a capitalised ordinary word is given as a name: "This is Silver"."""
    word = said.words[at]
    introduced = bool(at) and said.words[at - 1] in ("is", "am") and not said.parted(text, at - 1, at)
    return introduced and word not in TITLES | DEPARTMENTS and load().weight(word) >= CONTENT


def _in_longer_name(said: Words, at: int, text: str) -> bool:
    """Whether another capitalised word is beside it, as in "Elm Rock Hospital": not a person's name."""
    beside = [i for i in (at - 1, at + 1) if 0 <= i < len(said.words)]
    return any(
        text[said.starts[i] : said.ends[i]][:1].isupper()
        and said.words[i] not in first_names()
        and not said.parted(text, min(i, at), max(i, at))
        and said.words[i] not in ("i", *TITLES)
        for i in beside
    )
