"""The manifests, put together as kustomize would, against Kubernetes' own schemas."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from common.queue import INDEX
from common.settings import PREFIX, Settings
from tests.unit.deploy.files import read

ROOT = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
FORMS = ["base", "overlays/gpu", "overlays/age"]
Manifest = dict[str, Any]


def rendered(folder: Path) -> list[Manifest]:
    """Return the resources of a kustomization, patched: of kustomize, what is used here."""
    asked = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert set(asked) <= {"apiVersion", "kind", "namespace", "resources", "patches"}
    found: list[Manifest] = []
    for name in asked["resources"]:
        path = (folder / name).resolve()
        found += rendered(path) if path.is_dir() else documents(path)
    for patch in asked.get("patches", ()):
        chosen = [one for one in found if is_target(one, patch["target"])]
        assert chosen, f"{patch['target']} is nothing"
        for one in chosen:
            for step in yaml.safe_load(patch["patch"]):
                apply(one, step)
    if "namespace" in asked:
        for one in found:
            if one["kind"] != "Namespace":
                one["metadata"]["namespace"] = asked["namespace"]
    return found


def documents(path: Path) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(path.read_text()) if one]


def is_target(one: Manifest, target: dict[str, str]) -> bool:
    return (one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"])


def apply(document: Any, step: dict[str, Any]) -> None:
    """Do one step of a JSON patch (RFC 6902)."""
    *parents, last = (
        part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]
    )
    for part in parents:
        document = document[int(part) if isinstance(document, list) else part]
    if isinstance(document, list) and last == "-":
        document.append(step["value"])
        return
    key: Any = int(last) if isinstance(document, list) else last
    assert step["op"] == "add" or (step["op"] == "replace" and document[key] is not None)
    document[key] = step["value"]


@pytest.fixture(params=FORMS)
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return [*rendered(ROOT / request.param), *documents(ROOT / "first-key.yaml")]


def pods(manifests: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield each resource that makes pods, and the pods' specification."""
    for one in manifests:
        if one["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield one, one["spec"]["template"]["spec"]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (one,) = (one for one in manifests if is_target(one, {"kind": kind, "name": name}))
    return one


def by_name(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(one["kind"], one["metadata"]["name"]): one for one in manifests}


def test_every_resource_keeps_to_its_schema(manifests: list[Manifest]) -> None:
    """KEDA's are its own; another test looks at their structure."""
    known = [one for one in manifests if not one["apiVersion"].startswith("keda.sh/")]
    for one in known:
        kubernetes_validate.validate(one, "1.33", strict=True)
    assert len(manifests) - len(known) == 2
    assert len(by_name(manifests)) == len(manifests)


@pytest.mark.parametrize("form", FORMS)
def test_kustomize_makes_the_same_of_them(form: str) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl, which would render the manifests, is not on this machine")
    command = ["kubectl", "kustomize", str(ROOT / form)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    theirs = [one for one in yaml.safe_load_all(done.stdout) if one]
    assert by_name(theirs) == by_name(rendered(ROOT / form))


def test_nobody_is_root_gains_anything_or_writes_to_the_root(manifests: list[Manifest]) -> None:
    """What the namespace's label asks for: the standard `restricted`."""
    for owner, pod in pods(manifests):
        name = owner["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            confined = container["securityContext"]
            assert confined["allowPrivilegeEscalation"] is False
            assert confined["readOnlyRootFilesystem"] is True
            assert confined["capabilities"] == {"drop": ["ALL"]}
            mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
            assert "/tmp" in mounted
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def test_secrets_are_only_referred_to(manifests: list[Manifest]) -> None:
    assert not [one for one in manifests if one["kind"] == "Secret"]
    for _, pod in pods(manifests):
        for variable in pod["containers"][0].get("env", ()):
            if re.search("PASSWORD|KEY|AUTH", variable["name"]):
                assert variable["valueFrom"]["secretKeyRef"]["name"] == "needle"
                assert "value" not in variable


def test_every_variable_is_a_setting(manifests: list[Manifest]) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    shared = named(manifests, "ConfigMap", "settings")["data"]
    for _, pod in pods(manifests):
        given = dict(shared)
        for variable in pod["containers"][0].get("env", ()):
            given[variable["name"]] = variable.get("value", "of a secret")
        ours = {name: value for name, value in given.items() if name.startswith(PREFIX)}
        assert set(ours) <= known
        if "settings" in str(pod["containers"][0].get("envFrom")):
            Settings.from_env(ours)


def test_a_worker_that_is_told_to_end_has_the_time_to_end_its_task(
    manifests: list[Manifest],
) -> None:
    limit = int(named(manifests, "ConfigMap", "settings")["data"]["NEEDLE_TASK_TIME_LIMIT_S"])
    worker = named(manifests, "Deployment", "worker-index")
    grace = worker["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace > limit + 30, "the hard limit"
    scaling = named(manifests, "ScaledObject", "worker-index")["spec"]
    assert scaling["cooldownPeriod"] > limit


def test_probes_ask_for_progress_and_none_ends_a_pod_because_redis_is_away(
    manifests: list[Manifest],
) -> None:
    for role in ("index", "search"):
        worker = named(manifests, "Deployment", f"worker-{role}")
        (container,) = worker["spec"]["template"]["spec"]["containers"]
        assert container["args"] == [role]
        ready = ["python", "deploy/worker_health.py", role]
        assert container["startupProbe"]["exec"]["command"] == ready
        assert container["readinessProbe"]["exec"]["command"] == ready
        assert container["livenessProbe"]["exec"]["command"] == [*ready, "--moves"]
    (web,) = named(manifests, "Deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert web["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_services_and_budgets_and_claims_meet_what_they_name(manifests: list[Manifest]) -> None:
    labels = {
        owner["metadata"]["name"]: owner["spec"]["template"]["metadata"]["labels"]
        for owner, _ in pods(manifests)
        if owner["kind"] != "Job"
    }
    assert {"web", "worker-index", "worker-search", "redis", "qdrant"} == set(labels)
    for one in manifests:
        spec = one.get("spec", {})
        if one["kind"] == "Service":
            assert spec["selector"] == labels[one["metadata"]["name"]]
        if one["kind"] in ("PodDisruptionBudget", "Deployment", "StatefulSet"):
            assert spec["selector"]["matchLabels"] == labels[one["metadata"]["name"]]
    claims = {
        one["metadata"]["name"] for one in manifests if one["kind"] == "PersistentVolumeClaim"
    }
    for owner, pod in pods(manifests):
        own = {one["metadata"]["name"] for one in owner["spec"].get("volumeClaimTemplates", ())}
        volumes = {volume["name"] for volume in pod["volumes"]} | own
        assert {mount["name"] for mount in pod["containers"][0]["volumeMounts"]} <= volumes
        for volume in pod["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim is None or claim in claims
    budgets = {one["metadata"]["name"] for one in manifests if one["kind"] == "PodDisruptionBudget"}
    assert budgets == {"web", "worker-index", "worker-search"}


def test_keda_scales_index_workers_by_what_waits(manifests: list[Manifest]) -> None:
    scaling = named(manifests, "ScaledObject", "worker-index")
    assert scaling["apiVersion"] == "keda.sh/v1alpha1"
    spec = scaling["spec"]
    worker = named(manifests, "Deployment", spec["scaleTargetRef"]["name"])
    assert "replicas" not in worker["spec"], "two would say how many"
    assert 1 <= spec["minReplicaCount"] < spec["maxReplicaCount"]
    length, *more = spec["triggers"]
    assert length["type"] == "redis" and length["metadata"]["listName"] == INDEX
    assert all(isinstance(value, str) for t in spec["triggers"] for value in t["metadata"].values())
    name = length["authenticationRef"]["name"]
    (secret,) = named(manifests, "TriggerAuthentication", name)["spec"]["secretTargetRef"]
    assert secret == {"parameter": "password", "name": "needle", "key": "redis-password"}
    assert [trigger["type"] for trigger in more] in ([], ["prometheus"])


def test_a_gpu_is_asked_for_where_there_are_some() -> None:
    for form, wanted in {"base": None, "overlays/gpu": 1}.items():
        worker = named(rendered(ROOT / form), "Deployment", "worker-index")
        (container,) = worker["spec"]["template"]["spec"]["containers"]
        assert container["resources"]["limits"].get("nvidia.com/gpu") == wanted
        device = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert device["NEEDLE_DEVICE"] == ("cuda" if wanted else "cpu")


def test_images_and_redis_are_those_of_compose(manifests: list[Manifest]) -> None:
    services = read("docker-compose.yml")["services"]
    for name in ("redis", "qdrant"):
        (container,) = named(manifests, "StatefulSet", name)["spec"]["template"]["spec"][
            "containers"
        ]
        assert container["image"] == services[name]["image"]
    (redis,) = named(manifests, "StatefulSet", "redis")["spec"]["template"]["spec"]["containers"]
    theirs = " ".join(services["redis"]["command"]).replace("$$", "$")
    assert " ".join(redis["command"]).split() == theirs.split()
