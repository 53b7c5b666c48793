"""`python -m meldpy` is the `meld` command."""

from meldpy.cli.main import main

if __name__ == "__main__":
    main()
