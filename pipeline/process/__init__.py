"""The only composer: received files to call records, in windows, with nothing done twice.

    received ─▶ plan (what is new?) ─▶ window ─▶ transcribe ─▶ score ─▶ store

``stages`` holds the stages ready for use, ``calls`` takes one window through them, ``cache`` keeps
transcripts between runs, ``batch`` says what is to be done and keeps the tally, ``loop`` goes through
the windows. None of it knows Prefect: ``flows`` hands the loop steps that are Prefect's tasks.
"""
