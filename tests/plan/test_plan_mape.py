"""What tuning on MAPE does to a plan: published figures, numerical integrals and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from vitrina.base.errors import ParameterError
from vitrina.plan import mape_figures, sd_of_mape


def test_the_known_figures_come_out() -> None:
    old, new = mape_figures(0.313), mape_figures(0.2256)
    assert (old.mape_best, new.mape_best) == (pytest.approx(0.246, abs=6e-4), pytest.approx(0.178, abs=6e-4))
    assert (old.ratio, new.ratio) == (pytest.approx(0.907, abs=6e-4), pytest.approx(0.950, abs=6e-4))
    assert (new.met_median, new.met_best) == (pytest.approx(0.367, abs=6e-4), pytest.approx(0.454, abs=6e-4))
    assert any("5.0% lower" in sentence for sentence in new.sentences)


@pytest.mark.parametrize(("sd", "stretch"), [(0.05, 1.0), (0.2256, 1.08), (0.9, 0.8)])
def test_closed_forms_are_the_integrals(sd: float, stretch: float) -> None:
    def mape(forecast: float) -> float:
        kink = np.log(forecast) / sd
        parts = [(-12.0, kink), (kink, 12.0)]
        return sum(
            integrate.quad(lambda z: abs(1 - forecast * np.exp(-sd * z)) * stats.norm.pdf(z), *ends, epsabs=1e-12)[0] for ends in parts
        )

    found = mape_figures(sd, stretch)
    best = optimize.minimize_scalar(mape, bounds=(0.1, 1.5), method="bounded", options={"xatol": 1e-9})
    assert found.mape_median == pytest.approx(mape(1.0), abs=1e-9)
    assert found.mape_best == pytest.approx(best.fun, abs=1e-9)
    assert found.ratio == pytest.approx(best.x, abs=1e-5)
    law = stats.lognorm(sd)
    assert (found.met_median, found.met_best) == (pytest.approx(law.sf(stretch)), pytest.approx(law.sf(stretch * best.x), abs=1e-5))
    assert found.ratio_of_total == pytest.approx(found.ratio / law.mean())
    assert found.agrees
    assert found.table.height == 6


def test_errors_of_the_simulation_are_as_large_as_they_say() -> None:
    tables = [mape_figures(0.4, paths=4000, seed=seed).table for seed in range(200)]
    off = np.array([((t["simulated"] - t["value"]) / t["error"]).to_numpy() for t in tables])
    assert np.abs(off.std(axis=0) - 1).max() < 0.2
    assert np.abs(off.mean(axis=0)).max() < 0.25


def test_a_mape_has_one_sd_and_what_has_none_is_refused() -> None:
    for sd in (0.01, 0.313, 1.5):
        assert sd_of_mape(mape_figures(sd).mape_best) == pytest.approx(sd)
        assert sd_of_mape(mape_figures(sd).mape_median, best=False) == pytest.approx(sd)
    with pytest.raises(ParameterError, match=r"below 1 where the forecast has the least one. Got 1.2"):
        sd_of_mape(1.2)
    with pytest.raises(ParameterError, match=r"'sd' of mape_figures must be a number above 0. Got 0"):
        mape_figures(0)
    with pytest.raises(ParameterError, match="'stretch'"):
        mape_figures(0.3, float("nan"))
