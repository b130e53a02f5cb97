"""The visitor's own counts against a loop."""

import math

import numpy as np
import torch

from vitrina.forms.windows import Sequences
from vitrina.sequence import PersonalPopularity
from vitrina.sequence.layout import Layout

WINDOWS = [[3, 3, 1, 3], [2], [0, -1, 0]]


def oracle(window, upto, size, eps):
    counts = [window[: upto + 1].count(row) for row in range(size)]
    return [math.log((c + eps) / eps) for c in counts]


def test_counts_up_to_each_position():
    eps, size = 0.1, 5
    rows, layout = torch.tensor([row for w in WINDOWS for row in w]), Layout(torch.tensor([len(w) for w in WINDOWS]))
    at = torch.tensor([0, 1, 3, 4, 6, 7])
    bonus = PersonalPopularity(eps=eps).bonus(rows, layout, at, size)
    wanted = torch.tensor(
        [oracle(w, place, size, eps) for w, place in zip([WINDOWS[k] for k in (0, 0, 0, 1, 2, 2)], [0, 1, 3, 0, 1, 2], strict=True)]
    )
    logits = torch.zeros(6, size)
    bonus.add_to(logits[:4], slice(0, 4))
    bonus.add_to(logits[4:], slice(4, 6))
    torch.testing.assert_close(logits, wanted)
    every = torch.arange(size).expand(6, size)
    torch.testing.assert_close(bonus.at(every), wanted)


def test_counts_of_whole_histories():
    histories = [[3, 3, 1], [], [0]]
    stop = np.cumsum([len(h) for h in histories])
    owner, rows, values = PersonalPopularity(eps=0.1).of_histories(
        Sequences(np.array([row for h in histories for row in h]), None, stop - [3, 0, 1], stop, np.arange(3, dtype=np.int32))
    )
    additions = np.zeros((3, 5))
    additions[owner, rows] = values
    np.testing.assert_allclose(additions, [oracle(h, len(h), 5, 0.1) for h in histories], rtol=1e-6)
