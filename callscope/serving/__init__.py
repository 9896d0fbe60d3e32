"""What it takes to be a gRPC process; knows nothing of calls."""
