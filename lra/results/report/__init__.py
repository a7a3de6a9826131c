"""The report: all that is on record as one HTML page, which needs no network."""
