"""The packaged miniature models: how their data is drawn and how they are trained."""
