"""`python -m meldpy` is the `meld` command."""

from meldpy.cli.start import main

if __name__ == "__main__":
    main()
