"""The two published shapes of the CHAI Applied Model Card as XML schemas, written from the coalition's documentation.

Names, order and occurrence are those of https://mc.chai.org, versions 0.1 and 0.2; the signature element, which nobody
here writes, is left out. Nothing of this is shared with the code that it judges.
"""

from lxml import etree

TEXT = "text"
REQUIRED, OPTIONAL, MANY, ONE_OR_MORE = ("1", "1"), ("0", "1"), ("0", "unbounded"), ("1", "unbounded")


def texts(names, optional=()):
    return [(name, TEXT, OPTIONAL if name in optional else REQUIRED) for name in names.split()]


def shape(version):
    newer = version == "v0.2"
    result = [("Label", TEXT, REQUIRED), ("ValueJson", TEXT, REQUIRED)]
    pillar = [
        *texts("MetricGoal"),
        ("Results", [("MetricResult", result, ONE_OR_MORE)], REQUIRED) if newer else ("Result", TEXT, REQUIRED),
        *texts("Interpretation TestType TestingDataDescription ValidationProcessAndJustification"),
    ]
    records = [("EHRCompatibility", [("EHR", TEXT, MANY)], OPTIONAL)] if newer else []
    return [
        ("BasicInfo", texts("ModelName ModelDeveloper DeveloperContact"), REQUIRED),
        ("ReleaseInfo", [*texts("ReleaseStage ReleaseDate ReleaseVersion GlobalAvailability"), *records,
                         *texts("RegulatoryApproval", ("RegulatoryApproval",))], REQUIRED),
        ("ModelSummary", [*texts("Summary"), ("Keywords", [("Keyword", TEXT, MANY)], REQUIRED)], REQUIRED),
        ("UsesAndDirections", texts("IntendedUseAndWorkflow PrimaryIntendedUsers HowToUse TargetedPatientPopulation "
                                    "CautionedOutOfScopeSettings"), REQUIRED),
        ("Warnings", texts("KnownRisksAndLimitations KnownBiasesOrEthicalConsiderations ClinicalRiskLevel"), REQUIRED),
        ("TrustIngredients", [
            ("AISystemFacts", texts(
                "OutcomesAndOutputs ModelType FoundationModels InputDataSource OutputAndInputDataTypes "
                "DevelopmentDataCharacterization BiasMitigationApproaches OngoingMaintenance Security Transparency",
                ("FoundationModels", "Security", "Transparency")), REQUIRED),
            ("TransparencyInformation", texts("FundingSource ThirdPartyInformation StakeholdersConsulted",
                                              ("ThirdPartyInformation",)), REQUIRED)], REQUIRED),
        ("KeyMetrics", [(name, pillar, REQUIRED) for name in
                        ("UsefulnessUsabilityEfficacy", "FairnessEquity", "SafetyReliability")], REQUIRED),
        ("Resources", [
            *texts("EvaluationReferences ClinicalTrial PeerReviewedPublications ReimbursementStatus "
                   "PatientConsentOrDisclosure", ("EvaluationReferences", "ClinicalTrial", "ReimbursementStatus")),
            *([] if newer else texts("StakeholdersConsulted"))], REQUIRED),
        ("Bibliography", TEXT, REQUIRED),
    ]  # fmt: skip


def schema_of(version):
    """A validator of lxml for ``version`` ("v0.1" or "v0.2")."""
    text = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified" '
        f'targetNamespace="https://mc.chai.org/{version}/schema.xsd">'
        f"{_element('AppliedModelCard', shape(version), None)}</xs:schema>"
    )
    return etree.XMLSchema(etree.fromstring(text.encode()))


def _element(name, content, occurs):
    times = f' minOccurs="{occurs[0]}" maxOccurs="{occurs[1]}"' if occurs else ""
    if content == TEXT:
        return f'<xs:element name="{name}" type="xs:string"{times}/>'
    inner = "".join(_element(*child) for child in content)
    inside = f"<xs:complexType><xs:sequence>{inner}</xs:sequence></xs:complexType>"
    return f'<xs:element name="{name}"{times}>{inside}</xs:element>'
