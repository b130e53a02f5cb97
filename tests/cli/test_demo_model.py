"""What the demo leaves beside its report."""

from __future__ import annotations

from vitrina.artifacts import load
from vitrina.cli import demo
from vitrina.cli.compare import compare
from vitrina.cli.config import read_config


def test_the_best_of_the_board_is_left_on_all_data_and_can_be_served(config, vitrina, shop, capsys):
    text = '[models.popular]\ntype = "Popularity"\n[models.own]\ntype = "TopPersonal"\n[job]\nbaselines = false\nrepeat = true\n[report]\nout = "out"\n'
    plan = read_config(config(text))
    log = plan.log()
    board = compare(plan, data=log)
    capsys.readouterr()
    demo._leave_best(plan, board, log, quiet=False)
    said = capsys.readouterr().out
    best = board.entries[0]
    artifact = load(shop / "out" / "model")
    assert f"The best on the board, {best.name}" in said
    assert artifact.manifest["data"]["events"] == log.n_events
    assert artifact.manifest["metrics"]
    command = next(line for line in said.splitlines() if line.startswith("Serve it with: ")).partition("   ")[0]
    words = command.removeprefix("Serve it with: vitrina ").split()
    checked = vitrina(*words, "--check")
    assert checked.exit_code == 0, checked.output
    assert "no keys: this machine alone" in checked.output


def test_another_winner_replaces_the_one_before(config, vitrina, shop):
    for name in ("Popularity", "TopPersonal"):
        plan = read_config(config(f'[models.only]\ntype = "{name}"\n[job]\nbaselines = false\n[report]\nout = "out"\n'))
        log = plan.log()
        demo._leave_best(plan, compare(plan, data=log), log, quiet=True)
    assert load(shop / "out" / "model").manifest["model"]["name"] == "TopPersonal"
