"""From scores to lists: eligibility first, then the best k."""
