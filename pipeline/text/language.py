"""Tells the language of a turn: on bilingual lines callers change it from turn to turn.

The language declared by the recogniser or the file is used unless the letters or words contradict it:
written channels seldom declare a language, and Urdu in Latin letters is often declared English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pipeline.conversation import Turn
from pipeline.text.words import tokens, word_set

LISTED = ("en", "ur")
"""The languages of the phrase lists with which ``annotate`` finds facts in words."""
LATIN_OR_UNKNOWN = ("en", "")
ARABIC_LETTER = re.compile(r"[\u0621-\u064A\u0671-\u06D3]")
LATIN_LETTER = re.compile(r"[a-zA-Z\u00C0-\u024F]")
OTHER = "xx"  # the letters are neither Latin nor Arabic, so the language is unknown but not English
LETTER = re.compile(r"[^\W\d_]")
# Function words, common verbs and numbers of Urdu in Latin letters that are not English words too.
ROMAN_URDU_WORDS = word_set("""
hai hain hoon hun tha thi thay nahi nahin mujhe mujhay mera meri mere aap aapka aapki aapke apka
apki apna apni hum humein humara kya kyun kyon kab kahan kaise kaisay kitna kitne kitni bohat bohot
bahut acha achha theek thik raha rahi rahay rahe gaya gayi gaye karo karna karni karne karwana
karwani karein karain karta karti karte kijiye dijiye dena dein baat wala wali walay abhi phir lekin
magar aur yeh woh koi kuch sab bhi ko ka ki ke jee ji haan janab sahab bhai yaar shukriya masla
maslay sifr sifar aik ek panch paanch chay chhay saat aath
""")
ROMAN_SHARE = 1 / 3  # least share of a turn's words; a borrowed "acha" in an English sentence is below
ROMAN_WORDS = 2  # least number of such words

_CODES = """afr af alb sq amh am ara ar arm hy asm as aze az bak ba baq eu bel be ben bn bod bo bos bs
bre br bul bg bur my cat ca ces cs chi zh cmn zh cym cy cze cs dan da deu de dut nl ell el eng en est et
eus eu fao fo fas fa fil tl fin fi fra fr fre fr geo ka ger de glg gl gre el guj gu hat ht hau ha heb he
hin hi hrv hr hun hu hye hy ice is ind id isl is ita it jav jv jpn ja kan kn kat ka kaz kk khm km kor ko
lao lo lat la lav lv lin ln lit lt ltz lb mac mk mal ml mao mi mar mr may ms mkd mk mlg mg mlt mt mon mn
mri mi msa ms mya my nep ne nld nl nno nn nob nb nor no oci oc pan pa per fa pol pl por pt pus ps ron ro
rum ro rus ru san sa sin si slk sk slo sk slv sl sna sn snd sd som so spa es sqi sq srp sr sun su swa sw
swe sv tam ta tat tt tel te tgk tg tgl tl tha th tib bo tuk tk tur tr ukr uk urd ur uzb uz vie vi wel cy
yid yi yor yo yue zh zho zh
arabic ar bengali bn chinese zh danish da dutch nl english en finnish fi french fr german de
greek el hebrew he hindi hi indonesian id italian it japanese ja korean ko malay ms norwegian no persian fa
polish pl portuguese pt punjabi pa romanian ro russian ru spanish es swedish sv tagalog tl tamil ta
turkish tr ukrainian uk urdu ur vietnamese vi"""
_TWO_LETTERS = dict(zip(_CODES.split()[::2], _CODES.split()[1::2], strict=True))
"""Codes of ISO 639-1 by those of 639-2 and 639-3 (loc.gov/standards/iso639-2) and by the English names that
recognisers write, of the common languages."""
_TAG = re.compile(r"([a-z]{2,3})(?:[-_][a-z0-9]{2,8})*")


@lru_cache(maxsize=256)
def code_of(stated: str) -> str:
    """The shortest ISO 639 code of a language tag or name (``en-US``, ``eng``, ``English``), or ""."""
    tag = stated.strip().lower()
    found = _TAG.fullmatch(tag)
    return _TWO_LETTERS.get(found[1] if found else tag, found[1] if found else "")


def language_of(turn: Turn, declared: str | None) -> str:
    """ISO 639-1 code of a turn's language; its own outranks ``declared``, the transcript's.

    Returns:
        The declared code unless it is English or missing; else ``ur`` or ``en`` by letters and words, or
        ``xx`` where the letters are of another script.
    """
    language = code_of(turn.language or declared or "")
    if language not in LATIN_OR_UNKNOWN:
        return language
    letters = len(LETTER.findall(turn.text))
    if letters and 2 * len(ARABIC_LETTER.findall(turn.text)) > letters:
        return "ur"
    if letters and 2 * len(LATIN_LETTER.findall(turn.text)) < letters:
        return OTHER
    words = [token.text for token in tokens(turn.text) if LATIN_LETTER.search(token.text)]
    return "ur" if is_roman_urdu(words) else "en"


def is_roman_urdu(words: Sequence[str]) -> bool:
    """Whether words in Latin letters, in lower case, are Urdu."""
    roman = sum(word in ROMAN_URDU_WORDS for word in words)
    return roman >= ROMAN_WORDS and roman >= ROMAN_SHARE * len(words)
