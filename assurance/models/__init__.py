from assurance.models.artefacts import Artefact
from assurance.models.cases import CaseFile
from assurance.models.deployments import Deployment
from assurance.models.findings import FindingRecord
from assurance.models.jobs import Job
from assurance.models.registry import Model, ModelVersion

__all__ = ["Artefact", "CaseFile", "Deployment", "FindingRecord", "Job", "Model", "ModelVersion"]
