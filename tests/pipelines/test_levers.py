"""A lever that is off is off, and nothing else is."""

import ast
import inspect
from dataclasses import asdict, fields, replace

from pipelines.levers import Levers


def test_each_lever_is_on_and_is_switched_off_alone() -> None:
    names = [lever.name for lever in fields(Levers)]
    off = dict(Levers().each_off())
    assert list(off) == names
    for name, levers in off.items():
        assert {lever for lever, on in asdict(levers).items() if not on} == {name}


def test_a_lever_that_is_off_already_is_not_switched_off_again() -> None:
    [first, *_] = fields(Levers)
    levers = replace(Levers(), **{first.name: False})
    assert first.name not in dict(levers.each_off())


def test_every_lever_says_what_it_is() -> None:
    [declared] = ast.parse(inspect.getsource(Levers)).body
    assert isinstance(declared, ast.ClassDef)
    said = [
        following.value.value
        for lever, following in zip(declared.body, declared.body[1:], strict=False)
        if isinstance(lever, ast.AnnAssign)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    ]
    assert len(said) == len(fields(Levers))
