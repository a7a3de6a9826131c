"""The figures of lra.results.figures as plotly draws them, each with a sentence and a table."""
