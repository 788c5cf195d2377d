"""Send runs to a git remote and fetch them."""
