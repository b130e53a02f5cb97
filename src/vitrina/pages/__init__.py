"""The pages on policies and on experiments: what was checked, what each is worth with its doubt, who gets what."""
