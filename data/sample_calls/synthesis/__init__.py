"""From a dialogue file to a telephone recording whose every word, speaker and time is known."""
