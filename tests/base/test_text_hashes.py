"""The hash that decides where a person is: written down, so that it is the same on every machine and in every version."""

import numpy as np
import polars as pl

from vitrina.base.hashing import text_hashes
from vitrina.base.ids import id_texts

KNOWN = {"": 0xF52A15E9A9B5E89B, "7": 0x7AEDDDB772826587, "a": 0x02C0BDBF481420F8, "tea": 0x488C2471F4598FDB, "foobar": 0x404DA9E3B74078C2}


def slow(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB % 2**64
    return value ^ (value >> 31)


def test_known_texts():
    assert text_hashes(pl.Series(list(KNOWN))).tolist() == list(KNOWN.values())
    assert text_hashes(pl.Series([], dtype=pl.String)).tolist() == []


def test_against_plain_python():
    rng = np.random.default_rng(0)
    texts = ["".join(chr(c) for c in rng.integers(32, 0x24F, rng.integers(0, 20))) for _ in range(500)]
    assert text_hashes(pl.Series(texts)).tolist() == [slow(text) for text in texts]


def test_many_are_hashed_as_few_are():
    texts = pl.Series(np.arange(50_000)).cast(pl.String)
    assert np.array_equal(text_hashes(texts), np.concatenate([text_hashes(texts.slice(at, 1000)) for at in range(0, 50_000, 1000)]))


def test_one_id_has_one_hash():
    assert len(set(text_hashes(id_texts([7, 7.0, "7", "7.0"])).tolist())) == 1


def test_shards_are_even():
    shard = text_hashes(pl.Series(np.arange(100_000)).cast(pl.String)) % np.uint64(64)
    counts = np.bincount(shard.astype(int), minlength=64)
    assert ((counts - 100_000 / 64) ** 2 / (100_000 / 64)).sum() < 110  # chi square of 63 degrees of freedom: 1 in 5,000 is above
