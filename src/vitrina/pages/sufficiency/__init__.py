"""The page on when to answer: how often the surest answers are wrong, the threshold, what it promises and what the test part says."""

from vitrina.pages.sufficiency.page import render
from vitrina.pages.sufficiency.study import Study, study

__all__ = ["Study", "render", "study"]
