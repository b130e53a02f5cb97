"""The pages on policies, on experiments, on when to answer and on judges: what was checked, what each is worth with its doubt, what to do next."""
