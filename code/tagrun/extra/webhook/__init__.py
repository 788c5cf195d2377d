"""Post to a webhook when a run has ended."""
