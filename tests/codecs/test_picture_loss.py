"""Losses of pictures."""

import pytest
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from semcodec.training.picture_loss import SCALE_WEIGHTS, PictureLoss, ms_ssim


def _pictures(count: int, side: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, side // 8, side // 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, side, mode="bilinear")


def test_ms_ssim_is_that_of_torchmetrics_but_for_the_border() -> None:
    """torchmetrics lets the window hang over a reflected border: a difference below 0.003."""
    pictures = _pictures(3, 128, 1)
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(2))
    total = sum(SCALE_WEIGHTS)
    for deviation in (0.02, 0.1, 0.3):
        output = (pictures + deviation * noise).clamp(0, 1)
        theirs = multiscale_structural_similarity_index_measure(
            output, pictures, data_range=1.0, betas=tuple(w / total for w in SCALE_WEIGHTS)
        )
        assert float(ms_ssim(output, pictures)) == pytest.approx(float(theirs), abs=0.003)


def test_ms_ssim_of_equal_pictures_is_one_and_of_opposite_ones_small() -> None:
    pictures = _pictures(2, 96, 3)
    assert float(ms_ssim(pictures, pictures)) == pytest.approx(1, abs=1e-5)
    assert float(ms_ssim(1 - pictures, pictures)) < 0.02


def test_ms_ssim_has_a_finite_gradient_even_where_the_structure_is_opposite() -> None:
    pictures = _pictures(1, 88, 4)
    output = (1 - pictures).requires_grad_()
    ms_ssim(output, pictures).backward()
    assert output.grad is not None
    assert bool(output.grad.isfinite().all())


def test_ms_ssim_needs_sides_of_88() -> None:
    with pytest.raises(ValueError, match=r"sides must be at least 88 for ms_ssim, got \[80, 96\]"):
        ms_ssim(torch.zeros(1, 3, 80, 96), torch.zeros(1, 3, 80, 96))


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    pictures, output = _pictures(2, 96, 5), _pictures(2, 96, 6)
    total, terms = PictureLoss(l1=2.0, mse=3.0, ms_ssim=0.5)(output, pictures)
    assert set(terms) == {"l1", "mse", "ms_ssim"}
    assert float(terms["l1"]) == pytest.approx(float((output - pictures).abs().mean()))
    assert float(terms["mse"]) == pytest.approx(float((output - pictures).square().mean()))
    expected = 2 * terms["l1"] + 3 * terms["mse"] + 0.5 * terms["ms_ssim"]
    assert float(total) == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"l1": -1.0}, "l1 must be at least 0, got -1.0"),
        ({"l1": 0.0}, "loss must have a term with a weight above 0, got none"),
        ({"lpips": 1.0}, "lpips must come with the weights of its metric, got none"),
    ],
)
def test_weights_that_make_no_loss_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PictureLoss(**weights)  # type: ignore[arg-type]
