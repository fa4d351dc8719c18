"""Image codecs: image to codebook indices or bytes, and back; trained models, baselines, metrics."""
