"""Make the values against which the statistics in compare/stats are tested.

The same inputs go through SciPy and statsmodels; what they answer is written
as JSON and committed, so that the Go tests need no Python. Run it from this
folder in an environment of its own:

    python3 -m venv .venv
    .venv/bin/pip install --require-hashes -r requirements.txt
    .venv/bin/python scipy_values.py > scipy_values.json
"""

import json
import platform
import sys

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.proportion import (
    confint_proportions_2indep, proportion_confint, proportion_effectsize, proportions_ztest,
)

SAMPLES = {
    "two": ([0.6304, 0.6251], [0.6892, 0.6790]),
    "three": ([0.6304, 0.6251, 0.6347], [0.6892, 0.6790, 0.6921]),
    "close": ([0.6451, 0.6503, 0.6478, 0.6420, 0.6466], [0.6468, 0.6441, 0.6497, 0.6455, 0.6490]),
    "unequal": ([0.51, 0.48, 0.55, 0.47, 0.62, 0.50], [0.531, 0.529, 0.533]),
    "skewed": ([1.0, 1.1, 1.2, 1.3, 2.9, 1.15, 1.02, 1.7], [0.9, 0.8, 3.0, 0.7, 1.0, 0.95, 0.85, 1.1]),
}
PROPORTIONS = [(6304, 10000), (0, 50), (50, 50), (1, 7), (493, 1000)]
OUTCOMES = [(500, 130, 90, 280), (10, 3, 1, 6), (100, 0, 0, 20), (40, 9, 0, 1), (6000, 900, 780, 2320)]
P_VALUES = [
    [0.01, 0.04, 0.03, 0.005],
    [0.5, 0.9, 0.2],
    [1e-9, 0.02, 0.02, 0.8, 0.049, 0.011],
    [0.03],
]
FRONTS = [
    (10_000, [[[100, 0.600]], [[100, 0.607]], [[900, 0.300]], [[50, 0.1], [51, 0.11], [52, 0.12]]]),
    (1_000, [
        [[1000, 0.61], [1010, 0.63], [990, 0.62]], [[1005, 0.62], [1000, 0.60], [998, 0.625]],
        [[800, 0.63], [805, 0.60]], [[1200, 0.58]], [[1190, 0.585], [1215, 0.575], [1201, 0.59], [1180, 0.56]],
    ]),
]
LEVELS = [0.95, 0.9]


def interval(low, high):
    return {"low": float(low), "high": float(high)}


def hedges(difference, sd, df):
    """Hedges' exact correction; undefined at one degree of freedom."""
    d = difference / sd
    if df < 2:
        return d
    return d * np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)


def t_intervals():
    for name, (a, _) in SAMPLES.items():
        for level in LEVELS:
            low, high = stats.t.interval(level, len(a) - 1, np.mean(a), stats.sem(a))
            yield {"name": name, "values": a, "level": level, **interval(low, high)}


def bca():
    for name in ("close", "unequal", "skewed"):
        values = SAMPLES[name][0]
        result = stats.bootstrap(
            (values,), np.mean, confidence_level=0.95, n_resamples=400_000, method="BCa",
            rng=np.random.default_rng(1), batch=50_000,
        )
        yield {"name": name, "values": values, "level": 0.95, **interval(*result.confidence_interval)}


def wilson():
    for successes, n in PROPORTIONS:
        for level in LEVELS:
            low, high = proportion_confint(successes, n, 1 - level, method="wilson")
            yield {"successes": successes, "n": n, "level": level, **interval(low, high)}


def paired():
    for name, (a, b) in SAMPLES.items():
        if len(a) != len(b):
            continue
        result = stats.ttest_rel(a, b)
        low, high = result.confidence_interval(0.95)
        diff = np.subtract(a, b)
        yield {
            "name": name, "a": a, "b": b, "statistic": result.statistic, "p": result.pvalue,
            "df": float(result.df), "effect": hedges(diff.mean(), diff.std(ddof=1), len(a) - 1),
            **interval(low, high),
        }


def welch():
    for name, (a, b) in SAMPLES.items():
        result = stats.ttest_ind(a, b, equal_var=False)
        low, high = result.confidence_interval(0.95)
        n, m = len(a), len(b)
        pooled = np.sqrt(((n - 1) * np.var(a, ddof=1) + (m - 1) * np.var(b, ddof=1)) / (n + m - 2))
        yield {
            "name": name, "a": a, "b": b, "statistic": result.statistic, "p": result.pvalue,
            "df": float(result.df), "effect": hedges(np.mean(a) - np.mean(b), pooled, n + m - 2),
            **interval(low, high),
        }


def one_against():
    """One value against a sample: the slope of a regression on a group dummy."""
    for name, (a, b) in SAMPLES.items():
        y, dummy = np.array([a[0], *b]), np.array([1.0] + [0.0] * len(b))
        fit = sm.OLS(y, sm.add_constant(dummy)).fit()
        low, high = fit.conf_int(0.05)[1]
        yield {
            "name": name, "one": a[0], "several": b, "statistic": fit.tvalues[1], "p": fit.pvalues[1],
            "df": fit.df_resid, **interval(low, high),
        }


def images():
    """McNemar's exact test, and the paired bootstrap drawn image by image."""
    for both, first, second, neither in OUTCOMES:
        result = mcnemar([[both, first], [second, neither]], exact=True)
        difference = np.repeat([0, 1, -1], [both + neither, first, second])
        n = len(difference)
        rng = np.random.default_rng(2)
        draws = [difference[rng.integers(0, n, n)].mean() for _ in range(20_000)]
        low, high = np.percentile(draws, [2.5, 97.5])
        yield {
            "outcomes": [both, first, second, neither], "statistic": float(result.statistic),
            "p": float(result.pvalue), **interval(low, high),
        }


def two_proportions():
    for (s1, n1), (s2, n2) in zip(PROPORTIONS, PROPORTIONS[1:]):
        statistic, p = proportions_ztest([s1, s2], [n1, n2])
        low, high = confint_proportions_2indep(s1, n1, s2, n2, compare="diff", method="wald")
        yield {
            "counts": [s1, n1, s2, n2], "statistic": float(statistic), "p": float(p),
            "effect": float(proportion_effectsize(s1 / n1, s2 / n2)), **interval(low, high),
        }


def holm():
    for p in P_VALUES:
        yield {"p": p, "adjusted": multipletests(p, method="holm")[1].tolist()}


def seeds():
    for effect in (0.3, 0.5, 0.8, 1.2, 2.0, 3.5):
        for alpha in (0.05, 0.01):
            yield {
                "effect": effect, "alpha": alpha, "power": 0.8,
                "paired": int(np.ceil(TTestPower().solve_power(effect, None, alpha, 0.8))),
                "welch": int(np.ceil(TTestIndPower().solve_power(effect, None, alpha, 0.8))),
            }


def descriptions():
    for name, (a, _) in SAMPLES.items():
        d = stats.describe(a)
        yield {
            "name": name, "values": a, "n": int(d.nobs), "mean": d.mean, "std_dev": np.sqrt(d.variance),
            "min": d.minmax[0], "max": d.minmax[1],
        }


def fronts():
    """The probability of being on the front, drawn here in NumPy.

    Each world draws every configuration's runs again with replacement and
    stretches the drawn mean about the true one by sqrt(n/(n-1)); a single run
    has its accuracy drawn from the binomial of its test images.
    """
    rng = np.random.default_rng(3)
    for trials, clouds in FRONTS:
        worlds = np.empty((40_000, len(clouds), 2))
        for i, cloud in enumerate(np.asarray(c, float) for c in clouds):
            n = len(cloud)
            if n == 1:
                worlds[:, i, 0] = cloud[0, 0]
                worlds[:, i, 1] = rng.binomial(trials, cloud[0, 1], len(worlds)) / trials
                continue
            means = cloud[rng.integers(0, n, (len(worlds), n))].mean(axis=1)
            worlds[:, i] = cloud.mean(axis=0) + np.sqrt(n / (n - 1)) * (means - cloud.mean(axis=0))
        at_least = (worlds[:, :, None] <= worlds[:, None]).all(axis=3)
        better = (worlds[:, :, None] < worlds[:, None]).any(axis=3)
        dominated = (at_least & better).any(axis=2)
        yield {"trials": trials, "clouds": clouds, "probability": (1 - dominated.mean(axis=0)).tolist()}


def quantiles():
    values = SAMPLES["skewed"][0]
    for p in (0, 0.05, 0.5, 0.95, 1):
        yield {"values": values, "p": p, "value": float(np.quantile(values, p))}


def main():
    parts = (t_intervals, bca, wilson, paired, welch, one_against, images, two_proportions, holm, seeds, descriptions, fronts, quantiles)
    made_by = f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    document = {"made_by": made_by, **{part.__name__: list(part()) for part in parts}}
    json.dump(document, sys.stdout, indent=1, default=float)
    print()


if __name__ == "__main__":
    main()
