"""``python -m transceiver``: the command line, as torchrun starts it."""

from transceiver.cli import main

if __name__ == "__main__":
    main()
