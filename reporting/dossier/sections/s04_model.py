"""Inputs, outputs, architecture, lineage and what exactly ran: named by hash."""

from collections.abc import Iterator

from reporting.dossier.contents import AnyBlock, Column, Facts, Heading, Table, Text
from reporting.dossier.sections.shared import card_value
from reporting.dossier.sources import SectionPlan, Sources


def fill(sources: Sources) -> Iterator[AnyBlock]:
    v = sources.version
    yield Text(
        text="A version is what its hashes say: weights, preprocessing and thresholds cannot change under one name."
    )
    yield Facts(
        title="Version under test",
        rows=[
            ["Model", v["model"]],
            ["Version", v["version"]],
            ["Task and modality", f"{v['task']}, {v['modality']}"],
            ["Adapter", v["adapter_key"]],
            ["Licence", v["licence"]],
            ["SHA-256 of the weights", v["weights_sha256"]],
            ["SHA-256 of preprocessing", v["preprocessing_sha256"]],
            ["SHA-256 of thresholds", v["thresholds_sha256"]],
            ["Container", v["container_digest"] or "none stated"],
            ["Pretraining sources", ", ".join(map(str, v["pretraining_sources"])) or "none stated"],
            ["Known contamination", v["known_contamination"] or "none stated"],
        ],
    )
    for title, name in (
        ("Preprocessing", "preprocessing"),
        ("Thresholds", "thresholds"),
        ("Input contract", "input_contract"),
        ("Output contract", "output_contract"),
    ):
        if v[name]:
            yield Facts(
                title=title,
                rows=[
                    [str(k).replace("_", " "), card_value({"state": "provided", "value": x})]
                    for k, x in v[name].items()
                ],
            )
    if sources.lineage:
        yield Heading(text="Lineage")
        columns = [
            Column("Kind", 1),
            Column("Model", 1.6),
            Column("Version", 0.8),
            Column("Licence", 1),
            Column("Weights", 1.6, mono=True),
        ]
        yield Table(
            title="From the foundation model to the device",
            columns=columns,
            rows=[
                [x["kind"], x["model"], x["version"], x["licence"], x["weights_sha256"][:24]] for x in sources.lineage
            ],
        )


SECTION = SectionPlan(
    id="04-model",
    title="Device and model description",
    origin="model card, model registry with hashes, bill of materials",
    kinds=(
        "model_card.inputs_outputs",
        "model_card.architecture",
        "model_card.development",
        "supply_chain",
        "change_control.version_history",
        "openness.availability",
    ),
    owner="the developer",
    fill=fill,
)
