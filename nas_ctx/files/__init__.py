"""Files: read within bounds, written atomically, and what is not overwritten."""

from nas_ctx.compat.renamed import former_names
from nas_ctx.files.reading import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_HISTORY,
    MAX_VALUES,
    parse_json,
    read_bytes,
    read_csv,
    read_json,
    read_npy,
    read_text,
)
from nas_ctx.files.writing import (
    BEGINNINGS,
    atomic_folder,
    atomic_write,
    check_entry,
    check_file,
    check_folder,
    naming,
    present_umask,
    sync,
    umask,
    umask_of,
    unlinked,
    write_text,
)

__all__ = [
    "BEGINNINGS",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_DIGITS",
    "MAX_HISTORY",
    "MAX_VALUES",
    "atomic_folder",
    "atomic_write",
    "check_entry",
    "check_file",
    "check_folder",
    "naming",
    "parse_json",
    "present_umask",
    "read_bytes",
    "read_csv",
    "read_json",
    "read_npy",
    "read_text",
    "sync",
    "umask",
    "umask_of",
    "unlinked",
    "write_text",
]

__getattr__ = former_names(__name__, {"written_whole": "atomic_write", "inert": "nas_ctx.escaping:escape_csv_formula"})
