"""Vector-quantised codecs: an image becomes the indices of learned codewords."""
