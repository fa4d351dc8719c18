from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.photo import tiles
from semcodec.photo.jscc import JsccNetwork
from semcodec.photo.tiles import Span, TilePlan, pad_to_multiple, padded_grid, plan_tiles, run_tiled
from semcodec.photo.unet import (
    DECODER_CONTEXT,
    ENCODER_CONTEXT,
    STRIDE,
    UNetConfig,
    UNetDecoder,
    UNetEncoder,
)
from semcodec.photo.unet_jscc import UNetJsccConfig, UNetJsccNetwork
from semcodec.photo.vq_deepsc import VqDeepScConfig, VqDeepScNetwork
from semcodec.photo.vqgan import VqganConfig

MULTIPLE = 4


def shrinking() -> nn.Sequential:
    """``[3, h, w]`` to ``[5, h/4, w/4]``; a cell sees 1 + 2 + 2 + 4 = 9 pixels beyond itself."""
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 8, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(8, 8, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(8, 5, 3, padding=1),
    ).requires_grad_(False)  # fmt: skip


def growing() -> nn.Sequential:
    """``[5, h, w]`` to ``[3, 4 h, 4 w]``."""
    torch.manual_seed(2)
    return nn.Sequential(
        nn.Conv2d(5, 8, 3, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1), nn.ReLU(),
        nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1),
    ).requires_grad_(False)  # fmt: skip


@pytest.mark.parametrize(
    ("height", "width", "max_pixels"),
    [(64, 96, 64 * 96), (64, 96, 2500), (52, 140, 1600), (4, 200, 200)],
)
def test_tiles_give_what_the_whole_picture_gives(height: int, width: int, max_pixels: int) -> None:
    picture = torch.rand(2, 3, height, width)
    plan = plan_tiles(height, width, multiple=MULTIPLE, margin=9, max_pixels=max_pixels)
    assert (len(plan.rows) * len(plan.columns) > 1) == (max_pixels < height * width)
    down, up = shrinking(), growing()
    (cells,) = run_tiled(lambda tile: [down(tile[0])], [picture], plan=plan)
    assert torch.allclose(cells, down(picture), atol=1e-6)
    (back,) = run_tiled(lambda tile: [up(tile[0])], [cells], plan=plan)
    assert torch.allclose(back, up(cells), atol=1e-6)


def test_a_margin_below_the_receptive_field_does_not() -> None:
    picture = torch.rand(1, 3, 64, 96)
    plan = plan_tiles(64, 96, multiple=MULTIPLE, margin=4, max_pixels=2500)
    down = shrinking()
    (cells,) = run_tiled(lambda tile: [down(tile[0])], [picture], plan=plan)
    assert float((cells - down(picture)).abs().max()) > 1e-4


def test_several_scales_at_once_and_any_leading_shape() -> None:
    plan = plan_tiles(32, 48, multiple=8, margin=0, max_pixels=300)
    grids = [torch.arange(4 * 6).reshape(1, 4, 6), torch.rand(2, 7, 16, 24)]
    seen: list[int] = []

    def function(tile: list[Tensor]) -> Sequence[Tensor]:
        seen.append(64 * tile[0].numel())
        return [tile[1].repeat_interleave(2, -1).repeat_interleave(2, -2), tile[0] + 1]

    fine, coarse = run_tiled(function, grids, plan=plan)
    assert torch.equal(fine[..., ::2, 1::2], grids[1])
    assert torch.equal(coarse, grids[0] + 1)
    assert max(seen) <= 300
    assert sum(seen) == plan.pixels == 32 * 48  # without margins nothing is done twice


def test_the_unet_is_exact_with_its_contexts() -> None:
    torch.manual_seed(3)
    config = UNetConfig((1, 2, 3, 4), 1 / 64)
    encoder, decoder = UNetEncoder(config).eval(), UNetDecoder(config).eval()
    picture = torch.rand(1, 3, 32, 640)
    with torch.no_grad():
        whole = encoder(picture)
        plan = plan_tiles(32, 640, multiple=STRIDE, margin=ENCODER_CONTEXT, max_pixels=32 * 400)
        tiled = run_tiled(lambda tile: encoder(tile[0]), [picture], plan=plan)
        assert len(plan.columns) > 1
        for a, b in zip(tiled, whole, strict=True):
            assert torch.allclose(a, b, atol=1e-5)
        plan = plan_tiles(32, 640, multiple=STRIDE, margin=DECODER_CONTEXT, max_pixels=32 * 400)
        (back,) = run_tiled(lambda tile: [decoder(tile)], whole, plan=plan)
        assert torch.allclose(back, decoder(whole), atol=1e-5)


def every_even_cut(side: int, reach: int) -> list[tuple[int, int]]:
    """(longest, total) pixels for each number of parts."""
    cells = side // MULTIPLE
    cuts = []
    for count in range(1, cells + 1):
        ends = [i * cells // count * MULTIPLE for i in range(count + 1)]
        lengths = [min(side, ends[i + 1] + reach) - max(0, ends[i] - reach) for i in range(count)]
        cuts.append((max(lengths), sum(lengths)))
    return cuts


@pytest.mark.parametrize("margin", [0, 3, 8, 13])
@pytest.mark.parametrize("max_pixels", [1600, 3000, 10**6])
def test_plans_cover_once_and_compute_the_least(margin: int, max_pixels: int) -> None:
    height, width = 72, 100
    plan = plan_tiles(height, width, multiple=MULTIPLE, margin=margin, max_pixels=max_pixels)
    for side, spans in ((height, plan.rows), (width, plan.columns)):
        assert [s.kept_start for s in spans] == [0, *(s.kept_stop for s in spans[:-1])]
        assert spans[-1].kept_stop == side
        for s in spans:
            assert s.kept_start < s.kept_stop
            assert s.start == 0 or s.kept_start - s.start >= margin
            assert s.stop == side or s.stop - s.kept_stop >= margin
            assert all(x % MULTIPLE == 0 for x in (s.start, s.stop, s.kept_start, s.kept_stop))
    sizes = [(r.stop - r.start) * (c.stop - c.start) for r in plan.rows for c in plan.columns]
    assert max(sizes) == plan.max_pixels <= max_pixels
    assert sum(sizes) == plan.pixels
    reach = -(-margin // MULTIPLE) * MULTIPLE
    least = min(
        row_total * column_total
        for row_longest, row_total in every_even_cut(height, reach)
        for column_longest, column_total in every_even_cut(width, reach)
        if row_longest * column_longest <= max_pixels
    )
    assert plan.pixels == least


@pytest.mark.parametrize("stride", [1, 2, 8])
@pytest.mark.parametrize(("height", "width"), [(16, 24), (17, 30), (1, 1)])
def test_padded_cells_are_those_of_a_painted_picture(height: int, width: int, stride: int) -> None:
    painted = torch.zeros(1, 1, -(-height // 8) * 8, -(-width // 8) * 8)
    painted[..., :height, :width] = 1
    mean = F.avg_pool2d(painted, stride)[0, 0]
    found = padded_grid(height, width, stride=stride, multiple=8)
    assert (found.rows, found.columns) == mean.shape
    assert found.padded_cells == int((mean < 1).sum())
    assert found.empty_cells == int((mean == 0).sum())


def test_padding_repeats_the_last_row_and_column() -> None:
    picture = torch.arange(6.0).reshape(1, 1, 2, 3)
    padded = pad_to_multiple(picture, multiple=4)
    assert padded[0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert torch.equal(pad_to_multiple(padded, multiple=4), padded)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ValueError, match="height must be a positive multiple of 16, got 40"):
        plan_tiles(40, 64, multiple=16, margin=0, max_pixels=10**6)
    with pytest.raises(ValueError, match="width must be a positive multiple of 16, got 0"):
        plan_tiles(32, 0, multiple=16, margin=0, max_pixels=10**6)
    with pytest.raises(ValueError, match="margin must be at least 0, got -1"):
        plan_tiles(32, 32, multiple=16, margin=-1, max_pixels=10**6)
    with pytest.raises(
        ValueError,
        match="max_pixels must be at least 2304 for 160 x 160 pixels with a margin of 9, got 2000",
    ):
        plan_tiles(160, 160, multiple=16, margin=9, max_pixels=2000)
    with pytest.raises(ValueError, match="stride must divide multiple 16, got 3"):
        padded_grid(16, 16, stride=3, multiple=16)


def test_tensors_that_do_not_fit_the_plan_are_refused() -> None:
    spans = (Span(0, 16, 0, 16),)
    plan = TilePlan(16, 16, 8, spans, spans)
    for shape in ([1, 16, 8], [1, 3, 3], [1, 1, 1], [1, 0, 16]):
        with pytest.raises(
            ValueError, match=r"16 x 16 pixels must have sides .* divisor of 8, got"
        ):
            run_tiled(lambda tile: tile, [torch.zeros(shape)], plan=plan)
    with pytest.raises(ValueError, match="one divisor of 8, got"):
        run_tiled(lambda tile: [tile[0][..., :-1]], [torch.zeros(1, 16, 16)], plan=plan)


@pytest.mark.parametrize("kind", ["vq_deepsc", "unet_jscc"])
def test_a_large_picture_goes_through_a_unet_as_if_at_once(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    torch.manual_seed(4)
    if kind == "vq_deepsc":
        network: VqDeepScNetwork | UNetJsccNetwork = VqDeepScNetwork(
            VqDeepScConfig((2, 8, 4, 4), width=1 / 16)
        )
    else:
        network = UNetJsccNetwork(UNetJsccConfig((0, 1, 2, 2), width=1 / 16))
    network.eval().requires_grad_(False)
    picture = torch.rand(1, 3, 420, 600)
    sent = network.encode(picture)
    received = network.decode(sent, 420, 600)
    monkeypatch.setattr(tiles, "MAX_PIXELS", 420 * 500)
    again = network.encode(picture)
    pairs = zip(sent, again, strict=True) if kind == "vq_deepsc" else [(sent, again)]
    for whole, tiled in pairs:
        torch.testing.assert_close(whole, tiled, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(network.decode(sent, 420, 600), received, atol=1e-5, rtol=1e-4)


def test_a_large_picture_goes_through_the_autoencoder_nearly_as_if_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(4)
    network = JsccNetwork(VqganConfig(width=8, factors=(1, 1, 1, 1), latent_channels=4))
    network.requires_grad_(False)
    noise = torch.nn.functional.interpolate(torch.rand(1, 3, 53, 75), size=(420, 600))
    sent = network.encode(noise)
    received = network.decode(sent, 420, 600)
    monkeypatch.setattr(tiles, "MAX_PIXELS", 420 * 500)
    assert network.encode(noise).shape == sent.shape
    error = (network.decode(network.encode(noise), 420, 600) - received).abs()
    assert 0 < float(error.mean()) < 0.02 * float(received.std())
