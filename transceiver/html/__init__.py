"""One page for a run, or several: everything it needs is inside the file."""
