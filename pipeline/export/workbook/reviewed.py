"""The sheets about people's answers: Agreement, Score deviation, Reviews (the audit trail)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from pipeline.calibrate import Calibration
from pipeline.calibrate.agreement import Coefficient
from pipeline.calibrate.figures import sentence
from pipeline.calibrate.scores import ScoreDeviation
from pipeline.conversation import Review
from pipeline.export.selection import Texts, words_of
from pipeline.export.summary import spoken
from pipeline.export.tables import Column
from pipeline.export.workbook.sheet import TableSheet
from pipeline.export.workbook.style import Formats

AGREEMENT_COLUMNS = (
    Column("what", "Criterion, or who", "text", 34, "Machine against people on it, or against this person"),
    Column("rubric", "Rubric", "text", 13, "Which rubric asks"),
    Column("n", "Reviewed", "count", 9, "Answers with a person's answer beside the machine's"),
    Column("agreement", "Agreement", "percent", 10, "Share of equal answers"),
    Column("range", "95 % interval", "text", 13, "Wilson interval of it"),
    Column("kappa", "κ", "number", 7, "Cohen's κ: agreement beyond chance; 1 is perfect, 0 is chance"),
    Column("weighted", "Weighted κ", "number", 9, "κ with quadratic weights, for criteria with grades"),
    Column(
        "kappa_range",
        "95 % interval of κ",
        "text",
        13,
        "Of the weighted κ where there is one (Fleiss et al.)",
    ),
    Column("ac1", "AC1", "number", 7, "Gwet's AC1: steady where nearly all answers are the same"),
    Column(
        "lenient",
        "Machine more generous",
        "count",
        10,
        "It says yes, or gives the better grade; the person does not",
    ),
    Column(
        "strict", "Machine stricter", "count", 9, "It says no, or gives the worse grade; the person does not"
    ),
    Column("undetermined", "Undetermined", "count", 13, "The machine was not sure; not counted"),
    Column("advice", "What it means", "text", 60, "What to do, and how far to trust the figures"),
)
SCORE_COLUMNS = (
    Column("call_id", "Call", "text", 24, "Identity of the call in the store"),
    Column("rubric", "Rubric", "text", 18, "Which rubric asks"),
    Column("reviewer", "Reviewer", "text", 20, "Whose answers"),
    Column("machine", "Machine's score", "score", 12, "0 to 100"),
    Column(
        "person",
        "With the person's answers",
        "score",
        14,
        "The same arithmetic with the person's answers in place",
    ),
    Column("deviation", "Difference", "number", 12, "The latter less the former, in points"),
    Column("was", "Outcome", "text", 14, "Under the machine's answers"),
    Column("becomes", "Becomes", "text", 14, "Under the person's answers"),
)
REVIEW_COLUMNS = (
    Column("at", "When", "time", 17, "When it was said (UTC)"),
    Column("reviewer", "Who", "text", 20, "Who said it"),
    Column("call_id", "Call", "text", 20, "About which call"),
    Column("criterion", "Criterion", "text", 40, "About which question; empty for the whole call"),
    Column("machine", "Machine", "text", 16, "What the machine had answered"),
    Column("person", "Person", "text", 16, "What the person answered"),
    Column("state", "State", "text", 14, "submitted, acknowledged, disputed, upheld or overturned"),
    Column("reason", "Comment", "text", 44, "In the person's words"),
    Column(
        "how",
        "How",
        "text",
        14,
        "blind: without the machine's answers in view; confirmed: with the whole call",
    ),
    Column("source", "File", "text", 28, "The file it came in"),
)


def write_agreement(book: Any, formats: Formats, calibration: Calibration) -> None:
    """Machine against people: a row a criterion, a row a reviewer, people among themselves, the cautions."""
    sheet = TableSheet(book, formats, "Agreement", AGREEMENT_COLUMNS, wide=("what", "advice"))
    for row in (*calibration.criteria, *calibration.reviewers):
        weighted = row.weighted_kappa.value is not None
        sheet.add(
            [
                row.title if row.rubric else f"Reviewer {row.name}",
                row.rubric,
                row.n,
                row.agreement.estimate,
                spoken(row.agreement, 100),
                row.kappa.value,
                row.weighted_kappa.value,
                _spread(row.weighted_kappa if weighted else row.kappa),
                row.ac1.value,
                row.lenient,
                row.strict,
                row.abstained,
                row.words,
            ]
        )
    blank = [None] * (len(AGREEMENT_COLUMNS) - 4)
    for people in calibration.people:
        alpha = "unknown" if people.alpha.value is None else f"{people.alpha.value:.2f}"
        spread = f" ({_spread(people.alpha)})" if people.alpha.low is not None else ""
        seen = "blind" if people.blind else "the machine's answers in view"
        words = f"{people.reviewers} people on the same answers, {seen}: Krippendorff's α {alpha}{spread}."
        sheet.add([f"People on: {people.title}", people.rubric, people.answers, *blank, words])
    if calibration.score_change:
        words = f"Scored again with people's answers, scores move {calibration.score_change}."
        sheet.add(["Scores", None, None, *blank, words])
    for caution in calibration.cautions:
        sheet.add(["Caution", None, None, *blank, sentence(caution)])
    _chart(book, sheet, len(calibration.criteria))
    sheet.close()


def _chart(book: Any, sheet: TableSheet, count: int) -> None:
    """Agreement beside κ, criterion by criterion."""
    chart = book.add_chart({"type": "bar"})
    for name, title, colour in (("agreement", "Agreement", "#23364D"), ("kappa", "κ", "#9DC3E6")):
        col = sheet.column(name)
        chart.add_series(
            {
                "name": title,
                "categories": ["Agreement", 1, 0, count, 0],
                "values": ["Agreement", 1, col, count, col],
                "fill": {"color": colour},
            }
        )
    chart.set_title({"name": "Agreement, and κ, by criterion", "name_font": {"size": 11}})
    chart.set_x_axis({"min": 0, "max": 1, "num_format": "0.0", "major_gridlines": {"visible": True}})
    chart.set_y_axis({"reverse": True})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 760, "height": 110 + 38 * count})
    sheet.chart_below(chart)


def _spread(value: Coefficient) -> str:
    if value.low is None or value.high is None:
        return ""
    return f"{value.low:.2f} to {value.high:.2f}"


def write_scores(book: Any, formats: Formats, scores: Sequence[ScoreDeviation]) -> None:
    """What each person's answers do to each score, furthest first."""
    sheet = TableSheet(book, formats, "Score deviation", SCORE_COLUMNS)
    for found in scores:
        sheet.add(
            [
                found.call_id,
                found.rubric,
                found.reviewer,
                found.machine_score,
                found.human_score,
                found.deviation,
                found.machine_outcome,
                found.human_outcome,
            ]
        )
    for name in ("was", "becomes"):
        sheet.colour_words(name, ("pass", "fail", "needs_review", "not_scored"))
    sheet.close()


def write_reviews(book: Any, formats: Formats, reviews: Sequence[Review], texts: Texts) -> None:
    """Everything people said, newest first; nothing is ever taken out of it."""
    sheet = TableSheet(book, formats, "Reviews", REVIEW_COLUMNS, wide=("criterion", "reason"))
    for review in reversed(reviews):
        criterion = review.criterion_id or ""
        how = "blind" if "blind" in review.extra else "confirmed" if "how" in review.extra else ""
        sheet.add(
            [
                review.reviewed_at.astimezone(dt.UTC).replace(tzinfo=None),
                review.reviewer,
                review.call_id,
                words_of(texts, review.rubric_hash, criterion).title,
                review.machine_said,
                review.said,
                review.state,
                review.reason,
                how,
                review.source,
            ]
        )
    sheet.close()
