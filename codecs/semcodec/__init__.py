"""Image codecs: image to indices or bytes and back; trained models, baselines, metrics."""
