"""board/report."""
