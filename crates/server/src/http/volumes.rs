//! `/v1/volumes` and `/v1/volume/csi/…`.

use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use serde::Serialize;
use statehold_filter::Filter;
use statehold_store::{HexPrefix, PageToken, ReadView, Snapshot, WriteTxn, paginate};
use statehold_volumes::{
    ALL_NAMESPACES, CsiVolumes, FactsReader, VolumeItem, VolumeKey, VolumeQuery, VolumeView,
    deregister, input, list_volumes, register,
};

use super::params::{NAMESPACE_DEFAULT, Query, Read};
use super::reject::Reject;
use super::reply::{self, Meta};
use super::{App, Rendered, Reply};

/// The type of volumes that is served.
const TYPE: &str = "csi";

/// The key of the table, and so of the listing's order.
type Key = (String, String);

/// `/v1/volumes`: lists, or registers.
pub(crate) async fn collection(State(app): State<App>, request: Request) -> Reply {
    match *request.method() {
        Method::GET | Method::HEAD => match Query::of(request.uri()).get("type") {
            None => Ok(reply::bare_json_body(b"[]".to_vec())),
            Some(TYPE) => list(&app, request.uri()).await,
            Some(_) => Err(Reject::resource()),
        },
        Method::PUT | Method::POST => put(&app, request).await,
        _ => Err(Reject::method()),
    }
}

/// `/v1/volume/csi/:id`: reads, registers or deregisters.
pub(crate) async fn one(
    State(app): State<App>,
    Path(rest): Path<String>,
    request: Request,
) -> Reply {
    let mut segments = rest.split('/');
    let id = segments.next().unwrap_or_default();
    match (segments.next(), segments.next()) {
        (None, _) => {}
        (Some(_), Some(_)) => return Err(Reject::resource()),
        (Some(_), None) => {
            return Err(match *request.method() {
                Method::PUT | Method::DELETE => Reject::resource(),
                _ => Reject::method(),
            });
        }
    }
    match *request.method() {
        Method::GET | Method::HEAD => get(&app, request.uri(), id).await,
        Method::PUT => put(&app, request).await,
        Method::DELETE => delete(&app, request.uri(), id).await,
        _ => Err(Reject::method()),
    }
}

/// `/v1/volume/csi/`: names no volume.
pub(crate) async fn unnamed() -> Reject {
    Reject::bad_request("missing volume ID")
}

/// The conditions of a listing.
struct Listing {
    prefix: String,
    plugin_prefix: String,
    node: Option<HexPrefix>,
    filter: Option<Filter<VolumeItem>>,
    from: Option<Key>,
    /// What a page token must have been made for.
    name: String,
}

impl Listing {
    fn of(read: &Read) -> Result<Self, Reject> {
        let query = &read.query;
        let text = |name| query.text(name).unwrap_or_default();
        let node = query
            .text("node_id")
            .map(HexPrefix::parse_even)
            .transpose()
            .map_err(|error| Reject::bad_request(format!("invalid node_id: {error}")))?;
        let filter = query
            .text("filter")
            .map(Filter::compile)
            .transpose()
            .map_err(|error| Reject::bad_request(error.to_string()))?;
        let name = [
            "csi_volumes",
            &read.namespace,
            text("prefix"),
            text("plugin_id"),
            text("node_id"),
            text("filter"),
            if query.get("reverse") == Some("true") { "reverse" } else { "" },
        ]
        .join("\0");
        let from = query
            .text("next_token")
            .map(|token| PageToken::parse::<Key>(&name, token))
            .transpose()
            .map_err(|error| Reject::bad_request(format!("invalid next_token: {error}")))?;
        Ok(Self {
            prefix: text("prefix").to_owned(),
            plugin_prefix: text("plugin_id").to_owned(),
            node,
            filter,
            from,
            name,
        })
    }
}

async fn list(app: &App, uri: &Uri) -> Reply {
    let read = Read::of(uri)?;
    let listing = Listing::of(&read)?;
    let query = VolumeQuery {
        namespace: &read.namespace,
        prefix: &listing.prefix,
        plugin_prefix: &listing.plugin_prefix,
        node: listing.node.as_ref(),
        order: read.order,
        from: listing.from.as_ref().map(|(namespace, id)| (namespace.as_str(), id.as_str())),
    };
    app.read(&read, |view| {
        let mut facts = FactsReader::new(view);
        let volumes = list_volumes(view, &query)
            .map(|volume| facts.item(volume))
            .filter(|item| listing.filter.as_ref().is_none_or(|filter| filter.matches(item)));
        let page = paginate(volumes, read.per_page);
        let next = page.next.map(|item| {
            let volume = item.volume();
            PageToken::new::<Key>(&listing.name, (&volume.namespace, &volume.id))
        });
        let stubs: Vec<_> = page.rows.iter().map(VolumeItem::stub).collect();
        Rendered::page(&stubs, next, &read)
    })
    .await
}

async fn get(app: &App, uri: &Uri, id: &str) -> Reply {
    let read = Read::of(uri)?;
    app.read(&read, |view| {
        let volume = view
            .get::<CsiVolumes>((&read.namespace, id))
            .filter(|_| read.namespace != ALL_NAMESPACES)
            .ok_or_else(|| Reject::not_found("volume not found"))?;
        Rendered::new(&VolumeView::new(view, volume), &read)
    })
    .await
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
    let namespace = match query.namespace() {
        Some(namespace) => namespace.to_owned(),
        None if body.namespace.is_empty() => NAMESPACE_DEFAULT.to_owned(),
        None => body.namespace.into(),
    };
    let pretty = query.pretty();
    let write =
        move |txn: &mut WriteTxn<'_>, now| Ok(register(txn, now, &namespace, body.volumes)?);
    let after = move |view: &Snapshot, index, keys: Vec<VolumeKey>| {
        let volumes = keys
            .iter()
            .filter_map(|key| view.get::<CsiVolumes>((&key.namespace, &key.id)))
            .map(|volume| VolumeView::new(view, volume))
            .collect();
        let registered = Registered {
            volumes,
            warnings: "",
            index,
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
    let namespace = query.namespace().unwrap_or(NAMESPACE_DEFAULT).to_owned();
    let id = id.to_owned();
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(deregister(txn, &namespace, &[&id], force)?);
    let ((), index) = app.write(write, |_, _, ()| Ok(())).await?;
    Ok(reply::empty(&Meta::at(index)))
}
