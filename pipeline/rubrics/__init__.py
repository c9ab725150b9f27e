"""Rubrics that come with callqa, as package data; ``pipeline.rubric.load`` reads them by name."""
