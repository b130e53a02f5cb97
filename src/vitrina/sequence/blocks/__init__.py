"""The layers that a sequence model is stacked from, one kind in each file; `vitrina.sequence` exports them."""
