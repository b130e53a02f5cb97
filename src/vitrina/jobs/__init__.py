"""Models that run in processes of their own: jobs as plain values, workers, and the folder where what is finished is kept."""
