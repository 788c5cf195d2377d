"""Train many values of arguments, and search for the best."""
