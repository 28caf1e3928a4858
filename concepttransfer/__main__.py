"""`python -m concepttransfer` is the `concepttransfer` program."""

from concepttransfer.cli import run

if __name__ == "__main__":
    run()
