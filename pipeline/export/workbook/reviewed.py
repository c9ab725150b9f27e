"""The sheets about people's answers: Agreement, Score deviation and Reviews (the audit trail)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.calibrate import Calibration, ScoreDeviation
from pipeline.calibrate.figures import Agreement, sentence
from pipeline.conversation import Review
from pipeline.export.selection import Texts, words_of
from pipeline.export.summary import spoken
from pipeline.export.tables import Column
from pipeline.export.workbook.sheet import OUTCOME_COLOURS, Formats, TableSheet

AGREEMENT_COLUMNS: Sequence[Column[Agreement]] = (
    Column("what", "Criterion, or who", "prose", 34, "Machine against people on it, or against this person",
           lambda r: r.title if r.rubric else f"Reviewer {r.name}"),
    Column("rubric", "Rubric", "text", 13, "Which rubric asks", lambda r: r.rubric),
    Column("n", "Reviewed", "count", 9, "Answers with a person's answer beside the machine's", lambda r: r.n),
    Column("agreement", "Agreement", "percent", 10, "Share of equal answers", lambda r: r.agreement.estimate),
    Column("range", "95 % interval", "text", 13, "Wilson interval of it", lambda r: spoken(r.agreement, 100)),
    Column("kappa", "κ", "number", 7, "Cohen's κ: agreement beyond chance; 1 is perfect, 0 is chance",
           lambda r: r.kappa.value),
    Column("weighted", "Weighted κ", "number", 9, "κ with quadratic weights, for criteria with grades",
           lambda r: r.weighted_kappa.value),
    Column("kappa_range", "95 % interval of κ", "text", 13,
           "Of the weighted κ where there is one (Fleiss et al.)",
           lambda r: (r.kappa if r.weighted_kappa.value is None else r.weighted_kappa).range),
    Column("ac1", "AC1", "number", 7, "Gwet's AC1: steady where nearly all answers are the same",
           lambda r: r.ac1.value),
    Column("lenient", "Machine more generous", "count", 10,
           "It says yes, or gives the better grade; the person does not", lambda r: r.lenient),
    Column("strict", "Machine stricter", "count", 9,
           "It says no, or gives the worse grade; the person does not", lambda r: r.strict),
    Column("undetermined", "Undetermined", "count", 13, "The machine was not sure; not counted",
           lambda r: r.abstained),
    Column("advice", "What it means", "prose", 60, "What to do, and how far to trust the figures",
           lambda r: r.words),
)  # fmt: skip
SCORE_COLUMNS: Sequence[Column[ScoreDeviation]] = (
    Column("call_id", "Call", "text", 24, "Identity of the call in the store", lambda d: d.call_id),
    Column("rubric", "Rubric", "text", 18, "Which rubric asks", lambda d: d.rubric),
    Column("reviewer", "Reviewer", "text", 20, "Whose answers", lambda d: d.reviewer),
    Column("machine", "Machine's score", "score", 12, "0 to 100", lambda d: d.machine_score),
    Column("person", "With the person's answers", "score", 14,
           "The same arithmetic with the person's answers in place", lambda d: d.human_score),
    Column("deviation", "Difference", "number", 12, "The latter less the former, in points",
           lambda d: d.deviation),
    Column("was", "Outcome", "text", 14, "Under the machine's answers", lambda d: d.machine_outcome),
    Column("becomes", "Becomes", "text", 14, "Under the person's answers", lambda d: d.human_outcome),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One review, with the question in the rubric's words."""

    review: Review
    criterion: str


def _how(review: Review) -> str:
    return "blind" if "blind" in review.extra else "confirmed" if review.is_confirmation else ""


REVIEW_COLUMNS: Sequence[Column[ReviewRow]] = (
    Column("at", "When", "time", 17, "When it was said (UTC)",
           lambda r: r.review.reviewed_at.astimezone(dt.UTC).replace(tzinfo=None)),
    Column("reviewer", "Who", "text", 20, "Who said it", lambda r: r.review.reviewer),
    Column("call_id", "Call", "text", 20, "About which call", lambda r: r.review.call_id),
    Column("criterion", "Criterion", "prose", 40, "About which question; empty for the whole call",
           lambda r: r.criterion),
    Column("machine", "Machine", "text", 16, "What the machine had answered",
           lambda r: r.review.machine_said),
    Column("person", "Person", "text", 16, "What the person answered", lambda r: r.review.said),
    Column("state", "State", "text", 14, "submitted, acknowledged, disputed, upheld or overturned",
           lambda r: r.review.state),
    Column("reason", "Comment", "prose", 44, "In the person's words", lambda r: r.review.reason),
    Column("how", "How", "text", 14,
           "blind: without the machine's answers in view; confirmed: with the whole call",
           lambda r: _how(r.review)),
    Column("source", "File", "text", 28, "The file it came in", lambda r: r.review.source),
)  # fmt: skip


def write_agreement(book: Any, formats: Formats, calibration: Calibration) -> None:
    """Write a row per criterion, per reviewer and per agreement among people; then notes and a chart."""
    sheet = TableSheet(book, formats, "Agreement", AGREEMENT_COLUMNS)
    for row in (*calibration.criteria, *calibration.reviewers):
        sheet.add(row)
    blank = [None] * (len(AGREEMENT_COLUMNS) - 4)
    for people in calibration.people:
        alpha = "unknown" if people.alpha.value is None else f"{people.alpha.value:.2f}"
        interval = f" ({people.alpha.range})" if people.alpha.range else ""
        seen = "blind" if people.blind else "the machine's answers in view"
        words = f"{people.reviewers} people on the same answers, {seen}: Krippendorff's α {alpha}{interval}."
        sheet.add_cells([f"People on: {people.title}", people.rubric, people.answers, *blank, words])
    if calibration.score_change:
        words = f"Scored again with people's answers, scores move {calibration.score_change}."
        sheet.add_cells(["Scores", None, None, *blank, words])
    for caution in calibration.cautions:
        sheet.add_cells(["Caution", None, None, *blank, sentence(caution)])
    _chart(book, sheet, len(calibration.criteria))
    sheet.close()


def _chart(book: Any, sheet: TableSheet, count: int) -> None:
    """Put a bar chart of agreement and κ by criterion below the table."""
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


def write_scores(book: Any, formats: Formats, scores: Sequence[ScoreDeviation]) -> None:
    """Write each reviewed call's score with a person's answers beside the machine's, in the given order."""
    sheet = TableSheet(book, formats, "Score deviation", SCORE_COLUMNS)
    for deviation in scores:
        sheet.add(deviation)
    for name in ("was", "becomes"):
        sheet.colour_words(name, OUTCOME_COLOURS)
    sheet.close()


def write_reviews(book: Any, formats: Formats, reviews: Sequence[Review], texts: Texts) -> None:
    """Write every review, newest first, including those that later reviews replace."""
    sheet = TableSheet(book, formats, "Reviews", REVIEW_COLUMNS)
    for review in reversed(reviews):
        title = words_of(texts, review.rubric_hash, review.criterion_id or "").title
        sheet.add(ReviewRow(review, title))
    sheet.close()
