"""Tests run offline, without telemetry, and without the environment's own tgap settings."""

import os

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
for name in ("TGAP_HOME", "TGAP_TRUSTED", "MLFLOW_TRACKING_URI", "HYDRA_FULL_ERROR"):
    os.environ.pop(name, None)
