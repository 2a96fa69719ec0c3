from monitoring.models.alarms import Alarm, AlarmNote
from monitoring.models.batches import PredictionBatch, Reject
from monitoring.models.embedding_days import EmbeddingDay, ReferenceEmbedding
from monitoring.models.objects import StudyObject
from monitoring.models.plans import MonitoringPlan, WindowRun
from monitoring.models.predictions import CasePlace, Label, PastLabel, PastPrediction, Prediction
from monitoring.models.saved_views import SavedView, WeeklySummary
from monitoring.models.schema import ControlReading, FeatureSchema, IntakeRules, SchemaEvent
from monitoring.models.signals import Signal
from monitoring.models.states import ChunkStates, DayState, ReferenceSet, ReferenceState
from monitoring.models.window_reports import WindowReport

__all__ = [
    "Alarm", "AlarmNote", "CasePlace", "ChunkStates", "ControlReading", "DayState", "EmbeddingDay", "FeatureSchema",
    "IntakeRules", "Label", "MonitoringPlan", "PastLabel", "PastPrediction", "Prediction", "PredictionBatch",
    "ReferenceEmbedding", "ReferenceSet", "ReferenceState", "Reject", "SavedView", "SchemaEvent", "Signal",
    "StudyObject", "WeeklySummary", "WindowReport", "WindowRun",
]  # fmt: skip
