"""``callqa rubric tune``: proposes changes to a rubric from people's answers, as a diff."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import note
from pipeline.cli.rubric import Which, calls_for, group, write_new
from pipeline.cli.store import ConfigOption, Db, open_store
from pipeline.conversation import Conversation, Evidence
from pipeline.csv_safety import as_written, inert
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.calibrate.tune import Mark, Proposal
    from pipeline.rubric import Rubric
    from pipeline.store import Store

COLUMNS = ("criterion", "question", "call_id", "start_s", "quote", "mark")
YES, NO = {"yes", "y", "1", "true"}, {"no", "n", "0", "false"}
MOST_CALLS = 2000
LONGEST_QUOTE = 500
"""Characters; a longer quote cannot become a phrase."""


@group.command("tune")
def tune(
    which: Which,
    db: Db = None,
    config: ConfigOption = None,
    marks: Annotated[
        Path | None,
        typer.Option("--marks", help="Quotes marked yes or no: CSV, or a packet's JSON.", metavar="FILE"),
    ] = None,
    ask: Annotated[
        Path | None, typer.Option("--ask", help="Write the quotes to mark next here.", metavar="FILE")
    ] = None,
    mark: Annotated[bool, typer.Option("--mark", help="Ask about quotes here and keep the marks.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, help="Quotes to ask about.")] = 20,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write the tuned rubric to this new file.", metavar="FILE")
    ] = None,
) -> None:
    """Propose bounds, phrases and counter-examples from what people answered; nothing changes unasked.

    Example: callqa rubric tune my_rubric.yaml --db qa.duckdb --ask to_mark.csv
    """
    from pipeline import matching, rubric
    from pipeline.calibrate import tune
    from pipeline.rubric.edits import diff, edited

    if ask is not None:
        _refuse_to_lose(ask)
    form, matcher = rubric.load(which), matching.load_matcher()
    wording = {criterion.id: criterion.question for criterion in form.criteria()}
    known_marks: list[Mark] = []
    with open_store(db, config) as store:
        rows = store.query("SELECT DISTINCT rubric_hash FROM scorecards WHERE rubric_id = ?", [form.id])
        hashes = {row["rubric_hash"] for row in rows} | {form.hash}
        if marks is not None and (marks.exists() or not mark):
            known_marks = read_marks(marks, wording, hashes)
        answers, differ = tune.labels(store.reviews(), hashes)
        calls = _calls(store, form, {call for calls in answers.values() for call in calls})
    if mark:
        if marks is None or (marks.exists() and _is_json(marks)):
            raise UsageError("--mark needs a CSV to keep the marks in", hint="--mark --marks marks.csv")
        asked = tune.questions(form, calls, answers, known_marks, matcher, most)
        known_marks += converse(asked, wording, marks)
    proposals = tune.propose(form, calls, answers, known_marks, matcher, differ)
    for proposal in proposals:
        _print(proposal)
    if not proposals:
        note(
            "nobody has answered anything of this rubric yet: import reviews (callqa review import), "
            "or mark quotes (--mark --marks marks.csv)"
        )
    text, by_hand = edited(form, {p.criterion: p.change for p in proposals if p.change.by_key})
    typer.echo(diff(form.text, text, form.source), nl=False)
    for line in by_hand:
        typer.echo(line)
    if ask is not None:
        asked = tune.questions(form, calls, answers, known_marks, matcher, most)
        write_questions(ask, asked, wording)
        note(f"{len(asked)} quotes to mark: {ask}; fill the column mark with yes or no, then --marks {ask}")
    if write is not None:
        write_new(write, text)
        same = " (nothing changed in it)" if text == form.text else ""
        then = "callqa rubric check, callqa rubric test and callqa rescore --rubric"
        note(f"wrote {write}{same}; next: {then} {write}")


def _calls(store: Store, form: Rubric, reviewed: Collection[str]) -> dict[str, Conversation]:
    """The reviewed calls, and up to ``MOST_CALLS`` others that the rubric applies to, by id."""
    from pipeline.store import CallFilter

    calls = [call for _, call in store.conversations(CallFilter(call_ids=tuple(reviewed)))]
    calls += calls_for(store, form, MOST_CALLS)
    return {call.transcript.call_id: call for call in calls}


@contextlib.contextmanager
def _usable(path: Path, action: str) -> Iterator[None]:
    """Raise a UsageError when the file cannot be read or written; ``action`` is "read" or "written"."""
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or "it is neither CSV nor JSON in UTF-8"
        raise UsageError(f"{path} cannot be {action}: {why}") from error


def _print(proposal: Proposal) -> None:
    """Print a criterion's figures as the rubric is and as proposed."""
    note(f"{proposal.criterion}:" + (f" {proposal.note}" if proposal.note else ""))
    for title, figures in (("now", proposal.now), ("proposed", proposal.best)):
        if figures is not None and not (title == "proposed" and proposal.best == proposal.now):
            kappa = "–" if figures.kappa is None else f"{figures.kappa:.2f}"
            share = figures.decided / figures.labels if figures.labels else 0
            note(f"  {title}: κ {kappa}, decided {share:.0%}; {figures.statement}")
    if proposal.now is not None and proposal.best == proposal.now:
        note("  nothing proposed: no setting compared does better")


def _is_json(path: Path) -> bool:
    """Whether a file of marks is a review packet's download: it starts with a bracket."""
    with _usable(path, "read"), path.open(encoding="utf-8-sig") as file:
        return file.read(4096).lstrip()[:1] in ("{", "[")


def _packet_marks(path: Path, known: Collection[str], hashes: Collection[str]) -> list[Mark]:
    """The quotes marked in a packet under one rubric; those of other rubrics are left out."""
    from pipeline.calibrate.tune import Mark
    from pipeline.review import returned_files

    entries = [entry for entry in returned_files.read(path, ".json") if entry.quote is not None]
    marks = []
    for entry in entries:
        if entry.rubric_hash not in hashes:
            continue
        if entry.criterion_id not in known:
            raise UsageError(f"{entry.where}: the rubric has no criterion {entry.criterion_id!r}")
        if not entry.answer or not entry.quote or len(entry.quote) > LONGEST_QUOTE:
            raise UsageError(f"{entry.where} marks no quote", hint="download it from the packet again")
        marks.append(Mark(entry.criterion_id, entry.call_id, entry.quote, entry.answer == "yes"))
    others = len(entries) - len(marks)
    left_out = f"; left out, under other rubrics: {others}" if others else ""
    note(f"quotes marked in {path}: {len(marks)}{left_out}")
    return marks


def read_marks(path: Path, known: Collection[str], hashes: Collection[str]) -> list[Mark]:
    """Read marks on quotes from a CSV or from a review packet's download; rows without a mark are skipped.

    ``known`` are the ids of the rubric's criteria, ``hashes`` its versions: a packet may also hold marks
    under other rubrics.

    Raises:
        UsageError: A column is missing, a criterion is unknown, or a mark is neither yes nor no.
    """
    from pipeline.calibrate.tune import Mark

    if _is_json(path):
        return _packet_marks(path, known, hashes)
    marks = []
    with _table(path) as reader:
        missing = {"criterion", "call_id", "quote", "mark"} - set(reader.fieldnames or ())
        if missing:
            raise UsageError(
                f"{path}: no column {', '.join(sorted(missing))}",
                hint="callqa rubric tune … --ask writes one",
            )
        for number, row in enumerate(reader, 2):
            word = (row["mark"] or "").strip().casefold()
            if not word:
                continue
            if row["criterion"] not in known:
                raise UsageError(f"{path}:{number}: the rubric has no criterion {row['criterion']!r}")
            if word not in YES | NO:
                raise UsageError(
                    f"{path}:{number}: mark is {row['mark']!r}", hint="write yes or no, or leave it empty"
                )
            quote = as_written(row["quote"] or "").strip()
            if not quote or len(quote) > LONGEST_QUOTE:
                raise UsageError(
                    f"{path}:{number}: the row needs a quote of at most {LONGEST_QUOTE} characters",
                    hint="copy the words that do the act, as the call has them",
                )
            marks.append(Mark(row["criterion"], row["call_id"] or "", quote, word in YES))
    return marks


def write_questions(
    path: Path, asked: Sequence[tuple[str, str, Evidence]], questions: dict[str, str]
) -> None:
    """Write a CSV to mark quotes in; cells that a spreadsheet would run as formulas are escaped."""
    with _usable(path, "written"), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for criterion, call, near in asked:
            writer.writerow(_row(criterion, questions[criterion], call, near, ""))


def _refuse_to_lose(path: Path) -> None:
    """Raise a UsageError if a file holds marks, or something else than quotes to mark."""
    if not path.exists():
        return
    with _table(path) as rows:
        if tuple(rows.fieldnames or ()) != COLUMNS:
            raise UsageError(f"{path} is there and holds no quotes to mark", hint="name a new file for --ask")
        if any((row["mark"] or "").strip() for row in rows):
            raise UsageError(f"{path} has marks, which would be lost", hint="name a new file for --ask")


@contextlib.contextmanager
def _table(path: Path) -> Iterator[csv.DictReader[str]]:
    """The rows of a CSV; spreadsheets of many countries part its cells by semicolons."""
    with _usable(path, "read"), path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        yield csv.DictReader(file, delimiter=";" if first.count(";") > first.count(",") else ",")


def _row(criterion: str, question: str, call: str, near: Evidence, mark: str) -> list[object]:
    start = "" if near.start_s is None else f"{near.start_s:.1f}"
    return [inert(cell) for cell in (criterion, question, call, start, near.quote, mark)]


def converse(
    asked: Sequence[tuple[str, str, Evidence]],
    questions: dict[str, str],
    path: Path,
    read: Callable[[str], str] = input,
) -> list[Mark]:
    """Ask about quotes in the terminal, and append each mark to the CSV as soon as it is given.

    ``asked`` has criterion, call id and the evidence that holds the quote. ``read`` prints a prompt and
    returns one line, or raises EOFError at the end.
    """
    from pipeline.calibrate.tune import Mark

    fresh = not path.exists()
    marks: list[Mark] = []
    with _usable(path, "written"), path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if fresh:
            writer.writerow(COLUMNS)
        for number, (criterion, call, near) in enumerate(asked, 1):
            note(f"\n{number} of {len(asked)}. {questions[criterion]}\n  “{near.quote}” (call {call})")
            try:
                word = read("yes, no, Enter to skip, q to stop: ").strip().casefold()
            except (EOFError, KeyboardInterrupt):
                break
            if word == "q":
                break
            if word in YES | NO:
                marks.append(Mark(criterion, call, near.quote, word in YES))
                answer = "yes" if word in YES else "no"
                writer.writerow(_row(criterion, questions[criterion], call, near, answer))
                file.flush()
    return marks
