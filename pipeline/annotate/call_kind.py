"""Recognises calls that are no conversation: voicemails.

In a voicemail, one side is a machine that greets and then says nothing, and the other side leaves a message.
If the machine's greeting was not recorded, there is only one side, who asks to be called back.
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
"""A side with at most this many words counts as silent: "hello?", or a beep transcribed as a word."""
MESSAGE_SIGNS = 2
"""Least number of different phrases of a message, where no greeting was heard."""
MOST_MESSAGE_WORDS = 300
"""A longer monologue is no message."""


def of_call(transcript: Transcript) -> Iterator[Finding]:
    """A ``call_kind`` finding if the call is a voicemail."""
    spoken = [turn for turn in transcript.turns if turn.text.strip()]
    if transcript.medium != "voice" or not spoken:
        return
    turn = _voicemail(spoken)
    if turn is not None:
        yield Finding(
            "call_kind", "voicemail", turn.turn, turn.start_s, turn.end_s, "", None, "callqa.call_kind.v1"
        )


def _voicemail(spoken: Sequence[Turn]) -> Turn | None:
    """The turn that shows that the call is a voicemail; None if it is a conversation."""
    sides = dict.fromkeys(turn.role for turn in spoken)  # in order: if both are machines, the first is named
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
    """Whether a side says little and, once the other side speaks, nothing but what machines say."""
    if _words(spoken, machine) > MOST_WORDS_OF_A_MACHINE:
        return False
    others = [n for n, turn in enumerate(spoken) if turn.role != machine and count_words(turn.text) > 2]
    first = others[0] if others else len(spoken)
    later = [turn.text for turn in spoken[first + 1 :] if turn.role == machine]
    return all(MACHINE.search(text) or count_words(text) <= 2 for text in later)


def _words(spoken: Sequence[Turn], side: Role) -> int:
    return sum(count_words(turn.text) for turn in spoken if turn.role == side)
