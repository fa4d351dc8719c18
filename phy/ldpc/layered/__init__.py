"""Layered decoding of LDPC codes, many code blocks at once."""
