"""Prepares a batch: checks everything a person may have got wrong, and finds out what is new.

Settings, rubrics, paths and database are checked before any model is loaded. A run that has nothing to do
loads no model.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipeline import intake, models, rubric, store, transcribe
from pipeline.conversation import CallRecord, LedgerEntry, Received
from pipeline.errors import ModelError, RecordingError, StoreError
from pipeline.process.batch import Batch, Observer, Plan, Unobserved, plan
from pipeline.process.cache import StageCache, given_id
from pipeline.process.judging import NO_STANDINGS, standings
from pipeline.process.judging import notes as judge_notes
from pipeline.process.stages import fingerprints, load_stages
from pipeline.process.workers import threads_per_worker, worker_count
from pipeline.rubric import Rubric, why_not_by_metadata
from pipeline.settings import Settings
from pipeline.store import Store
from pipeline.store.connection import OnWait
from pipeline.store.erase import is_erased

SHOWN_QUEUES = 5
"""How many queues a note names."""


def prepare(
    paths: Sequence[Path], settings: Settings, observer: Observer | None = None, on_wait: OnWait | None = None
) -> Batch:
    """Check the inputs, find out what is new, and make the batch; models are loaded at their first use.

    ``on_wait`` is called with a sentence about what slows the work: another process holds the database, now
    or during a load, or the fastest kernels of this processor are not known.

    Raises:
        UsageError: A path, setting or manifest is wrong.
        RubricError: A rubric is wrong.
        ModelError: The model is not known, or its weights cannot be found.
        StoreError: The database cannot be used, or not be written.
    """
    require_writable(settings)
    rubrics = load_rubrics(settings)
    current = fingerprints(settings, rubrics)
    again = transcribe.second(settings.transcribe)
    if again is not None and models.locate(again.model).source == "download":
        try:
            models.pull(again.model)  # now: if it fails, nothing has been transcribed yet
        except ModelError as error:
            named = f"transcribe.again = {settings.transcribe.again!r} needs a second model"
            raise ModelError(f"{named}: {error}", hint=error.hint) from error
    opened = open_store(settings, on_wait)
    discover = partial(intake.discover, paths, settings.intake, leave_out=settings.own_paths)
    reworded: tuple[str, ...] = ()
    notes = [*judge_notes(settings, rubrics), *_of_one_name(rubrics)]
    stand, cache = NO_STANDINGS, StageCache(settings.state_dir)
    if not opened.exists():  # the first load creates it, so an error before that leaves no file behind
        received = tuple(discover())
        to_do = Plan(received)
    else:
        with opened:
            cache.register(opened)
            received = _without_erased(opened, discover(ledger=opened.ledger))
            if corrected := _corrected(opened, paths, received):
                opened.drop_refused(corrected)
            rows = opened.ledger([str(item.path) for item in received])
            to_do = plan(received, rows, current)
            notes += _replaced(received, rows)
            reworded, stand = opened.reworded(rubrics), standings(opened, rubrics, settings)
    notes += [*intake.notable(received), *_unanswered(received, rubrics)]
    if any(item.kind == "recording" for item in to_do.pending):
        slow = transcribe.warning(settings.transcribe)  # measured here: workers would disturb each other
        if slow and on_wait:
            on_wait(slow)
    if settings.flow.runner != "thread":
        settings = _worker_settings(settings)
    for call_id, new_id in to_do.new_ids.items():
        cache.rename(call_id, new_id)
    return Batch(
        plan=to_do,
        load_stages=partial(load_stages, settings, rubrics, current, stand),
        cache=cache,
        load=partial(_load, settings=settings, rubrics=rubrics, on_wait=on_wait),
        flow=settings.flow,
        observer=observer or Unobserved(),
        reworded=reworded,
        notes=tuple(notes),
    )


def _without_erased(opened: Store, received: Iterable[Received]) -> tuple[Received, ...]:
    """The files, those of erased calls with that as their fault, whatever name they have now."""
    known = opened.tombstones()
    items = []
    for item in received:
        call_id = item.metadata.call_id if item.metadata else None
        if is_erased(known, str(item.path), item.sha256, call_id):
            fault = RecordingError(
                f"{item.path.name} is the recording of an erased call",
                hint="nothing to do; an erased call is not scored again",
                reason="erased",
            )
            item = replace(item, fault=fault)
        items.append(item)
    return tuple(items)


def _replaced(received: Sequence[Received], rows: Mapping[str, LedgerEntry]) -> list[str]:
    """A note where files hold other content than the calls stored from them: those calls stay, and count."""
    found = [
        (item.path.name, row.call_id)
        for item in received
        if (row := rows.get(str(item.path))) is not None and row.status == "scored" and row.call_id
        if item.metadata is not None and item.sha256 not in {None, row.audio_sha256}
        if given_id(row.call_id) != item.metadata.call_id
    ]
    if not found:
        return []
    name, call_id = found[0]
    what = f"{len(found)} of {len(received)} files hold other content than when they were scored, e.g. {name}"
    fix = f"where one is only an earlier form of its call: callqa purge --call {call_id}"
    return [f"{what}; the calls from before stay and count; {fix}"]


def _corrected(opened: Store, paths: Sequence[Path], received: Sequence[Received]) -> list[str]:
    """The ledger's paths of faulty manifest rows that the manifests under these paths no longer have."""
    rows = opened.query(
        "SELECT path, regexp_extract(error, '^(.+) row [0-9]+ ', 1) AS manifest FROM ledger "
        "WHERE reason IN ('bad_row', 'duplicate_row', 'missing', 'outside_folder') AND manifest <> ''"
    )
    seen = {str(item.path) for item in received}
    given = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - as intake names them
    read = [(at.parent, at.name.lower()) if at.is_file() else (at, "manifest.csv") for at in given]
    return [
        path
        for path, manifest in ((row["path"], row["manifest"].lower()) for row in rows)
        if path not in seen and any(Path(path).is_relative_to(at) and manifest == name for at, name in read)
    ]


def _load(
    records: Sequence[CallRecord], settings: Settings, rubrics: tuple[Rubric, ...], on_wait: OnWait | None
) -> None:
    """Load a group into the store in one transaction; the store is open only that long."""
    opened = open_store(settings, on_wait)
    fresh = not opened.exists()
    with opened:
        if fresh:
            StageCache(settings.state_dir).register(opened)
        opened.load(records, rubrics)


def _worker_settings(settings: Settings) -> Settings:
    """The settings of one worker: its share of the cores and of the limits on requests to the judge."""
    workers, judge, engine = worker_count(settings.flow), settings.judge, settings.transcribe
    threads = engine.threads or threads_per_worker(settings.flow)
    limits = {"at_once": max(1, judge.at_once // workers), "budget_calls": judge.budget_calls // workers}
    return settings.model_copy(
        update={
            "transcribe": engine.model_copy(update={"threads": threads}),
            "judge": judge.model_copy(update=limits),
        }
    )


def _of_one_name(rubrics: Sequence[Rubric]) -> list[str]:
    """Notes on rubrics with one name and different texts, as when two clients have a copy each."""
    files: dict[str, dict[str, str]] = defaultdict(dict)
    for form in rubrics:
        files[form.rubric][form.hash] = form.source
    return [
        f"{' and '.join(texts.values())} are both called {name!r}, so every report takes them for "
        "versions of one rubric; give each its own name (rubric: …)"
        for name, texts in files.items()
        if len(texts) > 1
    ]


def _unanswered(received: Sequence[Received], rubrics: Sequence[Rubric]) -> list[str]:
    """A note where, by what is known before transcribing, no rubric is for half of the calls or more."""
    known = [item.metadata for item in received if item.metadata and item.metadata.direction != "internal"]
    whys = [[why_not_by_metadata(form, metadata) for form in rubrics] for metadata in known]
    unmet = Counter(f"{rubrics[0].id}: {why[0]}" for why in whys if all(why))
    named = _unnamed_queues(received, rubrics)
    if named or not unmet or 2 * unmet.total() < len(known):
        return named
    ((commonest, _),) = unmet.most_common(1)
    what = f"no rubric is for {unmet.total()} of {len(received)} calls, so they will not be scored"
    fix = "tell callqa more of the calls in a manifest, or take applies_to out of a copy of the rubric"
    return [f"{what} ({commonest}); {fix}"]


def _unnamed_queues(received: Sequence[Received], rubrics: Sequence[Rubric]) -> list[str]:
    """A note on queues that are numbers and that no rubric names, because their calls will not be scored."""
    if not all(rubric.applies_to.queue for rubric in rubrics):
        return []
    asked = {name.casefold() for rubric in rubrics for name in rubric.applies_to.queue}
    queues = [item.metadata.queue or "" for item in received if item.metadata]
    numbers = [queue for queue in queues if queue.isdecimal() and queue not in asked]
    if not numbers:
        return []
    some = sorted(set(numbers))[:SHOWN_QUEUES]
    what = f"{len(numbers)} of {len(received)} calls are of queues {', '.join(some)}, which no rubric is for"
    return [f'{what}; where they have names: [intake] queues = {{"{some[0]}" = "support"}}']


def require_writable(settings: Settings) -> None:
    """Raise ``StoreError`` where the database or the state folder cannot be written; nothing is made."""
    database = [] if settings.store.db.startswith("ducklake:") else [Path(settings.store.db)]
    for path in (place.absolute() for place in (settings.state_dir, *database)):
        found = next(at for at in (path, *path.parents) if at.exists())
        for at in {found, path.parent} if path.is_file() else {found}:  # a log is written beside the database
            if not os.access(at, os.W_OK):
                raise StoreError(
                    f"{at} cannot be written",
                    hint="check its permissions, or give another place with --db or [flow] state_dir",
                )


def open_store(settings: Settings, on_wait: OnWait | None = None, *, read_only: bool = False) -> Store:
    """The store of the settings, as a context manager."""
    at = settings.store
    return store.open_store(at.db, read_only=read_only, lock_timeout_s=at.lock_timeout_s, on_wait=on_wait)


def load_rubrics(settings: Settings) -> tuple[Rubric, ...]:
    """The rubrics of the settings, or all shipped ones when the settings name none.

    Raises:
        RubricError: One of them is wrong.
    """
    return tuple(rubric.load(name) for name in settings.score.rubrics or rubric.shipped())
