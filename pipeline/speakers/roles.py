"""Assign the roles agent and customer to the parties of a transcript.

In order of trust these decide: the agent's channel in the metadata; wording and who speaks first; the
configured default channel. ``parties`` does this for transcripts without sound or channels. The result's
``role_confidence`` and warnings say what decided and how sure it is. Evidence that contradicts the metadata
only causes a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.conversation import AudioClip, CallMetadata, FirstParty, Role, Transcript, Turn
from pipeline.settings import AudioSettings
from pipeline.speakers import weak
from pipeline.speakers.diarise import diarise
from pipeline.speakers.parties import CONTRADICTION, assign_by_party, n_words, with_confidence, with_roles
from pipeline.speakers.wording import first_of_two_is_agent, likeliest_agent, only_role

ENOUGH_EVIDENCE = 0.75
"""Below this probability the configured default channel is the better guess."""
HARDLY_SURE = 0.55
"""Highest ``role_confidence`` in two cases; it is below the limit from which ``score`` trusts roles. Both
parties are on both channels; or one voice alone was given a role by its wording, where there is no other
voice to compare with and two voices may have been taken for one."""


def assign_roles(
    transcript: Transcript,
    clip: AudioClip | None,
    metadata: CallMetadata,
    audio_settings: AudioSettings,
    first_party: FirstParty | None = None,
) -> Transcript:
    """Assign a role to every turn.

    Args:
        transcript: The transcript as recognised, channel by channel; turns that have a role keep it.
        clip: The audio it was recognised from; None for transcripts of other tools.
        metadata: Its ``agent_channel`` and ``direction`` are used.
        audio_settings: Its ``agent_channel`` is the default when nothing else decides.
        first_party: Role of the first channel or party of another tool's transcript, by the settings.

    Returns:
        The transcript with roles, ``channels`` (2 or more: parties separated by channel; 1: by voice),
        ``role_confidence`` and warnings. Mono turns are split where the speaker changes. ``speaker`` is
        removed from all turns.
    """
    if all(turn.role != "unknown" for turn in transcript.turns):
        return _without_speakers(transcript)
    crowded = False
    spoken_on = sorted({turn.channel for turn in transcript.turns if turn.channel is not None})
    if len(spoken_on) >= 2:
        if clip is None and first_party and metadata.agent_channel is None:
            agent = spoken_on[0] if first_party == "agent" else spoken_on[1]
            metadata = replace(metadata, agent_channel=agent)
        assigned = _by_channel(transcript, spoken_on, metadata, audio_settings)
    elif clip is None:
        assigned = assign_by_party(transcript, metadata, first_party)
        if transcript.medium == "voice":
            assigned = replace(assigned, channels=1)
    else:
        assigned, crowded = _one_channel(transcript, clip, metadata)
    assigned = _less_sure_where_doubled(assigned, clip)
    return _without_speakers(assigned.doubted(weak.doubts(assigned, clip, metadata, crowded)))


def _without_speakers(transcript: Transcript) -> Transcript:
    """The transcript without its source's speaker labels, which may be names of people."""
    if all(turn.speaker is None for turn in transcript.turns):
        return transcript
    return replace(transcript, turns=tuple(replace(turn, speaker=None) for turn in transcript.turns))


def _less_sure_where_doubled(transcript: Transcript, clip: AudioClip | None) -> Transcript:
    """Lower ``role_confidence`` when turns lie in spans where both channels carry the same sound."""
    spans = clip.doubled_s if clip is not None else ()
    inside = [
        turn
        for turn in transcript.turns
        if any(a <= ((turn.start_s or 0.0) + (turn.end_s or 0.0)) / 2 <= b for a, b in spans)
    ]
    if not inside or transcript.channels < 2:
        return transcript
    warning = (
        f"channels doubled: {n_words(inside)} of {n_words(transcript.turns)} words were said while both "
        "parties were on both channels, so who said them is not known"
    )
    sure = min(HARDLY_SURE, 1.0 if transcript.role_confidence is None else transcript.role_confidence)
    return with_confidence(transcript, sure, warning)


def _by_channel(
    transcript: Transcript, spoken_on: Sequence[int], metadata: CallMetadata, audio_settings: AudioSettings
) -> Transcript:
    """Assign roles when each party has a channel of its own."""
    turns_of = {channel: [t for t in transcript.turns if t.channel == channel] for channel in spoken_on}
    agent, confidence, warnings = _agent_channel(turns_of, metadata, audio_settings)
    others = sorted((c for c in spoken_on if c != agent), key=lambda c: -n_words(turns_of[c]))
    roles: dict[int | None, Role] = {agent: "agent", others[0]: "customer"}
    if len(others) > 1:
        warnings.append(
            f"{len(spoken_on)} channels hold speech: channel {others[0]}, which speaks most beside the "
            "agent's, was taken as the customer's"
        )
    assigned = with_roles(transcript, lambda turn: roles.get(turn.channel, "unknown"))
    return with_confidence(replace(assigned, channels=len(spoken_on)), round(confidence, 3), *warnings)


def _agent_channel(
    turns_of: Mapping[int, Sequence[Turn]], metadata: CallMetadata, audio_settings: AudioSettings
) -> tuple[int, float, list[str]]:
    """The agent's channel, the confidence in it (0..1), and warnings."""
    likeliest, evidence = likeliest_agent(turns_of, metadata.direction)
    warnings = []
    named = metadata.agent_channel
    if named is not None and named in turns_of:
        against = evidence if likeliest != named else 0.0
        if against > 1 - CONTRADICTION:
            warnings.append(
                f"metadata names channel {named} as the agent's, but the wording says channel {likeliest} "
                f"({100 * against:.0f} % sure): are the channels swapped?"
            )
        return named, 1.0 - against if warnings else 1.0, warnings
    if named is not None:
        warnings.append(f"metadata names channel {named} as the agent's, but nobody speaks there")
    if evidence >= ENOUGH_EVIDENCE:
        return likeliest, evidence, warnings
    default = audio_settings.agent_channel
    if default not in turns_of:
        default = likeliest
    sure = evidence if default == likeliest else 1 - evidence
    warnings.append(
        f"channel {default} was taken as the agent's by default; the wording gives it {100 * sure:.0f} %"
    )
    return default, sure, warnings


def _one_channel(transcript: Transcript, clip: AudioClip, metadata: CallMetadata) -> tuple[Transcript, bool]:
    """Assign roles by voice when all speech is on one channel; also say whether there is a third voice."""
    channel = min(transcript.turns[0].channel or 0, clip.n_channels - 1)
    about = _about_channels(clip, channel, metadata)
    transcript = replace(transcript, channels=1, warnings=(*transcript.warnings, *about))
    voices = diarise(transcript.turns, clip, channel)
    if voices.n_voices == 1:
        named = metadata.agent_channel if clip.n_channels > 1 else None
        return _one_voice(transcript, channel, named, voices.confidence), False
    first, second = ([t for t, p in zip(voices.turns, voices.parties, strict=True) if p == n] for n in (0, 1))
    first_is_agent = first_of_two_is_agent(first, second, metadata.direction)
    evidence = max(first_is_agent, 1 - first_is_agent)
    roles: tuple[Role, Role] = ("agent", "customer") if first_is_agent >= 0.5 else ("customer", "agent")
    turns = tuple(
        replace(turn, channel=None, role="unknown" if party is None else roles[party])
        for turn, party in zip(voices.turns, voices.parties, strict=True)
    )
    warning = (
        f"mono: speakers were told apart by voice ({100 * voices.confidence:.0f} % sure), "
        f"agent and customer by wording ({100 * evidence:.0f} % sure)"
    )
    crowded = voices.n_voices > 2
    if crowded:
        warning += "; a third voice was heard (a transfer?)"
        if voices.n_voices > 3:
            warning += " and more, which may be on the wrong side"
        elif None in voices.parties:
            warning += ", and it is not known whose side it is on"
    sure = round(voices.confidence * evidence, 3)
    return with_confidence(replace(transcript, turns=turns), sure, warning), crowded


def _about_channels(clip: AudioClip, channel: int, metadata: CallMetadata) -> Iterator[str]:
    """Warnings about channels without speech and about an agent's channel that does not exist."""
    if clip.n_channels > 1:
        yield f"only channel {channel} of {clip.n_channels} holds speech"
    named = metadata.agent_channel
    if named is not None and named >= clip.n_channels:
        yield f"metadata names channel {named} as the agent's, but the recording has {clip.n_channels}"


def _one_voice(transcript: Transcript, channel: int, named: int | None, sure: float) -> Transcript:
    """Assign the role of the only voice (e.g. a voicemail): by ``named``, the agent's channel, or wording."""
    role: Role
    if named is not None:
        role, confidence, by = ("agent" if named == channel else "customer"), 1.0, "metadata"
    else:
        role, confidence = only_role(transcript.turns)
        confidence, by = min(HARDLY_SURE, confidence * sure), "wording"
    warning = (
        f"only one voice was heard ({100 * sure:.0f} % sure), where a call has two: "
        f"{role} by {by} ({100 * confidence:.0f} % sure)"
    )
    turns = tuple(replace(turn, role=role) for turn in transcript.turns)
    return with_confidence(replace(transcript, turns=turns), round(confidence, 3), warning)
