"""The shipped sentence encoder: meaning is near meaning, whatever else is in the batch."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import encoder
from pipeline.encoder.network import read
from pipeline.errors import ModelError
from training.quantise import quantise


@pytest.fixture(scope="module")
def model() -> encoder.Encoder:
    """The shipped encoder."""
    return encoder.load()


def test_vectors_are_unit_rows_in_the_order_given(model: encoder.Encoder) -> None:
    """Each text has one row of length 1, and order survives the batching by length."""
    texts = ["yes", "i would like to cancel my account please " * 20, "", "thank you for calling"]

    vectors = model.embed(texts)

    assert vectors.shape == (4, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts, vectors, strict=True):
        np.testing.assert_allclose(model.embed([text])[0], vector, atol=1e-4)


def test_no_texts_are_no_rows(model: encoder.Encoder) -> None:
    """An empty list is an empty array, not a fault."""
    assert model.embed([]).shape == (0, 384)


def test_a_paraphrase_is_nearer_than_another_topic(model: encoder.Encoder) -> None:
    """Reworded phrases lie closer than unrelated ones."""
    said, paraphrase, other = model.embed(
        ["this call may be recorded", "we are recording our conversation today", "your parcel left on monday"]
    )

    assert said @ paraphrase > said @ other + 0.3


# sentence-transformers, float32, of the sentence below
ORIGINAL = [-0.0359, 0.0261, 0.0456, -0.0040, 0.0078, 0.0541]


def test_vectors_agree_with_the_original_model(model: encoder.Encoder) -> None:
    """int8 rows and our forward keep the vectors of the float32 original (first components recorded)."""
    vector = model.embed(["is there anything else i can help you with today"])[0]

    np.testing.assert_allclose(vector[:6], ORIGINAL, atol=0.01)


@given(st.text(max_size=300))
@settings(max_examples=60)
def test_any_text_is_tokenised_within_the_limit(text: str) -> None:
    """Hostile text gives ids between the two markers, never more than allowed."""
    ids = encoder.load().tokenizer.encode(text, 32)

    assert 2 <= len(ids) <= 32
    assert (ids[0], ids[-1]) == (101, 102)


def test_tokens_are_berts(model: encoder.Encoder) -> None:
    """Lower-casing, accents, punctuation and continuation pieces follow the original tokenizer."""
    names = {index: piece for piece, index in model.tokenizer.vocabulary.items()}
    ids = model.tokenizer.encode("Café's overdraft-fee!!", 40)

    assert [names[i] for i in ids[1:-1]] == ["cafe", "'", "s", "over", "##dra", "##ft", "-", "fee", "!", "!"]


def test_quantised_rows_are_within_half_a_step() -> None:
    """The int8 error of each element is at most half of its row's scale."""
    matrix = np.random.default_rng(0).normal(size=(5, 40)).astype(np.float32)

    rows, scale = quantise(matrix)

    assert np.all(np.abs(rows * scale[:, None] - matrix) <= scale[:, None] * 0.5001)


@pytest.mark.parametrize("length", [0, 10, 1000])
def test_weights_that_are_cut_short_are_refused(tmp_path: Path, length: int) -> None:
    """A file that is only partly there is reported, wherever it ends."""
    file = tmp_path / "weights.npz"
    file.write_bytes(encoder.WEIGHTS.read_bytes()[:length])

    with pytest.raises(ModelError, match="cannot be read"):
        read(file)
