"""What the boards teach: a paragraph each, written by hand from the tables of one run, which each paragraph names."""

from __future__ import annotations

LESSONS: dict[str, str] = {
    "ml-100k": (
        "Recency decides here: "
        "plain co-occurrence, tuned weightings and EASE can't be told from one another (.077 to .081), while the same co-occurrence whose history fades "
        "after two events gains .027 over EASE and one that also counts near pairs more gains .037. Recency and nearness are worth more than any "
        "weighting, so a sequence model has something to learn here, and a set model does not. Descriptions (title words and genres) add "
        "nothing to co-occurrence; alone they are worse than popularity, but they reach 92% of the catalogue. Two thirds of the people "
        "asked are new after the cut: on a global split this log is mostly a test of short histories. Written from the runs of 2026-11-21."
    ),
    "online-retail": (
        "Shopkeepers reorder: half of what is in a basket was bought before, and counting a customer's own purchases (TopPersonal, .235) beats "
        "every model of items, tuned EASE (.164) and the best co-occurrence (.150) included, by a wide margin. What improves on counting is time and the "
        "neighbours: fading own counts with a half-life of 180 days gains .021, TIFU-KNN .031. The price is seen in the parts: their lists are "
        "92% repeats and find next to nothing new (Recall of new .003), where recent popularity finds ten times as much (.036). A shop that "
        "wants discovery has to ask for it, with a list of its own or a mixture; no model of this board gives both. Untuned "
        "co-occurrence loses a third of its accuracy to a tuned BM25 weighting. Written from the runs of 2026-11-21."
    ),
    "complete-journey": (
        "In groceries the own past is nearly everything: own counts that fade (half-life 90 days) and TIFU-KNN are ahead of plain own counts by about "
        ".010 and .009 and can't be told from each other by these intervals, and everything else stays below half of them. Even popularity of the last 90 days (.093) "
        "beats EASE on the 6,000 most frequent items (.072) and most co-occurrence, because what people add beyond their habit is mostly staples: recall "
        "of new items is .010 for popularity and .000 to .005 for the rest. Co-occurrence over a history of 850 events drowns in it: "
        "counting only pairs of about one day apart, with BM25, triples it (.030 to .094). A transformer on such a log has to beat a "
        "counter that fits in no time and answers in a second; without the own counts as an input it should not be expected to. Written from the runs of 2026-11-21."
    ),
}
