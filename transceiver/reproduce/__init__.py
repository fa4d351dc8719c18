"""What a scenario reproduces of a paper: its figure, and its claims with what was measured."""
