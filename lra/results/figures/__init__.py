"""Figures: the data of their marks, which matplotlib draws here and plotly in the report."""
