"""Writing a report: the page, its figures, and the same content as JSON, CSV and Markdown."""
