"""What knows nothing of recommendation, for every other package: errors, configs, files, kernels, ids, text and tables for people."""
