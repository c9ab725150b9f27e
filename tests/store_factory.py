"""Made-up calls for the tests and the benchmark of the store: every field filled somewhere."""

import datetime as dt

from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Conversation,
    CriterionAnswer,
    Doubt,
    Engine,
    Evidence,
    Finding,
    LedgerEntry,
    RoleSentiment,
    RubricRef,
    Scorecard,
    Searched,
    SectionScore,
    Sentiment,
    StageRun,
    Transcript,
    Turn,
    Word,
)

RUBRIC = RubricRef("support", "1", "hash-support-1")
START = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=5)))
NASTY = "O'Brien \"); DROP TABLE calls; -- 😀 \n;"


def words(text: str, start_s: float) -> tuple[Word, ...]:
    """The words of a text, half a second each."""
    return tuple(
        Word(w, start_s + i / 2, start_s + i / 2 + 0.4, 0.9 if i % 2 else None)
        for i, w in enumerate(text.split())
    )


def conversation(
    call_id: str, lines: tuple[str, ...] = ("hello this is acme", "my bill is wrong")
) -> Conversation:
    """A conversation in which agent and customer take turns."""
    turns = tuple(Turn(
        i, "customer" if i % 2 else "agent", text, i * 5.0, i * 5.0 + 4.25, channel=i % 2, confidence=0.8,
        words=words(text, i * 5.0), language="en",
        sentiment=Sentiment(-0.5, "negative") if i % 2 else Sentiment(0.25, "positive"),
    ) for i, text in enumerate(lines))  # fmt: skip
    engine = Engine("callqa", "base", "fp-engine")
    said = Transcript(call_id, turns, "en", 5.0 * len(turns), engine, 2, "voice", ("faint left channel",))
    return Conversation(
        said.doubted(
            (Doubt("too_quiet", "too quiet: the agent's speech", "agent"), Doubt("clipped", "clipped"))
        ),
        findings=(
            Finding("silence", "dead_air", None, 1.0, 4.5, "", 3.5, "callqa.metrics.v1"),
            Finding("topic", "billing", 1, 5.0, 9.25, "bill", "billing", "callqa.topic.v1"),
        ),
        metrics={"talk_ratio": 0.5, "overtalk_s": None, "made_up_metric": 2.0},
        sentiment={
            "agent": RoleSentiment(0.25, (0.25, None, None, 0.25), 0.0, 0.25, 0),
            "customer": RoleSentiment(-0.5, (0.5, -0.5, None, -0.5), -1.0, -0.5, 1),
        },
        warnings=("no brand heard",),
    )


def scorecard(
    call_id: str, *, rubric: RubricRef = RUBRIC, outcome: str = "fail", final: float | None = 0.0
) -> Scorecard:
    """One section with a yes and a critical no that carries its nearest miss."""
    greeting = Evidence(0, "agent", 0.0, 2.0, "hello this is acme", "phrase: hello", 1.0)
    nearest = Evidence(0, "agent", 0.0, 4.25, "this is acme", "phrase: this call is recorded", 0.41)
    criteria = (
        CriterionAnswer("greeting", "yes", 1.0, 1.0, 1.0, evidence=(greeting,)),
        CriterionAnswer(
            "disclosure", "no", 0.0, 1.0, 2.0, critical=True,
            searched=Searched("this call is recorded", "agent", 0.0, 30.0, 1), nearest=nearest,
            reason="not said in the first 30 s",
        ),
        CriterionAnswer("hold", "na", None, 1.0, 1.0, scored=False, awaits="people"),
    )  # fmt: skip
    return Scorecard(
        call_id, rubric, 33.3, final, outcome, (SectionScore("opening", 33.3, criteria, 1.0, True),),
        ("disclosure missing",), ("weak recognition",), 0.0, 80.0, ("short call",),
    )  # fmt: skip


def metadata(call_id: str, **changes: object) -> CallMetadata:
    """Metadata with awkward text."""
    values: dict[str, object] = {
        "client": "acme", "site": "lhr", "queue": "care", "team": "blue", "agent_id": "a1",
        "agent_name": NASTY, "language": "en", "agent_channel": 0, "direction": "inbound",
        "customer_ref": "cust-1", "started_at": START, "timezone": "Asia/Karachi",
        "hold_spans": ((1.0, 2.5),), "extra": {"wrap code": NASTY},
    }  # fmt: skip
    return CallMetadata(call_id, **{**values, **changes})


def record(call_id: str, *, sha: str | None = None, path: str | None = None, **changes: object) -> CallRecord:
    """A scored call."""
    return CallRecord(
        LedgerEntry(
            path or f"/calls/{call_id}.wav", sha or f"sha-{call_id}", call_id, "scored", size_bytes=1000,
            mtime_ns=5, warnings=("odd header",), fingerprint=f"fp-{call_id}",
        ),
        metadata(call_id, **changes), conversation(call_id),
        (scorecard(call_id),),
        (StageRun("transcribe", "fp-t", "callqa", "base", 1.5), StageRun("score", "fp-s", "callqa", "", 0.1)),
    )  # fmt: skip
