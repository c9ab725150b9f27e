"""Agent or customer: roles for the parties a transcript tells apart.

In order of trust: the channel that metadata names, the evidence of wording and of who speaks first,
the configured default channel. Transcripts without sound or channels: ``parties``. What decided, and how
sure it is, is said in the transcript's ``role_confidence`` and warnings; evidence that contradicts metadata
is reported, never acted on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.conversation import AudioClip, CallMetadata, FirstParty, Role, Transcript, Turn
from pipeline.settings import AudioSettings
from pipeline.speakers import weak
from pipeline.speakers.diarise import diarise
from pipeline.speakers.parties import CONTRADICTION, assign_by_party, n_words, warned, with_roles
from pipeline.speakers.wording import first_of_two_is_agent, likeliest_agent, only_role

ENOUGH_EVIDENCE = 0.75
"""Below this probability the configured default channel is the better guess."""
HARDLY_SURE = 0.55
"""How sure the roles are at most, below ``score``'s bound for knowing them: where both parties speak on one
channel; and of one voice alone by its wording, since there is nobody to compare it with, and two voices may
have been taken for one."""


def assign_roles(
    transcript: Transcript,
    clip: AudioClip | None,
    metadata: CallMetadata,
    audio_settings: AudioSettings,
    first_party: FirstParty | None = None,
) -> Transcript:
    """Say who speaks in every turn.

    Args:
        transcript: As recognised, channel by channel; turns that already have roles are left alone.
        clip: The audio it was recognised from; None for transcripts from elsewhere.
        metadata: ``agent_channel`` and ``direction`` are used.
        audio_settings: ``agent_channel`` is the default where nothing else tells.
        first_party: Who the first channel or party of a transcript from elsewhere is, by the settings.

    Returns:
        The transcript with roles, ``channels`` (2 or more parties told apart by channel, 1 by voice),
        ``role_confidence`` and warnings. Mono turns are split where the speaker changes. No turn keeps its
        ``speaker``.
    """
    told = _with_roles_told(transcript, clip, metadata, audio_settings, first_party)
    if all(turn.speaker is None for turn in told.turns):
        return told
    # The source's names of speakers may be those of people.
    return replace(told, turns=tuple(replace(turn, speaker=None) for turn in told.turns))


def _with_roles_told(
    transcript: Transcript,
    clip: AudioClip | None,
    metadata: CallMetadata,
    audio_settings: AudioSettings,
    first_party: FirstParty | None,
) -> Transcript:
    if all(turn.role != "unknown" for turn in transcript.turns):
        return transcript
    crowded = False
    spoken_on = sorted({turn.channel for turn in transcript.turns if turn.channel is not None})
    if len(spoken_on) >= 2:
        if clip is None and first_party and metadata.agent_channel is None:
            agent = spoken_on[0] if first_party == "agent" else spoken_on[1]
            metadata = replace(metadata, agent_channel=agent)
        told = _by_channel(transcript, spoken_on, metadata, audio_settings)
    elif clip is None:
        told = assign_by_party(transcript, metadata, first_party)
        if transcript.medium == "voice":
            told = replace(told, channels=1)
    else:
        told, crowded = _one_channel(transcript, clip, metadata)
    told = _doubted(told, clip)
    return told.doubted(weak.doubts(told, clip, metadata, crowded=crowded))


def _doubted(told: Transcript, clip: AudioClip | None) -> Transcript:
    """Less sure of the roles where people speak while both parties are on both channels."""
    spans = clip.doubled_s if clip is not None else ()
    inside = [
        turn
        for turn in told.turns
        if any(a <= ((turn.start_s or 0.0) + (turn.end_s or 0.0)) / 2 <= b for a, b in spans)
    ]
    if not inside or told.channels < 2:
        return told
    said = (
        f"channels doubled: {n_words(inside)} of {n_words(told.turns)} words were said while both parties "
        "were on both channels, so who said them is not known"
    )
    sure = min(HARDLY_SURE, 1.0 if told.role_confidence is None else told.role_confidence)
    return warned(told, sure, said)


def _by_channel(
    transcript: Transcript, spoken_on: Sequence[int], metadata: CallMetadata, audio_settings: AudioSettings
) -> Transcript:
    """Roles when each party has a channel of its own."""
    turns_of = {channel: [t for t in transcript.turns if t.channel == channel] for channel in spoken_on}
    agent, confidence, warnings = _agent_channel(turns_of, metadata, audio_settings)
    others = sorted((c for c in spoken_on if c != agent), key=lambda c: -n_words(turns_of[c]))
    roles: dict[int | None, Role] = {agent: "agent", others[0]: "customer"}
    if len(others) > 1:
        warnings.append(
            f"{len(spoken_on)} channels hold speech: channel {others[0]}, which speaks most beside the "
            "agent's, was taken as the customer's"
        )
    told = with_roles(transcript, lambda turn: roles.get(turn.channel, "unknown"))
    return warned(replace(told, channels=len(spoken_on)), round(confidence, 3), *warnings)


def _agent_channel(
    turns_of: Mapping[int, Sequence[Turn]], metadata: CallMetadata, audio_settings: AudioSettings
) -> tuple[int, float, list[str]]:
    """The agent's channel, how sure that is (0..1), and what people should know about it."""
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
    """Roles when voices must tell the parties apart, all on one channel; whether there are more than two."""
    transcript = replace(transcript, channels=1)
    if not transcript.turns:
        return transcript, False
    channel = min(transcript.turns[0].channel or 0, clip.n_channels - 1)
    transcript = replace(
        transcript, warnings=(*transcript.warnings, *_about_channels(clip, channel, metadata))
    )
    heard = diarise(transcript.turns, clip, channel)
    if heard.n_voices == 1:
        named = metadata.agent_channel if clip.n_channels > 1 else None
        return _one_voice(transcript, channel, named, heard.confidence), False
    parties: tuple[list[Turn], list[Turn]] = ([], [])
    for turn, is_second in zip(heard.turns, heard.is_second, strict=True):
        parties[is_second].append(turn)
    first_is_agent = first_of_two_is_agent(parties[0], parties[1], metadata.direction)
    evidence = max(first_is_agent, 1 - first_is_agent)
    turns = tuple(
        replace(turn, channel=None, role="agent" if is_second != (first_is_agent >= 0.5) else "customer")
        for turn, is_second in zip(heard.turns, heard.is_second, strict=True)
    )
    said = (
        f"mono: speakers were told apart by voice ({100 * heard.confidence:.0f} % sure), "
        f"agent and customer by wording ({100 * evidence:.0f} % sure)"
    )
    crowded = heard.n_voices > 2
    if crowded:
        said += "; a third voice was heard (a transfer?), which may be on the wrong side"
    return warned(replace(transcript, turns=turns), round(heard.confidence * evidence, 3), said), crowded


def _about_channels(clip: AudioClip, channel: int, metadata: CallMetadata) -> Iterator[str]:
    """What people should know when parties that might have had channels of their own share one."""
    if clip.n_channels > 1:
        yield f"only channel {channel} of {clip.n_channels} holds speech"
    named = metadata.agent_channel
    if named is not None and named >= clip.n_channels:
        yield f"metadata names channel {named} as the agent's, but the recording has {clip.n_channels}"


def _one_voice(transcript: Transcript, channel: int, named: int | None, sure: float) -> Transcript:
    """The role of the only voice heard, as on a voicemail: by its channel's name, else by its wording."""
    role: Role
    if named is not None:
        role, confidence, by = ("agent" if named == channel else "customer"), 1.0, "metadata"
    else:
        role, confidence = only_role(transcript.turns)
        confidence, by = min(HARDLY_SURE, confidence * sure), "wording"
    said = (
        f"only one voice was heard ({100 * sure:.0f} % sure), where a call has two: "
        f"{role} by {by} ({100 * confidence:.0f} % sure)"
    )
    turns = tuple(replace(turn, role=role) for turn in transcript.turns)
    return warned(replace(transcript, turns=turns), round(confidence, 3), said)
