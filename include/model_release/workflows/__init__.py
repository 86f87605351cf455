"""What a run does, task by task, without Airflow: retrain, operate, housekeeping. Releases and modelling meet here."""
