"""Draw curves and results of runs."""
