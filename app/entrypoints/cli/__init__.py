"""The command line, `heaven-images`."""
