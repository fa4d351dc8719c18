"""The check-node rules: what a check tells each of its variables, from what it hears from all.

For LLRs Q[p] from the variables p of a check, the exact message to p has the product of the signs
of the others, and the magnitude of their box-plus sum. Two approximations of the magnitude:

- `OffsetMinSum` (Chen, Dholakia, Eleftheriou, Fossorier, Hu, "Reduced-complexity decoding of LDPC
  codes", IEEE Trans. Communications 53(8), 2005): the least of the others less a constant offset.
- `AMinStar` (Jones, Valles, Smith, Villasenor, "Approximate-min* constraint node updating for LDPC
  code decoding", IEEE MILCOM 2003): the weakest variable is told the box-plus sum of the others,
  all others are told the box-plus sum of all.
"""

from typing import NamedTuple

from llvmlite import ir

from phy.ldpc.layered.vector import Vector


class OffsetMinSum(NamedTuple):
    """Least magnitude less ``offset``, at most ``cap``; in units of the decoder's arithmetic."""

    offset: float
    cap: float


class AMinStar(NamedTuple):
    """Box-plus sums, at most ``cap``, with the correction ln(1 + e^-x) by two straight lines.

    c(x) = max(near - x / 2, far - x / 8, 0), in units of the decoder's arithmetic.
    """

    near: float
    far: float
    cap: float


Rule = OffsetMinSum | AMinStar


def messages(
    v: Vector, rule: type, parameters: list[ir.Value], Q: list[ir.Value]
) -> list[ir.Value]:
    """Emit a rule: registers Q ``[degree]`` from the variables to those back to them."""
    magnitudes = [v.magnitude(q) for q in Q]
    sign = v.constant(0)
    for q in Q:
        sign = v.odd(sign, q)
    cap = parameters[-1]
    if rule is OffsetMinSum:
        least, others = _two_least(v, magnitudes)
        shares = [v.excess(x, parameters[0]) for x in (least, others)]
        to_weakest, to_others = shares[1], shares[0]
    else:
        least, others = _two_least(v, magnitudes[:2])
        for x in magnitudes[2:]:
            others = _box_plus(v, parameters, others, v.maximum(least, x))
            least = v.minimum(least, x)
        to_weakest, to_others = others, _box_plus(v, parameters, others, least)
    to_weakest, to_others = v.minimum(to_weakest, cap), v.minimum(to_others, cap)
    return [
        v.signed(v.where(v.equal(x, least), to_weakest, to_others), v.odd(sign, q))
        for x, q in zip(magnitudes, Q, strict=True)
    ]


def _two_least(v: Vector, magnitudes: list[ir.Value]) -> tuple[ir.Value, ir.Value]:
    least, second = magnitudes[0], v.largest()
    for x in magnitudes[1:]:
        second = v.minimum(second, v.maximum(least, x))
        least = v.minimum(least, x)
    return least, second


def _box_plus(v: Vector, parameters: list[ir.Value], x: ir.Value, y: ir.Value) -> ir.Value:
    """ln((1 + e^(x+y)) / (e^x + e^y)) = min(x, y) + c(x + y) - c(|x - y|), c(x) = ln(1 + e^-x)."""
    least, most = v.minimum(x, y), v.maximum(x, y)
    near, far = parameters[:2]

    def correction(z: ir.Value) -> ir.Value:
        first = v.divide(v.excess(near, z), 1)
        return v.maximum(first, v.divide(v.excess(far, z), 3))

    too_much = v.excess(
        correction(v.excess(most, least)), correction(v.add_magnitudes(least, most))
    )
    return v.excess(least, too_much)
