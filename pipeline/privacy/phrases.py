"""Finds private data other than plain numbers: names, addresses, e-mail addresses, dates, passwords, IBANs.

All patterns work on the text of one turn, in any case, with or without punctuation. Finds are
(kind, start, end), in characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.privacy import languages, mail, passwords, rules, urdu
from pipeline.text.first_names import COMMON_TOO, first_names
from pipeline.text.words import CLEAR_FILLERS, SMALL, TENS, count_words, one_of


def not_any(words: str) -> str:
    """A pattern (negative lookahead) that none of these words follows; each word may be a pattern itself."""
    return rf"(?!(?:{'|'.join(words.split())})\b)"


FILLER = one_of(CLEAR_FILLERS)
NUMBER_WORD = rf"(?:(?:{'|'.join([*SMALL, *TENS])}|oh|hundred|thousand|double|triple)\b|\d+)"
NUMBER = rf"(?:{NUMBER_WORD}(?:[\s-]+(?:and\s+)?{NUMBER_WORD}){{0,8}})"
MONTH = rf"(?:{rules.MONTH}|{urdu.MONTHS})"
ORDINAL = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?|(?:twenty|thirty)?[\s-]?(?:first|second|third|fourth|fifth|sixth|seventh|"
    r"eighth|ninth|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    rf"nineteenth|twentieth|thirtieth)|{NUMBER_WORD}(?:[\s-]{NUMBER_WORD})?)"
)
URDU_NUMBER = r"(?:\d+|" + "|".join(re.split(r"[\s/]+", f"{urdu.NUMBERS} {urdu.HUNDRED}".strip())) + r")\b"
DATE = (
    rf"(?:{URDU_NUMBER}\s+{MONTH}\b(?:\s+{URDU_NUMBER}){{0,4}}|(?:the\s+)?{ORDINAL}\s+(?:of\s+)?{MONTH}\b(?:,?\s+(?:of\s+)?{NUMBER})?"
    rf"|(?:the\s+)?{ORDINAL}\s+of\s+(?:the\s+)?{ORDINAL}\s+{NUMBER}"
    rf"|{MONTH}\b(?:\s+the)?(?:\s+{ORDINAL})?(?:,?\s+(?:of\s+)?{NUMBER})?"
    r"|\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4})"
)
BIRTH_CUE = re.compile(r"birth ?(?:day|date)?\b|\bborn\b|\bd\.? ?o\.? ?b\b|paidaish|پیدائش", re.I)
BIRTH = re.compile(rf"(?:{BIRTH_CUE.pattern})\W+(?:\w+\W+){{0,5}}?(?P<it>{DATE})", re.I)
ANSWERED_DATE = re.compile(rf"\b(?:{DATE})", re.I)
EXPIRY_CUE = re.compile(rf"expir|valid (?:until|thru|till)|{languages.CUES['expiry']}", re.I)
EXPIRY_DATE = rf"(?P<it>{MONTH}\b(?:,?\s+(?:of\s+)?{NUMBER})|\d{{1,2}}(?:\s?[/-]\s?|\s+of\s+)\d{{2,4}})"
EXPIRY = re.compile(
    rf"(?:expir\w*|\bexp\b|valid (?:thru|through|until|till))\W+(?:\w+\W+){{0,4}}?{EXPIRY_DATE}", re.I
)
ANSWERED_EXPIRY = re.compile(EXPIRY_DATE, re.I)
EXPIRY_ELSEWHERE = re.compile(languages.EXPIRY, re.I)
STREET_TYPE = (
    r"(?:street|st|st\.|road|rd|avenue|ave|lane|drive|dr|close|court|ct|boulevard|blvd|way|place|square|"
    r"terrace|crescent|gardens?|grove|hill|parade|highway|parkway|circle|mohalla|colony|gali)"
)
NO_STREETS = """
    and or but to we i you they he she it is are was were at from when if that this do did does will would
    can could a an for with so then per than until till [ap]m
"""  # not in the name of a street: "we open at nine thirty and close at six"
STREET = re.compile(
    rf"\b(?:(?:flat|apartment|apt|unit|suite|house|plot|number|no)\s+(?:number\s+|no\s+)?{NUMBER}"
    rf"(?:\s?[a-d]\b|[a-z]\b)?,?\s+)?{NUMBER}(?:\s?[a-d]\b|[a-z]\b)?,?\s+"
    r"(?!(?:minutes|hours|days|dollars|of|more|people|different|times)\b)(?!(?:on|in|of)\b)"
    rf"(?:(?:{not_any(NO_STREETS)}[a-z']+|st\.|\d+(?:st|nd|rd|th))\s+){{1,3}}?{STREET_TYPE}\b"
    rf"(?:,?\s+(?:apartment|apt|unit|suite|flat)\s+{NUMBER}(?:\s?[a-d]\b)?)?",
    re.I,
)
HOUSE = re.compile(
    r"\b(?:(?:house|flat|plot|apartment|apt|unit|makan|ghar|مکان|گھر|فلیٹ)\s+(?:number|no\.?|نمبر|#)?\s*"
    rf"{NUMBER}(?:[\s-]?[a-d]\b)?,?\s+)?"
    r"(?:(?:street|block|sector|phase|gali|lane|گلی|بلاک|سیکٹر|فیز)\s+(?:number\s+|no\.?\s+|نمبر\s+)?"
    rf"(?:{NUMBER}|[a-z]\b(?:[\s-]?{NUMBER})?)[,\s]*){{1,4}}"
    r"(?:[a-z]-?\d{1,2}(?:/\d)?\b)?",  # Islamabad's sectors: F-8/3
    re.I,
)
HOUSE_CUE = re.compile(
    r"house|flat|plot|apartment|live|address|deliver|ghar|pata|makan|مکان|گھر|پتہ|گلی", re.I
)
PO_BOX = re.compile(rf"\bp\.?\s?o\.?\s?box\s+{NUMBER}", re.I)
POSTCODE_CUE = re.compile(r"post|\bzip\b", re.I)
READ_OUT = rf"{not_any('hundred thousand double triple')}{NUMBER_WORD}"
APART = r"[\s,.-]+"
UK_POSTCODE = re.compile(
    rf"\b(?:[A-Z]{{1,2}}\d[A-Z\d]?\s?\d[A-Z]{{2}}"  # written; or read out: "L S six, three J Q"
    rf"|[A-Z](?:{APART})?[A-Z]?{APART}{READ_OUT}(?:{APART}(?:{READ_OUT}|[A-Z]))?{APART}{READ_OUT}"
    rf"{APART}{not_any('uh um er ah no of in is it')}[A-Z](?:{APART})?[A-Z])\b",
    re.I,
)
IBAN_CHARS = 300  # thirty characters, each said as a word
ALNUM_RUN = re.compile(
    rf"\b[a-z]\s?[a-z]\s?{NUMBER_WORD}(?:[\s-]*(?:[a-z]\b|{NUMBER_WORD}|[a-z]{{4}}(?=\s?\d))){{6,}}", re.I
)
IBAN_WRITTEN = re.compile(r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]){11,30}\b", re.I)
IBAN_CUE = re.compile(r"\bi\s?ban\b|آئی بین", re.I)
IBAN_SPELLED = re.compile(r"\b[a-z][\s.-]+[a-z][\s.-]+\d(?:[\s.-]+[a-z0-9]){11,30}\b", re.I)
DOCUMENT_CUE = re.compile(r"passport|driv\w+(?:['’]s)? licen[cs]e|licen[cs]e number", re.I)
DOCUMENT_NUMBER = (
    rf"\b{not_any('is of in on at to as no or so it my an am up he be we')}(?P<it>[a-z]{{1,2}}[\s-]?(?:"
    rf"\d(?:[\s-]?\d){{5,13}}|{NUMBER_WORD}(?:[\s-]+{NUMBER_WORD}){{4,13}}))\b"
)  # one or two letters and digits, as in passports and in driving licences of most states of the US
DOCUMENT = re.compile(rf"(?:{DOCUMENT_CUE.pattern})\W+(?:\w+\W+){{0,3}}?{DOCUMENT_NUMBER}", re.I)
ANSWERED_DOCUMENT = re.compile(DOCUMENT_NUMBER, re.I)
NATIONAL_INSURANCE = re.compile(
    rf"(?:national insurance|\bni number)\W+(?:\w+\W+){{0,3}}?"
    rf"(?P<it>[a-z]\s?[a-z]\s?{NUMBER_WORD}(?:[\s-]*{NUMBER_WORD}){{0,5}}\s?[a-d])\b",
    re.I,
)

NO_NAMES = """
    and i i'm my from calling speaking here with on the a an at in is it it's so but to for because not
    your you we this that am was just about how what can could would may are please thank thanks again who
    uh um of today sir ma'am okay yes no well first last middle name spelled spelt going trying looking
    sorry having back good fine still really very number account or if as correct right do need want have
    help great wonderful nice ridiculous unacceptable urgent terrible crazy important awful perfect
    unbelievable frustrating someone somebody anyone anybody him her them me us customer hello hi hey date
    phone email there they he she listed wrong then by under now
"""
NAME_WORD = rf"{not_any(NO_NAMES)}[^\W\d_](?:['’-]?[^\W\d_])+"
NAME = rf"(?P<it>{NAME_WORD}(?:(?:\s+|,?\s+(?:{FILLER}),?\s+){NAME_WORD}){{0,2}})"
SPELLED = r"(?P<it>[a-z](?:[\s.-]+(?:as in \w+\s+)?[a-z]\b){2,})"
NAMES = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        (
            r"\b(?:my|her|his|their|your|the|account holder'?s?|mother'?s maiden|maiden|full|cardholder'?s?)"
            r"(?: (?:full|first|last|middle|maiden|given|family))? name(?:'s| is| was|s)?"
            rf"(?: (?:is|{FILLER}|it's|on the account is))*\s+{NAME}"
        ),
        rf"\b(?:first|last|maiden|family|middle) name(?:'s)?(?: is)? (?:it's )?{NAME}",
        rf"\bname (?:is|of|on (?:it|the (?:card|account)) (?:is|says))\s+{NAME}",
        (
            rf"\b(?:speaking (?:with|to)|(?:am i|are you) (?:speaking|talking) (?:with|to)|this is|it's)\s+"
            rf"(?:mr\.?|mrs\.?|ms\.?|miss|mister|missus|doctor|dr\.?)\s+{NAME}"
        ),
        rf"\b(?:mr|mrs|ms|mister|missus)\.?\s+{NAME}",
        r"\b(?:miss|doctor|dr\.?)\s+(?P<it>(?-i:[A-Z])[^\W\d_]+(?:['’-][^\W\d_]+)*)",
        rf"\bthis is\s+{NAME}\s+(?:calling|speaking|from|here|on|at|with)\b",
        (
            rf"\b(?:hi|hello|hey|morning|afternoon|evening)\W+this is\s+(?P<it>{NAME_WORD}\s+{NAME_WORD}"
            rf"(?:\s+{NAME_WORD})?)[,.]?\s+(?:and )?i(?:['’](?:m|d|ve)| am| have| would)\b"
        ),
        rf"(?<!['’])\b{NAME}\s+speaking\b",
        rf"\b(?:you(?:'re| are)|am i|are you) (?:speaking|talking) (?:with|to)\s+{NAME}",
        rf"\b(?:i am|i'm)\s+(?P<it>{NAME_WORD}\s+{NAME_WORD})\s+(?:calling|and i(?:'m| am) calling|from)\b",
        (
            rf"\b(?:it's|that's|is)?\s*(?:spelled|spelt|spell(?:ing)?)(?: it| that)?(?: (?:as|it's|"
            rf"is))?\s+{SPELLED}"
        ),
        rf"\b(?:mera naam|mera nam)\s+{NAME}\s+(?:hai|he|hy)\b",
        rf"\b(?:main|mein|mai|میں)\s+{NAME}\s+(?:bol|baat kar|بول|بات کر)\s+(?:rah[aei]|رہ[اےی])\b",
        r"\bمیرا نام\s+(?P<it>[^\W\d_]+(?:\s+[^\W\d_]+)?)\s+ہے",
    )
)

INTRODUCED = r"\b(?i:this is|i['’]m|i am)\s+(?P<it>{name}(?:\s+{name}){{0,4}})"
CAPITALISED = re.compile(
    INTRODUCED.format(
        name=rf"(?:(?:van|von|de|del|della|der|den|la|bin|al)\s+)*"
        rf"(?i:{not_any(NO_NAMES)})[A-ZÀ-ÖØ-ÞĆČĐŁŚŞŠŻŽ](?:\.|(?:['’-]?[^\W\d_])*)"
    )
)
IN_SMALL_LETTERS = re.compile(INTRODUCED.format(name=NAME_WORD), re.I)
COMPANY_WORDS = """
    account accounts air airlines airways bank banking billing care clinic college communications company
    corporation credit customer department desk electric energy financial finance gas group health hospital
    hotels? inc insurance internet limited line llc loans ltd media medical mobile mortgage motors national
    network office power sales school security services? solutions store supply support systems? team
    technical technologies telecom union university utilities water wireless
"""
OF_A_COMPANY = re.compile(rf"\b(?:{'|'.join(COMPANY_WORDS.split())})\b", re.I)
OFTEN_NO_NAMES = COMMON_TOO | {"april", "august", "christian", "india", "israel", "june", "may", "roman"}
"""First names that are one only if a surname follows: "I'm Christian", "this is May"."""
NATIONS = frozenset(["french", "german"])
NAME_CUE = re.compile(r"\bname\b", re.I)
NAME_ASKED = re.compile(
    r"(?:(?:your|the|what) (?:mother'?s )?(?:full |first |last |middle |maiden )?name|who (?:am i|do i have)|"
    r"(?:speaking|talking) (?:with|to))\b(?!.*\b(?:address|email|number|on file)\b)",
    re.I,
)
LEAD = (
    rf"(?:yes|yeah|sure|certainly|absolutely|okay|it's|it is|that's|this is|{FILLER}|hi|of course|my name is)"
)
ANSWERED_NAME = re.compile(rf"^\W*(?:{LEAD}[\s,]+)*{NAME}\W*$", re.I)
BESIDE_BIRTH = re.compile(rf"\b(?:{DATE}|{NUMBER_WORD}[\s-]+{NUMBER_WORD}|\d{{3,}})", re.I)
ANSWERED_BEFORE_BIRTH = re.compile(
    rf"^\W*(?:{LEAD}[\s,]+)*(?!{LEAD}\b){NAME}(?=\W*(?:$|[,.;]|(?:and|my|born|date|birth\w*|d\.?\s?o\.?\s?b)\b))",
    re.I,
)
ANSWERED_AFTER_BIRTH = re.compile(rf"^\W*(?:and\W+)?(?:{LEAD}[\s,]+)*(?!{LEAD}\b){NAME}\W*$", re.I)
WHO_ASKED = re.compile(
    r"\b(?:your|her|his|their|the|what|full|first|last|middle) name\b|\bsurname\b|who (?:am i|do i have)|"
    r"(?:speaking|talking) (?:with|to)\b",
    re.I,
)
ANSWER_BEGINS = re.compile(rf"^\W*(?:{LEAD}[\s,.]+)*{NAME}(?=\W*$|[,.])", re.I)
SPELLING_ASKED = re.compile(r"\bspell|\bsurname\b", re.I)
SPELLED_ANSWER = re.compile(rf"\b{SPELLED}", re.I)
SPELLED_NAME = re.compile(rf"\bname\b.{{0,80}}?(?<!['’])\b{SPELLED}", re.I)
MAX_ANSWER_WORDS = 7
TOLD = (
    ("dob", BIRTH),
    ("expiry", EXPIRY),
    ("address", STREET),
    ("address", PO_BOX),
    ("national_id", DOCUMENT),
    ("national_id", NATIONAL_INSURANCE),
    *(("name", pattern) for pattern in NAMES),
    ("name", SPELLED_NAME),
)
"""What is recognised by the words around it, by its kind."""
ANSWERED = (
    (EXPIRY_CUE, "expiry", ANSWERED_EXPIRY),
    (DOCUMENT_CUE, "national_id", ANSWERED_DOCUMENT),
    (SPELLING_ASKED, "name", SPELLED_ANSWER),
)
"""What is recognised by the question: the question, its kind, the answer."""


def find(text: str, asked: str) -> Iterator[tuple[str, int, int]]:
    """Everything private in one turn that is not a plain number.

    ``asked`` is what the other side said before, since an answer may not name what it gives.
    """
    for kind, pattern in TOLD:
        yield from _named(pattern, kind, text)
    for asked_for, kind, answer in ANSWERED:
        if asked_for.search(asked):
            yield from _named(answer, kind, text)
    if BIRTH_CUE.search(asked):
        yield from _answered_birth(text, NAME_CUE.search(asked) is not None)
    if NAME_ASKED.search(asked) and count_words(text) <= MAX_ANSWER_WORDS:
        yield from _named(ANSWERED_NAME, "name", text)
    if HOUSE_CUE.search(text):
        for match in HOUSE.finditer(text):
            yield "address", match.start(), match.start() + len(match.group().rstrip(" ,"))
    if EXPIRY_CUE.search(text) or EXPIRY_CUE.search(asked):
        yield from _named(EXPIRY_ELSEWHERE, "expiry", text)
    if POSTCODE_CUE.search(text) or POSTCODE_CUE.search(asked):
        yield from _named(UK_POSTCODE, "address", text)
    for kind, places in (
        ("email", mail.find(text)),
        ("pin", passwords.find(text, asked)),
        ("iban", _ibans(text)),
        ("name", _introduced(text)),
        ("name", _answered_name(text) if WHO_ASKED.search(asked) else ()),
    ):
        yield from ((kind, start, end) for start, end in places)


def _introduced(text: str) -> Iterator[tuple[int, int]]:
    """Names after "this is" and "I'm": these begin with a first name, unlike brands, bills and moods.

    In small letters a surname cannot be told from the words after it, unless nothing else follows.
    """
    has_capitals = re.search(r"[A-Z](?=[a-z])", text)
    for match in (CAPITALISED if has_capitals else IN_SMALL_LETTERS).finditer(text):
        said = match["it"].split()
        first, *others = [word.lower() for word in said]
        has_surname = bool(has_capitals and others)
        is_name = has_surname if first in OFTEN_NO_NAMES else first in first_names()
        if not is_name or first in NATIONS or OF_A_COMPANY.search(match["it"]):
            continue
        if has_capitals or len(said) <= 2:
            yield match.span("it")
        else:
            yield match.start("it"), match.start("it") + len(said[0])


def _answered_name(text: str) -> Iterator[tuple[int, int]]:
    """The name with which an answer begins: a known first name, or a name of several words."""
    if match := ANSWER_BEGINS.match(text):
        said = match["it"].split()
        is_known = said[0].lower() in first_names() and said[0].lower() not in OFTEN_NO_NAMES
        is_written = len(said) > 1 and all(word[0].isupper() for word in said)
        if (is_known or is_written) and not OF_A_COMPANY.search(match["it"]):
            yield match.span("it")


def _answered_birth(text: str, with_name: bool) -> Iterator[tuple[str, int, int]]:
    """The dates in an answer, and the name in it that stands beside one: "June Smith" is no date."""
    names = list[tuple[str, int, int]]()
    for date in BESIDE_BIRTH.finditer(text) if with_name else ():
        names += _named(ANSWERED_BEFORE_BIRTH, "name", text[: date.start()])
        after = _named(ANSWERED_AFTER_BIRTH, "name", text[date.end() :])
        names += [(kind, date.end() + start, date.end() + end) for kind, start, end in after]
    yield from names
    for kind, start, end in _named(ANSWERED_DATE, "dob", text):
        if all(end <= first or last <= start for _, first, last in names):
            yield kind, start, end


def _named(pattern: re.Pattern[str], kind: str, text: str) -> Iterator[tuple[str, int, int]]:
    """Every match of a pattern, or of its group ``it`` if it has one."""
    private = "it" if "it" in pattern.groupindex else 0
    for match in pattern.finditer(text):
        yield kind, match.start(private), match.end(private)


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in IBAN_WRITTEN.finditer(text):
        if rules.iban(match.group()) or IBAN_CUE.search(text[: match.start()]):
            yield match.span()
    yield from (match.span() for match in IBAN_SPELLED.finditer(text) if rules.iban(match.group()))
    if cue := IBAN_CUE.search(text):
        yield from (match.span() for match in ALNUM_RUN.finditer(text, cue.end(), cue.end() + IBAN_CHARS))
