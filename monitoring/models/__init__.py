from monitoring.models.alarms import Alarm, AlarmNote
from monitoring.models.batches import PredictionBatch, Reject
from monitoring.models.objects import StudyObject
from monitoring.models.plans import MonitoringPlan, WindowRun
from monitoring.models.predictions import CasePlace, Label, PastLabel, PastPrediction, Prediction
from monitoring.models.saved_views import SavedView, WeeklySummary
from monitoring.models.schema import ControlReading, FeatureSchema, IntakeRules, SchemaEvent
from monitoring.models.signals import Signal
from monitoring.models.states import ChunkStates, DayState, ReferenceSet, ReferenceState

__all__ = [
    "Alarm", "AlarmNote", "CasePlace", "ChunkStates", "ControlReading", "DayState", "FeatureSchema", "IntakeRules",
    "Label", "MonitoringPlan", "PastLabel", "PastPrediction", "Prediction", "PredictionBatch", "ReferenceSet",
    "ReferenceState", "Reject", "SavedView", "SchemaEvent", "Signal", "StudyObject", "WeeklySummary", "WindowRun",
]  # fmt: skip
