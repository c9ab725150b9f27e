"""Render a scorecard for people to read in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from pipeline.conversation import CallMetadata, CriterionAnswer, Evidence, Review, Scorecard

COLOURS = {
    "pass": "bold green", "fail": "bold red", "needs_review": "bold yellow", "not_scored": "dim",
    "yes": "green", "no": "red", "na": "dim", "undetermined": "yellow",
}  # fmt: skip
MARKS = {"yes": "✓", "no": "✗", "na": "–", "undetermined": "?"}


def clock(seconds: float | None) -> str:
    """Seconds as m:ss, or h:mm:ss from an hour on; a dash for None."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def render(
    card: Scorecard,
    metadata: CallMetadata | None = None,
    people: Sequence[Review] = (),
    dispute: Review | None = None,
) -> RenderableType:
    """The whole scorecard: heading, reasons, then each criterion with its evidence or nearest miss.

    ``people`` is what people answered about the call under any rubric, ``dispute`` one that is undecided.
    """
    disputed = [f"by {dispute.reviewer}, not decided yet{_because(dispute)}"] if dispute else []
    parts: list[RenderableType] = []
    for title, reasons, style in (
        ("disputed", disputed, "bold yellow"),
        ("auto-fail", card.autofail_reasons, "bold red"),
        ("not scored" if card.outcome == "not_scored" else "to review", card.review_reasons, "yellow"),
        ("note", card.warnings, "dim"),
    ):
        parts += [Text.assemble((f"{title}: ", style), reason) for reason in reasons]
    for section in card.sections:
        heading = f"{section.id}  {_score(section.score)}" + ("  auto-failed" if section.auto_failed else "")
        parts.append(Text("\n" + heading, style="bold"))
        for answer in section.criteria:
            parts += _answer(answer)
            parts += [
                Text.assemble("     ", (f"{review.reviewer}: {review.said}", "bold"), _because(review))
                for review in people
                if (review.rubric_hash, review.criterion_id) == (card.rubric.hash, answer.id)
            ]
    return Panel(Group(*parts), title=_title(card), subtitle=_about(metadata), title_align="left")


def _title(card: Scorecard) -> Text:
    raw = "" if card.raw_score == card.final_score else f" (before auto-fail {_score(card.raw_score)})"
    mark = "" if card.pass_mark is None else f", pass mark {card.pass_mark:g}"
    return Text.assemble(
        (card.call_id, "bold"),
        f"  {card.rubric.id} {card.rubric.version}  ",
        (card.outcome.replace("_", " "), COLOURS[card.outcome]),
        f"  {_score(card.final_score)}{raw}{mark}",
    )


def _about(metadata: CallMetadata | None) -> Text | None:
    if metadata is None:
        return None
    at = metadata.started_at and metadata.started_at.astimezone(metadata.zone)
    known = (
        metadata.client,
        metadata.team,
        metadata.agent_name or metadata.agent_id,
        metadata.direction,
        at and at.isoformat(timespec="minutes"),
    )
    return Text("  ·  ".join(v for v in known if v and v != "unknown"))


def _because(review: Review) -> str:
    return f": {review.reason}" if review.reason else ""


def _score(score: float | None) -> str:
    return "not scored" if score is None else f"{score:.1f}"


def _answer(answer: CriterionAnswer) -> list[Text]:
    points = "" if answer.points is None else f"  {answer.points:g}/{answer.max_points:g}"
    critical = "  critical" if answer.critical else ""
    colour = COLOURS[answer.answer]
    lines = [
        Text.assemble(
            (f" {MARKS[answer.answer]} ", colour),
            answer.id,
            (f"  {answer.answer}", colour),
            points,
            (critical, "bold"),
        )
    ]
    if answer.reason:
        lines.append(Text(f"     {answer.reason}", style="dim"))
    lines += [_quote(e, "") for e in answer.evidence]
    if answer.searched is not None and answer.answer in {"no", "undetermined"} and not answer.evidence:
        where = answer.searched
        span = "" if where.end_s is None else f" between {clock(where.start_s)} and {clock(where.end_s)}"
        looked = f"     looked for {where.what} in {where.turns} turns of {where.role}{span}"
        lines.append(Text(looked, style="dim"))
    if answer.nearest is not None:
        lines.append(_quote(answer.nearest, "nearest: "))
    return lines


def _quote(evidence: Evidence, prefix: str) -> Text:
    strength = "" if evidence.strength >= 1 else f"  {evidence.strength:.0%}"
    return Text.assemble(
        (f"     {clock(evidence.start_s):>5} {evidence.role:<8} ", "cyan"),
        (prefix, "dim"),
        (f"“{evidence.quote}”", "italic"),
        (f"  {evidence.rule}{strength}", "dim"),
    )
