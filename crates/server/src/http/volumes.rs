//! `/v1/volumes` and `/v1/volume/csi/…`.

use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use serde::Serialize;
use statehold_store::{HexPrefix, ReadView, Snapshot, WriteTxn};
use statehold_volumes::{
    ALL_NAMESPACES, CsiVolumes, DEFAULT_NAMESPACE, FactsReader, VolumeItem, VolumeKey, VolumeQuery,
    VolumeView, deregister, input, list_volumes, register,
};

use super::listing::Listing;
use super::params::{Query, Read};
use super::path::segments;
use super::reject::Reject;
use super::reply::Meta;
use super::{App, Rendered, Reply, reply};

/// `/v1/volumes`: lists, or registers.
pub(crate) async fn collection(State(app): State<App>, request: Request) -> Reply {
    match *request.method() {
        Method::GET | Method::HEAD => match Query::of(request.uri()).get("type") {
            None => Ok(reply::nothing(app.store())),
            Some("csi") => list(&app, request.uri()).await,
            Some(_) => Err(Reject::resource()),
        },
        Method::PUT | Method::POST => put(&app, request).await,
        _ => Err(Reject::method()),
    }
}

/// `/v1/volume/csi/:id`: reads, registers or deregisters.
pub(crate) async fn one(State(app): State<App>, request: Request) -> Reply {
    let method = request.method().clone();
    match (segments(request.uri(), "/v1/volume/csi/")?.as_slice(), method) {
        ([id, ..], _) if id.is_empty() => Err(Reject::bad_request("missing volume ID")),
        ([id], Method::GET | Method::HEAD) => get(&app, request.uri(), id).await,
        ([_], Method::PUT) => put(&app, request).await,
        ([id], Method::DELETE) => delete(&app, request.uri(), id).await,
        ([_, _], Method::PUT | Method::DELETE) => Err(Reject::resource()),
        ([_] | [_, _], _) => Err(Reject::method()),
        _ => Err(Reject::resource()),
    }
}

/// Where an item stands in the order of the listing.
fn key(item: &VolumeItem) -> (&str, &str) {
    let volume = item.volume();
    (&volume.namespace, &volume.id)
}

async fn list(app: &App, uri: &Uri) -> Reply {
    let read = Read::of(uri)?;
    let text = |name| read.query.text(name).unwrap_or_default();
    let node = read
        .query
        .text("node_id")
        .map(HexPrefix::parse_even)
        .transpose()
        .map_err(|error| Reject::bad_request(format!("invalid node_id: {error}")))?;
    let selected_by = ["prefix", "plugin_id", "node_id"];
    let listing = Listing::<VolumeItem, (String, String)>::of(&read, "csi_volumes", &selected_by)?;
    let conjuncts = listing.conjuncts();
    let query = VolumeQuery {
        conjuncts: &conjuncts,
        namespace: &read.namespace,
        prefix: text("prefix"),
        plugin_prefix: text("plugin_id"),
        node: node.as_ref(),
        order: read.order,
        from: listing.from().map(|(namespace, id)| (namespace.as_str(), id.as_str())),
    };
    app.read(
        &read,
        |view| {
            let mut facts = FactsReader::new(view);
            let volumes = list_volumes(view, &query).map(|volume| facts.item(volume));
            Ok(listing.page(volumes, |item| item, key))
        },
        |(items, next)| {
            let stubs: Vec<_> = items.iter().map(VolumeItem::stub).collect();
            Rendered::page(&stubs, next, &read)
        },
    )
    .await
}

async fn get(app: &App, uri: &Uri, id: &str) -> Reply {
    let read = Read::of(uri)?;
    let query = |view: &_| {
        let volume = ReadView::get::<CsiVolumes>(view, (&read.namespace, id))
            .filter(|_| read.namespace != ALL_NAMESPACES)
            .ok_or_else(|| Reject::not_found("volume not found"))?;
        Rendered::new(&VolumeView::new(view, volume), &read)
    };
    app.read(&read, query, Ok).await
}

/// What a registration answers.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Registered<'v> {
    volumes: Vec<VolumeView<'v>>,
    warnings: &'static str,
    index: u64,
    last_contact: u64,
    known_leader: bool,
    next_token: &'static str,
}

/// Registers the volumes of the body. The path's ID is not looked at: the body has them.
async fn put(app: &App, request: Request) -> Reply {
    let query = Query::of(request.uri());
    let body = input::register_body(&app.body(request.into_body()).await?)?;
    let namespace = match query.text("namespace") {
        Some(namespace) => namespace.to_owned(),
        None if body.namespace.is_empty() => DEFAULT_NAMESPACE.to_owned(),
        None => body.namespace.into(),
    };
    let pretty = query.pretty();
    let write =
        move |txn: &mut WriteTxn<'_>, now| Ok(register(txn, now, &namespace, body.volumes)?);
    let after = move |view: &Snapshot, keys: Vec<VolumeKey>| {
        let volumes = keys
            .iter()
            .filter_map(|key| view.get::<CsiVolumes>((&key.namespace, &key.id)))
            .map(|volume| VolumeView::new(view, volume))
            .collect();
        let registered = Registered {
            volumes,
            warnings: "",
            index: view.index(),
            last_contact: 0,
            known_leader: true,
            next_token: "",
        };
        reply::render(&registered, pretty)
    };
    let (body, index) = app.write(write, after).await?;
    Ok(reply::json_body(body, &Meta::at(index)))
}

async fn delete(app: &App, uri: &Uri, id: &str) -> Reply {
    let query = Query::of(uri);
    let force = query.flag("force")?;
    let namespace = query.namespace().to_owned();
    let id = id.to_owned();
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(deregister(txn, &namespace, &[&id], force)?);
    let ((), index) = app.write(write, |_, ()| Ok(())).await?;
    Ok(reply::empty(&Meta::at(index)))
}
