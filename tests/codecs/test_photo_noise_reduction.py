import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semcodec.photo.noise_reduction import (
    NoiseReduction,
    NoiseReductionConfig,
    from_windows,
    gram,
    gram_loss,
    noise_reduction_loss,
    strangers,
    to_windows,
)

TINY = NoiseReductionConfig(channels=3, width=8, depth=1, layers=2, heads=2, window=4)


def block(config: NoiseReductionConfig = TINY, *, seed: int = 1) -> NoiseReduction:
    """With fresh weights, but not the identity."""
    torch.manual_seed(seed)
    network = NoiseReduction(config).requires_grad_(False)
    network.last.weight.normal_(std=0.1)
    return network


def layer(*, shifted: bool) -> nn.Module:
    """One windowed layer: `[B, h, w, width]` to the same."""
    layers = block().groups[0].get_submodule("layers")
    return layers.get_submodule(str(int(shifted)))


@pytest.mark.parametrize(("height", "width"), [(4, 4), (1, 1), (5, 9), (8, 3)])
def test_a_fresh_block_is_the_identity_at_any_size(height: int, width: int) -> None:
    torch.manual_seed(2)
    latents = torch.randn(2, 3, height, width)
    assert torch.equal(NoiseReduction(TINY)(latents), latents)
    changed = block()(latents)
    assert changed.shape == latents.shape
    assert bool(changed.isfinite().all())
    assert not torch.equal(changed, latents)


def test_windows_go_row_by_row_and_back() -> None:
    cells = torch.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    windows = to_windows(cells, 2)
    assert windows.shape == (2, 6, 4, 3)
    assert torch.equal(windows[1, 4], cells[1, 2:4, 2:4].reshape(4, 3))
    assert torch.equal(from_windows(windows, height=4, width=6), cells)


@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 9), (3, 4)])
def test_strangers_are_cells_that_only_the_roll_or_the_padding_brought_together(
    height: int, width: int, shift: int
) -> None:
    rows, columns = -(-height // 4) * 4, -(-width // 4) * 4
    found = strangers(height=height, width=width, window=4, shift=shift)
    assert found.shape == (rows * columns // 16, 16, 16)
    for n, i, j in itertools.product(*map(range, found.shape)):
        top, left = n // (columns // 4) * 4, n % (columns // 4) * 4
        here, there = [
            ((top + k // 4 + shift) % rows, (left + k % 4 + shift) % columns) for k in (i, j)
        ]
        inside = [row < height and column < width for row, column in (here, there)]
        apart = (here[0] - there[0], here[1] - there[1]) != (i // 4 - j // 4, i % 4 - j % 4)
        expected = inside[0] != inside[1] or (all(inside) and apart)
        assert bool(found[n, i, j]) == expected


@pytest.mark.parametrize("shifted", [False, True])
def test_a_layer_looks_at_the_cells_of_its_window_and_at_no_other(shifted: bool) -> None:
    network, (height, width) = layer(shifted=shifted), (6, 7)
    cells = torch.randn(1, height, width, 8, generator=torch.Generator().manual_seed(3))
    before = network(cells)
    offset = 2 if shifted else 0
    for row, column in itertools.product(range(height), range(width)):
        disturbed = cells.clone()
        disturbed[0, row, column] += torch.arange(8.0)
        seen = (network(disturbed) != before).any(3)[0]
        same_rows = (torch.arange(height) + offset) // 4 == (row + offset) // 4
        same_columns = (torch.arange(width) + offset) // 4 == (column + offset) // 4
        assert torch.equal(seen, same_rows[:, None] & same_columns)


def test_attention_in_one_window_is_torchs_own() -> None:
    torch.manual_seed(4)
    attention = layer(shifted=False).get_submodule("attention").get_submodule("1")
    state = attention.state_dict()
    cells = torch.randn(2, 4, 4, 8)
    other = nn.MultiheadAttention(8, 2, batch_first=True).requires_grad_(False)
    other.load_state_dict(
        {
            "in_proj_weight": state["queries_keys_values.weight"],
            "in_proj_bias": state["queries_keys_values.bias"],
            "out_proj.weight": state["last.weight"],
            "out_proj.bias": state["last.bias"],
        }
    )
    bias = torch.empty(2, 16, 16)  # B[dy, dx] of Liu et al., eq. 4
    for i, j in itertools.product(range(16), range(16)):
        down, right = i // 4 - j // 4, i % 4 - j % 4
        bias[:, i, j] = state["position_bias"][(down + 3) * 7 + right + 3]
    flat = cells.reshape(2, 16, 8)
    expected, _ = other(flat, flat, flat, attn_mask=bias.repeat(2, 1, 1), need_weights=False)
    torch.testing.assert_close(attention(cells), expected.reshape(2, 4, 4, 8))


def test_the_block_is_the_chain_written_out() -> None:
    network = block(replace(TINY, depth=2))
    x = torch.randn(1, 3, 5, 6, generator=torch.Generator().manual_seed(5))
    inside = network.first(x)
    for group in network.groups:
        cells = inside.movedim(1, 3)
        for one in group.get_submodule("layers").children():
            cells = cells + one.get_submodule("attention")(cells)
            norm, first, _, last = one.get_submodule("perceptron").children()
            cells = cells + last(F.gelu(first(norm(cells))))
        inside = inside + group.get_submodule("last")(cells.movedim(3, 1))
    expected = x + network.last(network.norm(inside.movedim(1, 3)).movedim(3, 1))
    torch.testing.assert_close(network(x), expected)


def test_every_second_layer_is_shifted_by_half_a_window() -> None:
    network = block(replace(TINY, layers=4))
    shifts = [m.shift for m in network.modules() if isinstance(getattr(m, "shift", None), int)]
    assert shifts == [0, 2, 0, 2]


def test_gram_is_the_sum_over_cells_of_products_of_components() -> None:
    features = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(6))
    expected = torch.zeros(2, 3, 3)
    for row, column in itertools.product(range(4), range(5)):
        cell = features[:, :, row, column]
        expected += cell[:, :, None] * cell[:, None, :] / (3 * 4 * 5)
    torch.testing.assert_close(gram(features), expected)


def test_gram_does_not_care_where_the_cells_lie() -> None:
    features = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(7))
    torch.testing.assert_close(gram(features.flip(3)), gram(features))
    assert float(gram_loss(features.flip(3), features)) == pytest.approx(0, abs=1e-10)
    assert float(noise_reduction_loss(features.flip(3), features)) > 0.1


def test_the_loss_is_equation_10_without_gradient_to_the_target() -> None:
    draw = torch.Generator().manual_seed(8)
    refined = torch.randn(2, 3, 4, 5, generator=draw).requires_grad_()
    target = torch.randn(2, 3, 4, 5, generator=draw).requires_grad_()
    loss = noise_reduction_loss(refined, target)

    def norms(a: Tensor, b: Tensor) -> Tensor:
        style = (gram(a) - gram(b)).flatten().square().sum()
        return style + 0.25 * (a - b).flatten().square().mean()

    each = [norms(refined[i : i + 1], target[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(loss, torch.stack(each).mean())
    loss.backward()
    assert target.grad is None
    assert refined.grad is not None
    assert bool((refined.grad != 0).all())


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"heads": 3}, "heads must divide width 8, got 3"),
        ({"window": 5}, "window must be even and at least 2, got 5"),
    ],
)
def test_shapes_that_cannot_be_built_are_refused(change: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(TINY, **change)
