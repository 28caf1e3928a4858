"""Linear probes: `probes` fits many and sweeps their strength, `logistic` minimises, `splits` parts the rows."""

from __future__ import annotations

from .probes import STRENGTHS, Probes, Sweep, accuracy_of, fit_probes, sweep

__all__ = ["STRENGTHS", "Probes", "Sweep", "accuracy_of", "fit_probes", "sweep"]
