"""Two runs beside each other: status, first divergence, noise of the seeds."""
