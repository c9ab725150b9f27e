"""The language model as judge, put together: its settings, where its answers are kept, who is trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.calibrate.trust import trust
from pipeline.process.cache import StageCache, folder_name
from pipeline.rubric import Rubric
from pipeline.settings import JudgeSettings, Settings
from pipeline.store import Store

if TYPE_CHECKING:
    from pipeline.judge import LanguageModel

Standings = Mapping[tuple[str, str], str]
"""By rubric and criterion id, why a judge's answers are only suggestions; "" where they are scored."""
NOBODY: Standings = {}


def is_asked(settings: Settings, rubrics: Sequence[Rubric]) -> bool:
    """Whether a judge is configured, and a rubric has something to ask it."""
    return settings.judge.url is not None and any(one.judged() for one in rubrics)


def notes(settings: Settings, rubrics: Sequence[Rubric]) -> list[str]:
    """What people should know before a run, a sentence each."""
    judged = [f"{one.id}: {', '.join(one.judged())}" for one in rubrics if one.judged()]
    if not judged:
        return []
    if settings.judge.url is None:
        return [f"no judge is configured, so these stay undetermined ([judge] url): {'; '.join(judged)}"]
    if settings.judge.allow_remote:
        return [leaves(settings.judge)]
    return []


def leaves(settings: JudgeSettings) -> str:
    """The sentence for those who let text out."""
    return f"redacted text of calls leaves this machine for {settings.url} (judge.allow_remote)"


def standings(store: Store, rubrics: Sequence[Rubric], settings: Settings) -> Standings:
    """How the criteria of these rubrics stand, from what people answered."""
    if not is_asked(settings, rubrics):
        return NOBODY
    from pipeline import judge

    trusted = trust(store, rubrics, settings.judge, judge.fingerprint(settings.judge))
    return {(one.rubric, one.criterion): "" if one.scored else one.summary for one in trusted}


def load_judge(
    settings: Settings, rubrics: Sequence[Rubric], standings: Standings = NOBODY, *, keeps: bool = True
) -> LanguageModel | None:
    """The judge of the settings; None where none is configured or no rubric asks.

    Args:
        settings: Resolved.
        rubrics: Those that score.
        standings: From ``standings``.
        keeps: Whether answers are kept in the state directory, and those kept are used.
    """
    if not is_asked(settings, rubrics):
        return None
    from pipeline import judge
    from pipeline.matching.slots import names_in

    calls = StageCache(settings.state_dir).calls_dir
    folder_of = (lambda call_id: calls / folder_name(call_id)) if keeps else None
    return judge.LanguageModel(settings.judge, folder_of, names_in, standings)
