"""What the boards teach: a paragraph each, written by hand from the tables of one run, which each paragraph names."""

from __future__ import annotations

LESSONS: dict[str, str] = {
    "ml-100k": (
        "What was watched last decides here. The same co-occurrence gains .031 over EASE when its history fades after two events, and .041 when near pairs "
        "count more as well; no weighting was better than the plain cosine (.080), and content added next to nothing (.0805). So order is worth more than any "
        "weighting, and a sequence model has something to learn (part of it may be the order in which the site listed films: three quarters of the "
        "ratings share their second with another one). EASE hangs on its ridge: the eight that were drawn gave .073, a little behind plain co-occurrence; in an earlier "
        "run four more found l2=103.5 and .077, which could not be told from it. Descriptions alone (titles and genres) are worse than popularity. Two thirds of the people "
        "asked are new after the cut, and at a person's first moment, with no history at all (192 questions), popularity of the last 30 days was far ahead (.31) of what "
        "models fall back on, popularity of all time (.09). Written from the run of 2026-11-21 at commit 02831ab; the earlier run was at commit e20b7a4."
    ),
    "online-retail": (
        "Shopkeepers reorder: half of what is in a basket was bought before, and counting a customer's own purchases (TopPersonal, .235) beats every model of items by "
        "a wide margin: likeness of titles (.178), tuned EASE (.164), the best co-occurrence (.150). What improves on counting is time and the neighbours: own "
        "counts with a half-life of 180 days gain .021, TIFU-KNN .031. The price is seen in the parts: their lists are 92% repeats and find next to nothing new "
        "(Recall of new .003), where popularity of the last 30 days finds ten times as much (.036). A shop that wants discovery has to ask for it, with a list of its own "
        "or a mixture; no model of this board gives both. Co-occurrence as it comes has a third less accuracy than with BM25 (.099 and .142). "
        "Written from the run of 2026-11-21 at commit e20b7a4, whose searches had 12 configurations or 60 seconds."
    ),
    "complete-journey": (
        "In groceries the own past is nearly everything: own counts that fade (half-life 90 days) and TIFU-KNN are ahead of plain own counts by .010 and .009 and can't "
        "be told from each other, and everything else stays at or below half of them. Popularity of the last 90 days (.093) beats EASE on the 6,000 most "
        "frequent items (.072) and nearly all co-occurrence. Nobody finds what is new: of the items that a person buys for the first time recent popularity finds 1.0%, that of all time .7%, "
        "all others .5% or less. Co-occurrence drowns in histories of 850 events (.030 as it comes); BM25 with a fading history doubles it (.064), and "
        "counting mostly the pairs of one day triples it (.094). A larger model on such a log has to beat a counter that needs no fitting and answers "
        "5,907 baskets in half a second; without the own counts as an input it should not be expected to. "
        "Written from the run of 2026-11-21 at commit 1131538, whose searches had 12 configurations or 60 seconds."
    ),
}
