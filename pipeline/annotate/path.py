"""How feeling moves through a call, per role: mean, quarters, change, lowest point."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.conversation import RoleSentiment, Turn

QUARTERS = 4


def sentiment_path(turns: Sequence[Turn]) -> dict[str, RoleSentiment]:
    """Sentiment of each role over the call.

    A turn weighs by its words (Contact Lens weighs by talk time; words serve chats too). Quarters
    are of time where turns have times, else of turns. The change is the last quarter with speech
    minus the first, None when the role spoke in one quarter only.
    """
    scored = [turn for turn in turns if turn.sentiment is not None]
    if not scored:
        return {}
    places = _places(turns)
    return {
        role: _of_role([turn for turn in scored if turn.role == role], places)
        for role in dict.fromkeys(turn.role for turn in scored)
    }


def _places(turns: Sequence[Turn]) -> dict[int, float]:
    """Each turn's place in the call, 0..1."""
    times = [(t.start_s + (t.end_s or t.start_s)) / 2 if t.start_s is not None else None for t in turns]
    known = [time for time in times if time is not None]
    if len(known) == len(turns) and known and max(known) > min(known):
        end = max(max(known), max((t.end_s or 0.0) for t in turns))
        return {turn.turn: min(1.0, max(0.0, time / end)) for turn, time in zip(turns, known, strict=True)}
    return {turn.turn: (index + 0.5) / len(turns) for index, turn in enumerate(turns)}


def _of_role(turns: Sequence[Turn], places: dict[int, float]) -> RoleSentiment:
    cells: list[list[Turn]] = [[] for _ in range(QUARTERS)]
    for turn in turns:
        cells[min(QUARTERS - 1, int(places[turn.turn] * QUARTERS))].append(turn)
    first, second, third, last = (_mean(cell) for cell in cells)
    spoken = [value for value in (first, second, third, last) if value is not None]
    lowest = min(turns, key=_score)
    return RoleSentiment(
        score=_mean(turns) or 0.0,
        quarters=(first, second, third, last),
        change=round(spoken[-1] - spoken[0], 3) if len(spoken) > 1 else None,
        lowest_score=_score(lowest),
        lowest_turn=lowest.turn,
    )


def _score(turn: Turn) -> float:
    return turn.sentiment.score if turn.sentiment is not None else 0.0


def _mean(turns: Sequence[Turn]) -> float | None:
    weights = [max(1, len(turn.text.split())) for turn in turns]
    if not weights:
        return None
    return round(sum(_score(t) * w for t, w in zip(turns, weights, strict=True)) / sum(weights), 3)
