"""The page on ways to search: what each is worth on judged queries, which differences may be called, and the queries that none answers well."""

from vitrina.pages.search.page import render
from vitrina.pages.search.study import Study

__all__ = ["Study", "render"]
