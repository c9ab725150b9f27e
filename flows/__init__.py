"""Prefect orchestration: the only package that imports prefect. The library works without it."""
