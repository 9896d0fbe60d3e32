"""Generated from protos/callscope/v1 by `make protos`; do not edit."""
