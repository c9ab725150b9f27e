"""Whether what a phrase says is denied where it was found: "not", "nobody" or "no" over a match.

A denial holds from its word on until another clause begins: after "but" or "because", or with a subject of
its own ("I don't have it, we will call you back"), unless the first clause asks for a second ("I don't think
we will"). Where many other words stand between, it cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pipeline.text.words import Words, word_set

Denied = Literal["", "perhaps denied", "denied"]

ENGLISH = word_set("not never nobody nothing none without neither nor cannot hardly non")
WITH_NO = ENGLISH | {"no"}
OTHER = word_set("""
no nunca jamás nadie nada ningún ninguna ninguno tampoco sin ni não ninguém nenhum nenhuma sem nem pas jamais
rien aucun aucune sans nicht kein keine keinen keiner keinem keines nie niemals niemand nichts ohne non mai
nessuno nessuna niente senza niet geen nooit niemand niets zonder
nahi nahin nahee mat नहीं नही मत ना बिना نہیں نہ مت بغیر لا لم لن ليس ليست بدون
""")
"""Denials of Spanish, Portuguese, French, German, Italian, Dutch, Hindi, Urdu and Arabic, for phrases that
are not English."""
WITHOUT_NOT = word_set(
    "free zero knot unable fail fails failed lacks refused declined stopped excluded waived"
)
"""Words that can say what a phrase with "not" says ("free of charge" for "no charge"), and "not" misheard."""
NOT_DENIED = word_set("only just forget worry hesitate mind")
"""After a denial: "not only", "don't forget", "never mind" deny nothing."""
BEFORE_NO = word_set("""
is are was were be been have has had having got get gets with at in of by under pay see need owe say take
makes make find found there absolutely
""")
"""Before a "no" that goes with a noun ("there is no fee"), unlike an answer ("no we will send it")."""
DOUBTS = word_set("wish wished doubt doubtful refuse refused refuses unable")
"""Before a match they leave open whether it holds: "I wish I could", "I doubt we will"."""
ASKS_FOR_CLAUSE = (
    word_set("""
think thinking say saying said believe mean means know sure true guess suppose that if whether way nor or like
of
""")
    | DOUBTS
)
"""Before the subject of a clause that the denial holds for as well."""
BREAKS = word_set("but because cos so however although though therefore otherwise then")
NOMINATIVES = word_set("i we they he she")
SUBJECTS = word_set("you it this that there who the your my our his her their")
"""Words that begin a clause if one of ``AUXILIARIES`` is the next word or the one after ("this call is")."""
AUXILIARIES = word_set("""
is are was were am will would can could have has had do does did should may might must shall need needs
""")
SURELY, REACH = 4, 12
"""Words over which an English denial surely holds, and words over which it perhaps does."""
AFTER = 1
OTHER_REACH, OTHER_AFTER = 1, 2  # in Urdu, Hindi and German a denial follows


def words_of(english: bool) -> frozenset[str]:
    """The words that deny, "no" among them."""
    return WITH_NO if english else OTHER


def denies(words: Sequence[str], english: bool) -> bool:
    """Whether a phrase denies something by itself; "no" alone is an answer."""
    return not words_of(english).isdisjoint(words) and tuple(words) != ("no",)


def may_deny(words: Sequence[str]) -> bool:
    """Whether English words can mean what a phrase that denies does: "we are unable to", "free of charge"."""
    return not (WITH_NO | WITHOUT_NOT).isdisjoint(words)


def denied(said: Words, text: str, first: int, last: int, *, english: bool) -> Denied:
    """Whether a match of the words ``first`` to ``last`` is denied, by a word in it or around it."""
    found: Denied = ""
    for at in range(
        max(0, first - REACH), min(len(said.words), last + 1 + (AFTER if english else OTHER_AFTER))
    ):
        if english and at <= last and said.words[at] in DOUBTS:
            how: Denied = "perhaps denied" if at >= first or _before(said, text, at, first, english) else ""
        elif not _is_denial(said, text, at, range(first, last + 1), english):
            continue
        elif at > last:
            how = _after(said, text, at, last)
        elif at >= first:
            how = "denied"
        else:
            how = _before(said, text, at, first, english)
        if how == "denied":
            return how
        found = how or found
    return found


def _is_denial(said: Words, text: str, at: int, match: range, english: bool) -> bool:
    word = said.words[at]
    if word not in words_of(english):
        return False
    following = said.words[at + 1] if at + 1 < len(said.words) else ""
    if following in NOT_DENIED and english:
        return False
    if word != "no":
        return True
    if not following or _marks(said, text, at, at + 1):
        return False  # an answer: "No, we will"
    if not english:
        return True
    return following in ("one", "way") or at in match[1:] or (at > 0 and said.words[at - 1] in BEFORE_NO)


def _before(said: Words, text: str, at: int, first: int, english: bool) -> Denied:
    if said.parted(text, at, first):
        return ""
    if not english:
        near = first - at - 1 <= OTHER_REACH and not _marks(said, text, at, first)
        return "denied" if near else ""
    inverted = said.words[at + 1] in AUXILIARIES  # "nor will we": its own subject follows
    for place in range(at + 1 + 2 * inverted, first + 1):
        if said.words[place] in BREAKS:
            return ""
        new_clause = _begins_clause(said, place)
        if new_clause and (
            _marks(said, text, place - 1, place) or said.words[place - 1] not in ASKS_FOR_CLAUSE
        ):
            return ""
    return "denied" if first - at - 1 <= SURELY else "perhaps denied"


def _after(said: Words, text: str, at: int, last: int) -> Denied:
    if said.words[at] == "without" or said.parted(text, last, at) or _marks(said, text, last, at):
        return ""
    return "denied"


def _begins_clause(said: Words, at: int) -> bool:
    """Whether a word is the subject of a clause: "we", "you will", "this call is"."""
    word, following = said.words[at], said.words[at + 1 : at + 3]
    return word in NOMINATIVES or (word in SUBJECTS and not AUXILIARIES.isdisjoint(following))


def _marks(said: Words, text: str, first: int, last: int) -> bool:
    """Whether a comma or dash stands between two neighbouring words or anywhere between two words."""
    return any(mark in ",;:–—،" for mark in text[said.ends[first] : said.starts[last]])
