"""What the libraries that nas_ctx stands on need to work together on today's Python."""
