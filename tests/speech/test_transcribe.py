"""Speech becomes timed turns; silence becomes nothing."""

import io
import json
import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from whisper import DecodingOptions, ModelDimensions, Whisper, decode
from whisper.normalizers import EnglishTextNormalizer
from whisper.timing import dtw_cpu, median_filter

from pipeline import audio, models, rubric, score, speakers
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, CallMetadata, Conversation, Transcript
from pipeline.errors import UsageError
from pipeline.matching import load_matcher
from pipeline.settings import AudioSettings, TranscribeSettings
from pipeline.transcribe import Job, SpeechEngine, foreign, load_engine, probe, warning
from pipeline.transcribe.alignment import AlignedWord, _median_filter, warp
from pipeline.transcribe.audio_attention import FloatKeysAndValues, IntegerKeysAndValues, Packed, to_integers
from pipeline.transcribe.beam import Hypothesis, search
from pipeline.transcribe.decoding import Encoded, _without_loop
from pipeline.transcribe.kernels import attend, build, rounded, scripted
from pipeline.transcribe.network import Cache
from pipeline.transcribe.precision import choose
from pipeline.transcribe.probe import INT8, Kernel
from pipeline.transcribe.recognition import Recogniser
from pipeline.transcribe.vad import SpeechSpan, VoiceActivity
from pipeline.transcribe.windows import pack
from pipeline.turns import TimedWord, build_turns


@pytest.fixture(scope="module")
def engine() -> SpeechEngine:
    """One engine for all tests that listen."""
    if models.locate("base").source == "download":
        pytest.skip("the weights are not installed")
    return load_engine(TranscribeSettings())


def heard(text: str, start_s: float, end_s: float, channel: int = 0) -> TimedWord:
    """A word as the decoder gives it."""
    return TimedWord(" " + text, start_s, end_s, 0.9, channel, "en")


@pytest.mark.parametrize("n_vocab", [51864, 51865])
def test_a_model_of_english_only_is_asked_as_openai_whisper_asks_it(n_vocab: int) -> None:
    """Models of random weights begin with the token that openai-whisper's own decoding begins with."""
    torch.manual_seed(0)
    model = Whisper(ModelDimensions(80, 1500, 64, 1, 2, n_vocab, 448, 64, 1, 2)).eval()
    torch.nn.init.normal_(model.decoder.positional_embedding)
    recogniser = Recogniser(model, choose("cpu", "float32", 1), TranscribeSettings(beam="off"))
    features = [10 * torch.randn(1500, 64) for _ in range(4)]
    special = range(recogniser.tokenizer("en").eot + 1, n_vocab)
    options = DecodingOptions(
        language="en", without_timestamps=True, fp16=False, sample_len=1, suppress_tokens=[-1, *special]
    )
    with torch.inference_mode():
        ours = recogniser._decoder.decode([Encoded(f, 30.0, "en", (), ()) for f in features], 0.0)
    assert [d.tokens[0] for d in ours] == [decode(model, f, options).tokens[0] for f in features]


def test_turns_are_split_where_the_other_side_speaks() -> None:
    """An answer given in a gap parts the turn around it; a backchannel over speech does not."""
    parted = build_turns([heard("go", 0, 0.5), heard("on", 1.2, 1.5), heard("yes", 0.7, 1.0, channel=1)])
    assert [t.text for t in parted] == ["go", "yes", "on"]
    spoken_over = build_turns([heard("go", 0, 0.5), heard("on", 0.6, 1.5), heard("mhm", 0.5, 0.6, channel=1)])
    assert [t.text for t in spoken_over] == ["go on", "mhm"]


def test_a_long_pause_ends_a_turn() -> None:
    """One speaker's silence is a turn end even when nobody else speaks."""
    assert len(build_turns([heard("one", 0, 0.5), heard("two", 3.0, 3.5)])) == 2


def test_words_of_a_window_lead_back_to_the_recording() -> None:
    """Joined spans keep their own place in the recording, and words stay inside them."""
    second = SAMPLE_RATE_HZ
    spans = [SpeechSpan(s * second, e * second, s * second, e * second) for s, e in ((10, 12), (50, 53))]
    (window,) = pack(0, 0, spans, 30 * second)
    assert window.n_samples == 5 * second

    def times(start_s: float, end_s: float, heard_s: float) -> tuple[float, float]:
        (word,) = window.place([AlignedWord(" hi", start_s, end_s, heard_s, 0.9)], "en")
        return word.start_s, word.end_s

    assert times(0.5, 1.0, 0.7) == pytest.approx((10.5, 11.0))
    assert times(2.1, 2.2, 2.15) == pytest.approx((50.1, 50.2))
    assert times(1.9, 2.19, 2.1) == pytest.approx((50.0, 50.19))


THREE_SECONDS = SpeechSpan(
    0, 3 * SAMPLE_RATE_HZ, voice_start=int(0.4 * SAMPLE_RATE_HZ), voice_end=int(2.8 * SAMPLE_RATE_HZ)
)


def test_the_first_word_begins_and_the_last_ends_where_the_voice_does() -> None:
    """The silence kept around a phrase is counted to neither of its outer words."""
    (window,) = pack(0, 0, [THREE_SECONDS], 30 * SAMPLE_RATE_HZ)
    said = [AlignedWord(" well", 0.0, 0.9, 0.6, 0.9), AlignedWord(" goodbye.", 0.9, 2.4, 2.2, 0.9)]
    first, last = window.place(said, "en")
    assert (first.start_s, first.end_s) == pytest.approx((0.4, 0.9))
    assert (last.start_s, last.end_s) == pytest.approx((0.9, 2.8))


def test_a_word_said_before_the_voice_is_noticed_keeps_its_place() -> None:
    """A soft "please" ends before voice activity begins: it still comes before the next word."""
    (window,) = pack(0, 0, [THREE_SECONDS], 30 * SAMPLE_RATE_HZ)
    said = [AlignedWord(" Please", 0.05, 0.25, 0.15, 0.9), AlignedWord(" enter", 0.25, 0.6, 0.5, 0.9)]
    (turn,) = build_turns(window.place(said, "en"))
    assert turn.text == "Please enter"
    assert (turn.start_s, turn.words[0].end_s) == pytest.approx((0.05, 0.25))


def test_words_squeezed_into_no_time_are_dropped() -> None:
    """A sentence said twice by the decoder but once by the speaker is kept once."""
    (window,) = pack(0, 0, [THREE_SECONDS], 30 * SAMPLE_RATE_HZ)
    real = [AlignedWord(" after", 0.5, 1.0, 0.7, 0.9), AlignedWord(" that.", 1.0, 2.0, 1.4, 0.9)]
    made_up = [AlignedWord(f" {w}", 2.9, 2.9, 2.9, 0.8) for w in ("after", "that", "again")]
    assert [w.text for w in window.place([*real, *made_up], "en")] == [" after", " that."]


def test_windows_are_filled_and_never_overfilled() -> None:
    """Spans share a window until the next one would not fit."""
    first, second, third = SpeechSpan(0, 10, 0, 10), SpeechSpan(20, 30, 20, 30), SpeechSpan(40, 55, 40, 55)
    windows = pack(0, 1, [first, second, third], 30)
    assert [w.spans for w in windows] == [(first, second), (third,)]


def test_voice_activity_hears_nothing_in_noise_and_tones() -> None:
    """Digital silence, room noise and a dial tone hold no speech."""
    time = np.arange(20 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(0).normal(0, 0.003, time.size)
    tone = 0.2 * (np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time))
    channels = [np.zeros(time.size, np.float32), noise.astype(np.float32), tone.astype(np.float32)]
    assert VoiceActivity().spans(channels, 28 * SAMPLE_RATE_HZ) == [[], [], []]


@pytest.mark.whisper
def test_a_silent_call_has_no_turns_and_says_so(engine: SpeechEngine) -> None:
    """Nothing is made up for a recording without speech."""
    clip = AudioClip(np.zeros((2, 5 * SAMPLE_RATE_HZ), np.float32))
    (transcript,) = engine.transcribe([Job("quiet", clip)])
    assert isinstance(transcript, Transcript)
    assert transcript.turns == ()
    assert "no speech" in transcript.warnings[0]


DATA = Path(__file__).parents[2].parent / "shared" / "data" / "calls"


@pytest.mark.whisper
@pytest.mark.data
def test_real_speech_is_heard_on_its_side_and_alike_in_any_company(engine: SpeechEngine) -> None:
    """Few words are wrong, none on the other side, turn times fit, and batching changes nothing."""
    if not DATA.is_dir():
        pytest.skip("needs the development data beside the project")
    truth = json.loads((DATA / "dev-002.truth.json").read_text("utf-8"))
    clip = audio.load(DATA / "dev-002.wav")
    noise = np.random.default_rng(0).normal(0, 0.004, (1, 20 * SAMPLE_RATE_HZ)).astype(np.float32)
    together = engine.transcribe([Job("noise", AudioClip(noise)), Job("call", clip)])
    (alone,) = engine.transcribe([Job("call", clip)])
    assert together[1] == alone
    assert isinstance(alone, Transcript)
    assert isinstance(together[0], Transcript)
    assert together[0].turns == ()
    normal = EnglishTextNormalizer()
    for channel in (0, 1):
        said = " ".join(t["text"] for t in truth["turns"] if t["channel"] == channel)
        heard = " ".join(t.text for t in alone.turns if t.channel == channel)
        assert jiwer.wer(normal(said), normal(heard)) <= 0.05
    ends = [
        min(
            abs(w.end_s - t["end_s"])
            for turn in alone.turns
            if turn.channel == t["channel"]
            for w in turn.words
        )
        for t in truth["turns"]
    ]
    assert np.median(ends) <= 0.15


def test_alignment_is_openai_whispers_own() -> None:
    """The batched warping takes the same path as the compiled one, on matrices of several sizes."""
    rng = np.random.default_rng(1)
    costs = [rng.normal(size=shape).astype(np.float32) for shape in ((5, 40), (12, 31), (1, 7), (20, 20))]
    for cost, starts in zip(costs, warp(costs), strict=True):
        rows, frames = dtw_cpu.py_func(cost.astype(np.float64))
        first = frames[np.pad(np.diff(rows), (1, 0), constant_values=1).astype(bool)]
        assert starts.tolist() == first.tolist()


def test_the_median_filter_is_openai_whispers_own() -> None:
    """The sorting network gives the same medians, edges included."""
    x = torch.randn(2, 5, 60, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_median_filter(x), median_filter(x, 7))


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(10, 19), min_size=1, max_size=6))
def test_loops_are_cut_to_one_saying(before: list[int], phrase: list[int]) -> None:
    """A phrase said over and over is kept once, whatever came before; other text is untouched."""
    tokens, looped = _without_loop([*before, *phrase * 12])
    assert looped
    assert tokens[: len(before)] == before
    assert len(tokens) <= len(before) + len(phrase)
    assert _without_loop(list(range(40))) == (list(range(40)), False)


@pytest.mark.parametrize("kernel", INT8)
def test_int8_rows_do_not_feel_their_neighbours(kernel: Kernel) -> None:
    """A row's product is the same bits alone and in a batch, and close to the exact one."""
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(96, 64, generator=generator), torch.randn(40, 64, generator=generator)
    layer = build(kernel, weight, None, torch.float32)
    assert torch.equal(layer(x)[3], layer(x[3:4])[0])
    assert (layer(x) - x @ weight.T).abs().mean() < 0.1


@pytest.mark.parametrize("kernel", INT8)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**31), skew=st.sampled_from([0.0, 0.5, 1.0]))
def test_int8_sums_never_overflow(kernel: Kernel, seed: int, skew: float) -> None:
    """Loud inputs on large weights of one sign, which 16 bits would not hold, add up exactly."""
    generator = torch.Generator().manual_seed(seed)
    weight = (1 - skew) * torch.randn(24, 64, generator=generator) + skew
    x = (1 - skew) * torch.randn(5, 64, generator=generator) + skew
    integers, scale = rounded(weight)
    peak = x.abs().amax(1, keepdim=True)
    exact = (x / peak * 127).round() @ integers.float().T * scale * peak / 127
    product = build(kernel, weight, None, torch.float32)(x)
    assert (product - exact).abs().max() <= 0.02 * exact.abs().max()


@pytest.mark.parametrize("kernel", ["float32", "bfloat16", "fbgemm", "onednn"])
@pytest.mark.parametrize("compute", [torch.float32, torch.bfloat16])
def test_a_compiled_layer_gives_the_same_numbers(kernel: Kernel, compute: torch.dtype) -> None:
    """Compiling changes neither the values nor the format, also when the shape changes between calls."""
    torch.manual_seed(0)
    layer = build(kernel, torch.randn(24, 64), torch.randn(24), compute)
    compiled = scripted(layer)
    for rows in (1, 5, 5, 3):
        x = torch.randn(2, rows, 64)
        expected, found = layer(x), compiled(x)
        assert found.dtype == compute
        assert torch.equal(found, expected)


def test_attention_in_tiles_is_attention() -> None:
    """Both ways to attend give the same features."""
    q, k, v = torch.randn(3, 1, 2, 300, 64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(attend(q, k, v, fused=True), attend(q, k, v, fused=False), atol=1e-5)


def test_keys_of_8_bits_find_what_floats_find() -> None:
    """Attention to integers is close to attention to floats, and a window attends to its own frames only."""
    frames = [200, 120, 57]
    keys, values = torch.randn(2, 3, 2, 200, 64, generator=torch.Generator().manual_seed(0))
    queries = torch.randn(3, 2, 4, 64, generator=torch.Generator().manual_seed(1)) / 8
    integers = IntegerKeysAndValues(
        Packed.of(
            [to_integers(k[:, :n].transpose(0, 1).flatten(1)) for k, n in zip(keys, frames, strict=True)]
        ),
        Packed.of(
            [to_integers(v[:, :n].transpose(0, 1).flatten(1).T) for v, n in zip(values, frames, strict=True)]
        ),
        frames,
    )
    lacking = torch.arange(200) >= torch.tensor(frames)[:, None, None, None]
    mask = torch.zeros(lacking.shape).masked_fill(lacking, float("-inf"))
    exact, exact_weights = FloatKeysAndValues(keys, values, mask).attend(queries)
    found, weights = integers.attend(queries)
    assert (found - exact).norm() < 0.03 * exact.norm()
    assert (weights - exact_weights).norm() < 0.03 * exact_weights.norm()
    assert not weights[2, ..., 57:].any()
    for n, length in enumerate(frames):
        alone = FloatKeysAndValues(keys[n : n + 1, :, :length], values[n : n + 1, :, :length], torch.zeros(1))
        assert torch.allclose(alone.attend(queries[n : n + 1])[0][0], exact[n], atol=1e-5)
        (kept,) = integers.keep(torch.tensor([n])).attend(queries[n : n + 1])[0]
        assert torch.equal(kept, found[n])


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder where nothing was measured yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_fastest_kernel_is_found_once_and_kept(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look measures every shape, the second reads; layers go by the nearest shape."""
    found = probe.measured()
    assert not found.fault
    assert len(found.linear) == len(probe.SHAPES)
    assert probe.measured() == found
    (file,) = own_cache.glob("callqa/kernels-*.json")
    file.write_text("damaged")
    assert not probe.measured().fault
    with monkeypatch.context() as patched:
        patched.setattr(probe, "CODE", "raise SystemExit(1)")
        assert probe.renew().fault
    assert not probe.measured().fault
    with monkeypatch.context() as patched:
        patched.setattr(probe, "CODE", "raise SystemExit(1)")
        file.unlink()
        assert probe.measured().fault
    assert probe.measured().fault  # kept for a day
    os.utime(file, (0, time.time() - 2 * probe.RETRY_S))
    assert not probe.measured().fault
    figures = {"250x512x512": {"float32": 2.0, "onednn": 1.0}, "16x512x8192": {"float32": 2.0, "fbgemm": 1.0}}
    known = probe.KernelTimes(figures, {})
    assert known.fastest((1500, 1280, 5120)) == "onednn"
    assert known.fastest((12, 1280, 51866)) == "fbgemm"
    assert known.fastest((12, 1280, 51866), ("float32",)) == "float32"


def test_a_test_on_a_busy_machine_makes_no_kernel_slower(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other work only adds to a time, so the shortest time of all tests is kept, and the engine stays."""
    alone = {"linear": {"250x512x512": {"float32": 2.0, "onednn": 1.0}}, "attention": {"tiled float32": 1.0}}
    busy = {"linear": {"250x512x512": {"float32": 1.9, "onednn": 9.0}}, "attention": {"tiled float32": 3.0}}
    for figures in (alone, busy):
        monkeypatch.setattr(probe, "CODE", f"print({json.dumps(json.dumps(figures))})")
        probe.renew()
    kept = probe.measured()
    assert kept.linear == {"250x512x512": {"float32": 1.9, "onednn": 1.0}}
    assert kept.attention == {"tiled float32": 1.0}
    assert kept.fastest((250, 512, 512)) == "onednn"


@pytest.mark.parametrize("seconds", [(1.0, 0.95), (1.0, 1.05), (1.1, 1.0)])
def test_kernels_about_as_fast_are_not_swapped_by_a_new_test(seconds: tuple[float, float]) -> None:
    """A few per cent, as another hour on the same machine gives, change no kernel and so no word."""
    fbgemm, onednn = seconds
    known = probe.KernelTimes({"250x512x512": {"float32": 2.0, "fbgemm": fbgemm, "onednn": onednn}}, {})
    assert known.fastest((250, 512, 512)) == "fbgemm"


@pytest.mark.parametrize("crash", ["import os; os.kill(os.getpid(), 4)", "raise ImportError('no such op')"])
def test_a_probe_that_crashes_leaves_float32_and_says_so(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch, crash: str
) -> None:
    """An instruction the processor lacks ends the child only; nothing is multiplied but in float32."""
    monkeypatch.setattr(probe, "CODE", crash)
    hardware = choose("cpu", "auto", 1)
    assert {hardware.kernel(shape) for shape in probe.SHAPES} == {"float32"}
    assert hardware.compute == torch.float32
    said = warning(TranscribeSettings())
    assert "signal 4" in said or "no such op" in said
    assert "callqa doctor" in said


class RememberingDecoder:
    """Logits by what was said so far, kept in the cache as the network keeps its keys."""

    n_words = 3  # two words and the end

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def start(self, windows: int, budget: int) -> Cache:
        """A cache with a row a window and room for the budget's tokens and the first."""
        empty = torch.zeros(windows, 1, budget + 1, 1)
        audio = torch.arange(windows)[:, None, None, None].float()
        return Cache([empty], [empty.clone()], [FloatKeysAndValues(audio, audio, torch.zeros(windows))])

    def step(self, tokens: torch.Tensor, cache: Cache) -> tuple[torch.Tensor, torch.Tensor]:
        """Note the token of each row and answer for all it has noted."""
        cache.keys[0][:, 0, cache.length, 0] = tokens[:, 0].float()
        cache.length += 1
        beams = len(tokens) // len(cache.audio[0])
        said = cache.keys[0][:, 0, 1 : cache.length, 0].long().tolist()
        rows = [
            self.logits(int(cache.audio[0].keys[n // beams, 0, 0, 0]), tuple(row))
            for n, row in enumerate(said)
        ]
        return torch.stack(rows), torch.empty(0)

    def logits(self, window: int, said: tuple[int, ...]) -> torch.Tensor:
        """Chance values that depend on the window and all its words so far."""
        rng = np.random.default_rng([self._seed, window, len(said), *said])
        return torch.from_numpy(rng.normal(0, 2, self.n_words)).float()

    def log_probabilities(self, window: int, text: tuple[int, ...]) -> list[float]:
        """Of each token of a text, given those before it."""
        steps = [self.logits(window, text[:n]).log_softmax(-1) for n in range(len(text))]
        return [float(step[token]) for step, token in zip(steps, text, strict=True)]


def searched(seed: int, windows: int, budget: int) -> tuple[RememberingDecoder, list[Hypothesis | None]]:
    """What beam search finds in chance logits, token 2 being the end."""
    decoder = RememberingDecoder(seed)
    cache = decoder.start(windows, budget)
    logits, _ = decoder.step(torch.zeros(windows, 1, dtype=torch.long), cache)
    none = torch.zeros(decoder.n_words)
    return decoder, search(decoder, cache, logits, (none, none), 2, budget)  # type: ignore[arg-type]


@given(seed=st.integers(0, 2**31), windows=st.integers(1, 4))
def test_beam_search_finds_the_likeliest_of_all_short_texts(seed: int, windows: int) -> None:
    """With fewer texts than beams can hold, the search answers what trying every text answers."""
    decoder, found = searched(seed, windows, 2)
    for window, hypothesis in enumerate(found):
        ranks = {
            text: sum(decoder.log_probabilities(window, text)) / max(len(text) - 1, 1)
            for text in ((2,), (0, 2), (1, 2))
        }
        assert hypothesis is not None
        assert hypothesis.tokens == max(ranks, key=lambda text: ranks[text])
        assert hypothesis.rank == pytest.approx(ranks[hypothesis.tokens], abs=1e-4)


@given(seed=st.integers(0, 2**31), windows=st.integers(1, 4), budget=st.integers(3, 12))
def test_beams_keep_their_own_past(seed: int, windows: int, budget: int) -> None:
    """However beams cross and windows leave, a text's probabilities are those of its own words."""
    decoder, found = searched(seed, windows, budget)
    assert any(found)
    for window, hypothesis in enumerate(found):
        if hypothesis is not None:
            true = decoder.log_probabilities(window, hypothesis.tokens)
            assert hypothesis.log_probabilities == pytest.approx(true, abs=1e-4)


@pytest.mark.whisper
def test_faster_whisper_stands_behind_the_same_seam() -> None:
    """The optional engine hears the same call, says who it is, and times its words."""
    pytest.importorskip("faster_whisper", reason="the extra faster-whisper is not installed")
    sample = Path(__file__).parents[2] / "sample_audio" / "collections-no-disclosure.wav"
    clip = audio.load(sample)
    (transcript,) = load_engine(TranscribeSettings(engine="faster-whisper")).transcribe([Job("call", clip)])
    assert isinstance(transcript, Transcript)
    assert transcript.engine is not None
    assert transcript.engine.name == "faster-whisper"
    expected = json.loads(sample.with_suffix(".expected.json").read_text("utf-8"))
    normal = EnglishTextNormalizer()
    said = " ".join(turn["text"] for turn in expected["turns"])
    assert jiwer.wer(normal(said), normal(" ".join(turn.text for turn in transcript.turns))) < 0.15
    assert all(turn.start_s <= word.start_s <= turn.end_s for turn in transcript.turns for word in turn.words)


def test_words_forced_into_another_language_say_what_they_sound_like(engine: SpeechEngine) -> None:
    """A call whose data name the wrong language has a warning that names the likelier one."""
    clip = audio.load(Path(__file__).parents[2] / "sample_audio" / "support-good.wav")
    short = replace(clip, samples=clip.samples[:, : 20 * SAMPLE_RATE_HZ])

    right, wrong = engine.transcribe([Job("right", short, "en"), Job("wrong", short, "ar")])

    assert isinstance(right, Transcript)
    assert isinstance(wrong, Transcript)
    assert right.warnings == ()
    assert wrong.warnings == ("it was heard as ar and sounds like en",)


def test_a_language_that_only_newer_models_know_is_detected_or_refused(engine: SpeechEngine) -> None:
    """Cantonese came with large-v3: base detects the language of such a call and refuses such settings."""
    clip = audio.load(Path(__file__).parents[2] / "sample_audio" / "support-good.wav")
    short = replace(clip, samples=clip.samples[:, : 20 * SAMPLE_RATE_HZ])

    (told,) = engine.transcribe([Job("told", short, "yue")])

    assert isinstance(told, Transcript)
    assert told.language == "en"
    with pytest.raises(UsageError, match="'yue' is not a language of Whisper base"):
        load_engine(TranscribeSettings(language="yue"))


SPOKEN = {
    "ur": "السلام علیکم، کال کرنے کا شکریہ۔ میں آج آپ کی کیا مدد کر سکتا ہوں؟ "
    "مجھے ایک لمحے کے لیے آپ کا اکاؤنٹ دیکھنے دیں۔",
    "es": "Buenos días, gracias por llamar al servicio de atención al cliente. ¿En qué puedo ayudarle hoy? "
    "Mi factura de este mes es mucho más alta que la del mes pasado y quiero saber por qué.",
    "en": "Good morning, thank you for calling customer service. How can I help you today? "
    "My bill this month is much higher than last month and I would like to know why.",
    "hi": "नमस्ते, कॉल करने के लिए धन्यवाद। मैं आज आपकी क्या मदद कर सकता हूँ? मुझे एक पल के लिए आपका खाता देखने दीजिए।",
}


def spoken(voice: str, text: str) -> AudioClip:
    """What eSpeak makes of a text, on one channel."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    said = subprocess.run(
        ["espeak-ng", "-v", voice, "--stdout", text], capture_output=True, check=True
    ).stdout
    samples, rate_hz = soundfile.read(io.BytesIO(said), dtype="float32")
    return AudioClip(soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ)[None].astype(np.float32))


@pytest.mark.whisper
@pytest.mark.parametrize("voice", ["ur", "hi"])
def test_an_urdu_call_is_undetermined_under_an_english_rubric(engine: SpeechEngine, voice: str) -> None:
    """Synthetic Urdu, and Hindi, which sounds like it, heard as Urdu: nothing is missed or forbidden."""
    clip = spoken(voice, SPOKEN[voice])

    (heard_,) = engine.transcribe([Job("c", clip, "ur")])

    assert isinstance(heard_, Transcript)
    assert heard_.language == "ur"
    assert heard_.warnings == ()
    about = CallMetadata("c", agent_channel=0)
    told = Conversation(speakers.assign_roles(heard_, clip, about, AudioSettings()))
    card = score.score(told, rubric.load("support"), about, min_confidence=0.4, matcher=load_matcher())
    answers = {a.answer for s in card.sections for a in s.criteria}
    assert answers <= {"undetermined", "na"}
    assert "undetermined" in answers


@pytest.mark.whisper
def test_spanish_heard_as_english_says_so(engine: SpeechEngine) -> None:
    """Words made up in the declared language are not believed, however surely they were heard."""
    (heard_,) = engine.transcribe([Job("c", spoken("es", SPOKEN["es"]), "en")])

    assert isinstance(heard_, Transcript)
    assert heard_.warnings == ("it was heard as en and sounds like es",)


@pytest.mark.whisper
@pytest.mark.parametrize("voice", ["en-us", "en-gb-scotland", "en-029"])
def test_accents_of_english_raise_no_alarm(engine: SpeechEngine, voice: str) -> None:
    """A false alarm would leave a whole call undetermined."""
    (heard_,) = engine.transcribe([Job("c", spoken(voice, SPOKEN["en"]), "en")])

    assert isinstance(heard_, Transcript)
    assert heard_.warnings == ()


@pytest.mark.parametrize(
    ("heard_as", "sounds", "seconds", "told"),
    [
        ("en", {"en": 0.73, "cy": 0.2}, 20.0, ""),
        ("en", {"en": 0.01, "es": 0.99}, 20.0, "es"),
        ("en", {"en": 0.08, "hu": 0.25, "he": 0.2}, 20.0, "another language"),
        ("en", {"en": 0.01, "es": 0.99}, 2.0, ""),  # too short to tell
        ("ur", {"ur": 0.1, "hi": 0.8, "en": 0.05}, 20.0, ""),  # one is taken for the other
        ("ur", {"ur": 0.05, "hu": 0.3, "fa": 0.3}, 20.0, ""),
        ("ur", {"ur": 0.01, "en": 0.97}, 20.0, "en"),
    ],
)
def test_a_window_is_foreign_only_where_that_is_plain(
    heard_as: str, sounds: dict[str, float], seconds: float, told: str
) -> None:
    """Languages alike, short windows and doubtful ones raise no alarm."""
    probability = torch.tensor(list(sounds.values()))

    assert foreign.likelier(probability, list(sounds), heard_as, seconds) == told
    assert foreign.likelier(None, [], heard_as, seconds) == ""


@pytest.mark.whisper
def test_names_to_expect_are_not_heard_in_silence_or_noise(engine: SpeechEngine) -> None:
    """Where nobody speaks, no word of the names is written."""
    noise = np.random.default_rng(0).normal(0, 0.05, 10 * SAMPLE_RATE_HZ).astype(np.float32)
    names = ("Priya Raghunathan", "Meridian Telecom")

    heard_ = engine.transcribe(
        [Job("c", AudioClip(samples[None]), "en", names=names) for samples in (np.zeros_like(noise), noise)]
    )

    assert [one.turns for one in heard_ if isinstance(one, Transcript)] == [(), ()]


@pytest.mark.whisper
def test_a_name_to_expect_is_heard_as_it_is_spelt(engine: SpeechEngine) -> None:
    """In a batch, each call has its own names; without them the sounds are spelt otherwise."""
    clip = spoken("en-us", "Thank you for calling Meridian Telecom, this is Priya Raghunathan speaking.")

    plain, told = engine.transcribe(
        [Job("a", clip, "en"), Job("b", clip, "en", names=("Priya Raghunathan", "Meridian Telecom"))]
    )

    assert isinstance(plain, Transcript)
    assert isinstance(told, Transcript)
    assert "Raghunathan" not in " ".join(turn.text for turn in plain.turns)
    assert "Priya Raghunathan" in " ".join(turn.text for turn in told.turns)
