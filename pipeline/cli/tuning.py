"""``callqa rubric tune``: people's answers in, a diff of the rubric out."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import note
from pipeline.cli.rubric import Which, group, write_new
from pipeline.cli.store import Db, open_store
from pipeline.conversation import Evidence
from pipeline.csv_safety import inert
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.calibrate.tune import Mark, Proposal

COLUMNS = ("criterion", "question", "call_id", "start_s", "quote", "mark")
YES, NO = {"yes", "y", "1", "true"}, {"no", "n", "0", "false"}
MOST_CALLS = 2000
LONGEST = 500
"""Characters of a quote: longer ones are no phrases."""


@group.command("tune")
def tune(
    which: Which,
    db: Db = None,
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
    from pipeline.calibrate.pairs import last_words
    from pipeline.rubric.edits import Change, diff, edited
    from pipeline.store import CallFilter

    form, matcher = rubric.load(which), matching.load_matcher()
    wording = {criterion.id: criterion.question for criterion in form.criteria()}
    given: list[Mark] = []
    with open_store(db) as store:
        rows = store.query("SELECT DISTINCT rubric_hash FROM scorecards WHERE rubric_id = ?", [form.id])
        hashes = {row["rubric_hash"] for row in rows} | {form.hash}
        if marks is not None and (marks.exists() or not mark):
            given = read_marks(marks, wording, hashes)
        said, differ = tune.labels(last_words(store.reviews()), hashes)
        answered = CallFilter(call_ids=tuple({call for calls in said.values() for call in calls}))
        kept = store.conversations(answered) if said else iter(())
        told = chain(kept, islice(store.conversations(), MOST_CALLS))
        calls = {c.transcript.call_id: c for _, c in told}
    if mark:
        if marks is None or (marks.exists() and _is_json(marks)):
            raise UsageError("--mark needs a CSV to keep the marks in", hint="--mark --marks marks.csv")
        asked = tune.questions(form, calls, said, given, matcher, most)
        given += converse(asked, wording, marks)
    proposals = tune.propose(form, calls, said, given, matcher, differ)
    for one in proposals:
        _print(one)
    if not proposals:
        note(
            "nobody has answered anything of this rubric yet: import reviews (callqa review import), "
            "or mark quotes (--mark --marks marks.csv)"
        )
    changes = {
        one.criterion: Change(
            one.setting.threshold if one.setting else None,
            one.setting.unsure if one.setting else None,
            one.phrases,
            one.unless,
        )
        for one in proposals
        if one.setting or one.phrases or one.unless
    }
    text, by_hand = edited(form, changes)
    typer.echo(diff(form.text, text, form.source), nl=False)
    for line in by_hand:
        typer.echo(line)
    if ask is not None:
        asked = tune.questions(form, calls, said, given, matcher, most)
        write_questions(ask, asked, wording)
        note(f"{len(asked)} quotes to mark: {ask}; fill the column mark with yes or no, then --marks {ask}")
    if write is not None:
        write_new(write, text)
        note(f"wrote {write}; next: callqa rubric test {write}, callqa rescore --rubric {write}")


@contextlib.contextmanager
def _usable(path: Path, what: str) -> Iterator[None]:
    """A file that cannot be read or written ends in a sentence."""
    try:
        yield
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or "it is neither CSV nor JSON in UTF-8"
        raise UsageError(f"{path} cannot be {what}: {why}") from error


def _print(one: Proposal) -> None:
    """A criterion's measurements before and after, and what is proposed."""
    note(f"{one.criterion}:" + (f" {one.note}" if one.note else ""))
    for title, figures in (("now", one.now), ("proposed", one.best)):
        if figures is not None and not (title == "proposed" and one.best == one.now):
            kappa = "–" if figures.kappa is None else f"{figures.kappa:.2f}"
            share = figures.decided / figures.labels if figures.labels else 0
            note(f"  {title}: κ {kappa}, decided {share:.0%}; {figures.statement}")
    if one.now is not None and one.best == one.now:
        note("  nothing proposed: no setting compared does better")


def _is_json(path: Path) -> bool:
    """Whether a file of marks is a review packet's download, by what it begins with."""
    with _usable(path, "read"), path.open(encoding="utf-8-sig") as file:
        return file.read(4096).lstrip()[:1] in ("{", "[")


def _packet_marks(path: Path, known: Collection[str], hashes: Collection[str]) -> list[Mark]:
    """The quotes marked in a packet under one rubric; those of other rubrics are left out."""
    from pipeline.calibrate.tune import Mark
    from pipeline.review import returned_files

    marked = [entry for entry in returned_files.read(path, ".json") if entry.quote is not None]
    found = []
    for one in (entry for entry in marked if entry.rubric_hash in hashes):
        if one.criterion_id not in known:
            raise UsageError(f"{one.where}: the rubric has no criterion {one.criterion_id!r}")
        if not one.answer or not one.quote or len(one.quote) > LONGEST:
            raise UsageError(f"{one.where} marks no quote", hint="download it from the packet again")
        found.append(Mark(one.criterion_id, one.call_id, one.quote, one.answer == "yes"))
    others = len(marked) - len(found)
    left = f"; left out, under other rubrics: {others}" if others else ""
    note(f"quotes marked in {path}: {len(found)}{left}")
    return found


def read_marks(path: Path, known: Collection[str], hashes: Collection[str]) -> list[Mark]:
    """Quotes with what people said of them, from a CSV or a review packet's download.

    Args:
        path: Rows without a mark are not yet answered.
        known: Ids of the rubric's criteria.
        hashes: Of the rubric's texts; a packet may hold marks under others.

    Raises:
        UsageError: A column is missing, a criterion is unknown, or a mark is neither yes nor no.
    """
    from pipeline.calibrate.tune import Mark

    if _is_json(path):
        return _packet_marks(path, known, hashes)
    found = []
    with _usable(path, "read"), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
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
            found.append(Mark(row["criterion"], row["call_id"], row["quote"].lstrip("'"), word in YES))
    return found


def write_questions(
    path: Path, asked: Sequence[tuple[str, str, Evidence]], questions: dict[str, str]
) -> None:
    """A CSV to mark quotes in; cells that a spreadsheet would run as formulas are made harmless."""
    with _usable(path, "written"), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for criterion, call, near in asked:
            writer.writerow(_row(criterion, questions[criterion], call, near, ""))


def _row(criterion: str, question: str, call: str, near: Evidence, mark: str) -> list[object]:
    start = "" if near.start_s is None else f"{near.start_s:.1f}"
    return [inert(cell) for cell in (criterion, question, call, start, near.quote, mark)]


def converse(
    asked: Sequence[tuple[str, str, Evidence]],
    questions: dict[str, str],
    path: Path,
    read: Callable[[str], str] = input,
) -> list[Mark]:
    """Ask about quotes in the terminal, and keep each mark as it is given.

    Args:
        asked: Criterion, call and what was heard.
        questions: By criterion.
        path: CSV the marks are added to.
        read: Gives one line for a prompt, or raises EOFError at the end.
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
                said = "yes" if word in YES else "no"
                writer.writerow(_row(criterion, questions[criterion], call, near, said))
                file.flush()
    return marks
