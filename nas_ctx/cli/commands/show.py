"""Show a genotype as a grid in the terminal and, with --out, as a picture.

GENOTYPE is a genotype file (ours, the authors', or the architecture that NNI exports), the folder of a run, or the
folder of a report, whose consensus is shown. Colours are those of the reports; they are omitted when the output is not
a terminal, or when the environment variable NO_COLOR is set.

examples:
  nas-ctx show work/rooms/search/seed-0
  nas-ctx show work/rooms/report --out consensus.png
  nas-ctx show consensus.json --out consensus.svg
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("genotype", metavar="GENOTYPE", type=Path, help="a genotype file, or the folder that holds it")
    parser.add_argument("--out", metavar="FILE", type=Path, help="also draw it into a .png, .svg or .pdf file")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.analysis.report import write_genotype
    from nas_ctx.cli import genotype_text, terminal
    from nas_ctx.files import BEGINNINGS, check_file
    from nas_ctx.genotype import Genotype

    path = genotype_text.find(options.genotype)
    genotype = Genotype.load(path)
    facts = [f"{key} {genotype.meta[key]}" for key in ("seed", "steps") if isinstance(genotype.meta.get(key), int)]
    terminal.say(f"{path}: {', '.join([f'{len(genotype)} blocks', *facts])}\n")
    print(genotype_text.as_text(genotype, terminal.width(), colour=terminal.coloured(sys.stdout)))
    if options.out is not None:
        check_file(options.out, BEGINNINGS.get(options.out.suffix.lower(), b""))
        write_genotype(genotype, options.out, str(path))
        terminal.say(f"\nwrote {options.out}")
