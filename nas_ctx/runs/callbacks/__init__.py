"""What a run does beside learning: its log, its progress bar, its rows of scores, its random numbers step by step."""
