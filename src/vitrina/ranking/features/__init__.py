"""Groups of features for rankers, one file each: configs that learn from a log, and give columns for pairs of query and item."""
