"""The page on a judge: its agreement with people beside theirs with one another, its biases, its raters, and whether it may decide."""

from vitrina.pages.agreement.page import render
from vitrina.pages.agreement.study import Study

__all__ = ["Study", "render"]
