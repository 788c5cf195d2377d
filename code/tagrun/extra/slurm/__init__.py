"""Train runs as Slurm jobs."""
