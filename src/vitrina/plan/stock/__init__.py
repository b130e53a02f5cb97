"""Goods, rules of ordering, the simulation of stock, levels that earn most, and what is to be ordered."""
