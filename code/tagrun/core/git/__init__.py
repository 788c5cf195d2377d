"""The only door to git: processes, the repository, remotes, the names of Tagrun's refs."""
