"""What is on disk: one file for each kind of file.

No torch, nothing of the researcher's; readers read every older version.
"""
