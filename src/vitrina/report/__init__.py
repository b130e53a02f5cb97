"""The page kit: markup, scales, charts, words and style, for every page that the product writes. Knows no model and no board."""
