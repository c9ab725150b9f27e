"""The only composer: received files to call records, in windows, with nothing done twice.

    received ─▶ plan (what is new?) ─▶ window ─▶ hear ─▶ judge ─▶ store

``tools`` holds the stages ready for use, ``calls`` takes one window through them, ``cache`` keeps
transcripts between runs, ``batch`` goes through all windows and keeps the tally. None of it knows
Prefect: ``flows`` calls the same functions from its tasks.
"""
