"""The rubric: YAML in, a checked ``Rubric`` out, and which rubric answers which call.

``load`` reads one (a file or a shipped name), ``select`` chooses for a call, ``lint`` warns,
``explain`` says it in plain words, ``json_schema`` helps editors. Scoring is ``pipeline.score``.
"""

from pipeline.rubric.load import load, parse, shipped
from pipeline.rubric.model import Criterion, Rubric, Section
from pipeline.rubric.select import select, why_not

__all__ = ["Criterion", "Rubric", "Section", "load", "parse", "select", "shipped", "why_not"]
