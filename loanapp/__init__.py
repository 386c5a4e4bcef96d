"""Loanapp: predict the amount of a loan from a client file, and look after the model."""

__version__ = "0.1.0"
