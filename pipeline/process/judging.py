"""Sets up the language model judge: its settings, the folder of its answers, and which answers are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.calibrate.trust import trust
from pipeline.process.cache import StageCache
from pipeline.rubric import Rubric
from pipeline.settings import JudgeSettings, Settings
from pipeline.store import Store

if TYPE_CHECKING:
    from pipeline.judge import LanguageModel

Standings = Mapping[tuple[str, str], str]
"""By rubric and criterion id, why the judge's answers are only suggestions; "" where they are scored."""
NO_STANDINGS: Standings = {}


def is_asked(settings: Settings, rubrics: Sequence[Rubric]) -> bool:
    """Whether a judge is configured and at least one rubric has a check of the kind ``judge``."""
    return settings.judge.url is not None and any(rubric.judged() for rubric in rubrics)


def notes(settings: Settings, rubrics: Sequence[Rubric]) -> list[str]:
    """What people should know about the judge before a run, one sentence each."""
    judged = [f"{rubric.id}: {', '.join(rubric.judged())}" for rubric in rubrics if rubric.judged()]
    if not judged:
        return []
    if settings.judge.url is None:
        return [f"no judge is configured, so these stay undetermined ([judge] url): {'; '.join(judged)}"]
    if settings.judge.allow_remote:
        return [remote_note(settings.judge)]
    return []


def remote_note(settings: JudgeSettings) -> str:
    """The sentence that warns that text of calls leaves this machine."""
    return f"redacted text of calls leaves this machine for {settings.url} (judge.allow_remote)"


def standings(store: Store, rubrics: Sequence[Rubric], settings: Settings) -> Standings:
    """Whether the judge's answers to each criterion are scored, from its agreement with reviewers."""
    if not is_asked(settings, rubrics):
        return NO_STANDINGS
    from pipeline import judge

    criteria = trust(store, rubrics, settings.judge, judge.fingerprint(settings.judge))
    return {(one.rubric, one.criterion): "" if one.scored else one.summary for one in criteria}


def load_judge(
    settings: Settings, rubrics: Sequence[Rubric], standings: Standings = NO_STANDINGS, *, keeps: bool = True
) -> LanguageModel | None:
    """The judge of the settings; None where none is configured or no rubric asks it anything.

    Unless it ``keeps`` them, answers are not written to the state folder, nor earlier ones read from it.
    """
    if not is_asked(settings, rubrics):
        return None
    from pipeline import judge
    from pipeline.matching.slots import names_in

    folder_of = StageCache(settings.state_dir).folder if keeps else None
    return judge.LanguageModel(settings.judge, folder_of, names_in, standings)
