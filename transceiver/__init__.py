"""The simulator: scenario file, link, taps, sweep, results, figures and command line."""
