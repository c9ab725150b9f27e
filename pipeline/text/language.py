"""Tells the language of a turn: on bilingual lines callers change it from turn to turn.

The language declared by the recogniser or the file is used unless the letters or words contradict it:
written channels seldom declare a language, and Urdu in Latin letters is often declared English.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def language_of(turn: Turn, declared: str | None) -> str:
    """ISO 639-1 code of a turn's language; its own outranks ``declared``, the transcript's.

    Returns:
        The declared code unless it is English or missing; else ``ur`` or ``en`` by letters and words, or
        ``xx`` where the letters are of another script.
    """
    language = (turn.language or declared or "").lower()[:2]
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
