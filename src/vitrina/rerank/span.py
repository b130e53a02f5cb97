"""What of an item's vector lies outside of the span of those already listed: kernels that the determinant and the spectrum share.

The span has an orthonormal basis, which each listed item widens by what of it lies outside (Gram and Schmidt). With c_t the product of a candidate's vector and
direction t, the square of its length outside is 1 - |c|^2: this is also what a Cholesky factor of the cosines gives, at the price of one product per listed item.
A candidate's c is only as long as it had to be: the square can only fall. An item without a vector is like no other, and lies outside with all of its length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vitrina.base.arrays import Float32, Int64
from vitrina.base.kernels import kernel
from vitrina.rerank.greedy import products

FLOOR = 1e-4  # of the square: what has less outside of the span adds nothing to it
AT_ONCE = 16  # directions that a candidate is compared with before it is looked at again: most are out of the question early


class Span(NamedTuple):
    """The candidates of one query beside at most `width` listed items."""

    basis: Float32  # (width, dim) directions; zeros for an item that added none
    numbers: Int64  # (width,) 0, 1, 2, ...
    parts: Float32  # (candidates, width) c of each candidate, as far as it is known
    outside: Float32  # (candidates,) square of the length outside of the directions up to `known`
    known: Int64  # (candidates,)


@kernel
def opened_span(count, width, dim):  # pragma: no cover
    """The span of nothing: all of each candidate lies outside."""
    parts = np.empty((count, width), np.float32)
    return Span(np.empty((width, dim), np.float32), np.arange(width), parts, np.ones(count, np.float32), np.zeros(count, np.int64))


@kernel
def empty_span(span):  # pragma: no cover
    """Forget the listed items."""
    span.outside[:] = 1
    span.known[:] = 0


@kernel
def narrow(span, c, code, size, least, vectors):  # pragma: no cover
    """Bring what is known of candidate c up to the `size` listed items, or to where its square is below `least`."""
    basis, numbers, parts, outside, known = span
    values, indptr, indices, _ = vectors
    while known[c] < size:
        first, last = known[c], min(known[c] + AT_ONCE, size)
        own = parts[c, first:last]
        if code < 0:
            own[:] = 0
        elif not len(indptr):
            products(values[code], basis, numbers[first:last], own)
        else:
            for t in range(first, last):
                own[t - first] = 0
                for at in range(indptr[code], indptr[code + 1]):
                    own[t - first] += values[0, at] * basis[t, indices[at]]
        for part in own:
            outside[c] -= part * part
        known[c] = last
        if outside[c] < least:
            return


@kernel
def widen(span, c, code, size, vectors):  # pragma: no cover
    """Candidate c, of which all is known, is listed as number `size`; where too little of it lies outside, the span stays."""
    basis, _, parts, outside, _ = span
    values, indptr, indices, _ = vectors
    direction = basis[size]
    direction[:] = 0
    if code < 0 or outside[c] <= FLOOR:
        return
    if not len(indptr):
        direction[:] = values[code]
    else:
        for at in range(indptr[code], indptr[code + 1]):
            direction[indices[at]] = values[0, at]
    for t in range(size):
        direction -= parts[c, t] * basis[t]
    direction /= np.sqrt(outside[c])
