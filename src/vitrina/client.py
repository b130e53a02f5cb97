"""The client of the service, for Python."""
