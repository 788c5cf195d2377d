"""What doctor and selftest look for: leftovers, diagnoses, non-determinism."""
