"""Contact-Lens-shaped JSON (version 1.1.0), for tools that read Amazon Connect's analysis files.

Only fields whose meaning is the same are written; what callqa does not measure is left out rather
than filled. Sentiment is -5..5 there, so scores are multiplied by five; times are milliseconds.
"""

from __future__ import annotations

from typing import Any

from pipeline.conversation import Conversation, RoleSentiment
from pipeline.export.selection import Call

Json = dict[str, Any]
ROLES = {"agent": "AGENT", "customer": "CUSTOMER", "system": "SYSTEM", "unknown": "CUSTOMER"}


def contact_lens(call: Call) -> Json:
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
    heard = {ROLES[turn.role] for turn in conversation.transcript.turns} | {"AGENT", "CUSTOMER"}
    return [{"ParticipantId": role, "ParticipantRole": role} for role in sorted(heard)]


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
    """Findings with a time are categories with points of interest; an absence has none."""
    details: dict[str, Json] = {}
    for finding in conversation.findings:
        if finding.kind == "pii":
            continue
        found = details.setdefault(f"{finding.kind}.{finding.label}", {"PointsOfInterest": []})
        if finding.start_s is not None and finding.end_s is not None:
            found["PointsOfInterest"].append(_offsets(finding.start_s, finding.end_s))
    return {"MatchedCategories": sorted(details), "MatchedDetails": details}


def _characteristics(conversation: Conversation) -> Json:
    metrics, duration_s = conversation.metrics, conversation.transcript.duration_s
    facts: Json = {}
    if duration_s is not None:
        facts["TotalConversationDurationMillis"] = _ms(duration_s)
    if conversation.sentiment:
        facts["Sentiment"] = _sentiment(conversation)
    speed = {
        ROLES[r]: {"AverageWordsPerMinute": round(v)}
        for r in ("agent", "customer")
        if (v := metrics.get(f"{r}_wpm"))
    }
    if speed:
        facts["TalkSpeed"] = {"DetailsByParticipant": speed}
    talk = {
        ROLES[r]: {"TotalTimeMillis": _ms(v)}
        for r in ("agent", "customer")
        if (v := metrics.get(f"{r}_talk_s")) is not None
    }
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
    known = {ROLES[role]: mood for role, mood in conversation.sentiment.items()}
    found: Json = {"OverallSentiment": {role: round(5 * mood.score, 2) for role, mood in known.items()}}
    if duration_s := conversation.transcript.duration_s:
        quarters = {role: _quarters(mood, duration_s) for role, mood in known.items()}
        found["SentimentByPeriod"] = {"QUARTER": quarters}
    return found


def _quarters(mood: RoleSentiment, duration_s: float) -> list[Json]:
    step = duration_s / 4
    return [
        _offsets(i * step, (i + 1) * step) | {"Score": round(5 * score, 2)}
        for i, score in enumerate(mood.quarters)
        if score is not None
    ]


def _offsets(start_s: float, end_s: float) -> Json:
    return {"BeginOffsetMillis": _ms(start_s), "EndOffsetMillis": _ms(end_s)}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
