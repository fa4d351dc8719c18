import numpy as np
import pytest

from phy.allocation.tournament import enter, tournament


@pytest.mark.parametrize("players", [1, 2, 5, 16, 33])
def test_winner_is_the_first_of_the_largest(players: int) -> None:
    draw = np.random.default_rng(players)
    keys, tree = tournament(players)
    expected = np.full(players, -np.inf)
    for _ in range(500):
        player, key = int(draw.integers(players)), float(draw.integers(5))
        key = -np.inf if key == 4 else key  # many equal ones, and some that leave
        expected[player] = key
        enter(keys, tree, player, key)
        assert tree[1] == expected.argmax()
        assert (keys[:players] == expected).all()
