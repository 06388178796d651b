"""`python -m lysbro` is the command line."""

from lysbro.cli import main

if __name__ == "__main__":
    main()
