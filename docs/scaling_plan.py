"""The worked plan of ``scaling.md``: put your own rates into the constants and run ``make docs``."""

# ruff: noqa: E501 - a row of a Markdown table is one line

from __future__ import annotations

from math import ceil

CALLS_A_DAY = 1_000_000
CALL_S = 300
"""Five minutes; two channels each."""
NIGHT_H = 8

TWO_CORES = 89.8
"""Channel-seconds a second, model *base*, 2 idle Zen 4 cores with AVX-512 (``bench/asr.py``, 2026)."""
TWO_OLDER_CORES = 40.8
"""The same on 2 idle cores of an AMD EPYC with AVX2, without VNNI and AVX-512; 40.6 in a second run. Beside
it faster-whisper: 27.8 and 29.1. Word errors of both runs 0.0275 against its 0.0241."""
REST = 0.08
"""Share of wall time that is not transcription: 60 calls of 20 s (``bench/operations.py --whisper 60``)."""
SIXTEEN_CORES = 8 * TWO_CORES * 0.7
"""Eight workers of two threads; 0.7 because they share the memory: an assumption."""
GPU = 1000.0
"""An assumption."""
PRICE_16, PRICE_GPU = 0.60, 1.00
"""An hour, in any currency; assumptions."""

RECORDING_KB_S, OPUS_KBIT_S = 16, 24
TRANSCRIPT_KB_MIN = 11
ROW_KB = 15

CHANNEL_S = 2 * CALL_S
DAY_S, NIGHT_S = 86_400, NIGHT_H * 3600
USABLE = 1 - REST


def machines(speed: float, seconds: int) -> int:
    """Machines of a speed that hear a day's calls in so many seconds."""
    return ceil(CALLS_A_DAY * CHANNEL_S / seconds / (speed * USABLE))


def cost_of_1000(speed: float, price_an_hour: float) -> float:
    """Price of a thousand calls on a machine that is paid by the hour and kept busy."""
    return 1000 * CHANNEL_S / (speed * USABLE) / 3600 * price_an_hour


def calls_in(seconds: int) -> int:
    """Calls that two cores finish in so many seconds, to the hundred."""
    return round(TWO_CORES * USABLE * seconds / CHANNEL_S / 100) * 100


def terabytes(kb_a_call: float) -> str:
    """A day's calls at so many kilobytes each."""
    total = CALLS_A_DAY * kb_a_call / 1e9
    return f"{total:.1f} TB" if total >= 0.1 else f"{total * 1000:.0f} GB"


def rows() -> str:
    """The table of machines."""
    kinds = (
        (f"2 cores at {TWO_CORES:.0f}", TWO_CORES),
        (f"16 cores at {SIXTEEN_CORES:.0f}", SIXTEEN_CORES),
        (f"GPUs at {GPU:,.0f}", GPU),
    )
    return "\n".join(
        f"| {name} | **{machines(speed, DAY_S)}** | **{machines(speed, NIGHT_S)}** |" for name, speed in kinds
    )


def scaling() -> str:
    """The whole document."""
    recordings_kb = RECORDING_KB_S * CALL_S
    return f"""\
# Scaling

<!-- made by `make docs` from docs/scaling_plan.py; do not edit -->

A worked plan for **{CALLS_A_DAY:,} calls a day**. Every figure is computed from the rates at the top of
[`scaling_plan.py`](scaling_plan.py): put in what you measured, run `make docs`, and the plan follows.

## What costs time

Transcription. Everything else (decoding, roles, redaction, annotation, scoring, loading, Prefect) runs beside it and
takes {REST:.0%} of the wall time of a small batch, which the plan takes off. So one figure decides everything:

> **speed** = seconds of channel audio transcribed a second, for one machine. `bench/asr.py` measures it.

| machine, model *base* | speed | how known |
|---|---|---|
| 2 cores (Zen 4, AVX-512), nothing else running | {TWO_CORES} | measured |
| 2 cores (EPYC with AVX2 only), nothing else running | {TWO_OLDER_CORES} | measured, word errors 2.75 %; faster-whisper in int8 28 to 29, 2.41 % |
| 2 cores (EPYC with AVX-512 and VNNI, another day), nothing else running | 84.1 | measured, word errors 2.41 %; faster-whisper in int8 38.1, 2.41 % |
| 2 cores (Ice Lake Xeon with AVX-512 and VNNI), nothing else running | 71.3 | measured, word errors 2.58 %; faster-whisper in int8 34.5, 2.41 % |
| 16 cores, 8 workers of 2 threads | 8 × {TWO_CORES} × 0.7 = {SIXTEEN_CORES:.0f} | assumed: workers share the memory's bandwidth |
| one data-centre GPU | {GPU:,.0f} | assumed: measure before you buy |

A call of {CALL_S // 60} minutes on two channels is {CHANNEL_S} channel-seconds; that people take turns, and that silence is
skipped, is in the speeds already. Two cores finish about {calls_in(NIGHT_S):,} such calls in a night of {NIGHT_H} hours,
{calls_in(DAY_S):,} in a day.

## {CALLS_A_DAY:,} calls a day

| | round the clock | nights only ({NIGHT_H} h) |
|---|---|---|
| speed needed | {CALLS_A_DAY * CHANNEL_S / DAY_S:,.0f} | {CALLS_A_DAY * CHANNEL_S / NIGHT_S:,.0f} |
{rows()}

Add a spare in ten. Run round the clock unless the answers are only ever wanted in the morning: a third of the machines.

**Cost per 1,000 calls**, machines kept busy: 16 cores at {PRICE_16:.2f} an hour
**{cost_of_1000(SIXTEEN_CORES, PRICE_16):.2f}**, a GPU at {PRICE_GPU:.2f} an hour **{cost_of_1000(GPU, PRICE_GPU):.2f}**.

**Storage a day**

| what | a call | a day | keep |
|---|---|---|---|
| recordings, 8 kHz µ-law, two channels | {recordings_kb / 1000:.1f} MB | {terabytes(recordings_kb)} | the telephone system's policy |
| the same as Opus at {OPUS_KBIT_S} kbit/s | {OPUS_KBIT_S / 8 * CALL_S / 1000:.1f} MB | {terabytes(OPUS_KBIT_S / 8 * CALL_S)} | |
| transcripts under the state folder | {TRANSCRIPT_KB_MIN * CALL_S // 60} kB | {terabytes(TRANSCRIPT_KB_MIN * CALL_S / 60)} | until the rubrics of the month are settled |
| database rows | {ROW_KB} kB | {terabytes(ROW_KB)} | retention policy, `callqa purge` |

## How to lay it out

1. **Recordings** on storage every worker sees under the same path (NFS, or an object store mounted read-only). Network:
   {CALLS_A_DAY * recordings_kb / DAY_S / 1000:.0f} MB/s on average; a 10 Gbit/s link has room.
2. **Workers**: one Prefect server on PostgreSQL, a work pool, `prefect worker start --pool callqa` on each machine.
   Split by folder: one deployment a site or client and hour, so that a flow run is 1,000–5,000 calls.
3. **Inside a machine**: `flow.runner = "process"`; `flow.processes = 0` chooses workers from cores and memory. On a GPU
   machine one worker a GPU.
4. **Or a Dask or Ray cluster**: `flow.runner = "dask"`, `flow.cluster = "tcp://scheduler:8786"`, the flow unchanged. One
   parent hands out groups of files and loads what comes back.
5. **Storage of answers**: one DuckDB file has one writer at a time. Up to about 100,000 calls a day that is enough: a
   group is loaded in well under a second. Beyond, give each site its own file and read them together with
   `ATTACH`, or use a lake (`ducklake:postgres:…`), where every parent writes at once. Its rows may lie in a bucket
   (`?data_path=s3://bucket/qa/`): keys and server come from the environment as AWS's tools take them
   (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, and `AWS_ENDPOINT_URL` for MinIO or Ceph).
   `callqa snapshot` makes a database file of a lake, in which analysts also have full text search.
6. **Prefect's own database** on PostgreSQL: three tasks a group of 16 calls, or two with the pool runners. At this size
   keep its retention short (`PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED=true`); callqa's own server keeps 30 days.

## What breaks first

| at | what | sign | remedy |
|---|---|---|---|
| one machine of 2 cores, about {calls_in(NIGHT_S):,} calls a night | time: the night is over | `min_speed` alert, late workbook | `process` runner on more cores, a GPU |
| several workers, one Prefect server on SQLite | its writes queue up | the UI lags; the batches do not | your own server on PostgreSQL |
| 100,000 calls a day in one file | readers wait for the loader, the loader for readers | runs wait, then exit 2 naming the process that holds the file | snapshots for readers; a file a site; a lake |
| {CALLS_A_DAY:,} calls a day | copying recordings, not computing | workers idle at the start of groups | local NVMe cache, Opus at the source |
| any size | somebody has to look at quarantined files | `quarantined_share` alert | mend the exporter that cuts files off |
"""
