"""The same two turns as the tools of others write them: small files after each tool's published schema."""

from typing import Any

HELLO, HI = "Thank you for calling Acme. How can I help you?", "Hi, I lost my card."


def ms(text: str, start_s: float, end_s: float, **more: Any) -> list[dict[str, Any]]:
    """The words of a text, spread evenly over its time, in seconds."""
    words = text.split()
    step = (end_s - start_s) / len(words)
    return [
        {"text": w, "start": round(start_s + n * step, 2), "end": round(start_s + (n + 1) * step, 2), **more}
        for n, w in enumerate(words)
    ]


def amazon_items(text: str, start_s: float, end_s: float, **more: Any) -> list[dict[str, Any]]:
    """Amazon's items: numbers as text, punctuation by itself without times."""
    items: list[dict[str, Any]] = []
    for one in ms(text, start_s, end_s):
        bare = one["text"].rstrip(".,?")
        best = [{"confidence": "0.97", "content": bare}]
        times = {"start_time": str(one["start"]), "end_time": str(one["end"])}
        items.append({"type": "pronunciation", "alternatives": best, **times, **more})
        if bare != one["text"]:
            mark = [{"confidence": "0.0", "content": one["text"][len(bare) :]}]
            items.append({"type": "punctuation", "alternatives": mark, **more})
    return items


def amazon(results: dict[str, Any]) -> dict[str, Any]:
    """The file of a transcription job."""
    return {"jobName": "j", "accountId": "1", "status": "COMPLETED", "results": results}


# fmt: off
BOTH = ((HELLO, 1.0, 4.0), (HI, 5.0, 6.0))
BY_SPEAKER = amazon({
    "language_code": "en-US", "transcripts": [{"transcript": f"{HELLO} {HI}"}],
    "items": [i for n, (t, a, b) in enumerate(BOTH) for i in amazon_items(t, a, b, speaker_label=f"spk_{n}")],
})
SPEAKERS_APART = amazon({
    "transcripts": [], "items": [i for t, a, b in BOTH for i in amazon_items(t, a, b)],
    "speaker_labels": {
        "speakers": 2,
        "segments": [{
            "speaker_label": f"spk_{n}", "start_time": str(a), "end_time": str(b),
            "items": [{
                "speaker_label": f"spk_{n}", "start_time": i["start_time"], "end_time": i["end_time"],
            } for i in amazon_items(t, a, b) if i["type"] == "pronunciation"],
        } for n, (t, a, b) in enumerate(BOTH)],
    },
})
BY_CHANNEL = amazon({
    "transcripts": [],
    "channel_labels": {
        "number_of_channels": 2,
        "channels": [{
            "channel_label": f"ch_{n}", "items": amazon_items(t, a, b),
        } for n, (t, a, b) in enumerate(BOTH)],
    },
})
PCA = {
    "ConversationAnalytics": {
        "GUID": "guid-7", "Agent": "ann", "LanguageCode": "en-US", "Duration": 7.5,
        "ConversationTime": "2025-03-27T09:25:17", "ConversationLocation": "America/Denver",
        "ProcessTime": "2025-03-27T18:00:00",
        "SpeakerLabels": [
            {"Speaker": "spk_0", "DisplayText": "Agent"},
            {"Speaker": "spk_1", "DisplayText": "Customer"},
        ],
    },
    "SpeechSegments": [{
        "SegmentStartTime": a, "SegmentEndTime": b, "SegmentSpeaker": f"spk_{n}", "OriginalText": t,
        "DisplayText": t,
        "WordConfidence": [{
            "Text": f" {w['text']}", "Confidence": 0.9, "StartTime": w["start"], "EndTime": w["end"],
        } for w in ms(t, a, b)],
    } for n, (t, a, b) in enumerate(BOTH)],
}
TICK = 10_000_000
AZURE = {
    "source": "x.wav", "durationInTicks": 7.5 * TICK, "duration": "PT7.5S",
    "combinedRecognizedPhrases": [{"channel": 0, "display": HELLO}],
    "recognizedPhrases": [{
        "recognitionStatus": "Success", "channel": n, "offset": f"PT{a}S", "duration": f"PT{b - a}S",
        "offsetInTicks": a * TICK, "durationInTicks": (b - a) * TICK,
        "nBest": [{
            "confidence": 0.9, "lexical": t.lower(), "display": t,
            "words": [{
                "word": w["text"].lower(), "offset": f"PT{w['start']}S", "duration": "PT0.1S",
            } for w in ms(t, a, b)],
        }],
    } for n, (t, a, b) in enumerate(BOTH)] + [{"recognitionStatus": "Failure", "channel": 0}],
}
INDEXER = {"RecognizedPhrases": [{
    "RecognitionStatus": "Success", "Channel": 0, "Speaker": n + 1, "Offset": f"PT{a}S",
    "Duration": f"PT{b - a}S", "NBest": [{"Confidence": 0.9, "Display": t}],
} for n, (t, a, b) in enumerate(BOTH)]}
FAST = {
    "durationMilliseconds": 7500, "combinedPhrases": [{"text": f"{HELLO} {HI}"}],
    "phrases": [{
        "speaker": n, "offsetMilliseconds": int(a * 1000), "durationMilliseconds": int((b - a) * 1000),
        "text": t, "locale": "en-US", "confidence": 0.9,
    } for n, (t, a, b) in enumerate(BOTH)],
}
ITEMS = [{
    "id": str(n), "participantId": str(n), "text": t, "lexical": t.lower(),
    "audioTimings": [{
        "word": w["text"], "offset": int(w["start"] * TICK), "duration": int((w["end"] - w["start"]) * TICK),
    } for w in ms(t, a, b)],
} for n, (t, a, b) in enumerate(BOTH)]
CONVERSATION = {"id": "1", "language": "en", "modality": "transcript", "conversationItems": ITEMS}
CALL_RESULTS = {"conversationAnalyticsResults": {"conversationPiiResults": {"conversations": [{
    "id": "c1",
    "conversationItems": [{
        "id": str(n), "redactedContent": {"text": t, "lexical": t.lower()}, "channel": str(n),
        "offset": f"PT{a}S", "duration": f"PT{b - a}S",
    } for n, (t, a, b) in enumerate(BOTH)],
}]}}}
DEEPGRAM_WORDS = [[{
    "word": w["text"].lower(), "punctuated_word": w["text"], "start": w["start"], "end": w["end"],
    "confidence": 0.9, "speaker": n,
} for w in ms(t, a, b)] for n, (t, a, b) in enumerate(BOTH)]
DEEPGRAM = {
    "metadata": {"duration": 7.5, "channels": 1, "request_id": "r"},
    "results": {"channels": [{
        "detected_language": "en",
        "alternatives": [{
            "transcript": f"{HELLO} {HI}", "confidence": 0.9, "words": DEEPGRAM_WORDS[0] + DEEPGRAM_WORDS[1],
        }],
    }]},
}
DEEPGRAM_CHANNELS = {
    "metadata": {"duration": 7.5, "channels": 2},
    "results": {"channels": [{"alternatives": [{
        "transcript": t, "words": [{**w, "speaker": 0} for w in DEEPGRAM_WORDS[n]],
    }]} for n, (t, _, _) in enumerate(BOTH)]},
}
DEEPGRAM_UTTERANCES = {
    "metadata": {"duration": 7.5},
    "results": {"utterances": [{
        "start": a, "end": b, "confidence": 0.9, "channel": 0, "transcript": t, "speaker": n, "id": "u",
    } for n, (t, a, b) in enumerate(BOTH)]},
}
ASSEMBLYAI = {
    "id": "a", "status": "completed", "audio_url": "https://x", "language_code": "en_us", "audio_duration": 8,
    "text": f"{HELLO} {HI}",
    "utterances": [{
        "speaker": "AB"[n], "start": int(a * 1000), "end": int(b * 1000), "confidence": 0.9, "text": t,
        "words": [{
            "text": w["text"], "start": int(w["start"] * 1000), "end": int(w["end"] * 1000),
            "confidence": 0.9, "speaker": "AB"[n],
        } for w in ms(t, a, b)],
    } for n, (t, a, b) in enumerate(BOTH)],
}
UTTERANCES_ALONE = {
    "utterances": [{k: u[k] for k in ("speaker", "start", "end", "text")} for u in ASSEMBLYAI["utterances"]]
}
GOOGLE_TAGGED = {
    "results": [
        {"alternatives": [{
            "transcript": HELLO, "confidence": 0.9,
            "words": [{
                "startTime": f"{w['start']}s", "endTime": f"{w['end']}s", "word": w["text"],
            } for w in ms(*BOTH[0])],
        }]},
        {
            "alternatives": [{"words": [{
                "startTime": f"{w['start']}s", "endTime": f"{w['end']}s", "word": w["text"],
                "speakerTag": n + 1,
            } for n, said in enumerate(BOTH) for w in ms(*said)]}],
            "languageCode": "en-us",
        },
    ],
    "totalBilledTime": "15s",
}
GOOGLE_BATCH = {"results": {"gs://b/x.wav": {"transcript": {"results": [{
    "channelTag": n + 1, "resultEndOffset": f"{b}s", "languageCode": "en-US",
    "alternatives": [{
        "transcript": t,
        "words": [{
            "startOffset": f"{w['start']}s", "endOffset": f"{w['end']}s", "word": w["text"],
        } for w in ms(t, a, b)],
    }],
} for n, (t, a, b) in enumerate(BOTH)]}}}}
INSIGHTS = {"entries": [{
    "start_timestamp_usec": 1743067517_000000 + int((a - 1) * 1e6), "text": t, "role": role, "user_id": n,
} for n, ((t, a, _), role) in enumerate(zip(BOTH, ("AGENT", "END_USER"), strict=True))]}
WHISPER = {
    "text": f" {HELLO} {HI}", "language": "en",
    "segments": [{
        "id": n, "seek": 0, "start": a, "end": b, "text": f" {t}", "tokens": [1], "temperature": 0.0,
        "avg_logprob": -0.1, "no_speech_prob": 0.01,
    } for n, (t, a, b) in enumerate(BOTH)],
}
WHISPERX = {
    "segments": [{
        "start": a, "end": b, "text": f" {t}", "speaker": f"SPEAKER_0{n}",
        "words": [{
            "word": w["text"], "start": w["start"], "end": w["end"], "score": 0.9, "speaker": f"SPEAKER_0{n}",
        } for w in ms(t, a, b)],
    } for n, (t, a, b) in enumerate(BOTH)],
    "word_segments": [], "language": "en",
}
VERBOSE = {
    "task": "transcribe", "language": "english", "duration": 7.5, "text": HELLO,
    "segments": [{
        "type": "transcript.text.segment", "speaker": "AB"[n], "start": a, "end": b, "text": t,
    } for n, (t, a, b) in enumerate(BOTH)],
}
CPP = {
    "result": {"language": "en"},
    "transcription": [{
        "timestamps": {"from": "00:00:01,000"}, "offsets": {"from": int(a * 1000), "to": int(b * 1000)},
        "text": f" {t}", "speaker": str(n),
    } for n, (t, a, b) in enumerate(BOTH)],
}
FAST_WHISPER = {
    "speakers": [
        {"speaker": f"SPEAKER_0{n}", "timestamp": [a, b], "text": t} for n, (t, a, b) in enumerate(BOTH)
    ],
    "chunks": [{"timestamp": [1.0, 6.0], "text": "x"}],
    "text": "x",
}
SPEECHMATICS = {
    "format": "2.9", "metadata": {"transcription_config": {"language": "en"}}, "job": {"duration": 8},
    "results": [{
        "type": "word" if i["type"] == "pronunciation" else "punctuation",
        "start_time": float(i.get("start_time", 0)), "end_time": float(i.get("end_time", 0)),
        "alternatives": [{
            "content": i["alternatives"][0]["content"], "confidence": 0.9, "speaker": f"S{n + 1}",
        }],
    } for n, said in enumerate(BOTH) for i in amazon_items(*said)],
}
REV = {"monologues": [{
    "speaker": n,
    "elements": [
        e for w in ms(*said)
        for e in (
            {"type": "text", "value": w["text"], "ts": w["start"], "end_ts": w["end"], "confidence": 0.9},
            {"type": "punct", "value": " "},
        )
    ],
} for n, said in enumerate(BOTH)]}
GENESYS = {
    "conversationId": "g-1", "conversationStartTime": 1743067517000,
    "transcripts": [{
        "language": "en-us",
        "phrases": [{
            "text": t.lower(), "decoratedText": t, "startTimeMs": a * 1000,
            "duration": {"milliseconds": int((b - a) * 1000)}, "confidence": 0.9, "participantPurpose": side,
        } for (t, a, b), side in zip(BOTH, ("internal", "external"), strict=True)],
    }],
}
ELEVENLABS = {
    "language_code": "en", "text": HELLO,
    "words": [{
        "text": w["text"], "start": w["start"], "end": w["end"], "type": "word", "speaker_id": f"speaker_{n}",
    } for n, said in enumerate(BOTH) for w in ms(*said)],
}
ELEVENLABS_CHANNELS = {
    "transcripts": [{
        "language_code": "eng", "channel_index": n, "text": said[0],
        "words": [
            {"text": w["text"], "start": w["start"], "end": w["end"], "type": "word"} for w in ms(*said)
        ],
    } for n, said in enumerate(BOTH)],
}
TWILIO = {
    "sentences": [{
        "media_channel": n + 1, "sentence_index": n, "start_time": a, "end_time": b, "transcript": t,
        "confidence": 0.9,
    } for n, (t, a, b) in enumerate(BOTH)],
    "meta": {},
}
BARE: list[dict[str, Any]] = [
    {"speaker": s, "text": t, "start": a, "end": b} for s, (t, a, b) in zip(("Ann", "Bob"), BOTH, strict=True)
]

TOLD: list[tuple[str, object, list[tuple[object, object]]]] = [
    ("Amazon Transcribe", BY_SPEAKER, [(None, "spk_0"), (None, "spk_1")]),
    ("Amazon Transcribe", SPEAKERS_APART, [(None, "spk_0"), (None, "spk_1")]),
    ("Amazon Transcribe", BY_CHANNEL, [(0, None), (1, None)]),
    ("Post Call Analytics", PCA, [(None, "spk_0"), (None, "spk_1")]),
    ("Azure Speech", AZURE, [(0, None), (1, None)]),
    ("Azure Speech", {"transcription": AZURE, **CALL_RESULTS}, [(0, None), (1, None)]),
    ("Azure Speech", INDEXER, [(0, "1"), (0, "2")]),
    ("Azure Speech, fast transcription", FAST, [(None, "0"), (None, "1")]),
    ("Azure conversations", {"conversation": CONVERSATION}, [(None, "0"), (None, "1")]),
    ("Azure conversations", {"analysisInput": {"conversations": [CONVERSATION]}}, [(None, "0"), (None, "1")]),
    ("Azure conversations", CALL_RESULTS, [(0, None), (1, None)]),
    ("Deepgram", DEEPGRAM, [(None, "0"), (None, "1")]),
    ("Deepgram", DEEPGRAM_CHANNELS, [(0, "0"), (1, "0")]),
    ("Deepgram", DEEPGRAM_UTTERANCES, [(0, "0"), (0, "1")]),
    ("AssemblyAI", ASSEMBLYAI, [(None, "A"), (None, "B")]),
    ("a list of turns", UTTERANCES_ALONE, [(None, "A"), (None, "B")]),
    ("Google Speech-to-Text", GOOGLE_TAGGED, [(None, "1"), (None, "2")]),
    ("Google Speech-to-Text", {"response": GOOGLE_TAGGED}, [(None, "1"), (None, "2")]),
    ("Google Speech-to-Text", GOOGLE_BATCH, [(0, None), (1, None)]),
    ("Whisper and WhisperX", WHISPER, [(None, None), (None, None)]),
    ("Whisper and WhisperX", WHISPERX, [(None, "SPEAKER_00"), (None, "SPEAKER_01")]),
    ("Whisper and WhisperX", VERBOSE, [(None, "A"), (None, "B")]),
    ("whisper.cpp", CPP, [(None, "0"), (None, "1")]),
    ("Transformers and insanely-fast-whisper", FAST_WHISPER, [(None, "SPEAKER_00"), (None, "SPEAKER_01")]),
    ("Speechmatics", SPEECHMATICS, [(None, "S1"), (None, "S2")]),
    ("Rev AI", REV, [(None, "0"), (None, "1")]),
    ("Genesys Cloud", GENESYS, [(None, "internal"), (None, "external")]),
    ("ElevenLabs", ELEVENLABS, [(None, "speaker_0"), (None, "speaker_1")]),
    ("ElevenLabs", ELEVENLABS_CHANNELS, [(0, None), (1, None)]),
    ("Twilio", TWILIO, [(0, None), (1, None)]),
    ("a list of turns", BARE, [(None, "Ann"), (None, "Bob")]),
    ("a list of turns", {"dialogue": BARE}, [(None, "Ann"), (None, "Bob")]),
    ("a list of turns", {"turns": BARE, "agent": "ann"}, [(None, "Ann"), (None, "Bob")]),
]
