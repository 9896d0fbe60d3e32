"""Webhooks: other systems are told when something happened to a call."""
