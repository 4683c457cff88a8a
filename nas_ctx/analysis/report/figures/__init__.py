"""The figures of a report, each drawn once by matplotlib for the page and for the files."""
