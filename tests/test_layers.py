"""Imports point downward only, from package to package and inside each package; docs/architecture.md says what is below what."""

import ast
import re
from pathlib import Path

import pytest

import vitrina

SOURCE = Path(vitrina.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"


def rows_of_layers():
    """The table under "## Layers", from the lowest layer to the highest: the modules of each, and what they never import."""
    section = PAGE.read_text(encoding="utf-8").partition("## Layers")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|.*\|(.*?)\|$", section, re.MULTILINE)
    return [tuple(re.findall(r"`(\w+)`", cell) for cell in row) for row in rows]


LAYERS = [names for names, _ in rows_of_layers()]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
NEVER = {name: set(never) for names, never in rows_of_layers() for name in names}


def public_names():
    """The module behind each name that `from vitrina import name` gives."""
    stub = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))
    nodes = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"vitrina.{node.module or alias.name}" for node in nodes for alias in node.names}


PUBLIC = public_names()


def is_module(name):
    place = SOURCE.joinpath(*name.split(".")[1:])
    return place.is_dir() or place.with_suffix(".py").exists()


def imports(path):
    """Modules of Vitrina that a file needs when it runs, inside functions too; what is only for type checkers is no import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        n for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) for n in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] == "vitrina":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield PUBLIC.get(alias.name, full) if node.module == "vitrina" else full if is_module(full) else node.module
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("vitrina."))


IMPORTS = {path: list(imports(path)) for path in sorted(SOURCE.rglob("*.py"))}


def part_of(path):
    """The top-level package or module of a file."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def upward(level):
    for path, modules in IMPORTS.items():
        part = part_of(path)
        if part == "__init__":
            continue
        for module in modules:
            target = (module + ".").split(".")[1]
            if target in NEVER.get(part, ()) or (
                target not in ("", part, "__version__") and level.get(target, len(level)) > level.get(part, len(level))
            ):
                yield f"{path.relative_to(SOURCE)} imports {module}"


def inner_imports(package):
    """For each module or package inside a package, those beside it that it imports."""
    before = ("vitrina", *package.relative_to(SOURCE).parts)
    graph = {}
    for path in package.rglob("*.py"):
        own = path.relative_to(package).with_suffix("").parts
        if own[0] == "__init__":
            continue
        for module in IMPORTS[path]:
            parts = tuple(module.split("."))
            if parts[: len(before)] == before and len(parts) > len(before) and parts[len(before)] != own[0]:
                graph.setdefault(own[0], set()).add(parts[len(before)])
    return graph


def circle(graph):
    """Names that import each other, in the order of the imports; empty where there are none."""

    def walk(name, path):
        if name in path:
            return path[path.index(name) :]
        if name in done:
            return []
        found = next((c for target in sorted(graph.get(name, ())) if (c := walk(target, [*path, name]))), [])
        done.add(name)
        return found

    done = set()
    return next((c for name in sorted(graph) if (c := walk(name, []))), [])


def test_every_part_has_one_layer():
    parts = {part_of(p) for p in SOURCE.rglob("*.py")} - {"__init__"}
    assert parts == set(LEVEL)
    assert len(LEVEL) == sum(map(len, LAYERS))


def test_the_page_is_read():
    assert LEVEL["base"] < LEVEL["data"] < LEVEL["models"] < LEVEL["board"] < LEVEL["cli"]
    assert "models" in NEVER["evaluate"]
    assert not NEVER["data"]


def test_no_import_points_upward():
    assert list(upward(LEVEL)) == []


@pytest.mark.parametrize("package", sorted({p.parent for p in IMPORTS}), ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_nothing_inside_a_package_imports_in_a_circle(package):
    assert circle(inner_imports(package)) == []


def test_the_walk_sees_an_upward_import():
    turned = {name: len(LAYERS) - level for name, level in LEVEL.items()}
    found = list(upward(turned))
    assert any(line.startswith("board/compare.py imports vitrina.evaluate") for line in found)
    assert any(line.startswith("artifacts/layout.py imports vitrina.forms") for line in found)


def test_the_walk_sees_a_circle():
    assert circle({"result": {"show"}, "show": {"words", "result"}}) == ["result", "show"]
    assert circle({"result": {"show"}, "show": {"words"}}) == []
