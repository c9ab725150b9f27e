"""The words that agents and customers say, and who speaks first, as evidence for roles.

Each word and pair of words has a weight, the log-odds that an agent says it rather than a customer, learnt
from telephone calls written for callqa (``training/train_roles.py``). What only one of the two says by
convention has weights set by judgement. English only; where no word is known, who spoke first decides.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from pipeline.conversation import Direction, Medium, Role, Turn
from pipeline.errors import ModelError
from pipeline.text.words import unpunctuated

Party = TypeVar("Party", int, str)
"""A party, given by its channel or its name."""
WEIGHTS = Path(__file__).parent / "weights" / "agent_words.tsv"
_FORMULAS: dict[float, tuple[str, ...]] = {
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
    -3.0: (
        r"(i'm|i am|i was) (just )?(calling|phoning|ringing) (about|because|to|regarding|in regards)",
        r"i (lost|can't find|broke|forgot|misplaced|never received|haven't received|didn't get) my",
        r"(speak|talk) (to|with) (a|your|the) (manager|supervisor|representative|person|human)",
    ),
}
FORMULAS = tuple(
    (odds, re.compile(rf"\b(?:{pattern})")) for odds, patterns in _FORMULAS.items() for pattern in patterns
)
"""What only one of the two says by convention, with log-odds: positive for the agent."""
FIRST_SPEAKER = {"inbound": 0.8, "outbound": -0.8}
"""Log-odds that the first speaker is the agent, by direction: the party that answers a call speaks first.
Little, because recordings often begin after the greeting: in 496 operator calls without it and of unknown
direction, 0.8 and 1.5 found the agent in 0.87 and 0.78, nothing in 0.95 (``bench/roles.py``)."""
FIRST_WRITER = {"inbound": -1.5, "outbound": 1.5, "unknown": -0.8, "internal": 0.0}
"""The same for e-mail, where the party that wants something writes first. Chats have no such rule, because
the first message may be an automatic greeting."""
AT_ONCE_S = 0.3


def features(text: str) -> list[str]:
    """The words of a turn and the pairs of words that follow each other."""
    words = unpunctuated(text).split()
    return [*words, *map(" ".join, pairwise(words))]


def agent_log_odds(turns: Sequence[Turn], weights: Mapping[str, float] | None = None) -> float:
    """Log-odds that these are an agent's turns: negative for a customer's, 0 without evidence.

    A word said n times counts log(1 + n) times, a formula once. ``weights`` are the shipped ones by default.
    """
    known = _weights() if weights is None else weights
    counts = Counter(name for turn in turns for name in features(turn.text) if name in known)
    text = unpunctuated(" ".join(turn.text for turn in turns))
    odds = sum(known[name] * math.log1p(count) for name, count in counts.items())
    return odds + sum(weight for weight, formula in FORMULAS if formula.search(text))


@cache
def _weights() -> dict[str, float]:
    try:
        with WEIGHTS.open(encoding="utf-8", newline="") as file:
            return {name: float(weight) for name, weight in csv.reader(file, delimiter="\t")}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{WEIGHTS} cannot be read: {error}", hint="install callqa again; the file is part of it"
        ) from error


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
