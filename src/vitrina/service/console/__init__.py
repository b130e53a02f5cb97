"""Pages to look at what the service does."""
