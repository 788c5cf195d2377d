"""One capability a folder. Each can be deleted; the rest works."""
