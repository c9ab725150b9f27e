"""JSON in the form of Contact Lens 1.1.0, for tools that read Amazon Connect's analysis files.

Only fields with the same meaning are written; what callqa does not measure is left out. Contact Lens gives
sentiment as -5..5, so scores are multiplied by five, and times in milliseconds.
"""

from __future__ import annotations

from typing import Any

from pipeline.conversation import Conversation, RoleSentiment
from pipeline.export.selection import ExportedCall

Json = dict[str, Any]
SPEAKERS = {"agent": "AGENT", "customer": "CUSTOMER"}
ROLES = {**SPEAKERS, "system": "SYSTEM", "unknown": "CUSTOMER"}


def contact_lens(call: ExportedCall) -> Json:
    """One call as a Contact Lens analysis document."""
    meta, conversation = call.metadata, call.conversation
    redacted = any(finding.kind == "pii" for finding in conversation.findings)
    return {
        "Version": "1.1.0",
        "AccountId": "",
        "Channel": meta.medium.upper(),
        "ContentMetadata": {"Output": "Redacted" if redacted else "Raw"},
        "CustomerMetadata": {"ContactId": meta.call_id},
        "JobStatus": "COMPLETED",
        "LanguageCode": conversation.transcript.language or "",
        "Participants": _participants(conversation),
        "Categories": _categories(conversation),
        "ConversationCharacteristics": _characteristics(conversation),
        "CustomModels": [],
        "Transcript": _transcript(conversation),
    }


def _participants(conversation: Conversation) -> list[Json]:
    roles = {ROLES[turn.role] for turn in conversation.transcript.turns} | {"AGENT", "CUSTOMER"}
    return [{"ParticipantId": role, "ParticipantRole": role} for role in sorted(roles)]


def _transcript(conversation: Conversation) -> list[Json]:
    rows = []
    for turn in conversation.transcript.turns:
        row: Json = {
            "Id": f"{conversation.transcript.call_id}-{turn.turn}",
            "ParticipantId": ROLES[turn.role],
            "Content": turn.text,
        }
        if turn.start_s is not None and turn.end_s is not None:
            row |= _offsets(turn.start_s, turn.end_s)
        if turn.sentiment:
            row["Sentiment"] = turn.sentiment.label.upper()
        rows.append(row)
    return rows


def _categories(conversation: Conversation) -> Json:
    """A category per kind and label of finding; each finding with times is a point of interest."""
    details: dict[str, Json] = {}
    for finding in conversation.findings:
        if finding.kind == "pii":
            continue
        category = details.setdefault(f"{finding.kind}.{finding.label}", {"PointsOfInterest": []})
        if finding.start_s is not None and finding.end_s is not None:
            category["PointsOfInterest"].append(_offsets(finding.start_s, finding.end_s))
    return {"MatchedCategories": sorted(details), "MatchedDetails": details}


def _characteristics(conversation: Conversation) -> Json:
    metrics, duration_s = conversation.metrics, conversation.transcript.duration_s
    facts: Json = {}
    if duration_s is not None:
        facts["TotalConversationDurationMillis"] = _ms(duration_s)
    if conversation.sentiment:
        facts["Sentiment"] = _sentiment(conversation)
    wpm = {name: metrics.get(f"{role}_wpm") for role, name in SPEAKERS.items()}
    talk_s = {name: metrics.get(f"{role}_talk_s") for role, name in SPEAKERS.items()}
    speed = {name: {"AverageWordsPerMinute": round(value)} for name, value in wpm.items() if value}
    talk = {name: {"TotalTimeMillis": _ms(s)} for name, s in talk_s.items() if s is not None}
    if speed:
        facts["TalkSpeed"] = {"DetailsByParticipant": speed}
    if talk:
        total = sum(entry["TotalTimeMillis"] for entry in talk.values())
        facts["TalkTime"] = {"TotalTimeMillis": total, "DetailsByParticipant": talk}
    silence = metrics.get("silence_s")
    if silence is not None:
        facts["NonTalkTime"] = {"TotalTimeMillis": _ms(silence), "Instances": _silences(conversation)}
    return facts


def _silences(conversation: Conversation) -> list[Json]:
    return [
        _offsets(f.start_s, f.end_s) | {"DurationMillis": _ms(f.end_s) - _ms(f.start_s)}
        for f in conversation.findings
        if f.kind in {"silence", "dead_air"} and f.start_s is not None and f.end_s is not None
    ]


def _sentiment(conversation: Conversation) -> Json:
    by_role = {ROLES[role]: sentiment for role, sentiment in conversation.sentiment.items()}
    overall = {role: round(5 * sentiment.score, 2) for role, sentiment in by_role.items()}
    document: Json = {"OverallSentiment": overall}
    if duration_s := conversation.transcript.duration_s:
        quarters = {role: _quarters(sentiment, duration_s) for role, sentiment in by_role.items()}
        document["SentimentByPeriod"] = {"QUARTER": quarters}
    return document


def _quarters(sentiment: RoleSentiment, duration_s: float) -> list[Json]:
    quarter_s = duration_s / 4
    return [
        _offsets(i * quarter_s, (i + 1) * quarter_s) | {"Score": round(5 * score, 2)}
        for i, score in enumerate(sentiment.quarters)
        if score is not None
    ]


def _offsets(start_s: float, end_s: float) -> Json:
    return {"BeginOffsetMillis": _ms(start_s), "EndOffsetMillis": _ms(end_s)}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
