"""Checks the store's invariants, each with one query that finds the rows that break it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from pipeline.conversation import LedgerStatus
from pipeline.store.columns import KEYS, PER_CALL_TABLES
from pipeline.store.connection import Connection

REPLACED = "calls: a call without its row in the ledger"
"""The one problem that is no damage: another recording has come under the path of the call's own."""
UNLISTED = (
    "SELECT c.call_id AS example FROM calls AS c "
    "WHERE path IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ledger AS l WHERE l.call_id = c.call_id)"
)
"""Finds the calls with that problem."""
SPAN_SLACK_S = 1.0  # a recogniser may end the last word up to this long after the audio ends


@dataclass(frozen=True, slots=True)
class BrokenInvariant:
    """A broken invariant: which one, how many rows break it, and one of them as an example."""

    what: str
    count: int
    example: str


def check(connection: Connection) -> list[BrokenInvariant]:
    """Every broken invariant of the store; an empty list when there is none."""
    problems = []
    for what, query in _queries().items():
        row = connection.execute(f"SELECT count(*), any_value(example) FROM ({query})").fetchone()  # noqa: S608
        if row and row[0]:
            problems.append(BrokenInvariant(what, int(row[0]), str(row[1])))
    return problems


def _queries() -> dict[str, str]:
    """By the description of each problem, the query that finds it; each query has a column ``example``."""
    queries = {
        f"{table}: more than one row of the same {keys}": f"SELECT concat_ws(' ', {keys}) AS example "  # noqa: S608
        f"FROM {table} GROUP BY {keys} HAVING count(*) > 1"
        for table, keys in KEYS.items()
        if table != "stage_runs"
    }
    for table in (name for name in PER_CALL_TABLES if name != "calls"):
        queries[f"{table}: rows of a call that is not there"] = (
            f"SELECT call_id AS example FROM {table} ANTI JOIN calls USING (call_id)"  # noqa: S608
        )
    for table in ("sections", "answers", "evidence"):
        queries[f"{table}: rows of a scorecard that is not there"] = (
            f"SELECT call_id AS example FROM {table} ANTI JOIN scorecards USING (call_id, rubric_hash)"  # noqa: S608
        )
    return queries | {
        "ledger: a scored file whose call is not there": "SELECT path AS example FROM ledger "
        "ANTI JOIN calls USING (call_id) WHERE status = 'scored'",
        REPLACED: UNLISTED,
        "ledger: a status that does not exist": "SELECT path AS example FROM ledger "  # noqa: S608
        f"WHERE status NOT IN {get_args(LedgerStatus)}",
        "scorecards: not one newest of a call and rubric": "SELECT call_id AS example FROM scorecards "
        "GROUP BY call_id, rubric_id HAVING count(*) FILTER (is_latest) <> 1",
        "answers: newest, but their scorecard is not": "SELECT a.call_id AS example FROM answers AS a "
        "JOIN scorecards AS s USING (call_id, rubric_hash) WHERE a.is_latest <> s.is_latest",
        "evidence: a span outside its call": "SELECT e.call_id AS example FROM evidence AS e "  # noqa: S608
        "JOIN calls AS c USING (call_id) "
        f"WHERE e.start_s < 0 OR e.end_s < e.start_s OR e.end_s > c.duration_s + {SPAN_SLACK_S}",
        "evidence: a turn that is not there": "SELECT e.call_id AS example FROM evidence AS e "
        "JOIN calls AS c USING (call_id) "
        "JOIN scorecards AS s USING (call_id, rubric_hash) "
        "WHERE s.is_latest AND (e.turn < 0 OR e.turn >= c.turn_count)",
        "calls: turns missing": "SELECT c.call_id AS example FROM calls AS c LEFT JOIN "
        "(SELECT call_id, count(*) AS n FROM turns GROUP BY call_id) AS t USING (call_id) "
        "WHERE c.turn_count <> coalesce(t.n, 0)",
    }
