"""What the README says of tables and commands is what the code has."""

import re
from collections.abc import Iterator

import click
import pytest
from readme import README, with_reference

from flows.cli import main

TEXT = README.read_text(encoding="utf-8")


def commands(group: click.Group, path: str = "callfolio") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(main))


def test_the_table_reference_is_the_one_that_the_code_declares() -> None:
    assert with_reference(TEXT) == TEXT, "run `make readme`"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_explained_with_an_example_and_stands_in_the_readme(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert command.epilog
    assert command.epilog.startswith(f"Example: {name}")
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make (\w+)", TEXT, re.MULTILINE))))
def test_every_make_target_that_the_readme_names_is_there(target: str) -> None:
    assert re.search(rf"^{target}:", (README.parent / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
