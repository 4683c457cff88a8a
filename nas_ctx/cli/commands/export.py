"""Write a trained network as a file for other programs, and run that file to see that it predicts the same.

A file of `onnx` (onnxruntime) or `torch-export` (torch alone) takes `image`, float32 RGB in 0..1 of 1 x 3 x H x W, and
gives the finished prediction of every task. H and W are fixed: data.image_size of the run, or --size. `safetensors`
has the weights by name, with the configuration of the network beside them. ONNX needs: pip install "nas_ctx[export]"

examples:
  nas-ctx export work/train/seed-0 --format onnx --out rooms.onnx
  nas-ctx export work/train/seed-0 --format onnx --size 480 640 --out rooms.onnx
  nas-ctx export work/train/seed-0 --format safetensors --out net.safetensors
"""

from __future__ import annotations

import argparse

from nas_ctx.cli import terminal

MAX_PIXELS = 16_384
"""The longest side of an image, as of ``data.image_size``."""


def _pixels(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= MAX_PIXELS:
        raise argparse.ArgumentTypeError(f"{text}: expected pixels, 1 to {MAX_PIXELS}")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_folder", metavar="RUN", help="folder of a training run")
    parser.add_argument("--format", required=True, choices=["onnx", "torch-export", "safetensors"], help="of the file")
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write")
    parser.add_argument(
        "--size", nargs=2, type=_pixels, metavar=("H", "W"), help="pixels of the image (default: data.image_size)"
    )
    parser.add_argument("--trust", action="store_true", help="run the code that the run folder names")


def run(options: argparse.Namespace) -> None:
    from nas_ctx.files import BEGINNINGS, check_file

    beginnings = {"onnx": (BEGINNINGS[".onnx"], 0), "torch-export": (BEGINNINGS[".pt2"], 0), "safetensors": (b"{", 8)}
    check_file(options.out, *beginnings[options.format])
    from nas_ctx.runs import export_network, load_network

    network = load_network(options.run_folder, trust=options.trust)
    differing = export_network(network, options.out, options.format, options.size)
    terminal.say(f"wrote {options.out}: {', '.join(network.tasks)} of {network.checkpoint}")
    print(f"run on a random image, the file predicts what the network does in {1 - differing:.2%} of the pixels")
