"""Chooses the rubrics that apply to a call, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.conversation import CallMetadata
from pipeline.rubric.model import Rubric

FIELDS = ("client", "site", "queue", "team", "direction", "medium")


def select(
    rubrics: Sequence[Rubric],
    metadata: CallMetadata,
    *,
    duration_s: float | None = None,
    language: str | None = None,
) -> list[Rubric]:
    """The rubrics that apply to a call, highest priority first, then by id.

    A rubric that asks for something unknown about the call (queue, duration) does not apply, unless its list
    has ``unknown``. The recognised ``language`` is used where the metadata has none.
    """
    return in_order(r for r in rubrics if not why_not(r, metadata, duration_s=duration_s, language=language))


def in_order(rubrics: Iterable[Rubric]) -> list[Rubric]:
    """Rubrics in the order in which they are applied: highest priority first, then by id and version."""
    return sorted(rubrics, key=lambda r: (-r.priority, r.id, r.version))


def why_not(
    rubric: Rubric, metadata: CallMetadata, *, duration_s: float | None = None, language: str | None = None
) -> str:
    """Why a rubric does not apply to a call, or "" when it does."""
    asks = rubric.applies_to
    spoken = (metadata.language or language or "").split("-")[0] or None
    unmet = why_not_by_metadata(rubric, metadata) or _unmet("language", asks.language, spoken)
    if unmet:
        return unmet
    shortest, longest = asks.min_duration_s, asks.max_duration_s
    if (shortest is not None or longest is not None) and duration_s is None:
        return "the duration is not known"
    if shortest is not None and duration_s is not None and duration_s < shortest:
        return f"shorter than {shortest:g} s"
    if longest is not None and duration_s is not None and duration_s > longest:
        return f"longer than {longest:g} s"
    return ""


def why_not_by_metadata(rubric: Rubric, metadata: CallMetadata) -> str:
    """Like ``why_not``, by what is known before a call is transcribed: without its language and duration."""
    asks = rubric.applies_to
    facts = [(name, getattr(asks, name), getattr(metadata, name)) for name in FIELDS]
    facts += [(name, wanted, metadata.extra.get(name)) for name, wanted in asks.extra.items()]
    return next(filter(None, (_unmet(*fact) for fact in facts)), "")


def _unmet(name: str, wanted: Sequence[str], value: object) -> str:
    given = str("unknown" if value is None else value).casefold()
    if not wanted or given in map(str.casefold, wanted):
        return ""
    return f"{name} is {value or 'not known'}, the rubric is for {', '.join(wanted)}"
