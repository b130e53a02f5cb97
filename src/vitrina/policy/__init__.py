"""Who gets which treatment: logs of randomised decisions and their checks, values of policies with honest intervals, learning, uplift, budgets.

For whoever decides on discounts, mails or orders of a list, and must know whether the decision was right.
"""

__all__: list[str] = []
