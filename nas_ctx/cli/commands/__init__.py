"""The subcommands of ``nas-ctx``: each module has ``add_arguments(parser)`` and ``run(options)``."""
