"""Pictures of results: figures by matplotlib, traces for Perfetto.

Every ``plot_x(result, *, ax=None)`` returns the Axes it drew into; ``x_rows`` are the numbers
it shows, and ``save_figure`` writes both::

    axes = plot_inaction(comparison)
    save_figure(axes.figure, "inaction.png", inaction_rows(comparison))

Nothing here is shown on a screen or touches matplotlib's global state, and matplotlib is
imported only when something is drawn.
"""

from rtsim.pictures.agreement import agreement_rows, delays_rows, plot_agreement, plot_delays
from rtsim.pictures.delay_regret import delay_regret_rows, plot_delay_regret
from rtsim.pictures.histogram import interaction_time_rows, plot_interaction_time
from rtsim.pictures.inaction import inaction_rows, plot_inaction
from rtsim.pictures.lateness import lateness_rows, plot_lateness
from rtsim.pictures.learning import learning_rows, plot_progress, plot_scores
from rtsim.pictures.pareto import pareto_rows, plot_pareto
from rtsim.pictures.predictability import plot_predictability, predictability_rows
from rtsim.pictures.regret import plot_regret, plot_regrets, regret_rows, regrets_rows
from rtsim.pictures.regret_rate import plot_regret_rate, regret_rate_rows
from rtsim.pictures.save import checked_suffix, save_figure
from rtsim.pictures.scaling import plot_scaling, scaling_rows
from rtsim.pictures.style import figure_of
from rtsim.pictures.timeline import plot_timeline, timeline_rows
from rtsim.pictures.trace import chrome_trace, write_trace
from rtsim.pictures.training import plot_training, training_rows

__all__ = [
    "agreement_rows",
    "checked_suffix",
    "chrome_trace",
    "delay_regret_rows",
    "delays_rows",
    "figure_of",
    "inaction_rows",
    "interaction_time_rows",
    "lateness_rows",
    "learning_rows",
    "pareto_rows",
    "plot_agreement",
    "plot_delay_regret",
    "plot_delays",
    "plot_inaction",
    "plot_interaction_time",
    "plot_lateness",
    "plot_pareto",
    "plot_predictability",
    "plot_progress",
    "plot_regret",
    "plot_regret_rate",
    "plot_regrets",
    "plot_scaling",
    "plot_scores",
    "plot_timeline",
    "plot_training",
    "predictability_rows",
    "regret_rate_rows",
    "regret_rows",
    "regrets_rows",
    "save_figure",
    "scaling_rows",
    "timeline_rows",
    "training_rows",
    "write_trace",
]
