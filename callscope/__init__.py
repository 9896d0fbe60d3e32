"""Callscope: behavior analytics for contact-centre calls. The shared language of its services."""

__version__ = "0.1.0"
