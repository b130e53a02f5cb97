"""The page on policies: the answer, the checks, what each policy is worth with its doubt, what money buys, who gets what."""

from vitrina.pages.policy.page import render
from vitrina.pages.policy.study import Study

__all__ = ["Study", "render"]
