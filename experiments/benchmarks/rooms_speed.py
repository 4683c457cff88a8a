"""How many rooms a second does one core render and write? OMP_NUM_THREADS keeps NumPy to one core.

OMP_NUM_THREADS=1 python experiments/benchmarks/rooms_speed.py --scenes 200
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from nas_ctx.data.rooms import write_rooms

SIZE = (96, 128)


def main() -> None:
    """Write a data set of training scenes (and one of validation) and time it: wall clock and processor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=200, help="training scenes (default: 200)")
    scenes = parser.parse_args().scenes
    with tempfile.TemporaryDirectory() as folder:
        write_rooms(Path(folder) / "warm", train=2, val=1, size=SIZE)
        wall, processor = time.perf_counter(), time.process_time()
        write_rooms(Path(folder) / "rooms", train=scenes, val=1, size=SIZE)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    count = scenes + 1
    print(f"{count} scenes of {SIZE[0]} x {SIZE[1]}, rendered and written on one core")
    print(f"  {count / wall:6.1f} scenes/s by the wall clock ({1000 * wall / count:.1f} ms each)")
    print(f"  {count / processor:6.1f} scenes/s of processor time ({1000 * processor / count:.1f} ms each)")


if __name__ == "__main__":
    main()
