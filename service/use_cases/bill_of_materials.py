"""The bill of materials of a version: CycloneDX 1.6 (ECMA-424, https://cyclonedx.org/docs/1.6/json/) with a model card, as an
ML-BOM has it. Made from what the version holds, so that it is the same each time."""

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from model_store import Version, member_digests
from service import __version__
from service.model_reference import ModelReference

Fields = dict[str, Any]

MODEL, DATA, INITIAL = "model", "data", "initial"  # references within the document
# What trained it, by its key in the manifest's `environment`; the rest of that are properties.
SOFTWARE = {"modelwright": "application", "torch": "framework", "python": "platform"}
_SHA256 = re.compile(r"[0-9a-f]{64}")


def bill_of_materials(version: Version) -> Fields:
    """The document, as JSON values. What the version does not record is left out."""
    manifest = version.manifest
    data, software = _data(manifest), _software(manifest["environment"])
    initial = _initial(manifest["spec"].get("initial"))
    used = sorted(each["bom-ref"] for each in [data, *software, *initial])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_OID, f"{version.digest} {version.name} {version.number}").urn,
        "version": 1,
        "metadata": {
            "timestamp": version.created_at,
            "tools": {"components": [{"type": "application", "name": "modelwright", "version": __version__}]},
            "component": _model(version, initial),
        },
        "components": [data, *software, *initial],
        "dependencies": [{"ref": MODEL, "dependsOn": used}, *({"ref": each} for each in used)],
    }


def _model(version: Version, initial: list[Fields]) -> Fields:
    manifest = version.manifest
    spec, license_ = manifest["spec"], manifest["spec"].get("license")
    properties = {
        "digest": version.digest,
        "job": manifest.get("job"),
        "parameters": manifest.get("parameters"),
        "epochs": (manifest.get("training") or {}).get("epochs"),
        "training_seconds": (manifest.get("training") or {}).get("seconds"),
        "loss": spec["loss"]["name"],
        "optimizer": spec["optimizer"]["name"],
        "seed": spec["training"]["seed"],
        **{name: value for name, value in manifest["environment"].items() if name not in SOFTWARE},
    }
    files = [
        {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": _sha256(digest)}
        for name, digest in sorted(member_digests(version.digest, manifest).items())
    ]
    ancestors = [{name: value for name, value in each.items() if name != "bom-ref"} for each in initial]
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": version.name,
        "version": str(version.number),
        "hashes": _sha256(version.digest),
        **({"licenses": [{"license": {"name": license_}}]} if license_ else {}),
        **({"pedigree": {"ancestors": ancestors}} if ancestors else {}),
        "components": files,
        "modelCard": _card(manifest),
        "properties": _properties(properties),
    }


def _card(manifest: Mapping[str, Any]) -> Fields:
    spec, signature = manifest["spec"], manifest["signature"]
    metrics = [
        {"type": metric, "value": str(value), "slice": part}
        for part, values in sorted(manifest["metrics"].items())
        for metric, value in sorted(values.items())
        if value is not None
    ]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": signature["task"],
            "architectureFamily": spec["model"]["kind"],
            "datasets": [{"ref": DATA}],
            "inputs": [_column(each) for each in signature["inputs"]],
            "outputs": [_column(each) for each in signature["outputs"]],
        },
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
        **({"considerations": {"useCases": [spec["notes"]]}} if spec.get("notes") else {}),
    }


def _column(column: Mapping[str, Any]) -> Fields:
    return {"format": f"{column['name']}: {column['type']}"}


def _data(manifest: Mapping[str, Any]) -> Fields:
    data, kind = manifest["data"], manifest["spec"]["data"]["kind"]
    name = str(data.get("dataset") or kind)
    properties = {"kind": kind, "rows": data.get("rows")}
    for part, about in sorted(manifest.get("split", {}).items()):
        properties |= {f"{part}.rows": about["rows"], f"{part}.digest": about["digest"]}
    return {
        "type": "data",
        "bom-ref": DATA,
        "name": name,
        **({} if data.get("version") is None else {"version": str(data["version"])}),
        "hashes": _sha256(data.get("digest")),
        "data": [{"type": "dataset", "name": name, "contents": {"properties": _properties(properties)}}],
    }


def _software(environment: Mapping[str, Any]) -> list[Fields]:
    known = {name: str(environment[name]) for name in SOFTWARE if environment.get(name) is not None}
    return [
        {
            "type": SOFTWARE[name],
            "bom-ref": name,
            "name": name,
            "version": version,
            **({"purl": f"pkg:pypi/torch@{quote(version, safe='')}"} if name == "torch" else {}),
        }
        for name, version in known.items()
    ]


def _initial(reference: str | None) -> list[Fields]:
    """The version whose weights the training began with, if there is one."""
    if reference is None:
        return []
    name, version = ModelReference.parse(reference)
    return [{"type": "machine-learning-model", "bom-ref": INITIAL, "name": name, "version": version or ""}]


def _sha256(digest: Any) -> list[Fields]:
    known = isinstance(digest, str) and _SHA256.fullmatch(digest)
    return [{"alg": "SHA-256", "content": digest}] if known else []


def _properties(values: Mapping[str, Any]) -> list[Fields]:
    return [
        {"name": f"modelwright:{name}", "value": str(value)}
        for name, value in sorted(values.items())
        if value is not None
    ]
