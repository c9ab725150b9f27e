"""The page's data about calls: a small row per call for the overview, and a document per call to open.

Keys that repeat thousands of times are short; only the scripts in ``page/`` read them.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

from pipeline.conversation import CriterionAnswer, Review, Scorecard, SectionScore, Turn
from pipeline.export.selection import ExportedCall, Texts, words_of
from pipeline.export.sound import Sound
from pipeline.rubric.checks import learning

Json = dict[str, Any]
SHORT = {"start_s": "a", "end_s": "b"}
EVIDENCE = "turn role start_s end_s quote rule strength"


def index_row(call: ExportedCall) -> Json:
    """The overview's row of one call."""
    meta = call.metadata
    card = min(call.scorecards, key=_goodness, default=None)
    started = meta.started_local
    return {
        "id": meta.call_id,
        "client": meta.client or "",
        "queue": meta.queue or "",
        "team": meta.team or "",
        "agent": meta.agent_name or meta.agent_id or "",
        "started": started.strftime("%Y-%m-%d %H:%M") if started else "",
        "s": call.conversation.transcript.duration_s,
        "rubric": card.rubric.id if card else "",
        "score": rounded(card.final_score, 1) if card else None,
        "outcome": card.outcome if card else "not_scored",
        "why": card.why if card else "",
        "mood": _mood(call),
    }


OUTCOMES_WORST_FIRST = ("fail", "needs_review", "pass", "not_scored")


def _goodness(card: Scorecard) -> tuple[int, float]:
    """Sort key that puts fails first, and then the lowest scores."""
    return OUTCOMES_WORST_FIRST.index(card.outcome), card.final_score or 0.0


def _mood(call: ExportedCall) -> list[float | None] | None:
    """The customer's sentiment per quarter, for the small curve in the overview."""
    customer = call.conversation.sentiment.get("customer")
    return [rounded(q, 2) for q in customer.quarters] if customer else None


def call_document(
    call: ExportedCall, texts: Texts, sound: Sound, reviews: Sequence[tuple[str, Review]]
) -> Json:
    """Everything the page shows of one redacted call; ``reviews`` are those of the call, with rubric ids."""
    meta, conversation = call.metadata, call.conversation
    transcript = conversation.transcript
    return {
        "id": meta.call_id,
        "duration": transcript.duration_s,
        "facts": _facts(call),
        "turns": [_turn(turn) for turn in transcript.turns],
        "findings": [plain(f, "kind label turn start_s end_s text value") for f in conversation.findings],
        "cards": [_card(card, texts) for card in sorted(call.scorecards, key=_goodness)],
        "metrics": {name: rounded(value, 3) for name, value in conversation.metrics.items()},
        "warnings": [*transcript.warnings, *conversation.warnings],
        "peaks": [base64.b64encode(bytes(lane)).decode("ascii") for lane in sound.peaks],
        "agentChannel": _agent_channel(call),
        "audio": sound.url,
        "audioNote": sound.note,
        "redacted": [[rounded(at_s, 2) for at_s in span] for span in sound.redacted],
        "holds": [[rounded(at_s, 2) for at_s in span] for span in meta.hold_spans],
        "reviews": [_review(rubric, review) for rubric, review in reviews],
    }


BLIND_COLUMNS = ("id", "client", "queue", "team", "agent", "started", "s", "rubric")


def blinded(document: Json) -> Json:
    """A call's document without what the machine or people concluded: transcript, recording, questions."""
    question = ("id", "title", "about", "critical", "grades")
    cards = [
        {name: card[name] for name in ("rubric", "version", "hash")}
        | {
            "sections": [
                {
                    "title": section["title"],
                    "criteria": [{k: c[k] for k in question} for c in section["criteria"]],
                }
                for section in card["sections"]
            ]
        }
        for card in document["cards"]
    ]
    return document | {
        "cards": cards,
        "turns": [{k: v for k, v in turn.items() if k != "l"} for turn in document["turns"]],
        "findings": [f for f in document["findings"] if f["kind"] in {"hold", "silence", "pii"}],
        "metrics": {},
        "reviews": [],
    }


def _review(rubric: str, review: Review) -> Json:
    return {
        "rubric": rubric,
        "reviewer": review.reviewer,
        "at": f"{review.reviewed_at:%d %b %Y}",
        "hash": review.rubric_hash,
        "criterion": review.criterion_id,
        "answer": review.said,
        "state": review.state if review.state != "submitted" else "",
        "reason": review.reason,
    }


def _agent_channel(call: ExportedCall) -> int:
    """The channel of most of the agent's turns; the metadata's where turns have no channel."""
    turns = call.conversation.transcript.turns
    channels = [turn.channel for turn in turns if turn.role == "agent" and turn.channel is not None]
    return max(set(channels), key=channels.count) if channels else call.metadata.agent_channel or 0


def _facts(call: ExportedCall) -> list[tuple[str, str]]:
    meta = call.metadata
    started = meta.started_local
    facts = (
        ("Agent", " ".join(filter(None, (meta.agent_name, f"({meta.agent_id})" if meta.agent_id else None)))),
        ("Team", meta.team or ""),
        ("Client", meta.client or ""),
        ("Queue", meta.queue or ""),
        ("Direction", meta.direction if meta.direction != "unknown" else ""),
        ("Started", f"{started:%d %b %Y, %H:%M} ({meta.timezone or 'UTC'})" if started else ""),
        ("Language", call.conversation.transcript.language or ""),
    )
    return [(name, value) for name, value in facts if value]


def _turn(turn: Turn) -> Json:
    row = {"r": turn.role, "t": turn.text, "n": turn.turn, **plain(turn, "start_s end_s")}
    if turn.sentiment:
        row["l"] = turn.sentiment.label
    if turn.confidence is not None and turn.confidence < 0.5:
        row["c"] = rounded(turn.confidence, 2)
    return row


def _card(card: Scorecard, texts: Texts) -> Json:
    return {
        "rubric": card.rubric.id,
        "version": card.rubric.version,
        "hash": card.rubric.hash,
        "outcome": card.outcome,
        "score": rounded(card.final_score, 1),
        "raw": rounded(card.raw_score, 1),
        "critical": rounded(card.critical_score, 1),
        "mark": card.pass_mark,
        "autofail": list(card.autofail_reasons),
        "doubts": list(card.review_reasons),
        "sections": [
            {
                "title": _section_title(card.rubric.hash, section, texts),
                "score": rounded(section.score, 1),
                "criteria": [_answer(card, answer, texts) for answer in section.criteria],
            }
            for section in card.sections
        ],
    }


def _section_title(rubric_hash: str, section: SectionScore, texts: Texts) -> str:
    titles = (words_of(texts, rubric_hash, answer.id).section for answer in section.criteria)
    return next(filter(None, titles), section.id)


def _answer(card: Scorecard, answer: CriterionAnswer, texts: Texts) -> Json:
    text = words_of(texts, card.rubric.hash, answer.id)
    return {
        "id": answer.id,
        "title": text.title,
        "about": text.description,
        "grades": text.grades,
        "grade": text.grade(answer.points),
        "of": answer.max_points,
        **plain(answer, "answer points critical scored reason"),
        "learns": text.asked is not None and learning(text.asked.check) is not None,
        "evidence": [plain(e, EVIDENCE) for e in answer.evidence],
        "nearest": plain(answer.nearest, EVIDENCE) if answer.nearest else None,
        "searched": plain(answer.searched, "what role start_s end_s turns") if answer.searched else None,
    }


def plain(record: object, names: str, digits: int = 2) -> Json:
    """The named attributes of a record, numbers rounded; ``start_s`` and ``end_s`` become ``a`` and ``b``."""
    found = {SHORT.get(name, name): getattr(record, name) for name in names.split()}
    return {name: rounded(v, digits) if isinstance(v, float) else v for name, v in found.items()}


def rounded(value: float | None, digits: int) -> float | None:
    """The number rounded to ``digits``; None for None and for numbers that are not finite."""
    return round(float(value), digits) if value is not None and math.isfinite(value) else None
