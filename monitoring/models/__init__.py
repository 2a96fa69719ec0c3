from monitoring.models.alarms import Alarm, AlarmNote
from monitoring.models.batches import PredictionBatch, Reject
from monitoring.models.plans import MonitoringPlan, WindowRun
from monitoring.models.predictions import Label, Prediction
from monitoring.models.saved_views import SavedView, WeeklySummary
from monitoring.models.signals import Signal
from monitoring.models.states import DayState, ReferenceSet, ReferenceState

__all__ = [
    "Alarm", "AlarmNote", "DayState", "Label", "MonitoringPlan", "Prediction", "PredictionBatch", "ReferenceSet",
    "ReferenceState", "Reject", "SavedView", "Signal", "WeeklySummary", "WindowRun",
]  # fmt: skip
