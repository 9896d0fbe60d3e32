"""The REST door: HTTP under /v1 over `services.gateway.calls`."""
