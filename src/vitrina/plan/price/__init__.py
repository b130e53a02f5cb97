"""How demand answers to prices, and the price that earns most with its stock."""
