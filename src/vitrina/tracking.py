"""Boards and artifacts as runs of MLflow."""
