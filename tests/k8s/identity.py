"""Who a process is in the mesh: the certificate that its pods are given says its name."""

from collections.abc import Iterator

from .manifests import Manifests, container, pod, title

FOLDER = "/etc/aviary/certificates"


def certificates(manifests: Manifests) -> Iterator[str]:
    """Every process has a certificate of its own name, where its settings look for it."""
    names = {doc["spec"]["secretName"]: doc["spec"]["uris"] for doc in _leaves(manifests)}
    for doc in manifests.services():
        mounts = {each["mountPath"]: each["name"] for each in container(doc)["volumeMounts"]}
        volumes = {each["name"]: each for each in pod(doc)["volumes"]}
        secret = volumes.get(mounts.get(FOLDER, ""), {}).get("secret", {}).get("secretName")
        wanted = [f"spiffe://aviary/{container(doc)['args'][0]}"]
        if names.get(secret) != wanted:
            yield f"{title(doc)}: is {names.get(secret)}, not {wanted}"
        if manifests.values(doc).get("AVIARY_CERTIFICATE_FOLDER") != FOLDER:
            yield f"{title(doc)}: looks for its certificate elsewhere"


def probed_in_the_clear(manifests: Manifests) -> Iterator[str]:
    """No probe asks a port that wants a certificate: kubelet has none."""
    for doc in manifests.services():
        values = manifests.values(doc)
        if not values.get("AVIARY_HEALTH_PORT") or container(doc)["args"][0] == "edge":
            continue
        inside = any(port.get("name") == "health" for port in container(doc)["ports"])
        wanted = int(values["AVIARY_HEALTH_PORT" if inside else "AVIARY_GRPC_PORT"])
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            if container(doc)[kind]["grpc"]["port"] != wanted:
                yield f"{title(doc)}: {kind} asks the port of the mesh"


def _leaves(manifests: Manifests) -> Iterator[dict[str, dict[str, list[str]]]]:
    return (doc for doc in manifests.of("Certificate") if not doc["spec"].get("isCA"))
