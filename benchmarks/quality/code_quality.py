"""What semantic codes of Amazon Beauty are like: collisions, use of the codebooks, and how alike items with the same first digits are.

    python -m benchmarks.quality.code_quality

Own codes are of the TF-IDF of titles and attributes in 128 directions; the given ones are published codes of text vectors. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import vitrina as vt
from benchmarks.kit.machine import machine
from benchmarks.kit.places import data_folder
from benchmarks.kit.runs import ordered

ATTRIBUTES = ("attributes",)


def coders() -> dict[str, Any]:
    s = vt.sequence
    path = str(data_folder() / "amazon-beauty" / "semantic_ids.parquet")
    given = {f"given, `{column}`": s.GivenCodes(path=path, column=column, digits=3) for column in ("rqvae", "rqkmeans")}
    own = (s.ResidualKMeans(), s.RQVAE(), s.ProductQuantisation(), s.ProductQuantisation(rotation=False))
    return given | {f"`{coder!r}`": coder for coder in own}


def row(name: str, coder: Any, data: vt.Dataset) -> str:
    begin = time.process_time()
    codes = coder.fit(data)
    spent = time.process_time() - begin
    table = codes.quality(data.item_table, columns=ATTRIBUTES).table
    first, last = table.row(0, named=True), table.row(-1, named=True)
    even = ", ".join(f"{value:.0f}" for value in table["perplexity"])
    like = [f"{one['likeness']:.3f} ({one['low']:.3f} to {one['high']:.3f})" for one in (first, table.row(1, named=True))]
    apart = f"{last['groups']:,} of {int(codes.known.sum()):,} | {last['shared']:.1%} | {last['largest']}"
    return f"| {name} | {apart} | {even} | {like[0]} | {like[1]} | {first['random']:.3f} | {spent:.0f} |"


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    limits, data = machine(), ordered("amazon-beauty", described=True)
    print(
        "| codes | different codes of items | items that share theirs | at most | perplexity of each digit | likeness, same first digit | same two digits "
        "| any two | processor, s |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name, coder in coders().items():
        print(row(name, coder, data), flush=True)
    print(
        "\nThe digit that only tells items apart is left out of the given codes. Own codes are made of these attributes among other words, so that they are bound to follow them; the given ones are of texts. Likeness: mean Jaccard index of the attributes of an item and another one of its group; "
        f"95% intervals over groups. Digits have 256 values. The digits of a product are of equal rank: its first one is no coarser than the others. Seed 0. {limits}."
    )


if __name__ == "__main__":
    main()
