"""Which language a turn is in: callers of a bilingual desk change it from turn to turn.

The recogniser's or the file's word counts, except where the letters or the words say otherwise:
written channels seldom declare a language, and Urdu typed in Latin letters is declared English.
"""

from __future__ import annotations

import re

from pipeline.conversation import Turn
from pipeline.text.words import tokens, word_set

LATIN_OR_UNKNOWN = ("en", "")
ARABIC_LETTER = re.compile(r"[\u0621-\u064A\u0671-\u06D3]")
LATIN_LETTER = re.compile(r"[a-zA-Z\u00C0-\u024F]")
OTHER = "xx"  # letters that are neither Latin nor Arabic: some language, not English
LETTER = re.compile(r"[^\W\d_]")
# Function words, the commonest verbs and numbers of Urdu in Latin letters that are no English words.
ROMAN_URDU_WORDS = word_set("""
hai hain hoon hun tha thi thay nahi nahin mujhe mujhay mera meri mere aap aapka aapki aapke apka
apki apna apni hum humein humara kya kyun kyon kab kahan kaise kaisay kitna kitne kitni bohat bohot
bahut acha achha theek thik raha rahi rahay rahe gaya gayi gaye karo karna karni karne karwana
karwani karein karain karta karti karte kijiye dijiye dena dein baat wala wali walay abhi phir lekin
magar aur yeh woh koi kuch sab bhi ko ka ki ke jee ji haan janab sahab bhai yaar shukriya masla
maslay sifr sifar aik ek panch paanch chay chhay saat aath
""")
ROMAN_SHARE = 1 / 3  # of a turn's words; a borrowed "acha" in an English sentence stays below
ROMAN_WORDS = 2


def language_of(turn: Turn, declared: str | None) -> str:
    """ISO 639-1 code of a turn, from its own or its transcript's declaration, or its words.

    Args:
        turn: Whose ``language`` outranks the transcript's.
        declared: The transcript's language, None when unknown.

    Returns:
        The code, or ``xx`` where nothing is declared and the letters are of another script.
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
    roman = sum(word in ROMAN_URDU_WORDS for word in words)
    return "ur" if roman >= ROMAN_WORDS and roman >= ROMAN_SHARE * len(words) else "en"
