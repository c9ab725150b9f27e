"""The two tables that all exports share: calls, with a row per scorecard, and answers, with a row per answer.

Each column is declared once, with its titles, meaning and how to read its cells. The workbook with its
Definitions sheet, the CSV and the Parquet files all use this declaration.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pipeline.conversation import CriterionAnswer, Evidence, Scorecard
from pipeline.export.selection import CriterionText, ExportedCall, Texts, answers_of, words_of

Kind = Literal["text", "prose", "number", "score", "percent", "count", "clock", "time"]
"""How a cell is shown; ``prose`` is text that wraps."""
Cell = str | float | int | bool | dt.datetime | None
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table.

    Attributes:
        name: Name for programs.
        title: Heading for people.
        kind: How its cells are shown.
        width: Width in the workbook, in digits.
        meaning: Definition, for the Definitions sheet and the Parquet schema.
        read: Takes a row and returns its cell.
        detail: Whether the column is hidden in the workbook until somebody unfolds it.
    """

    name: str
    title: str
    kind: Kind
    width: int
    meaning: str
    read: Callable[[Row], Cell]
    detail: bool = False


@dataclass(frozen=True, slots=True)
class CallRow:
    """A scorecard with its call; None for the scorecard of a call that has none."""

    call: ExportedCall
    card: Scorecard | None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One answer, with its call, its scorecard and the rubric's words for the criterion."""

    call: ExportedCall
    card: Scorecard
    section_id: str
    answer: CriterionAnswer
    text: CriterionText


def call_rows(call: ExportedCall) -> list[CallRow]:
    """One row per scorecard; a call without scorecards still gets one row."""
    return [CallRow(call, card) for card in call.scorecards or (None,)]


def answer_rows(call: ExportedCall, texts: Texts) -> Iterator[AnswerRow]:
    """One row per answer, in the rubric's order."""
    for card in call.scorecards:
        for section_id, answer in answers_of(card):
            yield AnswerRow(call, card, section_id, answer, words_of(texts, card.rubric.hash, answer.id))


def clock(seconds: float | None) -> str:
    """Seconds as the packet's player shows them: ``3:07``, ``1:02:09``; empty for None."""
    if seconds is None:
        return ""
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def _card(read: Callable[[Scorecard], Cell]) -> Callable[[CallRow], Cell]:
    return lambda row: read(row.card) if row.card else None


def _first(read: Callable[[Evidence], Cell]) -> Callable[[AnswerRow], Cell]:
    return lambda row: read(row.answer.evidence[0]) if row.answer.evidence else None


def _nearest(read: Callable[[Evidence], Cell]) -> Callable[[AnswerRow], Cell]:
    return lambda row: read(row.answer.nearest) if row.answer.nearest else None


def _searched(row: AnswerRow) -> str:
    """Where the machine looked for a miss, in one line."""
    searched = row.answer.searched
    if searched is None:
        return ""
    window = ""
    if searched.start_s is not None or searched.end_s is not None:
        window = f", {clock(searched.start_s) or 'start'} to {clock(searched.end_s) or 'end'}"
    who = {"any": "everyone"}.get(searched.role, searched.role)
    return f"{searched.what} ({who}{window}, {searched.turns} turns)"


CALL_COLUMNS: Sequence[Column[CallRow]] = (
    Column("call_id", "Call", "text", 15, "Identity of the call in the store",
           lambda r: r.call.metadata.call_id),
    Column("client", "Client", "text", 13, "Whose customers called", lambda r: r.call.metadata.client),
    Column("queue", "Queue", "text", 14, "Queue or campaign", lambda r: r.call.metadata.queue, detail=True),
    Column("team", "Team", "text", 12, "The agent's team", lambda r: r.call.metadata.team, detail=True),
    Column("agent_id", "Agent id", "text", 12, "The agent's number",
           lambda r: r.call.metadata.agent_id, detail=True),
    Column("agent_name", "Agent", "prose", 15, "The agent's name, or number",
           lambda r: r.call.metadata.agent_name or r.call.metadata.agent_id),
    Column("direction", "Direction", "text", 10, "inbound, outbound or internal",
           lambda r: r.call.metadata.direction, detail=True),
    Column("started_at", "Started", "time", 16, "Start of the call on the site's own clock",
           lambda r: r.call.metadata.started_local),
    Column("timezone", "Time zone", "text", 14, "Zone of the site's clock",
           lambda r: r.call.metadata.timezone or "UTC", detail=True),
    Column("duration_s", "Length (s)", "number", 9, "Length of the recording in seconds",
           lambda r: r.call.conversation.transcript.duration_s),
    Column("rubric", "Rubric", "text", 16, "Which rubric answered", _card(lambda c: c.rubric.id)),
    Column("rubric_version", "Version", "text", 8, "Which version of it",
           _card(lambda c: c.rubric.version), detail=True),
    Column("outcome", "Outcome", "text", 13, "pass, fail, needs_review or not_scored",
           _card(lambda c: c.outcome)),
    Column("final_score", "Score", "score", 8, "0 to 100 after the rubric's auto-fail policy",
           _card(lambda c: c.final_score)),
    Column("raw_score", "Raw score", "score", 10, "0 to 100 before auto-fails",
           _card(lambda c: c.raw_score), detail=True),
    Column("pass_mark", "Pass mark", "score", 10, "The score a pass needs",
           _card(lambda c: c.pass_mark), detail=True),
    Column("critical_score", "Critical score", "score", 12, "0 to 100 over the critical criteria only",
           _card(lambda c: c.critical_score), detail=True),
    Column("autofail_reasons", "Auto-fail", "prose", 32, "Why the call failed whatever its points",
           _card(lambda c: "; ".join(c.autofail_reasons))),
    Column("review_reasons", "Not decided because", "prose", 26, "Why a person must, or nothing was scored",
           _card(lambda c: "; ".join(c.review_reasons))),
    Column("rubric_hash", "Rubric text", "text", 12, "Digest of the rubric's exact text; imports need it",
           _card(lambda c: c.rubric.hash), detail=True),
)  # fmt: skip

ANSWER_COLUMNS: Sequence[Column[AnswerRow]] = (
    Column("call_id", "Call", "text", 14, "Identity of the call in the store",
           lambda r: r.call.metadata.call_id),
    Column("agent_name", "Agent", "prose", 13, "The agent's name, or number",
           lambda r: r.call.metadata.agent_name or r.call.metadata.agent_id),
    Column("rubric", "Rubric", "text", 15, "Which rubric asked", lambda r: r.card.rubric.id),
    Column("section", "Section", "text", 16, "Section of the rubric",
           lambda r: r.text.section or r.section_id, detail=True),
    Column("criterion_id", "Criterion id", "text", 20, "Name of the criterion in the rubric",
           lambda r: r.answer.id, detail=True),
    Column("criterion", "Criterion", "prose", 30, "What was asked", lambda r: r.text.title),
    Column("answer", "Answer", "text", 13,
           "yes, no, na (did not apply) or undetermined (the machine is not sure)",
           lambda r: r.answer.answer),
    Column("points", "Points", "number", 7, "Points earned", lambda r: r.answer.points),
    Column("max_points", "Of", "number", 5, "Points that could be earned", lambda r: r.answer.max_points),
    Column("critical", "Critical", "text", 9, "Whether it counts in the critical score",
           lambda r: "critical" if r.answer.critical else ""),
    Column("quote", "Evidence", "prose", 38, "The words the answer rests on", _first(lambda e: e.quote)),
    Column("speaker", "Speaker", "text", 10, "Who said them", _first(lambda e: e.role), detail=True),
    Column("time", "Time", "clock", 8, "When, from the start of the recording",
           _first(lambda e: clock(e.start_s))),
    Column("start_s", "Start (s)", "number", 9, "The same in seconds",
           _first(lambda e: e.start_s), detail=True),
    Column("end_s", "End (s)", "number", 9, "End of the quote in seconds",
           _first(lambda e: e.end_s), detail=True),
    Column("rule", "Rule", "text", 24, "The rule that fired", _first(lambda e: e.rule), detail=True),
    Column("reason", "Reason", "prose", 24, "The answer explained in a sentence", lambda r: r.answer.reason),
    Column("nearest", "Nearest miss", "prose", 30, "For a miss: the closest words that were said",
           _nearest(lambda e: e.quote)),
    Column("nearest_time", "Miss at", "clock", 9, "When those were said",
           _nearest(lambda e: clock(e.start_s))),
    Column("searched", "Searched", "text", 40, "For a miss: where the machine looked",
           _searched, detail=True),
    Column("rubric_hash", "Rubric text", "text", 12,
           "Digest of the rubric's exact text; needed to import corrections",
           lambda r: r.card.rubric.hash, detail=True),
)  # fmt: skip


def values(columns: Sequence[Column[Row]], row: Row) -> list[Cell]:
    """The cells of one row, in the order of the columns."""
    return [column.read(row) for column in columns]
