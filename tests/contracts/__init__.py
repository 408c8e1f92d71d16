"""What every component must keep, whoever wrote it: ``pytest --pyargs tgap.contracts -k mine``."""
