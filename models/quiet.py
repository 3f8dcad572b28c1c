"""Keeps the libraries' talk off the terminal of whoever waits for a process of ours."""

import logging
import warnings


def keep_quiet() -> None:
    """Drop their warnings and all that they log below an error, in this process."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
