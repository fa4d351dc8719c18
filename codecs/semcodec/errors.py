"""What a codec can refuse.

::

    CodecError
    |-- BudgetError    no quality setting fits into the bytes allowed: an outage
    |-- DecodeError    the received bytes are no picture of the expected size
    `-- WeightsError   weights are absent, damaged or of another model
"""


class CodecError(Exception):
    """Base of every error that a codec raises on purpose."""


class BudgetError(CodecError):
    """The smallest bitstream that the codec can make is larger than the budget."""


class DecodeError(CodecError):
    """The bytes cannot be decoded into a picture of the expected size."""


class WeightsError(CodecError):
    """Weights are absent, damaged, or belong to another model."""
