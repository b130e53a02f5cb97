"""From scores to lists, for every model: `top_k` applies eligibility first, then takes the best k, and fills what is left from popularity."""
