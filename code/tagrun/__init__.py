"""Tagrun: every run tagged in git with its code, config and seed. See README.md in this folder."""
