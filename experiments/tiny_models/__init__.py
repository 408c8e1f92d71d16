"""The scripts that made the packaged miniature models in ``tgap/assets``."""
