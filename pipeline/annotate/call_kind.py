"""What kind of call it is, where it is no conversation: a voicemail.

A message left on a machine has one side that greets and falls silent and one that speaks to nobody;
or, where the machine's greeting was not recorded, one side only, who asks to be called back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pipeline.conversation import Finding, Role, Transcript, Turn
from pipeline.text.words import count_words

GREETING = re.compile(
    r"leave (?:(?:me|us|him|her|them) )?(?:a|your|the)?\s?(?:\w+ ){0,4}message|"
    r"(?:after|at) the (?:tone|beep)|record your message|mail ?box|voice ?mail|voice messag\w+ system",
    re.I,
)
MACHINE = re.compile(
    rf"{GREETING.pattern}|record your name|forwarded to|"
    r"(?:is|am|are)(?: not|n't) (?:available|able to (?:take|answer))|"
    r"(?:can't|cannot|can not|unable to) (?:come to the phone|take your call|answer)|"
    r"you(?:'ve| have) reached|when you(?:'re| are) (?:done|finished)|hang up|press (?:\w+|#|\d)",
    re.I,
)
MESSAGE = re.compile(
    r"(?:call|ring|phone|text|email|reach|contact|get) (?:me|us) (?:back|on|at)|"
    r"give (?:me|us) a (?:call|ring|buzz|shout)(?: back)?|return (?:my|this|the|our) call|"
    r"when(?:ever)? you (?:get|have|hear) (?:this|a (?:chance|moment|minute))|"
    r"(?:got|get) (?:this|my) message|"
    r"(?:leav|left)\w* (?:you )?(?:a|this|another) (?:quick )?(?:message|voicemail)|"
    r"(?:sorry|just) (?:i |to have )?missed (?:you|your call)|(?:hope|wait) to hear (?:from you|back)|"
    r"(?:look|looking) forward to (?:hearing|your call)|at your (?:earliest )?convenience|"
    r"(?:my|our) (?:call ?back |direct )?number is|i(?:'ll| will) try (?:you )?(?:again|back|later)|"
    r"(?:this|it) is a message for|(?:just )?calling to let you know|reach(?:ing)? out (?:to you )?about",
    re.I,
)
MOST_WORDS_OF_A_MACHINE = 80
FEW_WORDS = 6
"""Of a side that is as good as silent: "hello?", a beep heard as a word."""
MESSAGE_SIGNS = 2
"""Phrases of a message that one voice must say where no greeting was heard."""
MOST_MESSAGE_WORDS = 300
"""A longer monologue is something else."""


def of_call(transcript: Transcript) -> Iterator[Finding]:
    """A ``call_kind`` finding where the call is no conversation."""
    spoken = [turn for turn in transcript.turns if turn.text.strip()]
    if transcript.medium != "voice" or not spoken:
        return
    place = _voicemail(spoken)
    if place is not None:
        yield Finding(
            "call_kind", "voicemail", place.turn, place.start_s, place.end_s, "", None, "callqa.call_kind.v1"
        )


def _voicemail(spoken: Sequence[Turn]) -> Turn | None:
    """The turn that gives a voicemail away, None where there is a conversation."""
    sides = {turn.role for turn in spoken}
    for machine in sides:
        greeting = next((t for t in spoken if t.role == machine and GREETING.search(t.text)), None)
        if greeting is not None and len(sides) > 1 and _is_answered_by_machine(spoken, machine):
            return greeting
    speaker = max(sides, key=lambda side: _words(spoken, side))
    others = sum(_words(spoken, side) for side in sides if side != speaker)
    text = " ".join(turn.text for turn in spoken if turn.role == speaker)
    if others > FEW_WORDS or count_words(text) > MOST_MESSAGE_WORDS or "?" in text.rstrip(" ?"):
        return None
    signs = len({match.group().lower() for match in MESSAGE.finditer(text)})
    is_message = signs >= MESSAGE_SIGNS or (signs and GREETING.search(text))
    return spoken[0] if is_message else None


def _is_answered_by_machine(spoken: Sequence[Turn], machine: Role) -> bool:
    """Whether one side only greets as machines do, and says nothing once the other speaks."""
    own = [place for place, turn in enumerate(spoken) if turn.role == machine]
    others = [
        place for place, turn in enumerate(spoken) if turn.role != machine and count_words(turn.text) > 2
    ]
    said = " ".join(spoken[place].text for place in own)
    if count_words(said) > MOST_WORDS_OF_A_MACHINE:
        return False
    first = others[0] if others else len(spoken)
    later = [spoken[place].text for place in own if place > first]
    return all(MACHINE.search(text) or count_words(text) <= 2 for text in later)


def _words(spoken: Sequence[Turn], side: Role) -> int:
    return sum(count_words(turn.text) for turn in spoken if turn.role == side)
