"""`python -m vitrina`: the command line where the script `vitrina` is not on the path."""

from vitrina.cli.main import run

if __name__ == "__main__":
    run()
