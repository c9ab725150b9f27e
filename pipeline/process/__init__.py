"""Runs the stages one after the other: turns received files into call records, a group of files at a time.

    received ─▶ plan (what is new?) ─▶ group ─▶ transcribe ─▶ score ─▶ store

No other package combines stages. ``stages`` loads them, ``calls`` takes one group through them, ``cache``
keeps transcripts between runs, ``batch`` holds the plan and the tally, and ``loop`` goes through the groups.
No module here imports Prefect: ``flows`` hands ``loop`` steps that run as Prefect tasks.
"""
