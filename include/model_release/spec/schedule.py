"""The spec's `schedule` and `housekeeping`: when runs start, and until when they are to have ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from model_release.documents.base import Strict


class Schedule(Strict):
    """When a DAG's runs start: five cron fields in a time zone, and the span of one data interval.

    Attributes:
        cron: minute, hour, day, month, weekday.
        timezone: in which they are read, by its IANA name.
        interval_hours: the span of one data interval, which ends when the run begins.
    """

    cron: str = "0 2 * * *"
    timezone: str = "UTC"
    interval_hours: int = Field(24, ge=1, le=24 * 366)

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, cron: str) -> str:
        if len(cron.split()) != 5:
            raise ValueError(f"{cron!r} has {len(cron.split())} fields; write minute hour day month weekday")
        return cron

    @property
    def interval(self) -> timedelta:
        """The span of one data interval."""
        return timedelta(hours=self.interval_hours)


class RetrainSchedule(Schedule):
    """When a model is retrained.

    Attributes:
        deadline_hours: a run that has not ended so many hours after it was queued is late; None: no run is.
        on_new_data: whether new data starts a run as well, beside the timetable. `announced`: if another DAG, or
            Airflow's API, says so by an event of the asset `<name>-data`; `watched`: if Airflow's triggerer finds other
            files at the source than before, too. None: it does not.
        watch_minutes: after so many minutes the source is looked at again, where it is watched. Files that are still
            arriving are waited for: a run starts when two looks in a row have found the same.
    """

    deadline_hours: float | None = Field(None, gt=0, le=24 * 366)
    on_new_data: Literal["announced", "watched"] | None = None
    watch_minutes: float = Field(5, ge=0.1, le=24 * 60)
