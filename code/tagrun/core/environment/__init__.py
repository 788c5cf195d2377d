"""The Python with the packages: is it complete, and how it is installed."""
