"""``python -m nas_ctx.cli`` is ``nas-ctx``."""

import sys

from nas_ctx.cli import main

sys.exit(main())
