"""A log on disk in shards: written once, added to, opened without being read."""
