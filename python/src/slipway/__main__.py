"""The command line: `python -m slipway --help`."""

from __future__ import annotations

import argparse
import sys

from slipway.checking import check_folder
from slipway.digest import digest
from slipway.errors import SlipwayError


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="slipway", description="Looks at the folders of models.")
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("check", help="open a model's folder, check its documents and ask its golden rows")
    check.add_argument("folder")
    printed = commands.add_parser("digest", help="print the SHA-256 by which a ModelDeployment pins a model")
    printed.add_argument("path", help="a model's folder, an archive or a .onnx")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "digest":
            print(f"{digest(chosen.path)}  {chosen.path}")
        else:
            print(
                f"{chosen.folder}: the model opens, and answers its {check_folder(chosen.folder)} golden rows as expected"
            )
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
