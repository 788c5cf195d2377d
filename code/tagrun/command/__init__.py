"""One command a file, found by its name: the file has main(argv). No command imports another."""
