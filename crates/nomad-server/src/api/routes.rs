//! The table of all endpoints.
//!
//! To add an endpoint, add its operation here; no other place must change. A test says how to bring
//! `docs/openapi.json` up to date.

use std::future::ready;

use crate::acl::access::{Capability, Level, Rule};
use crate::api::list::list;
use crate::api::parameter::{
    BLOCKING, COMMON, FORCE, FORCE_GONE, HEALTH, NAMESPACE, NODE, PROVIDER_PAGE, Parameter,
    SECRETS, SNAPSHOT, TELEMETRY,
};
use crate::api::route::{Answer, Operation, Otherwise, Route, Verb};
use crate::api::{
    agent, feed, group_claims, host_volumes, jobs, metrics, namespaces, nodes, openapi, operator,
    plugins, pools, provided, search, status, volumes,
};

const GET: &[Verb] = &[Verb::Get];
const PUT: &[Verb] = &[Verb::Put];
const DELETE: &[Verb] = &[Verb::Delete];
const PUT_OR_POST: &[Verb] = &[Verb::Put, Verb::Post];

/// Parameters of a write in a namespace.
const WRITE: &[&[Parameter]] = &[NAMESPACE, COMMON];

/// Parameters of a read of one object.
const READ: &[&[Parameter]] = &[NAMESPACE, BLOCKING, COMMON];

const READ_VOLUME: Rule =
    Rule::Namespace(&[Capability::CsiReadVolume, Capability::CsiMountVolume, Capability::ReadJob]);
const WRITE_VOLUME: Rule = Rule::Namespace(&[Capability::CsiWriteVolume]);
const REGISTER_VOLUMES: Rule =
    Rule::All(&[Rule::Plugin(Level::Read), Rule::Somewhere(&[Capability::CsiWriteVolume])]);

const DELETE_EXTERNAL: Rule = Rule::All(&[Rule::Plugin(Level::Read), WRITE_VOLUME]);
const CREATE_SNAPSHOTS: Rule = REGISTER_VOLUMES;
const DETACH_VOLUME: Rule =
    Rule::All(&[Rule::Plugin(Level::Read), Rule::Namespace(&[Capability::CsiMountVolume])]);
const LIST_EXTERNAL: Rule = Rule::Namespace(&[
    Capability::CsiListVolume,
    Capability::CsiReadVolume,
    Capability::CsiMountVolume,
    Capability::ListJobs,
]);

/// Parameters of a write whose provider may need secrets.
const WRITE_WITH_SECRETS: &[&[Parameter]] = &[SECRETS, NAMESPACE, COMMON];
/// Parameters of a list that a provider returns.
const OF_PROVIDER: &[&[Parameter]] = &[PROVIDER_PAGE, SECRETS, NAMESPACE, COMMON];

const VOLUMES: &str = "`Volumes`: the volumes, with the fields of a read volume, and `Secrets`.";
const VOLUMES_WRITTEN: Answer =
    Answer::Object("The stored `Volumes`, `Warnings`, and the `Index`.");
const CREATE_HOST_VOLUME: Rule =
    Rule::Somewhere(&[Capability::HostVolumeCreate, Capability::HostVolumeWrite]);
const REGISTER_HOST_VOLUME: Rule =
    Rule::Somewhere(&[Capability::HostVolumeRegister, Capability::HostVolumeWrite]);
const NAMESPACE_BODY: &str = "The namespace: `Name`, which must equal that of the path if both are present, \
     `Description`, `Capabilities`, `NodePoolConfiguration`, `VaultConfiguration`, \
     `ConsulConfiguration`, `Meta`, `RequiredExtraClaims` and `OptionalExtraClaims`.";
const HOST_VOLUME: &str = "`Volume`: the volume, with the fields of a read host volume.";
const HOST_VOLUME_WRITTEN: Answer =
    Answer::Object("The stored `Volume`, `Warnings`, and the `Index`.");
const READ_JOB: Rule = Rule::Namespace(jobs::READ_JOB);
/// Health checks and clients that look for a leader send no token.
const ANYBODY: Rule = Rule::Rows(&[]);

/// Creates an operation whose list is always empty.
const fn none(id: &'static str) -> Operation {
    let rule = Rule::Namespace(&[Capability::ListJobs, Capability::ReadJob]);
    Operation::new(GET, id, rule, |call| Box::pin(ready(jobs::none(&call))))
        .summary("Returns an empty list: this server schedules nothing.")
        .parameters(READ)
        .answer(Answer::Object("An empty array."))
}

const INDEX: Answer = Answer::Object("The `Index` of the change.");
const CLAIM: &str =
    "`AllocationID`, `NodeID`, `ExternalNodeID`, `Mode`, `AccessMode`, `AttachmentMode`, `State`.";

/// Every route. The first one that fits a path counts.
pub(crate) static ROUTES: &[Route] = &[
    Route {
        path: "/v1/volumes",
        operations: &[
            list::<volumes::CsiVolumeList>().of_type("csi"),
            list::<host_volumes::HostVolumeList>().of_type("host"),
            Operation::new(GET, "listNoVolumes", Rule::Token, |call| {
                Box::pin(ready(volumes::untyped(&call)))
            })
            .summary("Returns an empty list: `type` is required to list volumes.")
            .answer(Answer::Object("An empty list.")),
            Operation::new(PUT_OR_POST, "registerVolumes", REGISTER_VOLUMES, |call| {
                Box::pin(volumes::put(call))
            })
            .summary("Registers the CSI volumes of the body, all or none.")
            .parameters(WRITE)
            .body(VOLUMES)
            .answer(VOLUMES_WRITTEN),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/volume/csi/",
        operations: &[],
        otherwise: Otherwise::Bad("missing volume ID"),
    },
    Route {
        path: "/v1/volume/csi/{id}",
        operations: &[
            Operation::new(GET, "readCsiVolume", READ_VOLUME, |call| Box::pin(volumes::get(call)))
                .summary("Reads a CSI volume.")
                .parameters(READ)
                .blocks()
                .answer(Answer::Object("The volume.")),
            Operation::new(PUT, "registerCsiVolume", REGISTER_VOLUMES, |call| {
                Box::pin(volumes::put(call))
            })
            .summary("Registers the volumes of the body; the ID in the path is ignored.")
            .parameters(WRITE)
            .body(VOLUMES)
            .answer(VOLUMES_WRITTEN),
            Operation::new(DELETE, "deregisterCsiVolume", WRITE_VOLUME, |call| {
                Box::pin(volumes::delete(call))
            })
            .summary("Deregisters a CSI volume.")
            .parameters(&[FORCE, NAMESPACE, COMMON]),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/volume/csi/{id}/create",
        operations: &[Operation::new(PUT, "createCsiVolume", REGISTER_VOLUMES, |call| {
            Box::pin(volumes::create(call))
        })
        .summary("Creates the volumes of the body at their storage providers.")
        .parameters(WRITE)
        .body(VOLUMES)
        .answer(VOLUMES_WRITTEN)],
        otherwise: Otherwise::NotFoundFor(&[Verb::Delete]),
    },
    Route {
        path: "/v1/volume/csi/{id}/delete",
        operations: &[Operation::new(DELETE, "deleteCsiVolume", DELETE_EXTERNAL, |call| {
            Box::pin(volumes::delete_external(call))
        })
        .summary("Deletes an unclaimed CSI volume at its storage provider, and deregisters it.")
        .parameters(WRITE_WITH_SECRETS)],
        otherwise: Otherwise::NotFoundFor(&[Verb::Put]),
    },
    Route {
        path: "/v1/volume/csi/{id}/detach",
        operations: &[Operation::new(DELETE, "detachCsiVolume", DETACH_VOLUME, |call| {
            Box::pin(volumes::detach(call))
        })
        .summary("Releases the claims on a CSI volume whose allocations on a node have ended.")
        .parameters(&[NODE, NAMESPACE, COMMON])],
        otherwise: Otherwise::NotFoundFor(&[Verb::Put]),
    },
    Route {
        path: "/v1/volume/csi/{id}/{action}",
        operations: &[],
        otherwise: Otherwise::NotFoundFor(&[Verb::Put, Verb::Delete]),
    },
    Route { path: "/v1/volume/csi/{*}", operations: &[], otherwise: Otherwise::NotFound },
    Route {
        path: "/v1/volume/host/create",
        operations: &[
            Operation::new(PUT_OR_POST, "createHostVolume", CREATE_HOST_VOLUME, |call| {
                Box::pin(host_volumes::create(call))
            })
            .summary("Creates or updates a host volume on a node.")
            .parameters(WRITE)
            .body(HOST_VOLUME)
            .answer(HOST_VOLUME_WRITTEN),
        ],
        otherwise: Otherwise::Next,
    },
    Route {
        path: "/v1/volume/host/register",
        operations: &[
            Operation::new(PUT_OR_POST, "registerHostVolume", REGISTER_HOST_VOLUME, |call| {
                Box::pin(host_volumes::register(call))
            })
            .summary("Registers an existing host volume of a node, or updates one.")
            .parameters(WRITE)
            .body(HOST_VOLUME)
            .answer(HOST_VOLUME_WRITTEN),
        ],
        otherwise: Otherwise::Next,
    },
    Route {
        path: "/v1/volume/host/{id}",
        operations: &[READ_HOST_VOLUME, DELETE_HOST_VOLUME],
        otherwise: Otherwise::NotFound,
    },
    // Nomad ignores further segments: command/agent/host_volume_endpoint.go, HostVolumeSpecificRequest.
    Route {
        path: "/v1/volume/host/{id}/{*}",
        operations: &[READ_HOST_VOLUME, DELETE_HOST_VOLUME],
        otherwise: Otherwise::NotFound,
    },
    Route { path: "/v1/volume/host/{*}", operations: &[], otherwise: Otherwise::NotFound },
    Route {
        path: "/v1/volumes/external",
        operations: &[Operation::new(GET, "listExternalVolumes", LIST_EXTERNAL, |call| {
            Box::pin(provided::volumes(call))
        })
        .summary("Lists the volumes of a storage provider, registered or not.")
        .parameters(OF_PROVIDER)
        .answer(Answer::Object("`Volumes`, and the provider's `NextToken`."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/volumes/snapshot",
        operations: &[
            Operation::new(GET, "listSnapshots", LIST_EXTERNAL, |call| {
                Box::pin(provided::snapshots(call))
            })
            .summary("Lists the snapshots of a storage provider.")
            .parameters(OF_PROVIDER)
            .answer(Answer::Object("`Snapshots`, and the provider's `NextToken`.")),
            Operation::new(PUT_OR_POST, "createSnapshots", CREATE_SNAPSHOTS, |call| {
                Box::pin(provided::create_snapshots(call))
            })
            .summary("Creates snapshots of volumes.")
            .parameters(WRITE)
            .body("`Snapshots`: `SourceVolumeID`, `Name`, `PluginID`, `Secrets`, `Parameters`.")
            .answer(Answer::Object("The created `Snapshots`.")),
            Operation::new(DELETE, "deleteSnapshot", DELETE_EXTERNAL, |call| {
                Box::pin(provided::delete_snapshot(call))
            })
            .summary("Deletes a snapshot.")
            .parameters(&[SNAPSHOT, SECRETS, NAMESPACE, COMMON]),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/volumes/claims",
        operations: &[list::<group_claims::TaskGroupClaimList>()],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/volumes/claim/{id}",
        operations: &[DELETE_GROUP_CLAIM],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/volumes/claim/{id}/{*}",
        operations: &[DELETE_GROUP_CLAIM],
        otherwise: Otherwise::Method,
    },
    Route { path: "/v1/volumes/claim/{*}", operations: &[], otherwise: Otherwise::NotFound },
    Route {
        path: "/v1/volume/claim/{id}",
        operations: &[DELETE_GROUP_CLAIM],
        otherwise: Otherwise::Method,
    },
    Route { path: "/v1/volume/claim/{*}", operations: &[], otherwise: Otherwise::NotFound },
    Route {
        path: "/v1/plugins",
        operations: &[
            list::<plugins::CsiPluginList>().of_type("csi"),
            Operation::new(GET, "listNoPlugins", Rule::Token, |call| {
                Box::pin(ready(plugins::untyped(&call)))
            })
            .summary("Returns an empty list: only plugins of type `csi` are listed.")
            .answer(Answer::Object("An empty list.")),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/plugin/csi/",
        operations: &[],
        otherwise: Otherwise::Bad("missing plugin ID"),
    },
    Route { path: "/v1/plugin/csi/{id}", operations: &[READ_PLUGIN], otherwise: Otherwise::Method },
    // Nomad ignores one more segment: command/agent/csi_endpoint.go, CSIPluginSpecificRequest.
    Route {
        path: "/v1/plugin/csi/{id}/{ignored}",
        operations: &[READ_PLUGIN],
        otherwise: Otherwise::Method,
    },
    Route { path: "/v1/plugin/csi/{*}", operations: &[], otherwise: Otherwise::NotFound },
    Route {
        path: "/v1/nodes",
        operations: &[list::<nodes::NodeList>()],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/node/pools",
        operations: &[list::<pools::NodePoolList>()],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/node/pool/{name}",
        operations: &[Operation::new(GET, "readNodePool", Rule::Node(Level::Read), |call| {
            Box::pin(pools::get(call))
        })
        .summary("Reads a node pool.")
        .parameters(&[BLOCKING, COMMON])
        .blocks()
        .answer(Answer::Object("The node pool."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/node/pool/{name}/nodes",
        operations: &[Operation::new(GET, "listNodesOfPool", Rule::Node(Level::Read), |call| {
            Box::pin(pools::nodes(call))
        })
        .summary("Lists the nodes of a node pool, by ID.")
        .parameters(&[BLOCKING, COMMON])
        .blocks()
        .answer(Answer::Object("An array of nodes, as in their list."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/node/{id}",
        operations: &[Operation::new(GET, "readNode", Rule::Node(Level::Read), |call| {
            Box::pin(nodes::get(call))
        })
        .summary("Reads a node.")
        .parameters(&[BLOCKING, COMMON])
        .blocks()
        .answer(Answer::Object("The node."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/node/{id}/allocations",
        operations: &[Operation::new(GET, "listAllocationsOfNode", Rule::Node(Level::Read), |call| {
            Box::pin(jobs::of_node(call))
        })
        .summary("Lists the allocations on a node, by ID.")
        .parameters(&[BLOCKING, COMMON])
        .blocks()
        .answer(Answer::Object("An array of allocations."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/jobs",
        operations: &[list::<jobs::JobList>()],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}",
        operations: &[Operation::new(GET, "readJob", READ_JOB, |call| Box::pin(jobs::get(call)))
            .summary("Reads a job: the fields that concern volumes and plugins.")
            .parameters(READ)
            .blocks()
            .answer(Answer::Object("The job."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}/summary",
        operations: &[Operation::new(GET, "summariseJob", READ_JOB, |call| {
            Box::pin(jobs::summary(call))
        })
        .summary("Counts the allocations of a job.")
        .parameters(READ)
        .blocks()
        .answer(Answer::Object("`Summary` by task group."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}/versions",
        operations: &[Operation::new(GET, "listVersionsOfJob", READ_JOB, |call| {
            Box::pin(jobs::versions(call))
        })
        .summary("Lists the versions of a job; only the latest one is kept.")
        .parameters(READ)
        .blocks()
        .answer(Answer::Object("`Versions`, and `Diffs`, which is null."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}/allocations",
        operations: &[Operation::new(GET, "listAllocationsOfJob", READ_JOB, |call| {
            Box::pin(jobs::allocations(call))
        })
        .summary("Lists the allocations of a job, by ID.")
        .parameters(READ)
        .blocks()
        .answer(Answer::Object("An array of allocations."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}/evaluations",
        operations: &[none("listEvaluationsOfJob")],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}/deployments",
        operations: &[none("listDeploymentsOfJob")],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/job/{id}/deployment",
        operations: &[Operation::new(GET, "readDeploymentOfJob", READ_JOB, |call| {
            Box::pin(ready(jobs::no_deployment(&call)))
        })
        .summary("Reads the last deployment of a job: always none.")
        .parameters(READ)
        .answer(Answer::Object("`null`."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/allocations",
        operations: &[list::<jobs::AllocationList>()],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/allocation/{id}",
        operations: &[Operation::new(GET, "readAllocation", Rule::Somewhere(jobs::READ_JOB), |call| {
            Box::pin(jobs::allocation(call))
        })
        .summary("Reads an allocation.")
        .parameters(READ)
        .blocks()
        .answer(Answer::Object("The allocation, with its job."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/evaluations",
        operations: &[none("listEvaluations")],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/deployments",
        operations: &[none("listDeployments")],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/status/leader",
        operations: &[Operation::new(GET, "leader", ANYBODY, |call| {
            Box::pin(ready(agent::leader(&call)))
        })
        .summary("Returns the address of the leader, which is this server.")
        .parameters(&[COMMON])
        .answer(Answer::Object("An address and its port, a string."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/status/peers",
        operations: &[Operation::new(GET, "peers", ANYBODY, |call| {
            Box::pin(ready(agent::peers(&call)))
        })
        .summary("Returns the addresses of all servers: only this one.")
        .parameters(&[COMMON])
        .answer(Answer::Object("An array of strings."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/regions",
        operations: &[Operation::new(GET, "listRegions", ANYBODY, |call| {
            Box::pin(ready(agent::regions(&call)))
        })
        .summary("Returns the regions: `global`.")
        .parameters(&[COMMON])
        .answer(Answer::Object("An array of strings."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/agent/health",
        operations: &[Operation::new(GET, "agentHealth", ANYBODY, |call| {
            Box::pin(ready(agent::health(&call)))
        })
        .summary("Returns the health of the server; 500 while its store rejects writes.")
        .parameters(&[HEALTH, COMMON])
        .answer(Answer::Object("`server` and `client`, each with `ok` and `message`."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/agent/self",
        operations: &[Operation::new(GET, "agentSelf", Rule::Operator(Level::Read), |call| {
            Box::pin(ready(agent::own(&call)))
        })
        .summary("Describes this server like a Nomad agent.")
        .parameters(&[COMMON])
        .answer(Answer::Object("`config`, `member` and `stats`."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/agent/members",
        operations: &[Operation::new(GET, "agentMembers", Rule::Node(Level::Read), |call| {
            Box::pin(ready(agent::members(&call)))
        })
        .summary("Lists the servers of the region: only this one.")
        .parameters(&[COMMON])
        .answer(Answer::Object("`ServerName`, `ServerRegion`, `ServerDC` and `Members`."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/agent/servers",
        operations: &[Operation::new(GET, "agentServers", Rule::Operator(Level::Read), |call| {
            Box::pin(ready(agent::peers(&call)))
        })
        .summary("Returns the addresses of the servers that this machine's node reports to.")
        .parameters(&[COMMON])
        .answer(Answer::Object("An array of strings."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/metrics",
        operations: &[Operation::new(GET, "nomadMetrics", Rule::Operator(Level::Read), |call| {
            Box::pin(agent::telemetry(call))
        })
        .summary("Returns metrics under Nomad's names: jobs, allocations, nodes, the index.")
        .parameters(&[TELEMETRY, COMMON])
        .answer(Answer::ObjectOrText("`Timestamp` and `Gauges`; text with `format=prometheus`."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/operator/snapshot",
        operations: &[
            Operation::new(GET, "saveSnapshot", Rule::Management, |call| {
                Box::pin(operator::save(call))
            })
            .summary("Returns a backup of the store, as `statehold backup` writes it.")
            .parameters(&[COMMON])
            .answer(Answer::Bytes("The backup; `Digest` has its SHA-256.")),
            Operation::new(PUT_OR_POST, "restoreSnapshot", Rule::Management, |_| {
                Box::pin(ready(operator::restore()))
            })
            .summary("Always fails with 501; use `statehold restore` to restore a backup.")
            .parameters(&[COMMON]),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/search/fuzzy",
        operations: &[Operation::new(PUT_OR_POST, "searchFuzzy", Rule::Token, |call| {
            Box::pin(search::fuzzy(call))
        })
        .summary("Finds objects whose name contains a string, among those visible to the caller.")
        .parameters(READ)
        .blocks()
        .body("`Text`, of at least 2 characters, and `Context`: the kind of objects, `all` when absent.")
        .answer(Answer::Object(
            "`Matches` and `Truncations` by context, at most 20 each, and the `Index`.",
        ))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/search",
        operations: &[Operation::new(PUT_OR_POST, "search", Rule::Token, |call| {
            Box::pin(search::run(call))
        })
        .summary("Finds objects whose ID starts with a prefix, among those visible to the caller.")
        .parameters(READ)
        .blocks()
        .body("`Prefix`, and `Context`: the kind of objects, `all` when absent.")
        .answer(Answer::Object(
            "`Matches` and `Truncations` by context, at most 20 IDs each, and the `Index`.",
        ))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/namespaces",
        operations: &[list::<namespaces::NamespaceList>()],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/namespace",
        operations: &[Operation::new(PUT_OR_POST, "writeNamespace", Rule::Management, |call| {
            Box::pin(namespaces::put(call))
        })
        .summary("Creates or updates the namespace of the body.")
        .parameters(&[COMMON])
        .body(NAMESPACE_BODY)],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/v1/namespace/{namespace}",
        operations: &[
            Operation::new(GET, "readNamespace", Rule::Namespace(Capability::ANY), |call| {
                Box::pin(namespaces::get(call))
            })
            .summary("Reads a namespace.")
            .parameters(&[BLOCKING, COMMON])
            .blocks()
            .answer(Answer::Object("The namespace.")),
            Operation::new(PUT_OR_POST, "writeNamedNamespace", Rule::Management, |call| {
                Box::pin(namespaces::put(call))
            })
            .summary("Creates or updates a namespace.")
            .parameters(&[COMMON])
            .body(NAMESPACE_BODY),
            Operation::new(DELETE, "deleteNamespace", Rule::Management, |call| {
                Box::pin(namespaces::delete(call))
            })
            .summary("Deletes an empty namespace.")
            .parameters(&[COMMON]),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/nodes/{id}",
        operations: &[
            Operation::new(PUT, "feedNode", Rule::Node(Level::Write), |call| {
                Box::pin(feed::put_node(call))
            })
            .summary("Creates or replaces a node with the fingerprints of its plugins.")
            .parameters(&[COMMON])
            .body("The node.")
            .answer(INDEX),
            Operation::new(DELETE, "forgetNode", Rule::Node(Level::Write), |call| {
                Box::pin(feed::delete_node(call))
            })
            .summary("Deletes a node.")
            .parameters(&[COMMON])
            .answer(INDEX),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/allocations/{id}",
        operations: &[
            Operation::new(PUT, "feedAllocation", Rule::Node(Level::Write), |call| {
                Box::pin(feed::put_allocation(call))
            })
            .summary("Creates or replaces an allocation.")
            .parameters(&[COMMON])
            .body("The allocation.")
            .answer(INDEX),
            Operation::new(DELETE, "forgetAllocation", Rule::Node(Level::Write), |call| {
                Box::pin(feed::delete_allocation(call))
            })
            .summary("Deletes an allocation.")
            .parameters(&[COMMON])
            .answer(INDEX),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/jobs/{namespace}/{id}",
        operations: &[
            Operation::new(PUT, "feedJob", Rule::Node(Level::Write), |call| {
                Box::pin(feed::put_job(call))
            })
            .summary("Creates or replaces a job.")
            .parameters(&[COMMON])
            .body("The job.")
            .answer(INDEX),
            Operation::new(DELETE, "forgetJob", Rule::Node(Level::Write), |call| {
                Box::pin(feed::delete_job(call))
            })
            .summary("Deletes a job.")
            .parameters(&[COMMON])
            .answer(INDEX),
        ],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/volume/csi/{id}/claims",
        operations: &[Operation::new(GET, "readCsiVolumeClaims", READ_VOLUME, |call| {
            Box::pin(volumes::claims(call))
        })
        .summary("Lists the claims on a CSI volume: holder, age, and the event that releases each.")
        .parameters(READ)
        .blocks()
        .answer(Answer::Object("An array of claims."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/volume/csi/{id}/claim",
        operations: &[Operation::new(PUT, "claimCsiVolume", Rule::Node(Level::Write), |call| {
            Box::pin(feed::claim(call))
        })
        .summary("Claims a volume, or advances the release of a claim.")
        .parameters(WRITE)
        .body(CLAIM)
        .answer(Answer::Object(
            "The stored `Volume`, with the counts of its claims and without their allocations, \
             the `PublishContext`, and the `Index`.",
        ))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/volume/csi/{id}/unpublish",
        operations: &[Operation::new(
            PUT,
            "unpublishCsiVolume",
            Rule::Node(Level::Write),
            |call| Box::pin(feed::unpublish(call)),
        )
        .summary("Releases a claim as far as possible without the provider.")
        .parameters(WRITE)
        .body(CLAIM)
        .answer(INDEX)],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/status",
        operations: &[Operation::new(GET, "status", Rule::Operator(Level::Read), |call| {
            Box::pin(ready(status::status(&call)))
        })
        .summary("Returns the state of the server.")
        .parameters(&[COMMON])
        .answer(Answer::Object(
            "`Version`, `UptimeSeconds`, `StoreID`, `Index`, `HostVolumesRestoring` and \
             `HostVolumesRestoringIDs`, `LogLinesDropped`, `Writable` and the `Failure` that ended it, \
             `Parked` requests, `Connections`, `Rows` by table, \
             `Files` of the data directory with their sizes.",
        ))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/metrics",
        operations: &[Operation::new(GET, "metrics", Rule::Operator(Level::Read), |call| {
            Box::pin(ready(metrics::serve(&call)))
        })
        .summary("Returns the server's metrics for Prometheus.")
        .answer(Answer::Text("application/openmetrics-text", "OpenMetrics."))],
        otherwise: Otherwise::Method,
    },
    Route {
        path: "/statehold/v1/openapi.json",
        operations: &[Operation::new(GET, "openapi", Rule::Operator(Level::Read), |call| {
            Box::pin(ready(openapi::serve(&call)))
        })
        .summary("Returns this document.")
        .parameters(&[COMMON])
        .answer(Answer::Object("An OpenAPI 3.1 document."))],
        otherwise: Otherwise::Method,
    },
];

const READ_HOST_VOLUME: Operation =
    Operation::new(GET, "readHostVolume", Rule::Namespace(&[Capability::HostVolumeRead]), |call| {
        Box::pin(host_volumes::get(call))
    })
    .summary("Reads a host volume.")
    .parameters(READ)
    .blocks()
    .answer(Answer::Object("The volume, with the allocations that use it."));

const DELETE_HOST_VOLUME: Operation = Operation::new(
    DELETE,
    "deleteHostVolume",
    Rule::Namespace(&[Capability::HostVolumeDelete, Capability::HostVolumeWrite]),
    |call| Box::pin(host_volumes::delete(call)),
)
.summary("Deletes a host volume, with its data if a plugin created it.")
.parameters(&[FORCE_GONE, NAMESPACE, COMMON])
.answer(INDEX);

const DELETE_GROUP_CLAIM: Operation = Operation::new(
    DELETE,
    "deleteTaskGroupClaim",
    Rule::Namespace(&[Capability::HostVolumeDelete, Capability::HostVolumeWrite]),
    |call| Box::pin(group_claims::delete(call)),
)
.summary("Deletes the claim of a task group on a host volume.")
.parameters(WRITE);

const READ_PLUGIN: Operation =
    Operation::new(GET, "readCsiPlugin", Rule::Plugin(Level::Read), |call| {
        Box::pin(plugins::get(call))
    })
    .summary("Reads a CSI plugin.")
    .parameters(READ)
    .blocks()
    .answer(Answer::Object("The plugin, with its allocations of the namespace."));
