"""The systems for small pictures: one network, and one quantiser file for each of them.

An encoder makes a grid of latents, /4 along each side; its cells are cut into sub-vectors (product
VQ), each of them becomes the index of a codeword, and a decoder makes the picture. The systems
differ in how the codewords are trained: `plain`, `fixed_flips`, `learned_flips`, `grounded`,
`entropy_constrained`, and `uniform` levels in place of learned ones.
"""
