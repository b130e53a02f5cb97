"""The example for KubeRay: YAML, pods that Kubernetes would take, and a command that exists with options that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from vitrina.cli.main import app

kubernetes_validate = pytest.importorskip("kubernetes_validate")
yaml = pytest.importorskip("yaml")

EXAMPLE = Path(__file__).parents[1] / "examples" / "kuberay" / "rayjob.yaml"
JOB = yaml.safe_load(EXAMPLE.read_text())
CLUSTER = JOB["spec"]["rayClusterSpec"]
GROUPS = [CLUSTER["headGroupSpec"], *CLUSTER["workerGroupSpecs"]]


def test_it_is_a_job_with_a_cluster():
    assert (JOB["apiVersion"], JOB["kind"]) == ("ray.io/v1", "RayJob")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,45}[a-z0-9])?", JOB["metadata"]["name"])  # KubeRay adds endings to it
    assert JOB["spec"]["shutdownAfterJobFinishes"] is True
    assert all(isinstance(value, str) for group in GROUPS for value in group["rayStartParams"].values())
    for group in CLUSTER["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_its_ray_is_the_one_that_is_tested():
    pins = (EXAMPLE.parents[2] / "constraints.txt").read_text()
    assert CLUSTER["rayVersion"] == re.search(r"^ray==(.*)$", pins, re.MULTILINE)[1]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.get("groupName", "head"))
def test_pods_are_pods(group):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]}
    kubernetes_validate.validate(pod, "1.31", strict=True)
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    claimed = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == claimed


def test_the_command_exists_and_its_files_are_on_the_shared_volume():
    program, command, *words = shlex.split(JOB["spec"]["entrypoint"])
    assert program == "vitrina"
    found = typer.main.get_command(app).commands[command]
    with found.make_context(command, words) as context:
        given = context.params
    paths = [given["artifact"], given["data"], given["out"]]
    mounts = [mount["mountPath"] for group in GROUPS for mount in group["template"]["spec"]["containers"][0]["volumeMounts"]]
    assert all(Path(path).is_relative_to(mounts[0]) for path in paths)
    assert (given["engine"], given["cluster"]) == ("ray", "auto")
    cpus = [
        int(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"]) * group["replicas"]
        for group in CLUSTER["workerGroupSpecs"]
    ]
    assert given["workers"] == sum(cpus)
