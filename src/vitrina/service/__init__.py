"""The service: recommendations over HTTP, feedback that is never lost, a console to look at.

`app` and `routes` speak HTTP, `pipeline` makes lists, `store` keeps events, `console` shows pages. Everything below them (models, re-rankers, rules, experiments)
is what the library has anyway.
"""
