"""Roles in a transcript without sound, whose speakers are told apart by name, number or party.

The same evidence as for speech: what the settings say of the first party, else wording and who began. How
sure that is, is said in the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.conversation import CallMetadata, FirstParty, Role, Transcript, Turn
from pipeline.speakers.wording import agent_log_odds, likeliest_agent, only_role
from pipeline.text.words import count_words

SECOND_AGENT_LOG_ODDS = 3.0
"""A further speaker whose words are this surely an agent's (95 %) is one: the call was transferred."""
CONTRADICTION = 0.05
"""Below this probability of the named party being the agent, its name is doubted aloud."""
MOST_PARTIES = 16
"""Of more speakers than this, those who say most are looked at."""


def assign_by_party(
    transcript: Transcript, metadata: CallMetadata, first_party: FirstParty | None
) -> Transcript:
    """Roles for the turns that have none, speaker by speaker.

    Args:
        transcript: Turns with ``speaker`` where the source tells speakers apart.
        metadata: ``direction`` is used.
        first_party: What the settings say of the first party: the first listed or lowest number, else who
            speaks first.

    Returns:
        The transcript with roles, ``role_confidence`` and a warning that says what decided.
    """
    parties = _parties(transcript.turns)
    known = {turn.role for turn in transcript.turns} & {"agent", "customer"}
    if not parties:
        said = "nothing tells the speakers apart (no channel, name or number): roles are unknown"
        return warned(transcript, transcript.role_confidence if known else 0.0, said)
    if len(known) == 1:
        return _completed(transcript, parties, next(iter(known)))
    if known:
        said = f"{_count(parties)} beside agent and customer: their roles are unknown"
        return warned(transcript, transcript.role_confidence, said)
    if len(parties) == 1 and first_party is None:
        return _one_speaker(transcript, next(iter(parties.values())))
    likeliest, evidence = likeliest_agent(parties, metadata.direction, transcript.medium)
    if first_party is not None:
        return _as_set(transcript, parties, first_party, likeliest, evidence)
    roles, more = _roles(parties, likeliest)
    said = f"{_count(parties)} told apart by name or number, agent and customer by wording"
    said += f" ({100 * evidence:.0f} % sure){more}"
    return warned(_with(transcript, roles), round(evidence, 3), said)


def _parties(turns: Sequence[Turn]) -> dict[str, list[Turn]]:
    """The turns without a role by speaker, the first party first; of very many, those who say most."""
    found: dict[str, list[Turn]] = {}
    for turn in turns:
        if turn.role == "unknown" and turn.speaker is not None:
            found.setdefault(turn.speaker, []).append(turn)
    if len(found) > MOST_PARTIES:
        most = sorted(found, key=lambda name: -n_words(found[name]))[:MOST_PARTIES]
        found = {name: turns for name, turns in found.items() if name in most}
    if all(_place(name) is not None for name in found):
        return {name: found[name] for name in sorted(found, key=lambda name: _place(name) or 0)}
    return found


def _place(name: str) -> int | None:
    """The number at the end of ``party 0``, ``spk_1`` or ``SPEAKER_01``, or of a single letter."""
    if len(name) == 1 and name.isascii() and name.isalpha():
        return ord(name.upper()) - ord("A")
    number = re.fullmatch(r"(?:[A-Za-z]+[ _-]?)?(\d{1,6})", name, re.A)
    return int(number[1]) if number else None


def _roles(parties: Mapping[str, Sequence[Turn]], agent: str) -> tuple[dict[str, Role], str]:
    """Agent, customer, and of further speakers those whose wording is an agent's; and what to say of them."""
    others = sorted((name for name in parties if name != agent), key=lambda name: -n_words(parties[name]))
    odds = {name: agent_log_odds(parties[name]) for name in others}
    least = min(odds, key=odds.__getitem__, default="")
    customer = next((name for name in others if odds[name] < SECOND_AGENT_LOG_ODDS), least)
    further = [name for name in others if name != customer and odds[name] >= SECOND_AGENT_LOG_ODDS]
    roles: dict[str, Role] = {agent: "agent"}
    roles |= dict.fromkeys(further, "agent")
    roles |= {customer: "customer"} if customer else {}
    more = f"; {len(further)} more taken as agents" if further else ""
    unknown = len(parties) - len(roles)
    return roles, more + (f"; the roles of {unknown} more are unknown" if unknown else "")


def _as_set(
    transcript: Transcript,
    parties: Mapping[str, Sequence[Turn]],
    first_party: FirstParty,
    likeliest: str,
    evidence: float,
) -> Transcript:
    """Roles as the settings say; wording that contradicts them is reported, not acted on."""
    first, *rest = parties
    agent = first
    if first_party == "customer":
        agent = max(rest, key=lambda name: agent_log_odds(parties[name]), default="")
    roles, more = _roles({n: t for n, t in parties.items() if n != first or first_party == "agent"}, agent)
    roles = {name: role for name, role in roles.items() if name} | {first: first_party}
    said = f"the first party was taken as the {first_party}, as the settings say{more}"
    against = evidence if rest and (likeliest == first) != (first_party == "agent") else 0.0
    if against <= 1 - CONTRADICTION:
        return warned(_with(transcript, roles), 1.0, said)
    said += f", but the wording says otherwise ({100 * against:.0f} % sure): is first_party right?"
    return warned(_with(transcript, roles), round(1 - against, 3), said)


def _completed(transcript: Transcript, parties: Mapping[str, Sequence[Turn]], known: Role) -> Transcript:
    """Where the source names one role only: the other speaker has the other one."""
    other: Role = "customer" if known == "agent" else "agent"
    if len(parties) == 1:
        said = f"only the {known} is named: the one other speaker was taken as the {other}"
        return warned(_with(transcript, {next(iter(parties)): other}), None, said)
    sign = 1 if other == "agent" else -1
    best = max(parties, key=lambda name: (sign * agent_log_odds(parties[name]), n_words(parties[name])))
    said = f"only the {known} is named: one of {_count(parties)} was taken as the {other} by wording"
    return warned(_with(transcript, {best: other}), 0.5, said)


def _one_speaker(transcript: Transcript, turns: Sequence[Turn]) -> Transcript:
    """The role of the only speaker, as of a voicemail, by wording."""
    role, sure = only_role(turns)
    said = f"only one speaker is told apart: {role} by wording ({100 * sure:.0f} % sure)"
    return warned(_with(transcript, {str(turns[0].speaker): role}), round(sure, 3), said)


def _with(transcript: Transcript, roles: Mapping[str, Role]) -> Transcript:
    return with_roles(transcript, lambda turn: roles.get(turn.speaker or "", "unknown"))


def with_roles(transcript: Transcript, role_of: Callable[[Turn], Role]) -> Transcript:
    """Roles for the turns that have none."""
    turns = (replace(t, role=role_of(t)) if t.role == "unknown" else t for t in transcript.turns)
    return replace(transcript, turns=tuple(turns))


def warned(transcript: Transcript, confidence: float | None, *said: str) -> Transcript:
    """The transcript with how sure its roles are, and what is to be said of it."""
    return replace(transcript, role_confidence=confidence, warnings=(*transcript.warnings, *said))


def _count(parties: Mapping[str, Sequence[Turn]]) -> str:
    return f"{len(parties)} speaker{'s' * (len(parties) > 1)}"


def n_words(turns: Sequence[Turn]) -> int:
    """How many words were said in turns."""
    return sum(count_words(turn.text) for turn in turns)
