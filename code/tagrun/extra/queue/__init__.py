"""Train runs one after another on this machine."""
