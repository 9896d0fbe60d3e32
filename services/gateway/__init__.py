"""Recordings in, call records out."""
