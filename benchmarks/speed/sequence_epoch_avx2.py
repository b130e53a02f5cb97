"""`sequence_epoch` with every library, the peer's too, kept to AVX2, and one whole fit: what a processor without AVX-512 and bfloat16 takes.

    python -m benchmarks.speed.sequence_epoch_avx2 [the options of sequence_epoch]

The same as `sequence_epoch --avx2 --fit`.
"""

from __future__ import annotations

from benchmarks.speed.sequence_epoch import main

if __name__ == "__main__":
    main(__doc__, avx2=True)
