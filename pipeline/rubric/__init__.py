"""The rubric: YAML in, a checked ``Rubric`` out, and which rubric answers which call.

``load`` reads one (a file or a shipped name), ``select`` chooses for a call, ``lint`` warns,
``explain`` says it in plain words. Scoring is ``pipeline.score``.
"""

from pipeline.rubric.explain import explain, explain_order
from pipeline.rubric.lint import NEVER_MET_SQL, TYPICAL_SQL, lint, never_met
from pipeline.rubric.load import load, parse, shipped
from pipeline.rubric.model import Criterion, Rubric, Section
from pipeline.rubric.references import same_criteria
from pipeline.rubric.select import select, why_not

__all__ = [
    "NEVER_MET_SQL",
    "TYPICAL_SQL",
    "Criterion",
    "Rubric",
    "Section",
    "explain",
    "explain_order",
    "lint",
    "load",
    "never_met",
    "parse",
    "same_criteria",
    "select",
    "shipped",
    "why_not",
]
