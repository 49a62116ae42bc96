"""`python -m meshstyle` is the `meshstyle` command."""

from meshstyle.cli.main import run

if __name__ == "__main__":
    run()
