"""What theory says about modulation: error rates and capacities, in float64 numpy.

Not a part of the signal path: curves to compare simulations with, and to choose modes by.
"""

from phy.theory.capacity import (
    awgn_capacity,
    bicm_capacity,
    constellation_capacity,
    ergodic_capacity,
)
from phy.theory.error_rate import ber, ser
from phy.theory.q_function import q_function, q_inverse

__all__ = [
    "awgn_capacity",
    "ber",
    "bicm_capacity",
    "constellation_capacity",
    "ergodic_capacity",
    "q_function",
    "q_inverse",
    "ser",
]
