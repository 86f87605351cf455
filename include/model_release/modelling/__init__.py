"""From data to a judged model: dataset, training, evaluation, gate and report. It knows nothing of releases."""
