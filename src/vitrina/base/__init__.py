"""What knows nothing of recommendation, for every other package.

`errors`; `config` (validated parameters, and the one codec for them), `exports` (public names to classes) and `state` (what is kept of a fitted
thing); `files`, `hashing`, `ids`, `codes`, `arrays`, `time`; `kernels` and `heap` for compiled loops; `printing`, `showing`, `tables` for people.
"""
