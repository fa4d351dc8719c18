"""Functions that emit LLVM instructions, made callable from kernels."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

I32, I64 = ir.IntType(32), ir.IntType(64)

Emit = TypeVar("Emit", bound=Callable[..., ir.Value | None])


@dataclass(frozen=True)
class Array:
    """A contiguous array that a kernel hands over.

    Attributes:
        data: Address of its first element.
        shape: Its sizes, int64.
        dtype: Numba's type of an element.
    """

    data: ir.Value
    shape: list[ir.Value]
    dtype: Any


@dataclass(frozen=True)
class Tuple:
    """A tuple that a kernel hands over: its Numba type, and the values."""

    type: Any
    values: list[ir.Value]


@dataclass(frozen=True)
class Target:
    """Where instructions go.

    Attributes:
        builder: Takes them.
        features: What the processor has, as in "+avx2,+bmi".
    """

    builder: ir.IRBuilder
    features: str

    def loop(self, count: ir.Value, body: Callable[[ir.Value], None]) -> None:
        """Emit ``for index in range(count): body(index)``, int64."""
        with cgutils.for_range(self.builder, count) as counted:
            body(counted.index)

    def variable(self, initial: ir.Value) -> ir.Value:
        """Address of a variable, set to its initial value here and now."""
        address = cgutils.alloca_once(  # type: ignore[no-untyped-call]
            self.builder, initial.type
        )
        self.builder.store(initial, address)
        return address

    def call(self, name: str, result: ir.Type, *arguments: ir.Value) -> ir.Value:
        """Call an LLVM intrinsic."""
        kind = ir.FunctionType(result, [a.type for a in arguments])
        function = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
            self.builder.module, kind, name
        )
        return self.builder.call(function, arguments)


def step(result: types.Type) -> Callable[[Emit], Any]:
    """Make a function ``emit(target, *arguments)`` callable from kernels.

    It gets arrays as `Array`, tuples as `Tuple` and numbers as they are, and returns the value of
    the type ``result`` (None for void).
    """

    def make(emit: Emit) -> Any:
        def typed(typing_context: Any, *arguments: types.Type) -> Any:
            def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
                features = context.codegen().magic_tuple()[2]
                given = [
                    _open(context, builder, t, v)
                    for t, v in zip(signature.args, values, strict=True)
                ]
                returned = emit(Target(builder, features), *given)
                return context.get_dummy_value() if returned is None else returned

            del typing_context
            return result(*arguments), generate

        typed.__name__, typed.__doc__ = emit.__name__, emit.__doc__
        typed.__signature__ = inspect.signature(emit)  # type: ignore[attr-defined]
        return intrinsic(typed)

    return make


def _open(context: Any, builder: ir.IRBuilder, kind: types.Type, value: ir.Value) -> Any:
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        shape = cgutils.unpack_tuple(builder, array.shape)  # type: ignore[no-untyped-call]
        return Array(array.data, shape, kind.dtype)
    if isinstance(kind, types.BaseTuple):
        return Tuple(kind, cgutils.unpack_tuple(builder, value))  # type: ignore[no-untyped-call]
    return value
