"""``vigil explain``: one map of one image with its report card, sentences and overlay; needs no server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assurance.evidence.errors import InvalidInput, Refusal
from explainability.attribution.catalogue import EXPLAINERS, checked_parameters


class Command(BaseCommand):
    help = "Make one attribution map, grade it, and write map, overlay and report card into a folder."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--model", help="an adapter's key, or KEY:/path/to/weights")
        parser.add_argument("--image", help="PNG, JPEG, TIFF, NPY, NIfTI or DICOM")
        parser.add_argument("--method", help="an explainer's key; --list shows them")
        parser.add_argument("--target", type=int, help="index of the class, else the one that the model chose")
        parser.add_argument("--mask", help="the reader's mask, of the image's shape")
        parser.add_argument("--box", help="x0,y0,x1,y1 in pixels, for promptable models")
        parser.add_argument("--fixed", help="the fixed volume of a registration; --image is the moving one")
        parser.add_argument("--text", help="the prompt of a text-to-image model; it needs no --image")
        parser.add_argument("--unit", default="", help="of the image's values, such as HU")
        parser.add_argument("--reference", nargs="*", default=[], help="images of other cases, for gradient_shap")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="of the method")
        parser.add_argument("--effort", default="quick", choices=("brief", "quick", "full"), help="which checks")
        parser.add_argument("--out", help="folder to write into")
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        parser.add_argument("--list", action="store_true", help="show the methods")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._list(as_json=options["json"])
            return
        try:
            document = self._explain(options)
        except InvalidInput as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        except Refusal as refusal:  # good input without a map: still one sentence, another status
            raise CommandError(refusal.message, returncode=3) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False, default=str))
        else:
            self._print(document)

    def _explain(self, options: dict[str, Any]) -> dict[str, Any]:
        for name in ("model", "method", "out") if options["text"] else ("model", "image", "method", "out"):
            if not options[name]:
                raise InvalidInput("missing", f"--{name} is missing: give --model, --image, --method and --out")
        parameters = checked_parameters(options["method"], _parameters(options["param"]))
        if options["target"] is not None:
            parameters["target"] = options["target"]
        content = _bytes(options["image"], "image") if options["image"] else options["text"].encode()
        # torch and the model are loaded only once the words are right
        from assurance.adapters.catalogue import load_spec
        from explainability.case_images import CaseImage, read_case_image, read_mask
        from explainability.services.case_inputs import prompt_of, with_spacing
        from explainability.services.map_files import pack_map
        from explainability.services.mapping import digest_of, facts_of, graded_map

        if options["image"]:
            image = with_spacing(read_case_image(content, name=options["image"]), {"unit": options["unit"]})
        else:
            image = CaseImage(np.zeros((8, 8)))  # a generator draws its own
        fixed = read_case_image(_bytes(options["fixed"], "fixed")) if options["fixed"] else None
        references = [read_case_image(_bytes(path, "reference"), name=path).pixels for path in options["reference"]]
        truth = None
        if options["mask"]:
            shape = image.pixels.shape if image.is_volume else image.pixels.shape[:2]
            truth = read_mask(_bytes(options["mask"], "mask"), shape=shape, name=options["mask"])
        box = options["box"].split(",") if options["box"] else None
        prompt = prompt_of({"prompt": {"box": box, "text": options["text"] or ""}} if box or options["text"] else {})
        model = load_spec(options["model"])
        made = graded_map(
            model, image, method=options["method"], parameters=parameters, prompt=prompt, truth=truth,
            effort=options["effort"], fixed=fixed, references=references, progress=lambda step: self.stderr.write(step),
        )  # fmt: skip
        facts = facts_of(made, model=model, image_sha256=digest_of(content), spacing_mm=image.spacing_mm)
        folder = Path(options["out"])
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{Path(options['image'] or 'drawn').name.split('.')[0]}-{options['method']}"
        files = {"map": folder / f"{stem}.npz", "overlay": folder / f"{stem}.png", "card": folder / f"{stem}.json"}
        files["map"].write_bytes(pack_map(made.attribution, mask=made.mask, facts=facts, around=made.around.arrays()))
        files["overlay"].write_bytes(made.overlay)
        from explainability.faithfulness.caution import CAUTION

        document = {
            "image": options["image"], "model": options["model"], **facts, "caution": CAUTION,
            "report_card": [finding.as_dict() for finding in made.report_card],
            "statements": [fact.as_dict() for fact in made.statements],
            "files": {name: str(path) for name, path in files.items()},
        }  # fmt: skip
        files["card"].write_text(json.dumps(document, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
        return document

    def _print(self, document: dict[str, Any]) -> None:
        for statement in document["statements"]:
            self.stdout.write(statement["text"])
        for content in document["report_card"]:
            value = "–" if content["value"] is None else f"{content['value']:.3f}"
            words = f"  ({content['reason']})" if content["reason"] else ""
            self.stdout.write(f"{content['quantity']:24} {value:>8}  {content['state']}{words}")
        self.stdout.write(document["caution"])
        self.stdout.write(f"Written: {', '.join(document['files'].values())}")

    def _list(self, *, as_json: bool) -> None:
        rows = {key: {"title": e.title, "source": e.source, **e.facts} for key, e in EXPLAINERS.items()}
        if as_json:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        for key, row in rows.items():
            self.stdout.write(f"{key}: {row['title']}, {' and '.join(row['tasks'])}, {row['cost']} model evaluations")


def _parameters(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise InvalidInput("bad_parameter", f"--param {pair}: give NAME=VALUE")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


def _bytes(path: str, name: str) -> bytes:
    file = Path(path)
    if not file.is_file():
        raise InvalidInput("no_file", f"--{name} {path} is not a file")
    return file.read_bytes()
