"""Training: what is minimised, one step, whole runs."""
