"""The rubric: YAML in, a checked ``Rubric`` out, and which rubric answers which call.

``load`` reads one (a file or a shipped name), ``select`` chooses for a call, ``lint`` warns,
``explain`` says it in plain words. Scoring is ``pipeline.score``.
"""

from pipeline.rubric.explain import explain, explain_order
from pipeline.rubric.lint import COMMON, NEVER_MET_SQL, TYPICAL_SQL, Phrase, advice, lint, never_met, phrases
from pipeline.rubric.load import load, parse, shipped
from pipeline.rubric.model import Criterion, Rubric, Section
from pipeline.rubric.references import same_criteria
from pipeline.rubric.select import select, why_not

__all__ = [
    "COMMON",
    "NEVER_MET_SQL",
    "TYPICAL_SQL",
    "Criterion",
    "Phrase",
    "Rubric",
    "Section",
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
]
