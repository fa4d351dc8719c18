"""Names and conventions of the arrays that cross the physical layer.

All are torch tensors, on any device; the leading ``...`` of a shape is a batch of any shape.

- Bits hold 0 and 1; multi-bit quantities are sent most significant bit first.
- Symbols have unit mean energy per constellation, Es = E|x|^2 = 1.
- ``noise_variance`` always is N0 = E|n|^2 per *complex* symbol, N0/2 on each real axis.
- LLR = ln P(b = 0) / P(b = 1): a positive value means bit 0. (Sionna uses the opposite sign.)
"""

from typing import TypeAlias

from torch import Tensor

Bits: TypeAlias = Tensor
"""uint8, values 0 and 1."""

Symbols: TypeAlias = Tensor
"""complex64 (or complex128 where a caller asks for it)."""

Llrs: TypeAlias = Tensor
"""float32 (float64 where the symbols are complex128), ln P(b = 0) / P(b = 1)."""
