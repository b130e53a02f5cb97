"""From a request to a list, in stages."""
