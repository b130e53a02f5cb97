"""Reading logs and tables: from files, pipes and frames of any kind to a Dataset, with an account of every decision and every bad row."""
