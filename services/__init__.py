"""The four services, each one process, and the command line."""
