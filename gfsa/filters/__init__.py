"""Filters of an attention operator: GFSA, polynomials of any order, and their controls."""

from gfsa.filters.controls import IdentityFilter, MeanFilter, RandomFilter
from gfsa.filters.gfsa import GraphFilter
from gfsa.filters.poly import PolynomialFilter

__all__ = ["GraphFilter", "IdentityFilter", "MeanFilter", "PolynomialFilter", "RandomFilter"]
