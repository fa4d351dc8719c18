"""Physical layer: bits to coded bits to symbols, across a channel, and back."""
