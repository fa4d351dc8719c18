"""Which codebook, modulation order and power each bit gets: ESC-MVQ's JCAMP and JCAP.

An encoder offers V codebooks, trained for different bit error rates; the channel state decides
which sub-vector can afford which. Both ends compute the same allocation from what both know.

Source: J. Shin, Y. Oh, J. Park, J. Park, Y.-S. Jeon, "ESC-MVQ: End-to-End Semantic Communication
With Multi-Codebook Vector Quantization", Section IV. Where the paper leaves a choice or slips:

- what the sums of eqs. 37c and 37d count is the ``accounting``, see `AllocationProblem`;
- bits that cannot fill a symbol of their order are set aside one by one and sent last; to leave the
  loop at the first of them, as Algorithm 2 is printed, would send about half of all bits with the
  maximum order;
- eq. 47 may not make a power negative: see `phy.allocation.grouping.share_out`;
- what is free comes first, what is no better is passed over, and a power that is too small even for
  the last codebooks is spent on these: see `jcamp` and `Allocation`.
"""

from phy.allocation.allocate import jcamp, jcap
from phy.allocation.ber import BITS_PER_SYMBOL, approximate_ber, exact_ber
from phy.allocation.inverse_ber import needed_esn0
from phy.allocation.mixed import demap_mixed, map_mixed
from phy.allocation.problem import Accounting, Allocation, AllocationProblem

__all__ = [
    "BITS_PER_SYMBOL",
    "Accounting",
    "Allocation",
    "AllocationProblem",
    "approximate_ber",
    "demap_mixed",
    "exact_ber",
    "jcamp",
    "jcap",
    "map_mixed",
    "needed_esn0",
]
