"""`python -m meshstyle` is the `meshstyle` command."""

from meshstyle.cli.start import run

if __name__ == "__main__":
    run()
