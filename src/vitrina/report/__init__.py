"""The page kit: markup that is escaped by construction, charts, scales, words for numbers, and the frame of a self-contained page.

For every page that Vitrina writes; it knows no board and no model.
"""
