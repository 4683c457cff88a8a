"""How `make docs` builds the pages: guides in Markdown, tutorials that run, and the reference from docstrings.

Nothing is fetched while building, and the pages load nothing from elsewhere: fonts are the reader's own, formulas are
MathML that `_sphinx/formulas.py` writes.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_sphinx"), str(HERE.parent)]  # our extensions; and search_spaces, which tutorials show
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HOME"] = tempfile.mkdtemp(prefix="nas-ctx-docs-")  # NNI keeps a registry of experiments in the home folder

import nas_ctx.search.nni  # noqa: E402, F401  (before other parts of NNI: see there)
from nas_ctx import __version__  # noqa: E402

project = "nas_ctx"
author = "the authors of nas_ctx"
version = release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "formulas",
    "command_pages",
    "configuration_keys",
]
exclude_patterns = ["tutorials", "_sphinx", "_generated/tutorials/README.rst"]
suppress_warnings = ["config.cache"]  # the gallery's scrapers are functions, which cannot be pickled

# Guides
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

# Reference. What is not ours is not linked: that would need the other projects' inventories, from the network.
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False  # else the pages of Lightning and torch come with every subclass
autoclass_content = "class"
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!nas_ctx\.|search_spaces\.).*"),
    ("py:.*", r".*\.[A-Z]|.*\._\w+|nas_ctx\.contexts\.sharing\.Shared"),  # internal
    ("py:.*", r"nas_ctx\.(data\.loading|config\.section|search\.nni\.evaluator|analysis\.stats\.weights)\..*"),
    ("py:.*", r"nas_ctx\.(search\.history\.StepRows|evaluation\.table\.TableRow)"),
    ("py:mod", r".*"),  # which docstrings name for readers of the source
]

# Tutorials
sphinx_gallery_conf: dict[str, Any] = {
    "examples_dirs": ["tutorials"],
    "gallery_dirs": ["_generated/tutorials"],
    "filename_pattern": r"/\d_\w+\.py$",
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "image_srcset": ["2x"],
    "run_stale_examples": True,  # what they show may have changed where they have not
    "matplotlib_animations": False,
}

# Look
html_theme = "furo"
html_title = f"nas_ctx {__version__}"
html_static_path = ["_sphinx/static"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#0060a8",
        "color-brand-content": "#0060a8",
        "color-brand-visited": "#5b3a8c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#6cb8f0",
        "color-brand-content": "#6cb8f0",
        "color-brand-visited": "#b79be0",
    },
}
pygments_style = "friendly"
pygments_dark_style = "github-dark"

warnings.filterwarnings("ignore", category=DeprecationWarning, module="nni")


def links_to_tutorials(app: Any, name: str, source: list[str]) -> None:
    """A guide links to a tutorial's script, which is what a reader of the repository wants; here, to its page."""
    source[0] = re.sub(r"\]\(tutorials/(\w+)\.py\)", r"](_generated/tutorials/\1.rst)", source[0])


def setup(app: Any) -> None:
    app.connect("source-read", links_to_tutorials)
