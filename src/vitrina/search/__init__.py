"""Words in, the same items out: indexes over the item table, sources that read what was typed, and what mixes them."""
