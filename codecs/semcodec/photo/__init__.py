"""The systems for photographs: VQ-DeepSC, MOC-RVQ, and the analog systems beside them."""
