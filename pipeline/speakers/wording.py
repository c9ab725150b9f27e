"""Typical phrases of agents and customers, and who speaks first, as evidence for roles.

Each weight is a rough log-odds that a phrase comes from the agent rather than the customer, set by judgement
and not by training: a greeting formula is nearly proof, "my account" is a hint. English only; where no
phrase matches, the evidence is zero and who spoke first decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from pipeline.conversation import Direction, Medium, Role, Turn
from pipeline.text.words import unpunctuated

Party = TypeVar("Party", int, str)
"""A party, given by its channel or its name."""
_AGENT: dict[float, tuple[str, ...]] = {
    4.0: (
        r"thank(s| you) for (calling|choosing|contacting|holding|waiting)",
        r"how (can|may|could) (i|we) (help|assist|direct)",
    ),
    3.0: (
        r"(is|was|are) there (anything|something) else",
        r"anything else (i|we) can",
        r"(is|be|being|now|also be) (being )?recorded",
        r"on a recorded line",
        r"for (quality|training) (and|or|purposes|assurance)",
        r"(calling|call) (you )?(from|on behalf of)",
        r"my name is \w+ (from|with|calling from)",
    ),
    2.5: (r"for (security|verification)", r"(verify|confirm) (your|the last|that you)", r"last four digits"),
    2.0: (
        r"(may|can|could) i (have|get|take|ask for) your",
        r"(account|policy|order|reference) number (please|for me)",
        r"(put|place) you (on|through)",
        r"one moment|bear with me|stay on the line|please hold",
        r"(i|we|you)('ve| have)? (ordered|transferred|scheduled|processed|issued|refunded|set up)",
        r"your (\w+ ){0,2}(balance|appointment|order|policy) (is|has|will)",
        r"(happy|glad|able) to (help|assist)",
        r"i('ll| will| can) (help|assist) you",
        r"let me (check|pull|look|see if i)",
        r"(have|enjoy) (a|the rest of your) (great|good|nice|wonderful|lovely|pleasant|day|evening)",
    ),
    1.5: (
        r"please (enter|press|say|try|call|leave|provide|confirm|spell)",
        r"press \w+|after the tone",
        r"(which|what) (\w+ ){0,3}(would|do) you (like|want|need)",
        r"would you like (me )?to",
        r"(sorry|apologi[sz]e) (to hear|for (the|any|your|that))",
    ),
    1.0: (
        r"i understand",
        r"our (\w+ )?(records|system|policy|team|representatives)",
        r"you('re| are) (very )?welcome",
        r"what (is|was) (the|your)",
        r"(ma'?am|sir)\b",
        r"my name is",
    ),
}
_CUSTOMER: dict[float, tuple[str, ...]] = {
    3.0: (
        r"(i'm|i am|i was) (just )?(calling|phoning|ringing) (about|because|to|regarding|in regards)",
        r"i (lost|can't find|broke|forgot|misplaced|never received|haven't received|didn't get) my",
        r"(speak|talk) (to|with) (a|your|the) (manager|supervisor|representative|person|human)",
    ),
    2.0: (
        r"(i|we)('d like| would like| need| want| wanted| have) to (\w+ ){1,4}my\b",
        r"cancel my",
        r"can you (send|tell) me",
        r"no (thank you|thanks)",
        r"(that's|that is|that was|that will be|that'll be|was going to be|was gonna be) (it|all|everything)",
    ),
    1.5: (
        r"i (have|had|got) a (question|problem|bill|letter|charge|call)",
        r"you (guys|people)\b",
        r"charged me",
        r"i('d| would) like to\b",
        r"i need to\b",
        r"not interested",
    ),
    1.0: (
        r"my (\w+ )?(account|card|bill|order|internet|phone|payment|service|balance|savings|policy)\b",
        r"my (husband|wife|daughter|son|mother|father)\b",
        r"you too\b",
        r"how (long|much) (will|does|is|do)",
        r"why (is|was|did|am|are)",
    ),
}
_RULES = tuple(
    (sign * weight, re.compile(rf"\b(?:{pattern})"))
    for sign, table in ((1.0, _AGENT), (-1.0, _CUSTOMER))
    for weight, patterns in table.items()
    for pattern in patterns
)
_YOUR, _MY = re.compile(r"\byour\b"), re.compile(r"\bmy\b(?! name)")
PRONOUN_WEIGHT = 0.3
"""Agents speak of "your account", customers of "my account"."""
MAX_REPEATS = 2
"""Matches of one phrase that are counted; further ones are no new evidence."""
FIRST_SPEAKER = {"inbound": 1.5, "outbound": -1.5, "unknown": 0.8, "internal": 0.0}
"""Log-odds that the first speaker is the agent, by direction: the party that answers a call speaks first."""
FIRST_WRITER = {"inbound": -1.5, "outbound": 1.5, "unknown": -0.8, "internal": 0.0}
"""The same for e-mail, where the party that wants something writes first. Chats have no such rule, because
the first message may be an automatic greeting."""
AT_ONCE_S = 0.3


def agent_log_odds(turns: Sequence[Turn]) -> float:
    """Log-odds that these are an agent's turns: negative for a customer's, 0 without evidence."""
    text = unpunctuated(" ".join(turn.text for turn in turns))
    odds = PRONOUN_WEIGHT * (min(len(_YOUR.findall(text)), 6) - min(len(_MY.findall(text)), 6))
    return odds + sum(
        weight * min(sum(1 for _ in rule.finditer(text)), MAX_REPEATS) for weight, rule in _RULES
    )


def likeliest_agent(
    parties: Mapping[Party, Sequence[Turn]], direction: Direction, medium: Medium = "voice"
) -> tuple[Party, float]:
    """The party whose wording is most like an agent's, and the probability that it is the agent."""
    best = max(parties, key=lambda party: agent_log_odds(parties[party]))
    rest = [turn for party, turns in parties.items() if party != best for turn in turns]
    probability = first_of_two_is_agent(parties[best], rest, direction, medium)
    if probability < 0.5 and len(parties) == 2:
        return next(party for party in parties if party != best), 1 - probability
    return best, probability


def only_role(turns: Sequence[Turn]) -> tuple[Role, float]:
    """The role of a party that speaks alone, by its wording, and the confidence in it (0..1)."""
    odds = agent_log_odds(turns)
    role: Role = "unknown" if odds == 0 else "agent" if odds > 0 else "customer"
    return role, 1 / (1 + math.exp(-min(abs(odds), 6.0)))


def first_of_two_is_agent(
    first: Sequence[Turn], second: Sequence[Turn], direction: Direction, medium: Medium = "voice"
) -> float:
    """Probability 0..1 that the first party is the agent and the second the customer.

    The direction tells who answers; the medium selects ``FIRST_SPEAKER``, ``FIRST_WRITER`` or neither.
    """
    odds = agent_log_odds(first) - agent_log_odds(second)
    opening = {"voice": FIRST_SPEAKER, "email": FIRST_WRITER}.get(medium, {}).get(direction, 0.0)
    odds += opening * _who_began(first, second)
    return 1 / (1 + math.exp(-max(-6.0, min(6.0, odds))))


def _who_began(first: Sequence[Turn], second: Sequence[Turn]) -> int:
    """1 when the first party began, -1 when the second did, 0 when both began at once or it is unknown."""
    starts = [[turn.start_s for turn in turns if turn.start_s is not None] for turns in (first, second)]
    if starts[0] and starts[1]:
        lead_s = min(starts[1]) - min(starts[0])
        return 0 if abs(lead_s) <= AT_ONCE_S else 1 if lead_s > 0 else -1
    places = [min((turn.turn for turn in turns), default=0) for turns in (first, second)]
    return (places[0] < places[1]) - (places[0] > places[1])
