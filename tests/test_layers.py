"""Imports point downward only."""

import ast
from pathlib import Path

import vitrina

SOURCE = Path(vitrina.__file__).parent
LAYERS = (
    ("errors", "kernels", "files", "hashing", "ids", "codes", "showing", "printing", "tables"),
    ("config", "vocabulary", "arrays"),
    ("types", "protocols", "catalogue"),
    ("metrics", "topk", "request"),
    ("data", "split", "filters"),
    ("models", "sequence", "combine", "decay", "weighting"),
    ("evaluate",),
    ("board",),
    ("persist", "batch"),
    ("cli",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
UP_TO_MODELS = {"testing"}  # what tests and examples use
NEVER = {"evaluate": {"models", "sequence", "combine", "decay", "weighting", "testing"}}  # a judge knows no model


def public_names():
    """The module behind each name that `from vitrina import name` gives."""
    stub = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))
    nodes = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"vitrina.{node.module or alias.name}" for node in nodes for alias in node.names}


PUBLIC = public_names()


def imports(path):
    """Modules of Vitrina that a file needs when it runs; what is only for type checkers is no import."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        n for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) for n in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] == "vitrina":
            yield from [node.module] if node.module != "vitrina" else [PUBLIC[a.name] for a in node.names if a.name in PUBLIC]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("vitrina."))


def part_of(path):
    """The top-level package or module of a file."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def upward(level, never=NEVER):
    for path in sorted(SOURCE.rglob("*.py")):
        part = part_of(path)
        if part == "__init__":
            continue
        for module in imports(path):
            target = module.split(".")[1]
            if target in never.get(part, ()) or (target != part and level.get(target, len(level)) > level.get(part, len(level))):
                yield f"{path.relative_to(SOURCE)} imports {module}"


def test_every_part_has_a_layer():
    parts = {part_of(p) for p in SOURCE.rglob("*.py")} - {"__init__"}
    assert parts - set(LEVEL) - UP_TO_MODELS == set()


def test_no_import_points_upward():
    level = LEVEL | dict.fromkeys(UP_TO_MODELS, LEVEL["models"])
    assert list(upward(level)) == []


def test_the_walk_sees_an_upward_import():
    turned = {name: len(LAYERS) - level for name, level in LEVEL.items()}
    found = list(upward(turned))
    assert any(line.startswith("board/compare.py imports vitrina.evaluate") for line in found)
    assert any(line.startswith("persist.py imports vitrina.models") for line in found)
