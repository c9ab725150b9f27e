"""Measurements of callqa beside its targets and its rivals."""
