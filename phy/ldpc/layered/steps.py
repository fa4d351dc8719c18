"""The steps of the layered decoder: each becomes vector instructions inside the kernel.

Legend, here and in `phy.ldpc.layered.kernel`:

    lane          a code block being decoded; bit l of a 64-bit word says something of lane l
    P[v]          posterior of variable v: channel LLR plus all messages to it; a register
    R[e]          last message of edge e's check to its variable; a register
    T[v]          channel LLRs of the blocks that wait (the stage); a register
    H[v]          hard decisions: a word, bit l = 1 where P[v] is negative in lane l

Edges lie in the order in which they are updated, so that R is read and written front to back.
"""

from functools import partial

from llvmlite import ir
from numba import types

from phy.intrinsic import I64, Array, Target, Tuple, step
from phy.ldpc.layered.check_node import messages
from phy.ldpc.layered.vector import Vector


@step(types.void)
def update_checks(
    target: Target,
    rule: Tuple,
    degrees: Tuple,
    P: Array,
    R: Array,
    variable: Array,
    first: ir.Value,
    count: ir.Value,
    degree: ir.Value,
    seen: ir.Value,
) -> None:
    """Update ``count`` checks of one degree, whose edges begin at ``first``.

    For the edges p of a check, with v(p) the variables they lead to::

        Q[p]    = P[v(p)] - R[p]          what the check does not know itself
        R[p]    = rule(Q)[p]              from all of Q but Q[p]
        P[v(p)] = Q[p] + R[p]

    In lanes outside the word ``seen`` R counts as 0: their block is new. There is no other access
    to memory; Q stays in registers.
    """
    b, v = target.builder, Vector(target, P.dtype)
    old, nothing = v.from_word(seen), v.constant(0)
    parameters = [v.splat(x) for x in rule.values]

    def update(d: int, check: ir.Value) -> None:
        edge = b.add(first, b.mul(check, I64(d)))
        edges = [b.add(edge, I64(p)) for p in range(d)]
        places = [b.sext(b.load(b.gep(variable.data, [e])), I64) for e in edges]
        told = [v.where(old, v.load(R.data, e), nothing) for e in edges]
        Q = [v.subtract(v.load(P.data, at), r) for at, r in zip(places, told, strict=True)]
        new = messages(v, rule.type.instance_class, parameters, Q)
        for e, at, q, r in zip(edges, places, Q, new, strict=True):
            v.store(r, R.data, e)
            v.store(v.add(q, r), P.data, at)

    done = b.append_basic_block("updated")
    switch = b.switch(degree, done)
    for d in map(len, degrees.type.types):
        block = b.append_basic_block(f"degree_{d}")
        switch.add_case(I64(d), block)
        b.position_at_end(block)
        target.loop(count, partial(update, d))
        b.branch(done)
    b.position_at_end(done)


@step(types.uint64)
def decide(target: Target, P: Array, H: Array) -> ir.Value:
    """Hard decisions H of all variables; returns the word of the lanes with a P of exactly 0."""
    b, v = target.builder, Vector(target, P.dtype)
    ties = target.variable(ir.Constant(v.mask, None))

    def decide_one(variable: ir.Value) -> None:
        posterior, nothing = v.load(P.data, variable), v.constant(0)
        b.store(v.to_word(v.less(posterior, nothing)), b.gep(H.data, [variable]))
        b.store(b.or_(b.load(ties), v.equal(posterior, nothing)), ties)

    target.loop(P.shape[0], decide_one)
    return v.to_word(b.load(ties))


@step(types.uint64)
def odd_checks(
    target: Target,
    H: Array,
    offset: Array,
    member: Array,
    first: ir.Value,
    groups: ir.Value,
    size: ir.Value,
) -> ir.Value:
    """The word of the lanes in which any check of some groups is odd; a group is 8 checks.

    A group's checks are summed side by side, from ``size`` pieces of H, each 8 words long::

        sum[i] = XOR over the group's pieces e with bit i of member[e]:  H[offset[e] + i]

    The checks of a circulant meet consecutive variables, and so need one piece, or two where the
    circulant wraps around.
    """
    b = target.builder
    words, mask = ir.VectorType(I64, 8), ir.VectorType(ir.IntType(1), 8)
    nothing = ir.Constant(words, None)
    odd = target.variable(nothing)

    def add_group(group: ir.Value) -> None:
        begin = b.add(first, b.mul(group, size))
        total = target.variable(nothing)

        def add_piece(index: ir.Value) -> None:
            e = b.add(begin, index)
            at = b.gep(H.data, [b.sext(b.load(b.gep(offset.data, [e])), I64)])
            piece = b.load(b.bitcast(at, words.as_pointer()), align=8)
            here = b.bitcast(b.load(b.gep(member.data, [e])), mask)
            b.store(b.xor(b.load(total), b.select(here, piece, nothing)), total)

        target.loop(size, add_piece)
        b.store(b.or_(b.load(odd), b.load(total)), odd)

    target.loop(groups, add_group)
    return target.call("llvm.vector.reduce.or.v8i64", I64, b.load(odd))


@step(types.boolean)
def quantize(
    target: Target, llrs: Array, block: ir.Value, scale: ir.Value, limit: ir.Value, row: Array
) -> ir.Value:
    """Write the LLRs ``llrs[block]``, float32, scaled, rounded and limited, to ``row``.

    The last two registers overlap. Returns whether all were numbers.
    """
    b, v = target.builder, Vector(target, row.dtype)
    width, lanes = llrs.shape[1], I64(v.lanes)
    source = b.gep(llrs.data, [b.mul(block, width)])
    scale, limit = v.splat_float(scale), v.splat_float(limit)
    wrong = target.variable(ir.Constant(v.mask, None))
    last = b.sub(width, lanes)

    def convert(index: ir.Value) -> None:
        start = b.mul(index, lanes)
        start = b.select(b.icmp_signed("<", start, last), start, last)
        x = v.load_floats(b.gep(source, [start]))
        b.store(b.or_(b.load(wrong), b.fcmp_unordered("uno", x, x)), wrong)
        v.store_at(v.from_floats(x, scale, limit), b.gep(row.data, [start]))

    target.loop(b.udiv(b.add(width, I64(v.lanes - 1)), lanes), convert)
    return b.icmp_unsigned("==", v.to_word(b.load(wrong)), I64(0))


@step(types.void)
def transpose_tile(target: Target, rows: Array, start: ir.Value, T: Array) -> None:
    """Lane l of ``T[start + i]`` becomes ``rows[l, start + i]``, for as many i as lanes."""
    b, v = target.builder, Vector(target, T.dtype)
    half = v.room(v.lanes)
    near = 8  # rows apart by 8 and more are exchanged first, then 8 neighbours

    def far_rows(index: ir.Value) -> None:
        lanes = [b.add(index, I64(i)) for i in range(0, v.lanes, near)]
        starts = [b.add(b.mul(rows.shape[1], lane), start) for lane in lanes]
        square = [v.load_at(b.gep(rows.data, [at])) for at in starts]
        for lane, register in zip(lanes, v.exchange(square, apart=near), strict=True):
            v.store(register, half, lane)

    def near_rows(index: ir.Value) -> None:
        places = [b.add(b.mul(index, I64(near)), I64(i)) for i in range(near)]
        square = [v.load(half, place) for place in places]
        for place, register in zip(places, v.exchange(square, apart=1), strict=True):
            v.store(register, T.data, b.add(start, place))

    target.loop(I64(near), far_rows)
    target.loop(I64(v.lanes // near), near_rows)


@step(types.void)
def take_lanes(target: Target, T: Array, order: Array, P: Array, lanes: ir.Value) -> None:
    """Lane l of all P becomes lane ``order[l]`` of T, for the lanes l of a word.

    ``order`` has integers of the size of T's elements, one for each lane.
    """
    b, v = target.builder, Vector(target, T.dtype)
    if v.can_permute:
        entering, where = v.from_word(lanes), v.load_integers(order.data)

        def take(variable: ir.Value) -> None:
            new = v.permute(v.load(T.data, variable), where)
            v.store(v.where(entering, new, v.load(P.data, variable)), P.data, variable)

        target.loop(P.shape[0], take)
        return

    def take_lane(lane: ir.Value) -> None:
        source = b.zext(b.load(b.gep(order.data, [lane])), I64)

        def copy(variable: ir.Value) -> None:
            start = b.mul(variable, I64(v.lanes))
            x = b.load(b.gep(T.data, [b.add(start, source)]))
            b.store(x, b.gep(P.data, [b.add(start, lane)]))

        with b.if_then(b.trunc(b.lshr(lanes, lane), ir.IntType(1))):
            target.loop(P.shape[0], copy)

    target.loop(I64(v.lanes), take_lane)


@step(types.void)
def write_bits(target: Target, H: Array, lane: ir.Value, bits: Array, row: ir.Value) -> None:
    """Write the hard decisions of one lane to ``bits[row]``, 64 variables at a time."""
    b, width = target.builder, bits.shape[1]
    words, octets = ir.VectorType(I64, 64), ir.VectorType(ir.IntType(8), 64)
    out = b.gep(bits.data, [b.mul(row, width)])

    def write_64(index: ir.Value) -> None:
        start = b.mul(index, I64(64))
        h = b.load(b.bitcast(b.gep(H.data, [start]), words.as_pointer()), align=8)
        shift = Vector.spread(b, lane, 64)
        ones = b.trunc(b.lshr(h, shift), ir.VectorType(ir.IntType(1), 64))
        at = b.bitcast(b.gep(out, [start]), octets.as_pointer())
        b.store(b.zext(ones, octets), at, align=1)

    def write_one(index: ir.Value) -> None:
        at = b.add(b.and_(width, I64(-64)), index)
        one = b.trunc(b.lshr(b.load(b.gep(H.data, [at])), lane), ir.IntType(1))
        b.store(b.zext(one, ir.IntType(8)), b.gep(out, [at]))

    target.loop(b.udiv(width, I64(64)), write_64)
    target.loop(b.and_(width, I64(63)), write_one)


@step(types.int64)
def take_next(target: Target, counter: Array, count: ir.Value) -> ir.Value:
    """Add to a counter that threads share; returns what it was before."""
    return target.builder.atomic_rmw("add", counter.data, count, "monotonic")


@step(types.int64)
def count_ones(target: Target, word: ir.Value) -> ir.Value:
    """Ones of a word."""
    return target.builder.ctpop(word)


@step(types.int64)
def lowest_one(target: Target, word: ir.Value) -> ir.Value:
    """Place of the lowest one of a word that is not 0."""
    return target.builder.cttz(word, ir.IntType(1)(1))
