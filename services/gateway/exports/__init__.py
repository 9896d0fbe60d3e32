"""Exports: the records of a stretch of time, in the forms that other systems load."""
