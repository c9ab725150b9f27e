"""Finds passwords, memorable words and answers to security questions that somebody says.

A password can be any words, so everything from "my password is" to the end of the clause is private, as is a
short answer to a question for one. Remarks about a password ("is not working") are not private.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.text.words import CLEAR_FILLERS, FILLERS, count_words, one_of

WHAT = (
    r"(?:pass\s?(?:word|phrase|code)|memorable (?:word|name|place)|"
    r"(?:secret|security|code) (?:word|phrase|answer)|"
    r"answer to (?:your|my|the) security question)"
)
SAID_OF_IT = """
    not n't never wrong incorrect invalid expire expired locked reset\\w* case required needed being too
    no (?:do|does|did|is|was|are|were|has|have|had)(?:n't)? page screen link field box manager with from still
    at going saved something protected correct working changed updated sent different gone blocked rejected
    accepted on in because where when what how for about there also important stored secure safe good bad
    weak strong easy hard old new now asking i you we they please and or but so to that that's if can could
    would will temporar\\w+ empty blank unknown confidential private ready done fine okay ok
"""
FILLER, PAUSE = one_of(CLEAR_FILLERS), rf"\b(?:{one_of(FILLERS)})(?=,)"
TELLING = rf"(?!(?:the same|{'|'.join(SAID_OF_IT.split())})\b)"
END = r"(?=\s*(?:[,.;!?]|$|\b(?:and|but|so|can|could|please|thanks?|okay|ok|is that|i|that's|if)\b))"
WHOSE = (
    r"(?:(?:that |which )?(?:i|we|you|they)(?:['’](?:m|re|ve|d))?"
    r"(?: (?!(?:think|know|guess|my|your|the|it|that|this|and|but)\b)\w+){1,4}? (?=is\b|was\b|used to be\b))"
)
"""As in "the password I use is", but not in "my password I think the problem is"."""
UNTOLD = (
    r"(?!(?:it|that|this|them|these|those|one|something|anything|the same|the|a|an|my|your|our|their|his|her|"
    r"what\S*|which\S*|up|in|not|only|to)\b)"
)
"""Words that describe a password without telling it: "use something long as the password"."""
TOLD = (
    re.compile(
        rf"\b{WHAT}\s*(?:on (?:it|the account|my account|file|there)\s*)?{WHOSE}?"
        r"(?:[,.]?\s*(?:it )?used to be\s|"
        rf",?\s*(?:(?:is|'s|was|will be|should be|would be|it's|it is|that's|{FILLER})\b|{PAUSE}|:|=)"
        r"\s*[,:]?\s*)+"
        r"(?:the word |as in |all (?:one word|lower ?case)[, ]+)?"
        rf"{TELLING}(?P<it>\S+?(?:\s+\S+?){{0,11}}?){END}",
        re.I,
    ),
    re.compile(  # "username bob, password tiger"
        r"\b(?:user ?(?:name|id)|log ?in|e-?mail|account)\b[^.;!?]{1,80}?"
        rf"[\s,]{WHAT}\s*[:,]?\s+{TELLING}(?P<it>[^\s,.;!?]+)",
        re.I,
    ),
    re.compile(  # "it's tiger, that's the password"
        r"(?:\bit's\s|\bit is\s|^)\s*(?P<it>[^.;!?]{2,80}?)[,.;]?\s+"
        rf"that(?:'s| is) (?:my|the|our) {WHAT}\b",
        re.I,
    ),
    re.compile(  # "try tiger as the password"
        rf"\b(?:try|tried|use|used|using|put|enter|entered|type|typed|have|had|set)\s+{UNTOLD}"
        rf"(?P<it>[^\s,.;!?]+(?:\s+[^\s,.;!?]+){{0,5}}?)\s+as (?:my|the|your|our|a) {WHAT}\b",
        re.I,
    ),
)
ASKED = re.compile(
    rf"\b{WHAT}\b(?!.*\b(?:reset|forgot\w*|changed?|sent|link|e-?mail\w*|expired?|wrong|incorrect)\b)"
    r"[^.!]*(?:\?|$)",
    re.I,
)
YES_OR_NO = re.compile(
    r"^\W*(?:(?:and|so|okay|but|well)\W+)*(?:do|did|does|have|has|is|are|was|were|would|will)\b", re.I
)
SAYS_YES = re.compile(r"^\W*(?:yes|yeah|yep|sure|it's|it is|that's)\b.*\S\s\S", re.I)
ANSWER = re.compile(
    r"^\W*(?:(?:yes|yeah|yep|sure|okay|ok|it's|it is|it should be|that's|that is|that would be|"
    rf"{FILLER}|of course|i think|i believe|my password is|the password is)\b[\s,:]*)*"
    r"(?P<it>[^\s,.;!?][^.;!?]*)",
    re.I,
)
NO_ANSWER = re.compile(
    r"^(?:u[hm]+|e[rm]+|h?mm+|mhm|uh huh|right|the|what\S*)\W*$|"
    r"\b(?:don't|do not|didn't|can't|cannot|forgot\w*|not sure|no idea|never|haven't|hold on|"
    r"one (?:moment|second|sec)|let me|why|what|which|remember|wrong|reset|sorry|yes|no|sure|okay)\b",
    re.I,
)
MAX_ANSWER_WORDS = 16  # a password may be spelled letter by letter


def find(text: str, asked: str) -> Iterator[tuple[int, int]]:
    """Characters (start, end) of the passwords in a turn, given the question before it."""
    lowered = text.lower()
    if "pass" in lowered or " word" in lowered or "security" in lowered or "memorable" in lowered:
        for pattern in TOLD:
            for match in pattern.finditer(text):
                yield match.start("it"), match.end("it")
    if asked and ASKED.search(asked) and count_words(text) <= MAX_ANSWER_WORDS:
        answer = ANSWER.search(text)
        is_answered = SAYS_YES.search(text) or not YES_OR_NO.search(asked)
        if answer is not None and is_answered and not NO_ANSWER.search(answer["it"]):
            yield answer.start("it"), answer.end("it")
