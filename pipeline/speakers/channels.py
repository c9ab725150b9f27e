"""Find and silence sound that is on the wrong channel, before the recording is transcribed.

    AudioClip ─▶ clean_channels ─▶ AudioClip

In a two-channel recording each party should have a channel of its own. Two faults break this: the same mix
on both channels (fake stereo), and line or handset echo, which makes each party faintly audible on the
other's channel. Both show in the phase-transformed cross-correlation (GCC-PHAT, Knapp and Carter 1976):
copies of a sound match at one lag whatever their level and filtering; two different voices do not.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip

Floats = npt.NDArray[np.float32]

WINDOW = SAMPLE_RATE_HZ // 2
MAX_WINDOWS = 240
"""Most windows correlated for a pair of channels, spread over the call; bounds the cost for long calls."""
BAND_HZ = (250.0, 3500.0)
MAX_LAG = int(0.4 * SAMPLE_RATE_HZ)
"""Largest echo delay. ITU-T G.114 gives 0.4 s as the planning limit; calls with more are unusable."""
WHITENING = 0.8
PEAK_RATIO = 10.0
"""Peak over RMS of the correlation. On real calls unrelated speech stays below 9, echoes exceed 11."""
LAG_TOLERANCE = 16  # samples: 1 ms
MIN_AGREEING = 6  # windows
SAME_SHARE = 0.8
STEADY_SHARE = 0.95
LEVEL_MARGIN_DB = 6.0
FRAME = SAMPLE_RATE_HZ // 50
ACTIVE_ABOVE_FLOOR_DB = 10.0
MIN_ACTIVE_DBFS = -60.0
OWN_SPEECH_S = 0.1
"""Sound louder than the expected echo but shorter than this is a click, not the channel's own party."""
OWN_SPEECH_MARGIN_S = 0.2
DOUBLED_S = 4.0
"""Shorter stretches of the same sound on two channels are a click, beep or laugh that both parties heard."""
DOUBLED_AGAIN_S = 1.0
"""When two channels have one stretch of ``DOUBLED_S``, their other stretches of this length count as well."""
DOUBLED_STEADY_DB = 1.5
"""Most by which a frame's level difference may depart from the median level difference of two copies."""


def clean_channels(clip: AudioClip) -> AudioClip:
    """Silence the echo of other channels on each channel, and merge channels that are copies.

    Returns:
        The clip itself when its channels are clean. Otherwise a copy of it with echo silenced, or with a
        single channel when all channels are copies (fake stereo). Warnings say what was changed.
    """
    if clip.n_channels < 2:
        return clip
    levels = np.stack([_levels_db(channel) for channel in clip.samples])
    copies = [
        (i, j) for i, j in combinations(range(clip.n_channels), 2) if _is_copy(clip.samples, levels, i, j)
    ]
    if len({j for _, j in copies}) == clip.n_channels - 1:
        warning = f"all {clip.n_channels} channels carry the same sound: treated as one (mono)"
        return replace(clip, samples=clip.samples[:1], warnings=(*clip.warnings, warning))
    silenced = {j: np.ones(levels.shape[1], bool) for _, j in copies}
    warnings = [f"channel {j} is a copy of channel {i} and was not transcribed" for i, j in copies]
    doubled: list[tuple[float, float]] = []
    for i, j in combinations(range(clip.n_channels), 2):
        if i in silenced or j in silenced:
            continue
        for start, end in _doubled_stretches(clip.samples, levels, i, j):
            silenced.setdefault(j, np.zeros(levels.shape[1], bool))[start:end] = True
            doubled.append((start * FRAME / SAMPLE_RATE_HZ, end * FRAME / SAMPLE_RATE_HZ))
            warnings.append(
                f"channel {j} carries the same sound as channel {i} from {doubled[-1][0]:.0f} "
                f"to {doubled[-1][1]:.0f} s: it was heard once"
            )
    for i, j, lag, gain_db in _echoes(clip.samples, levels, skip={j for _, j in copies}):
        echo = _echo_frames(levels[i], levels[j], lag, gain_db)
        if not echo.any():
            continue
        silenced[j] = silenced.get(j, np.zeros_like(echo)) | echo
        warnings.append(
            f"channel {j} carries an echo of channel {i} "
            f"({1000 * lag / SAMPLE_RATE_HZ:.0f} ms later, {-gain_db:.0f} dB fainter): "
            f"{echo.sum() * FRAME / SAMPLE_RATE_HZ:.0f} s of it were silenced"
        )
    if not warnings:
        return clip
    return replace(
        clip,
        samples=_silence(clip.samples, silenced),
        warnings=(*clip.warnings, *warnings),
        doubled_s=tuple(sorted(doubled)),
    )


def _levels_db(channel: Floats) -> Floats:
    """Level of each 20 ms frame in dBFS; reads the channel in blocks of a minute."""
    parts = [np.zeros(0, np.float32)]
    for start in range(0, len(channel), 60 * SAMPLE_RATE_HZ):
        part = channel[start : start + 60 * SAMPLE_RATE_HZ]
        frames = part[: len(part) // FRAME * FRAME].reshape(-1, FRAME)
        parts.append(10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12))
    return np.concatenate(parts)


def _active(levels_db: Floats) -> npt.NDArray[np.bool_]:
    """Which frames are clearly above the channel's noise floor (its 10th percentile)."""
    if not len(levels_db):
        return np.zeros(0, bool)
    floor = max(float(np.percentile(levels_db, 10)) + ACTIVE_ABOVE_FLOOR_DB, MIN_ACTIVE_DBFS)
    return levels_db > floor


def _sampled_windows(levels: Floats, i: int, j: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Like ``_active_windows``, but at most ``MAX_WINDOWS`` of them, given by their first samples."""
    windows, louder_db = _active_windows(levels, i, j)
    picked = _spread_evenly(len(windows))
    return windows[picked] * WINDOW, louder_db[picked]


def _active_windows(levels: Floats, i: int, j: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Numbers of the windows with sound on ``i`` or ``j``, and how much louder ``j`` is than ``i``, in dB."""
    per_window = WINDOW // FRAME
    n = levels.shape[1] // per_window
    grid = levels[:, : n * per_window].reshape(levels.shape[0], n, per_window)
    mean_db = 10 * np.log10(np.mean(10 ** (grid / 10), axis=2))
    active = (_active(levels[i]) | _active(levels[j]))[: n * per_window].reshape(n, per_window)
    windows = np.flatnonzero(active.mean(axis=1) > 0.5)
    return windows, (mean_db[j] - mean_db[i])[windows]


def _spread_evenly(count: int) -> npt.NDArray[np.intp]:
    """Indices of at most ``MAX_WINDOWS`` out of ``count`` windows, evenly spread."""
    return np.linspace(0, count - 1, min(count, MAX_WINDOWS)).astype(np.intp)


def _lags(samples: Floats, starts: npt.NDArray[np.intp], i: int, j: int) -> Iterator[tuple[float, int]]:
    """For each window, the peak ratio and the lag of ``j`` behind ``i`` in samples (GCC-PHAT)."""
    n_fft = 2 * WINDOW
    frequencies = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE_HZ)
    band = slice(np.searchsorted(frequencies, BAND_HZ[0], "right"), np.searchsorted(frequencies, BAND_HZ[1]))
    weighted = np.zeros(len(frequencies), np.complex64)
    lags = np.arange(-MAX_LAG, MAX_LAG)
    taper = np.hanning(WINDOW).astype(np.float32)
    for start in starts:
        first, second = (np.fft.rfft(samples[c, start : start + WINDOW] * taper, n_fft) for c in (i, j))
        cross = second[band] * np.conj(first[band])
        weighted[band] = cross / np.maximum(np.abs(cross), 1e-15) ** WHITENING
        correlation = np.abs(np.fft.irfft(weighted, n_fft)[lags])
        rms = float(np.sqrt(np.mean(np.square(correlation))))
        at = int(correlation.argmax())
        yield (float(correlation[at]) / rms if rms > 0 else 0.0), int(lags[at])


def _commonest_lag(peaks: list[tuple[float, int]]) -> tuple[int, npt.NDArray[np.bool_]]:
    """The most frequent lag among clear ``peaks`` (from ``_lags``), and which windows have it."""
    ratios, lags = (np.array(values) for values in zip(*peaks, strict=True))
    clear = ratios > PEAK_RATIO
    if not clear.any():
        return 0, np.zeros(len(peaks), bool)
    votes = np.bincount(lags[clear] + MAX_LAG)
    lag = int(votes.argmax()) - MAX_LAG
    return lag, clear & (np.abs(lags - lag) <= LAG_TOLERANCE)


def _is_copy(samples: Floats, levels: Floats, i: int, j: int) -> bool:
    """Whether both channels carry the same sound at about the same level throughout."""
    starts, louder_db = _sampled_windows(levels, i, j)
    if len(starts) < 2:
        return False
    # With one party on each channel the difference varies by tens of dB, however much hold music they share.
    usual_db = float(np.median(louder_db))
    steady = np.mean(np.abs(louder_db - usual_db) < LEVEL_MARGIN_DB) > STEADY_SHARE
    if abs(usual_db) > LEVEL_MARGIN_DB or not steady:
        return False
    _, agree = _commonest_lag(list(_lags(samples, starts, i, j)))
    return bool(agree.mean() >= SAME_SHARE)


def _doubled_stretches(samples: Floats, levels: Floats, i: int, j: int) -> Iterator[tuple[int, int]]:
    """Stretches, in frames, in which both channels carry the same sound at about the same level."""
    windows, louder_db = _active_windows(levels, i, j)
    alike = np.flatnonzero(np.abs(louder_db) < LEVEL_MARGIN_DB)
    if len(alike) < DOUBLED_S * SAMPLE_RATE_HZ / WINDOW:
        return
    tried = alike[_spread_evenly(len(alike))]
    _, agree = _commonest_lag(list(_lags(samples, windows[tried] * WINDOW, i, j)))
    same = np.zeros(len(windows), bool)
    same[alike] = agree[np.rint(np.interp(alike, tried, np.arange(len(tried)))).astype(int)]
    padded = np.r_[False, same, False]
    same |= padded[:-2] & padded[2:]  # a single differing window, e.g. a cough of one party, splits nothing
    edges = _runs(same)
    lengths_s = np.diff(edges, axis=1)[:, 0] * WINDOW / SAMPLE_RATE_HZ
    if not (lengths_s >= DOUBLED_S).any():
        return
    for (first, past), length_s in zip(edges, lengths_s, strict=True):
        if length_s >= DOUBLED_AGAIN_S:
            start, end = windows[first] * WINDOW // FRAME, (windows[past - 1] + 1) * WINDOW // FRAME
            yield _extended(levels, i, j, start, end)


def _extended(levels: Floats, i: int, j: int, start: int, end: int) -> tuple[int, int]:
    """Extend a doubled stretch at both ends, by up to a window, while the level difference stays the same."""
    apart = levels[j] - levels[i]
    alike = np.abs(apart - np.median(apart[start:end])) < DOUBLED_STEADY_DB
    first, last = max(0, start - WINDOW // FRAME), min(len(alike), end + WINDOW // FRAME)
    while start > first and alike[start - 1]:
        start -= 1
    while end < last and alike[end]:
        end += 1
    return int(start), int(end)


def _echoes(samples: Floats, levels: Floats, skip: set[int]) -> Iterator[tuple[int, int, int, float]]:
    """Channels (i, j) of which i is heard on j, that many samples later, at that gain in dB.

    They are found in the windows where j is fainter.
    """
    for i, j in permutations(range(len(samples)), 2):
        if i in skip or j in skip:
            continue
        starts, louder_db = _sampled_windows(levels, i, j)
        fainter = louder_db < -LEVEL_MARGIN_DB
        if fainter.sum() < MIN_AGREEING:
            continue
        lag, agree = _commonest_lag(list(_lags(samples, starts[fainter], i, j)))
        if agree.sum() >= max(MIN_AGREEING, 0.05 * fainter.sum()) and lag > -LAG_TOLERANCE:
            yield i, j, lag, float(np.percentile(louder_db[fainter][agree], 60))


def _echo_frames(spoken: Floats, heard: Floats, lag: int, gain_db: float) -> npt.NDArray[np.bool_]:
    """Which frames, by their levels where the sound is ``spoken`` and ``heard``, hold only its echo."""
    shift = round(lag / FRAME)
    far = np.roll(spoken, shift)
    far[: max(shift, 0)] = -120.0
    tail = 4  # frames, 80 ms: echo is spread out in time and continues after the word
    smeared = np.max([np.roll(far, k) for k in range(-1, tail)], axis=0)
    speaking = np.max([np.roll(_active(far), k) for k in range(-1, tail)], axis=0)
    expected = smeared + gain_db + LEVEL_MARGIN_DB
    own_speech = _active(heard) & (heard > expected)
    for start, end in _runs(own_speech):
        own_speech[start:end] = end - start >= round(OWN_SPEECH_S * SAMPLE_RATE_HZ / FRAME)
    margin = round(OWN_SPEECH_MARGIN_S * SAMPLE_RATE_HZ / FRAME)
    protected = np.convolve(own_speech, np.ones(2 * margin + 1), mode="same") > 0
    return np.asarray(speaking & ~protected, dtype=bool)


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """First index of each run of true values and the index after its last: shape (n_runs, 2)."""
    return np.flatnonzero(np.diff(np.r_[0, flags.astype(np.int8), 0])).reshape(-1, 2)


def _silence(samples: Floats, silenced: dict[int, npt.NDArray[np.bool_]]) -> Floats:
    """A copy of the samples with the frames marked in ``silenced``, by channel, set to zero."""
    cleaned = _copy(samples)
    for channel, frames in silenced.items():
        for start, end in _runs(frames) * FRAME:
            cleaned[channel, start:end] = 0.0
    return cleaned


def _copy(samples: Floats) -> Floats:
    """A copy kept where the original is: in memory, or in an unlinked temporary file."""
    if not isinstance(samples.base, np.memmap):
        return np.array(samples)
    file = tempfile.TemporaryFile(prefix="callqa-clip-")  # noqa: SIM115  the memory map keeps it open
    for channel in samples:
        for start in range(0, len(channel), 2**20):  # on a full disk write() raises, a memory map crashes
            file.write(np.ascontiguousarray(channel[start : start + 2**20]).data)
    file.flush()
    return np.memmap(file, np.float32, "r+", shape=samples.shape)
