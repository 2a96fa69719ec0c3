from assurance.models.artefacts import Artefact
from assurance.models.cards import CardRevision, ModelCard
from assurance.models.cases import CaseFile
from assurance.models.deployments import Deployment
from assurance.models.findings import FindingRecord
from assurance.models.jobs import Job
from assurance.models.proceedings import (
    Answer,
    Appeal,
    Assessment,
    Condition,
    Decision,
    ExitPaper,
    InformationRequest,
    PlanChange,
    ProcessClock,
    Publication,
    RemarkInConfidence,
    SuspensionProposal,
)
from assurance.models.real_world import RealWorldTest, RealWorldTestStep, SubmissionIncident
from assurance.models.registry import Model, ModelVersion, VersionRequest
from assurance.models.running import RunningSoftware
from assurance.models.submissions import EvidenceItem, RequirementJudgement, SandboxPlan, StateChange, Submission

__all__ = [
    "Answer", "Appeal", "Artefact", "Assessment", "CardRevision", "CaseFile", "Condition", "Decision", "Deployment",
    "EvidenceItem", "ExitPaper", "FindingRecord", "InformationRequest", "Job", "Model", "ModelCard", "ModelVersion",
    "PlanChange", "ProcessClock", "Publication", "RealWorldTest", "RealWorldTestStep", "RemarkInConfidence",
    "RequirementJudgement", "RunningSoftware", "SandboxPlan", "StateChange", "Submission", "SubmissionIncident",
    "SuspensionProposal", "VersionRequest",
]  # fmt: skip
