"""Holding a block of a sequence model to its laws; PyTorch is needed by who calls it, and not before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vitrina.base.errors import ParameterError
from vitrina.testing.contract import ContractReport, held_to

if TYPE_CHECKING:
    from vitrina.sequence.blocks.base import Block


def check_block(block: Block, *, laws: Iterable[str] | None = None) -> ContractReport:
    """Hold a block of a sequence model to the laws of blocks; raise if it breaks one.

    | law | what it says |
    |---|---|
    | `shape` | states are as many and as wide as the tokens, and finite, from windows of one token to those of the length and one more |
    | `alone` | a window gets among others what it gets alone |
    | `causal` | looking back, later tokens and their times change nothing before them |
    | `last` | `last`, where it has one, gives what `forward` gives for the last token of each window |
    | `steady` | in evaluation nothing is dropped, drawn or remembered, and the tokens that came in are left as they were |
    | `gradient` | every token and every parameter has a gradient, and it is finite |
    | `rebuilt` | built again from its config with the saved weights it is the same |
    | `times` | states that follow the times are those of a block with `needs_time`; it answers visitors without times and at odd moments |

    Args:
        block: a config with `build`.
        laws: only these.

    Returns:
        The laws kept, and those that could not be asked.

    Raises:
        ContractError: a law is broken; the message has the first counterexample of each.
        ParameterError: this is no block.
        UnknownNameError: there is no such law.
        MissingExtraError: PyTorch is not installed.

    Cost: some fifty calls of a module of a few tokens.

    >>> import vitrina as vt
    >>> print(vt.testing.check_block(vt.sequence.LiGR(), laws=["causal", "last"]))
    LiGR() keeps 2 laws: causal, last.
    """
    from vitrina.sequence import Block  # noqa: PLC0415  only who has a block has PyTorch; without it this says how to install it
    from vitrina.testing import block_laws  # noqa: PLC0415

    if not isinstance(block, Block):
        raise ParameterError(f"A block is a config, an object of a subclass of vt.sequence.Block: vt.sequence.LiGR(). Got {block!r}.")
    with block_laws.same_draws():
        return held_to(block_laws.LAWS, laws, block_laws.BlockCase(block), repr(block), "block")
