"""``vigil shift``: one acquisition-shift simulation on one image."""

import json
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assurance.evidence.errors import Refusal
from assurance.metrics.measured import array_digest
from generalizability.image_files import read_image, write_image
from generalizability.shifts.catalogue import SHIFTS


class Command(BaseCommand):
    help = "Simulate another acquisition (noise, dose, motion, coil, kernel) on one image; needs no server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--image", help="PNG, JPEG, TIFF, NPY, NIfTI or DICOM, grey")
        parser.add_argument("--kind", help="a simulator's key; --list shows them")
        parser.add_argument("--severity", type=int, default=3, help="1 to 5")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--out", help="PNG, NPY or NIfTI file to write")
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
        parser.add_argument("--list", action="store_true", help="show the simulators and their levels")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._show(as_json=options["json"])
            return
        for name in ("image", "kind", "out"):
            if not options[name]:
                raise CommandError(f"--{name} is missing: give --image, --kind and --out", returncode=2)
        try:
            entry = SHIFTS[options["kind"]]
            image = read_image(options["image"])
            arguments: dict[str, Any] = {"severity": options["severity"], "seed": options["seed"]}
            if entry.facts["spacing"] and image.spacing_mm is not None:
                arguments["spacing_mm"] = image.spacing_mm
            shifted = entry.load()(image.pixels, **arguments)
            write_image(options["out"], shifted, like=image)
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        level = entry.facts["levels"][options["severity"] - 1]
        difference = np.abs(shifted.astype(np.float64) - image.pixels)
        document = {
            "image": options["image"],
            "out": options["out"],
            "kind": options["kind"],
            "title": entry.title,
            "source": entry.source,
            "severity": options["severity"],
            "level": level,
            "unit": entry.facts["unit"],
            "seed": options["seed"] if entry.facts["random"] else None,
            "shape": list(shifted.shape),
            "spacing_mm": None if image.spacing_mm is None else list(image.spacing_mm),
            "mean_absolute_difference": float(difference.mean()),
            "input_digest": array_digest(image=image.pixels),
            "output_digest": array_digest(image=shifted),
        }
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
        else:
            moved = document["mean_absolute_difference"]
            self.stdout.write(
                f"{options['out']}: {entry.title}, severity {options['severity']} ({level} {entry.facts['unit']}), "
                f"grey values moved by {moved:.3g} on average"
            )

    def _show(self, *, as_json: bool) -> None:
        rows = {key: {"title": entry.title, "source": entry.source, **entry.facts} for key, entry in SHIFTS.items()}
        if as_json:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        for key, row in rows.items():
            self.stdout.write(f"{key}: {row['title']}, {' '.join(row['modalities'])}, {row['levels']} {row['unit']}")
