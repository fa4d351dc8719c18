"""A SavedModel of Keras as a codec; needs the extra ``tensorflow``."""

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from skimage import data

from semcodec.checked import checked
from semcodec.errors import WeightsError
from semcodec.metrics import psnr
from semcodec.program import ProgramIndices, ProgramValues
from semcodec.tensorflow_program import folder_digest, load_tensorflow_model

needs_tensorflow = pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is None,
    reason="TensorFlow is not installed (pip install 'semantic-transceiver[tensorflow]')",
)
PHOTO = torch.from_numpy(data.astronaut()[40:93, 200:261].copy()).movedim(-1, 0).contiguous()


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """An autoencoder of 2 x 2 blocks: Keras layers that are fitted to a photograph."""
    import keras
    import numpy as np
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    layers = keras.layers
    down = layers.Conv2D(8, 2, strides=2, activation="sigmoid")
    up = layers.Conv2DTranspose(3, 2, strides=2)
    encoder = keras.Sequential([layers.Input((None, None, 3)), down])
    decoder = keras.Sequential([layers.Input((None, None, 8)), up])
    both = keras.Sequential([encoder, decoder])
    both.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    crops = np.stack([data.astronaut()[i : i + 64, i : i + 64] for i in range(0, 440, 40)]) / 255
    both.fit(crops, crops, epochs=80, verbose=0)

    class Codec(tf.Module):  # type: ignore[misc]
        def __init__(self, levels: int) -> None:
            super().__init__()
            self.encoder, self.decoder, self.levels = encoder, decoder, levels

        def encode(self, picture: Any) -> Any:
            found = self.encoder(picture)
            return tf.cast(tf.round(found * self.levels), tf.int32) if self.levels else found * 3

        def decode(self, sent: Any) -> Any:
            found = tf.cast(sent, tf.float32)
            return self.decoder(found / self.levels if self.levels else found)

    def saved(
        name: str, *, levels: int, signatures: tuple[str, ...] = ("encode", "decode")
    ) -> Path:
        model = Codec(levels)
        sent = tf.int32 if levels else tf.float32
        specs = {
            "encode": tf.TensorSpec([1, None, None, 3], tf.float32, name="picture"),
            "decode": tf.TensorSpec([1, None, None, 8], sent, name="sent"),
        }
        functions = {
            key: tf.function(getattr(model, key), input_signature=[spec])
            for key, spec in specs.items()
        }
        folder = tmp_path_factory.mktemp("saved") / name
        chosen = {key: functions[key] for key in signatures}
        tf.saved_model.save(model, str(folder), signatures=chosen)
        return folder

    return saved


@needs_tensorflow
def test_indices_of_a_saved_model(save: Callable[..., Path], tmp_path: Path) -> None:
    folder = save("indices", levels=15)
    program = load_tensorflow_model(folder, name="keras", multiple=2)
    assert program.sha256 == folder_digest(folder)
    codec: Any = checked(ProgramIndices(program, bits=4), "codec keras")
    indices = codec.encode(PHOTO)
    assert codec.runs(53, 61)[0].count == len(indices) == 27 * 31 * 8
    assert len(indices.unique()) > 8
    image = codec.decode(indices, 53, 61)
    assert psnr(PHOTO, image) > 20
    wrong = indices.clone()
    wrong[:100] ^= 8
    assert psnr(PHOTO, codec.decode(wrong, 53, 61)) < psnr(PHOTO, image)
    shutil.copytree(folder, tmp_path / "copy")
    assert folder_digest(tmp_path / "copy") == program.sha256
    (tmp_path / "copy" / "more").write_text("x")
    assert folder_digest(tmp_path / "copy") != program.sha256


@needs_tensorflow
def test_values_of_a_saved_model(save: Callable[..., Path]) -> None:
    program = load_tensorflow_model(save("values", levels=0), name="keras", multiple=2)
    codec: Any = checked(ProgramValues(program), "codec keras")
    values = codec.encode(PHOTO)
    assert values.shape == (27 * 31 * 8,)
    assert psnr(PHOTO, codec.decode(values / 3, 53, 61)) > 20


@needs_tensorflow
def test_a_missing_signature_and_a_damaged_file(save: Callable[..., Path], tmp_path: Path) -> None:
    folder = save("half", levels=15, signatures=("encode",))
    with pytest.raises(WeightsError, match=r"signatures encode and decode, got .*encode"):
        load_tensorflow_model(folder, name="keras", multiple=2)
    (tmp_path / "saved_model.pb").write_bytes(b"text")
    with pytest.raises(WeightsError, match="must be a SavedModel that TensorFlow"):
        load_tensorflow_model(tmp_path, name="keras", multiple=2)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"must be a SavedModel \(with saved_model.pb\), got none"
    ):
        load_tensorflow_model(tmp_path, name="keras", multiple=2)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is installed"
)
def test_without_tensorflow_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(WeightsError, match=r"needs TensorFlow: pip install .*\[tensorflow\]"):
        load_tensorflow_model(tmp_path, name="keras", multiple=2)
