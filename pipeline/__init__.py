"""callqa: recorded calls in, answered QA rubrics with evidence out.

The tree is the data flow; each arrow is a module of this package::

    recordings -> intake -> audio -> transcribe -> speakers -> annotate -> score -> store -> export / review

``process`` is the only module that composes the stages, ``flows`` orchestrates it with
Prefect, and ``cli`` is the only place that prints or exits. Nothing heavy is imported here.
"""

__version__ = "0.1.0"
