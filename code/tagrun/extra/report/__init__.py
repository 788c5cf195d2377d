"""Write a set of runs as one HTML page."""
