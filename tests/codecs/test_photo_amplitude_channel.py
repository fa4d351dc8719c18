"""Indices as amplitudes with noise."""

import math

import pytest
import torch

from semcodec.photo.amplitude_channel import axis_spacing, receive_indices

LABELS = torch.tensor([7, 6, 4, 5, 1, 0, 2, 3])


def _receive(sent: torch.Tensor, esn0_db: float, seed: int = 1) -> torch.Tensor:
    return receive_indices(
        sent,
        labels=LABELS,
        esn0_db=torch.full((len(sent),), esn0_db),
        generator=torch.Generator().manual_seed(seed),
    )


@pytest.mark.parametrize("esn0_db", [5.0, 12.0, 18.0])
def test_the_rate_of_wrong_indices_is_that_of_an_8_level_axis(esn0_db: float) -> None:
    """2 (1 - 1/8) Q(d / sigma), Proakis, "Digital communications", 4th ed., eq. 5.2-46."""
    count = 400_000
    sent = torch.randint(8, (4, count // 4), generator=torch.Generator().manual_seed(2))
    wrong = float((_receive(sent, esn0_db) != sent).double().mean())
    deviation = math.sqrt(0.5 * 10 ** (-esn0_db / 10))
    p = 2 * (7 / 8) * 0.5 * math.erfc(axis_spacing(8) / deviation / math.sqrt(2))
    assert abs(wrong - p) < 4 * math.sqrt(p * (1 - p) / count)


def test_without_noise_what_is_sent_is_received() -> None:
    sent = torch.randint(8, (3, 4, 5), generator=torch.Generator().manual_seed(3))
    assert torch.equal(_receive(sent, 60.0), sent)


def test_errors_go_to_neighbouring_amplitudes() -> None:
    sent = torch.randint(8, (1, 50_000), generator=torch.Generator().manual_seed(4))
    received = _receive(sent, 20.0)
    place = LABELS.argsort()
    moved = (place[received] - place[sent]).abs()
    assert int((moved == 1).sum()) > 0
    assert int(moved.max()) == 1


def test_every_picture_has_its_own_noise() -> None:
    sent = torch.randint(8, (2, 10_000), generator=torch.Generator().manual_seed(5))
    received = receive_indices(
        sent,
        labels=LABELS,
        esn0_db=torch.tensor([0.0, 60.0]),
        generator=torch.Generator().manual_seed(6),
    )
    assert not torch.equal(received[0], sent[0])
    assert torch.equal(received[1], sent[1])


def test_labels_that_repeat_are_refused() -> None:
    with pytest.raises(ValueError, match="labels must be a permutation of 0 to 3, got"):
        receive_indices(
            torch.zeros(1, 1, dtype=torch.int64),
            labels=torch.tensor([0, 1, 1, 3]),
            esn0_db=torch.zeros(1),
            generator=torch.Generator(),
        )
