"""Creates objects through an API, each reply checked against its OpenAPI document, then has schemathesis generate
requests that name them.

    schemathesis_run.py nomad|block-storage URL DIRECTORY
"""

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import schemathesis
from schemathesis.checks import CHECKS, load_all_checks

API, URL, DIRECTORY = sys.argv[1], sys.argv[2].rstrip("/"), Path(sys.argv[3])
DOCS = Path(__file__).resolve().parent.parent / "docs"
CHECK_NAMES = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


class Api:
    def __init__(self, document, headers):
        self.path = DOCS / document
        self.document = json.loads(self.path.read_text())
        self.schema = schemathesis.openapi.from_path(self.path)
        self.headers = headers
        # Parameters of every operation, then those of some, by path and methods.
        self.parameters = {}
        self.operations = []
        self.unchecked = []

    def call(self, method, path, body=None, query=None, **path_parameters):
        """Sends a request that must succeed, and returns its body."""
        case = self.schema[path][method].Case(
            path_parameters=path_parameters,
            query=query,
            headers=self.headers,
            **({} if body is None else {"body": body, "media_type": "application/json"}),
        )
        response = case.call(base_url=URL)
        case.validate_response(response, checks=[CHECKS.get_one(name) for name in CHECK_NAMES])
        if response.status_code >= 300:
            sys.exit(f"{method} {path}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    def paths(self, prefix):
        return [path for path in self.document["paths"] if path.startswith(prefix)]

    def name(self, prefix, create, parameter="id"):
        """Has the operations below `prefix` name objects. Each path has its own, and DELETE has none, because some
        requests delete what they name."""
        for path in self.paths(prefix):
            methods = [method.upper() for method in self.document["paths"][path] if method != "delete"]
            if methods and f"{{{parameter}}}" in path:
                self.give(path, methods, {f"path.{parameter}": create()})

    def give(self, path, methods, parameters):
        self.operations += [(f"{method} {path}", parameters) for method in methods]

    def config(self):
        """Returns the configuration of schemathesis: TOML, whose strings are those of JSON."""
        lines = ["[parameters]"]
        lines += [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in self.parameters.items()]
        lines += ["[checks]", "enabled = false"]
        lines += [f"{name}.enabled = true" for name in CHECK_NAMES]
        # Methods that no document has get 404 and 405, as the tests of routes show.
        lines += ["[phases.coverage]", "unexpected-methods = []"]
        for operation, parameters in self.operations:
            pairs = ", ".join(f"{json.dumps(name)} = {json.dumps(value)}" for name, value in parameters.items())
            lines += ["[[operations]]", f"include-name = {json.dumps(operation)}", f"parameters = {{ {pairs} }}"]
        for operation in self.unchecked:
            lines += ["[[operations]]", f"include-name = {json.dumps(operation)}"]
            lines += ["checks.not_a_server_error.enabled = false"]
        return "\n".join(lines) + "\n"


def nomad():
    api = Api("openapi.json", {})
    api.parameters = {
        # Does not wait for a change.
        "query.index": 0,
        # Nomad's status for another region is 500.
        "query.region": "global",
        "path.namespace": "default",
    }
    # Restoring into a running server is refused with 501.
    api.unchecked = ["PUT /v1/operator/snapshot", "POST /v1/operator/snapshot"]
    node = api.call("GET", "/v1/nodes")[0]["ID"]
    api.name("/v1/node/{id}", lambda: node)
    api.name("/v1/node/pool/{name}", lambda: "default", "name")
    api.name("/v1/plugin/csi/{id}", lambda: "disks")
    count = iter(range(1000))

    def csi_volume():
        name = f"v{next(count)}"
        volume = {
            "ID": name,
            "Name": name,
            "PluginID": "disks",
            "RequestedCapacityMin": 1,
            "RequestedCapabilities": [
                {"AccessMode": "single-node-writer", "AttachmentMode": "file-system"}
            ],
        }
        api.call("PUT", "/v1/volume/csi/{id}/create", {"Volumes": [volume]}, id=name)
        return name

    def host_volume():
        volume = {"Name": f"h{next(count)}", "PluginID": "mkdir"}
        return api.call("PUT", "/v1/volume/host/create", {"Volume": volume})["Volume"]["ID"]

    for prefix in ["/v1/volume/csi/{id}", "/statehold/v1/volume/csi/{id}"]:
        api.name(prefix, csi_volume)
    api.name("/v1/volume/host/{id}", host_volume)
    # The document has no schema of these bodies, so that no generated one is accepted.
    api.call("PUT", "/v1/namespace", {"Name": "n1"})
    api.call("PUT", "/v1/search/fuzzy", {"Text": "disks", "Context": "all"})
    volume = csi_volume()
    snapshot = {"SourceVolumeID": volume, "PluginID": "disks", "Name": "s"}
    api.call("PUT", "/v1/volumes/snapshot", {"Snapshots": [snapshot]})
    allocation = str(uuid.UUID(int=1))
    body = {"JobID": "j", "NodeID": node, "Name": "j.g[0]", "ClientStatus": "running"}
    api.call("PUT", "/statehold/v1/allocations/{id}", body, id=allocation)
    api.name("/v1/allocation/{id}", lambda: allocation)
    claim = {"AllocationID": allocation, "NodeID": node, "Mode": 1}
    claim |= {"AccessMode": "single-node-writer", "AttachmentMode": "file-system"}
    api.call("PUT", "/statehold/v1/volume/csi/{id}/claim", claim, id=volume)
    return api


def block_storage():
    api = Api("openapi-block-storage.json", {"X-Auth-Token": "u:p"})
    version = "volume latest"
    api.headers["OpenStack-API-Version"] = version
    api.parameters = {
        "header.OpenStack-API-Version": version,
        "path.key": "k",
        "path.project": "p",
        "path.class": "default",
        "path.alias": "encryption",
        "path.field": "provider",
    }
    quotas = ["volumes", "snapshots", "gigabytes", "backups", "backup_gigabytes", "groups"]
    api.call("PUT", "/v3/os-quota-sets/{project}", {"quota_set": dict.fromkeys(quotas, -1)}, project="p")
    host = api.call("GET", "/v3/scheduler-stats/get_pools")["pools"][0]["name"]
    api.give("/v3/os-hosts/{host}", ["GET"], {"path.host": host.partition("#")[0]})
    # Changing a host is refused with 501.
    api.unchecked = ["PUT /v3/os-hosts/{host}"]
    api.name("/v3/capabilities/{host}", lambda: host, "host")
    for path in [*api.paths("/v3/manageable"), "/v3/os-volume-manage", "/v3/os-snapshot-manage"]:
        api.give(path, ["GET"], {"query.host": host})
    count = iter(range(1000))

    def create(path, member, body, **path_parameters):
        return api.call("POST", path, body, **path_parameters)[member]["id"]

    def ready(path, member, id):
        until = time.monotonic() + 60
        while api.call("GET", path, id=id)[member]["status"] in ("creating", "backing-up"):
            if time.monotonic() > until:
                sys.exit(f"{path}: {id} is not ready")
            time.sleep(0.02)
        return id

    def volume(**members):
        body = {"volume": {"size": 1, "metadata": {"k": "v"}, **members}}
        return ready("/v3/volumes/{id}", "volume", create("/v3/volumes", "volume", body))

    def snapshot():
        body = {"snapshot": {"volume_id": volume(), "metadata": {"k": "v"}}}
        return ready("/v3/snapshots/{id}", "snapshot", create("/v3/snapshots", "snapshot", body))

    def attachment():
        body = {"attachment": {"volume_uuid": volume(), "connector": {"host": "h"}}}
        return create("/v3/attachments", "attachment", body)

    def backup():
        body = {"backup": {"volume_id": volume()}}
        return ready("/v3/backups/{id}", "backup", create("/v3/backups", "backup", body))

    def transfer():
        return create("/v3/volume-transfers", "transfer", {"transfer": {"volume_id": volume()}})

    def volume_type(is_public=True):
        name = f"t{next(count)}"
        body = {"name": name, "os-volume-type-access:is_public": is_public, "extra_specs": {"k": "v"}}
        id = create("/v3/types", "volume_type", {"volume_type": body})
        encryption = {"encryption": {"provider": "luks", "control_location": "front-end"}}
        api.call("POST", "/v3/types/{id}/encryption", encryption, id=id)
        return id

    def qos():
        body = {"qos_specs": {"name": f"q{next(count)}", "k": "v"}}
        return create("/v3/qos-specs", "qos_specs", body)

    def group_type():
        body = {"group_type": {"name": f"g{next(count)}", "group_specs": {"k": "v"}}}
        return create("/v3/group_types", "group_type", body)

    plain = create("/v3/types", "volume_type", {"volume_type": {"name": "plain"}})
    kind = group_type()

    def group():
        body = {"group": {"group_type": kind, "volume_types": [plain]}}
        return ready("/v3/groups/{id}", "group", create("/v3/groups", "group", body))

    def group_snapshot():
        own = group()
        volume(group_id=own, volume_type=plain)
        body = {"group_snapshot": {"group_id": own}}
        id = create("/v3/group_snapshots", "group_snapshot", body)
        return ready("/v3/group_snapshots/{id}", "group_snapshot", id)

    def consistency_group():
        body = {"consistencygroup": {"volume_types": plain}}
        id = create("/v3/consistencygroups", "consistencygroup", body)
        return ready("/v3/consistencygroups/{id}", "consistencygroup", id)

    def cgsnapshot():
        own = consistency_group()
        volume(consistencygroup_id=own, volume_type=plain)
        id = create("/v3/cgsnapshots", "cgsnapshot", {"cgsnapshot": {"consistencygroup_id": own}})
        return ready("/v3/cgsnapshots/{id}", "cgsnapshot", id)

    api.name("/v3/types/{id}/os-volume-type-access", lambda: volume_type(False))
    for prefix, made in {
        "/v3/volumes/{id}": volume,
        "/v3/snapshots/{id}": snapshot,
        "/v3/attachments/{id}": attachment,
        "/v3/backups/{id}": backup,
        "/v3/volume-transfers/{id}": transfer,
        "/v3/os-volume-transfer/{id}": transfer,
        "/v3/types/{id}": volume_type,
        "/v3/qos-specs/{id}": qos,
        "/v3/group_types/{id}": group_type,
        "/v3/groups/{id}": group,
        "/v3/group_snapshots/{id}": group_snapshot,
        "/v3/consistencygroups/{id}": consistency_group,
        "/v3/cgsnapshots/{id}": cgsnapshot,
    }.items():
        api.name(prefix, made)
    return api


load_all_checks()
api = nomad() if API == "nomad" else block_storage()
config = DIRECTORY / f"{API}.toml"
config.write_text(api.config())
command = [Path(sys.executable).parent / "schemathesis", "--config-file", config, "run", api.path]
command += ["--url", URL, "--generation-deterministic"]
command += ["--max-examples", "5", "--continue-on-failure", "--request-timeout", "20"]
command += ["--no-color", "--warnings", "off"]
for name, value in api.headers.items():
    if name not in ("OpenStack-API-Version",):
        command += ["--header", f"{name}: {value}"]
sys.exit(subprocess.run(command, cwd=DIRECTORY, check=False).returncode)
