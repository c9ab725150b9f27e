"""callqa takes recorded calls and answers QA rubrics about them, with evidence.

The packages follow the data flow::

    recordings -> intake -> audio -> transcribe -> speakers -> annotate -> score -> store -> export / review

``process`` is the only package that combines the stages, ``flows`` runs it under Prefect, and ``cli`` is the
only one that prints or exits. Nothing that loads slowly is imported here.
"""

__version__ = "0.1.0"
