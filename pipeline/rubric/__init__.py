"""Rubrics: reads them from YAML, checks them, and chooses those that apply to a call.

``load`` reads a file or a shipped rubric, ``select`` chooses the rubrics of a call, ``lint`` gives warnings
to the author, ``explain`` describes a rubric in plain words. ``pipeline.score`` does the scoring.
"""

from pipeline.rubric.explain import explain, explain_order
from pipeline.rubric.lint import COMMON, NEVER_MET_SQL, TYPICAL_SQL, advice, lint, never_met, phrases
from pipeline.rubric.load import load, parse, shipped
from pipeline.rubric.model import Criterion, Rubric
from pipeline.rubric.references import same_criteria
from pipeline.rubric.select import select, why_not, why_not_by_metadata

__all__ = [
    "COMMON",
    "NEVER_MET_SQL",
    "TYPICAL_SQL",
    "Criterion",
    "Rubric",
    "advice",
    "explain",
    "explain_order",
    "lint",
    "load",
    "never_met",
    "parse",
    "phrases",
    "same_criteria",
    "select",
    "shipped",
    "why_not",
    "why_not_by_metadata",
]
