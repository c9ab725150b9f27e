"""Assign roles in a transcript without sound, whose speakers are distinguished by name or number.

What the settings say about the first party decides; else wording and who began. The confidence goes to
``role_confidence`` and the warnings, as for recordings (``roles``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pipeline.conversation import CallMetadata, FirstParty, Role, Transcript, Turn
from pipeline.speakers.wording import agent_log_odds, likeliest_agent, only_role
from pipeline.text.words import count_words

SECOND_AGENT_LOG_ODDS = 3.0
"""A further speaker with at least these log-odds (95 %) is a second agent: the call was transferred."""
CONTRADICTION = 0.05
"""When the party named as the agent is one with less than this probability, a warning says so."""
MOST_PARTIES = 16
"""When there are more speakers, only the ones who say most are considered."""


def assign_by_party(
    transcript: Transcript, metadata: CallMetadata, first_party: FirstParty | None
) -> Transcript:
    """Assign a role to each speaker whose turns have none; a warning says what decided.

    ``first_party`` is the role of the first party by the settings: the one with the lowest number, or the one
    who speaks first where not all speakers have numbers.
    """
    parties = _parties(transcript.turns)
    known = {turn.role for turn in transcript.turns} & {"agent", "customer"}
    if not parties:
        warning = "nothing tells the speakers apart (no channel, name or number): roles are unknown"
        return with_confidence(transcript, transcript.role_confidence if known else 0.0, warning)
    if len(known) == 1:
        return _other_role(transcript, parties, next(iter(known)))
    if known:
        warning = f"{_count(parties)} beside agent and customer: their roles are unknown"
        return with_confidence(transcript, transcript.role_confidence, warning)
    if len(parties) == 1 and first_party is None:
        return _one_speaker(transcript, next(iter(parties.values())))
    likeliest, evidence = likeliest_agent(parties, metadata.direction, transcript.medium)
    if first_party is not None:
        return _by_settings(transcript, parties, first_party, likeliest, evidence)
    roles, more = _roles_by_wording(parties, likeliest)
    warning = f"{_count(parties)} told apart by name or number, agent and customer by wording"
    warning += f" ({100 * evidence:.0f} % sure){more}"
    return with_confidence(_assigned(transcript, roles), round(evidence, 3), warning)


def _parties(turns: Sequence[Turn]) -> dict[str, list[Turn]]:
    """The turns without a role by speaker, the first party first; at most ``MOST_PARTIES`` speakers."""
    parties: dict[str, list[Turn]] = {}
    for turn in turns:
        if turn.role == "unknown" and turn.speaker is not None:
            parties.setdefault(turn.speaker, []).append(turn)
    if len(parties) > MOST_PARTIES:
        most = sorted(parties, key=lambda name: -n_words(parties[name]))[:MOST_PARTIES]
        parties = {name: turns for name, turns in parties.items() if name in most}
    if all(_party_number(name) is not None for name in parties):
        return {name: parties[name] for name in sorted(parties, key=lambda name: _party_number(name) or 0)}
    return parties


def _party_number(name: str) -> int | None:
    """The number in ``party 0``, ``spk_1`` or ``SPEAKER_01``; a single letter counts from A = 0."""
    if len(name) == 1 and name.isascii() and name.isalpha():
        return ord(name.upper()) - ord("A")
    number = re.fullmatch(r"(?:[A-Za-z]+[ _-]?)?(\d{1,6})", name, re.A)
    return int(number[1]) if number else None


def _roles_by_wording(parties: Mapping[str, Sequence[Turn]], agent: str) -> tuple[dict[str, Role], str]:
    """Roles of all parties, ``agent`` being the agent, and a note about speakers beyond one of each role."""
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


def _by_settings(
    transcript: Transcript,
    parties: Mapping[str, Sequence[Turn]],
    first_party: FirstParty,
    likeliest: str,
    evidence: float,
) -> Transcript:
    """Assign roles by the settings; contrary wording only causes a warning and a lower confidence."""
    first, *rest = parties
    roles, more = dict[str, Role](), ""
    if first_party == "agent":
        roles, more = _roles_by_wording(parties, first)
    elif rest:
        others = {name: parties[name] for name in rest}
        roles, more = _roles_by_wording(others, max(rest, key=lambda name: agent_log_odds(parties[name])))
    roles |= {first: first_party}
    warning = f"the first party was taken as the {first_party}, as the settings say{more}"
    against = evidence if rest and (likeliest == first) != (first_party == "agent") else 0.0
    if against <= 1 - CONTRADICTION:
        return with_confidence(_assigned(transcript, roles), 1.0, warning)
    warning += f", but the wording says otherwise ({100 * against:.0f} % sure): is first_party right?"
    return with_confidence(_assigned(transcript, roles), round(1 - against, 3), warning)


def _other_role(transcript: Transcript, parties: Mapping[str, Sequence[Turn]], known: Role) -> Transcript:
    """Assign the other role, where the source names the agent or the customer only."""
    other: Role = "customer" if known == "agent" else "agent"
    if len(parties) == 1:
        warning = f"only the {known} is named: the one other speaker was taken as the {other}"
        return with_confidence(_assigned(transcript, {next(iter(parties)): other}), None, warning)
    sign = 1 if other == "agent" else -1
    best = max(parties, key=lambda name: (sign * agent_log_odds(parties[name]), n_words(parties[name])))
    warning = f"only the {known} is named: one of {_count(parties)} was taken as the {other} by wording"
    return with_confidence(_assigned(transcript, {best: other}), 0.5, warning)


def _one_speaker(transcript: Transcript, turns: Sequence[Turn]) -> Transcript:
    """Assign the role of the only speaker (e.g. of a voicemail) by wording."""
    role, sure = only_role(turns)
    warning = f"only one speaker is told apart: {role} by wording ({100 * sure:.0f} % sure)"
    return with_confidence(_assigned(transcript, {str(turns[0].speaker): role}), round(sure, 3), warning)


def _assigned(transcript: Transcript, roles: Mapping[str, Role]) -> Transcript:
    return with_roles(transcript, lambda turn: roles.get(turn.speaker or "", "unknown"))


def with_roles(transcript: Transcript, role_of: Callable[[Turn], Role]) -> Transcript:
    """The transcript with ``role_of`` applied to the turns that have no role."""
    turns = (replace(t, role=role_of(t)) if t.role == "unknown" else t for t in transcript.turns)
    return replace(transcript, turns=tuple(turns))


def with_confidence(transcript: Transcript, confidence: float | None, *warnings: str) -> Transcript:
    """The transcript with this ``role_confidence`` and further warnings."""
    return replace(transcript, role_confidence=confidence, warnings=(*transcript.warnings, *warnings))


def _count(parties: Mapping[str, Sequence[Turn]]) -> str:
    return f"{len(parties)} speaker{'s' * (len(parties) > 1)}"


def n_words(turns: Sequence[Turn]) -> int:
    """Number of words in the turns."""
    return sum(count_words(turn.text) for turn in turns)
