"""The inbound bucket: whatever is put there is taken in, once."""
