"""The rules of the house, as tests."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
SOURCES = [p for p in TRACKED if p.endswith(".py") and p.startswith(("contracts/", "projections/", "services/"))]
CODE = [p for p in TRACKED if p.endswith(".py") and (ROOT / p).exists()]
MONEY = [p for p in SOURCES if p.startswith(("contracts/", "projections/", "services/risk/", "services/oms/"))]
PURE = [p for p in SOURCES if p.startswith(("contracts/", "projections/")) and "/sql/" not in p]
PURE += [p for p in SOURCES if p.endswith(("decider.py", "checks.py", "_wire.py"))]
VAGUE = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py", "manager.py"}
FUNCTION_LINES_MAX, FILE_LINES_MAX = 50, 400


def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text())


@pytest.mark.parametrize("path", CODE)
def test_a_file_and_its_functions_are_short_and_the_file_says_what_it_is(path: str) -> None:
    text = (ROOT / path).read_text()
    assert text.count("\n") <= FILE_LINES_MAX
    assert path.startswith("tests/") or ast.get_docstring(ast.parse(text))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, node.name
    assert Path(path).name not in VAGUE


@pytest.mark.parametrize("path", MONEY)
def test_no_float_comes_near_money(path: str) -> None:
    lines = (ROOT / path).read_text().splitlines()
    for node in ast.walk(tree(path)):
        assert not (isinstance(node, ast.Name) and node.id == "float"), node.lineno
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            assert "_S" in lines[node.lineno - 1], f"{node.lineno}: only waits in seconds may be floats"


@pytest.mark.parametrize("path", sorted(set(PURE)))
def test_pure_modules_wait_for_nothing(path: str) -> None:
    assert not [n.name for n in ast.walk(tree(path)) if isinstance(n, ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", [p for p in SOURCES if p.endswith("__main__.py")])
def test_a_main_module_only_wires(path: str) -> None:
    assert not [n.name for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef)]


def test_every_wire_tag_names_its_version() -> None:
    tags = re.findall(
        r'tag="([^"]+)"', "".join((ROOT / p).read_text() for p in SOURCES if p.startswith("contracts/"))
    )
    assert len(tags) == len(set(tags)) > 25
    assert not [tag for tag in tags if not re.fullmatch(r"[a-z_.]+\.v[1-9][0-9]*", tag)]


@pytest.mark.parametrize("path", [p for p in TRACKED if not p.endswith((".lock", ".gz", "tests/tidy/test_house.py"))])
def test_nothing_committed_speaks_of_one_machine_or_leaves_debts(path: str) -> None:
    text = (ROOT / path).read_bytes().decode("utf-8", "replace") if (ROOT / path).exists() else ""
    assert not re.search(r"/(?:work|root)/|TODO|FIXME|XXX", text)
