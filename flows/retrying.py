"""The command `callfolio retry`: recordings that were set aside are tried again by the next run."""

from pathlib import Path

import click

from flows.options import store_option
from models.errors import UsageError


@click.command(epilog="Example: callfolio retry 4711.wav --store night/")
@click.argument("references", nargs=-1, metavar="[RECORDING]...")
@click.option("--all", "everything", is_flag=True, help="All that was set aside.")
@store_option
def retry(references: tuple[str, ...], everything: bool, store: Path) -> None:
    """Have recordings that were set aside tried again, with all their attempts, by the next run.

    A RECORDING is its id, the first digits of one, its path, or its file name. What could not even be read,
    or was empty, is tried by every run anyway.
    """
    from pipelines.ledger import Ledger
    from pipelines.store import Store

    if bool(references) == everything:
        raise UsageError("Name recordings that were set aside, or give --all.")
    opened = Store(store, create=False)
    ledger = Ledger(opened.root)
    ledger.reconcile(opened.processed(), opened.failures())
    if everything:
        chosen = {entry.call_id for entry in ledger.entries("set_aside", "waiting") if entry.reason}
    else:
        chosen = set()
        for reference in references:
            found = {entry.call_id for entry in ledger.find(reference)}
            if len(found) != 1:
                what = "may be several" if found else "is none"
                raise UsageError(
                    f'"{reference}" {what} of the recordings that the store {store} waits for or has set '
                    'aside. "callfolio status" says what they are.'
                )
            chosen |= found
    count = ledger.retry(chosen)
    click.echo(f"{count} recording{'s' * (count != 1)} will be tried again by the next run.", err=True)
