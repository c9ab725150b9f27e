"""What crosses between the channels of a recording, found before anything is transcribed.

    AudioClip ─▶ clean_channels ─▶ AudioClip

A two-channel recording promises one party a channel. Two things break that promise: the same mix on
both channels (fake stereo), and line or handset echo, by which each party is faintly heard on the
other's channel. Both show in the phase-transformed cross-correlation (GCC-PHAT, Knapp and Carter
1976): copies of one sound line up at one lag whatever their level and line, two voices never do.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations

import numpy as np
import numpy.typing as npt

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip

Floats = npt.NDArray[np.float32]

WINDOW = SAMPLE_RATE_HZ // 2
MAX_WINDOWS = 240
"""Windows looked at per pair of channels, spread over the call: a bounded cost for long recordings."""
BAND_HZ = (250.0, 3500.0)
MAX_LAG = int(0.4 * SAMPLE_RATE_HZ)
"""Round trips beyond 0.4 s are unusable calls; G.114 calls 0.4 s the limit for planning."""
WHITENING = 0.8
PEAK_RATIO = 10.0
"""Peak over RMS of the correlation. On real calls unrelated speech stays below 9, echoes exceed 11."""
LAG_TOLERANCE = 16
MIN_AGREEING = 6
SAME_SHARE = 0.8
STEADY_SHARE = 0.95
LEVEL_MARGIN_DB = 6.0
FRAME = SAMPLE_RATE_HZ // 50
ACTIVE_ABOVE_FLOOR_DB = 10.0
MIN_ACTIVE_DBFS = -60.0
OWN_SPEECH_S = 0.1
"""Louder-than-echo stretches shorter than this are clicks, not the channel's own party."""
OWN_SPEECH_MARGIN_S = 0.2
DOUBLED_S = 4.0
"""Shorter stretches of the same sound on two channels are both parties hearing one click, beep or laugh."""
DOUBLED_AGAIN_S = 1.0
"""Where one such stretch is, shorter ones are more of it."""
DOUBLED_STEADY_DB = 1.5
"""Frames of copies differ in level by no more than this from what the copies differ by on the whole."""


@dataclass(frozen=True, slots=True)
class EchoPath:
    """``heard_on`` carries what was said on ``spoken_on``, ``lag`` samples later, at ``gain_db``."""

    spoken_on: int
    heard_on: int
    lag: int
    gain_db: float


def clean_channels(clip: AudioClip) -> AudioClip:
    """Silence on each channel what belongs to another, and merge channels that are copies.

    Returns:
        The clip itself when its channels are clean. Else a copy with the same channels, echo silenced;
        or with one channel when all are copies of it (fake stereo). Warnings say what was done.
    """
    if clip.n_channels < 2:
        return clip
    levels = np.stack([_levels_db(channel) for channel in clip.samples])
    copies = [
        (i, j) for i, j in combinations(range(clip.n_channels), 2) if _is_copy(clip.samples, levels, i, j)
    ]
    if len({j for _, j in copies}) == clip.n_channels - 1:
        said = f"all {clip.n_channels} channels carry the same sound: treated as one (mono)"
        return replace(clip, samples=clip.samples[:1], warnings=(*clip.warnings, said))
    silenced = {j: np.ones(levels.shape[1], bool) for _, j in copies}
    warnings = [f"channel {j} is a copy of channel {i} and was not transcribed" for i, j in copies]
    doubled: list[tuple[float, float]] = []
    for i, j in combinations(range(clip.n_channels), 2):
        for start, end in () if {i, j} & set(silenced) else _doubled(clip.samples, levels, i, j):
            silenced.setdefault(j, np.zeros(levels.shape[1], bool))[start:end] = True
            doubled.append((start * FRAME / SAMPLE_RATE_HZ, end * FRAME / SAMPLE_RATE_HZ))
            warnings.append(
                f"channel {j} carries the same sound as channel {i} from {doubled[-1][0]:.0f} "
                f"to {doubled[-1][1]:.0f} s: it was heard once"
            )
    for path in _echo_paths(clip.samples, levels, skip={j for _, j in copies}):
        echo = _echo_frames(levels, path)
        if not echo.any():
            continue
        silenced[path.heard_on] = silenced.get(path.heard_on, np.zeros_like(echo)) | echo
        warnings.append(
            f"channel {path.heard_on} carries an echo of channel {path.spoken_on} "
            f"({1000 * path.lag / SAMPLE_RATE_HZ:.0f} ms later, {-path.gain_db:.0f} dB fainter): "
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
    """Level of each 20 ms frame in dBFS, read in blocks of a minute."""
    block = 60 * SAMPLE_RATE_HZ
    parts = []
    for start in range(0, len(channel), block):
        part = channel[start : start + block]
        frames = part[: len(part) // FRAME * FRAME].reshape(-1, FRAME)
        parts.append(10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12))
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _active(levels_db: Floats) -> npt.NDArray[np.bool_]:
    """Frames above the channel's noise floor (its 10th percentile)."""
    if not len(levels_db):
        return np.zeros(0, bool)
    floor = max(float(np.percentile(levels_db, 10)) + ACTIVE_ABOVE_FLOOR_DB, MIN_ACTIVE_DBFS)
    return levels_db > floor


def _windows(levels: Floats, i: int, j: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """Starts of the windows in which either channel is active, and how much louder ``j`` is, in dB."""
    busy, louder_db = _busy(levels, i, j)
    picked = _spread(len(busy))
    return busy[picked] * WINDOW, louder_db[picked]


def _busy(levels: Floats, i: int, j: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """The windows, by number, in which either channel is active, and how much louder ``j`` is, in dB."""
    per_window = WINDOW // FRAME
    n = levels.shape[1] // per_window
    grid = levels[:, : n * per_window].reshape(levels.shape[0], n, per_window)
    mean_db = 10 * np.log10(np.mean(10 ** (grid / 10), axis=2))
    active = (_active(levels[i]) | _active(levels[j]))[: n * per_window].reshape(n, per_window)
    busy = np.flatnonzero(active.mean(axis=1) > 0.5)
    return busy, (mean_db[j] - mean_db[i])[busy]


def _spread(count: int) -> npt.NDArray[np.intp]:
    """At most ``MAX_WINDOWS`` of so many windows, evenly spread."""
    return np.linspace(0, count - 1, min(count, MAX_WINDOWS)).astype(np.intp)


def _lags(samples: Floats, starts: npt.NDArray[np.intp], i: int, j: int) -> Iterator[tuple[float, int]]:
    """Peak ratio and lag of ``j`` behind ``i`` in each window (GCC-PHAT)."""
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


def _agreeing(found: list[tuple[float, int]]) -> tuple[int, npt.NDArray[np.bool_]]:
    """The commonest lag among clear peaks, and which windows have it."""
    ratios, lags = (np.array(values) for values in zip(*found, strict=True))
    clear = ratios > PEAK_RATIO
    if not clear.any():
        return 0, np.zeros(len(found), bool)
    votes = np.bincount(lags[clear] + MAX_LAG)
    lag = int(votes.argmax()) - MAX_LAG
    return lag, clear & (np.abs(lags - lag) <= LAG_TOLERANCE)


def _is_copy(samples: Floats, levels: Floats, i: int, j: int) -> bool:
    """Whether both channels carry the same sound at about the same level throughout."""
    starts, louder_db = _windows(levels, i, j)
    if len(starts) < 2:
        return False
    # One party a channel makes the difference swing by tens of dB, however much hold music both share.
    usual_db = float(np.median(louder_db))
    steady = np.mean(np.abs(louder_db - usual_db) < LEVEL_MARGIN_DB) > STEADY_SHARE
    if abs(usual_db) > LEVEL_MARGIN_DB or not steady:
        return False
    _, agree = _agreeing(list(_lags(samples, starts, i, j)))
    return bool(agree.mean() >= SAME_SHARE)


def _doubled(samples: Floats, levels: Floats, i: int, j: int) -> Iterator[tuple[int, int]]:
    """Stretches, in frames, in which both channels carry the same sound at about the same level."""
    busy, louder_db = _busy(levels, i, j)
    alike = np.flatnonzero(np.abs(louder_db) < LEVEL_MARGIN_DB)
    if len(alike) < DOUBLED_S * SAMPLE_RATE_HZ / WINDOW:
        return
    tried = alike[_spread(len(alike))]
    _, agree = _agreeing(list(_lags(samples, busy[tried] * WINDOW, i, j)))
    same = np.zeros(len(busy), bool)
    same[alike] = agree[np.rint(np.interp(alike, tried, np.arange(len(tried)))).astype(int)]
    padded = np.r_[False, same, False]
    same |= padded[:-2] & padded[2:]  # a window alone in between, as of a cough on one side, parts nothing
    edges = _runs(same)
    lengths_s = np.diff(edges, axis=1)[:, 0] * WINDOW / SAMPLE_RATE_HZ
    if not (lengths_s >= DOUBLED_S).any():
        return
    for (first, past), length_s in zip(edges, lengths_s, strict=True):
        if length_s >= DOUBLED_AGAIN_S:
            start, end = busy[first] * WINDOW // FRAME, (busy[past - 1] + 1) * WINDOW // FRAME
            yield _to_its_edges(levels, i, j, start, end)


def _to_its_edges(levels: Floats, i: int, j: int, start: int, end: int) -> tuple[int, int]:
    """A doubled stretch with the frames beside it, up to a window, that are still alike."""
    apart = levels[j] - levels[i]
    alike = np.abs(apart - np.median(apart[start:end])) < DOUBLED_STEADY_DB
    first, last = max(0, start - WINDOW // FRAME), min(len(alike), end + WINDOW // FRAME)
    while start > first and alike[start - 1]:
        start -= 1
    while end < last and alike[end]:
        end += 1
    return int(start), int(end)


def _echo_paths(samples: Floats, levels: Floats, skip: set[int]) -> Iterator[EchoPath]:
    """Ways by which one channel is heard on another, from the windows in which the other is fainter."""
    for i, j in permutations(range(len(samples)), 2):
        if i in skip or j in skip:
            continue
        starts, louder_db = _windows(levels, i, j)
        fainter = louder_db < -LEVEL_MARGIN_DB
        if fainter.sum() < MIN_AGREEING:
            continue
        lag, agree = _agreeing(list(_lags(samples, starts[fainter], i, j)))
        if agree.sum() >= max(MIN_AGREEING, 0.05 * fainter.sum()) and lag > -LAG_TOLERANCE:
            yield EchoPath(i, j, lag, float(np.percentile(louder_db[fainter][agree], 60)))


def _echo_frames(levels: Floats, path: EchoPath) -> npt.NDArray[np.bool_]:
    """Frames of the hearing channel that hold nothing but the echo."""
    near = levels[path.heard_on]
    shift = round(path.lag / FRAME)
    far = np.roll(levels[path.spoken_on], shift)
    far[: max(shift, 0)] = -120.0
    tail = 4  # 80 ms: echo paths are dispersive, their tail outlasts the word
    smeared = np.max([np.roll(far, k) for k in range(-1, tail)], axis=0)
    speaking = np.max([np.roll(_active(far), k) for k in range(-1, tail)], axis=0)
    expected = smeared + path.gain_db + LEVEL_MARGIN_DB
    own = _longer_than(_active(near) & (near > expected), round(OWN_SPEECH_S * SAMPLE_RATE_HZ / FRAME))
    margin = round(OWN_SPEECH_MARGIN_S * SAMPLE_RATE_HZ / FRAME)
    kept = np.convolve(own, np.ones(2 * margin + 1), mode="same") > 0
    return np.asarray(speaking & ~kept, dtype=bool)


def _longer_than(flags: npt.NDArray[np.bool_], n: int) -> npt.NDArray[np.bool_]:
    """Only the runs of at least ``n`` true flags."""
    kept = np.zeros_like(flags)
    for start, end in _runs(flags):
        kept[start:end] = end - start >= n
    return kept


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Where runs of true flags begin and where they are past: (n, 2)."""
    return np.flatnonzero(np.diff(np.r_[0, flags.astype(np.int8), 0])).reshape(-1, 2)


def _silence(samples: Floats, silenced: dict[int, npt.NDArray[np.bool_]]) -> Floats:
    """A copy with the marked 20 ms frames at zero."""
    cleaned = _copy(samples)
    for channel, frames in silenced.items():
        for start, end in _runs(frames) * FRAME:
            cleaned[channel, start:end] = 0.0
    return cleaned


def _copy(samples: Floats) -> Floats:
    """A copy that lives where the original does: in memory, or in an unlinked temporary file."""
    if not isinstance(samples.base, np.memmap):
        return np.array(samples)
    file = tempfile.TemporaryFile(prefix="callqa-clip-")  # noqa: SIM115  the memory map keeps it open
    for channel in samples:
        for start in range(0, len(channel), 2**20):  # written, since through a map a full disk kills
            file.write(np.ascontiguousarray(channel[start : start + 2**20]).data)
    file.flush()
    return np.memmap(file, np.float32, "r+", shape=samples.shape)
