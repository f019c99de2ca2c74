//! `/v1/plugins` and `/v1/plugin/csi/…`.

use axum::extract::{Request, State};
use axum::http::{Method, Uri};
use statehold_store::ReadView;
use statehold_volumes::{CsiPlugins, PluginItem, PluginView, list_plugins};

use super::listing::Listing;
use super::params::{Query, Read};
use super::path::segments;
use super::reject::Reject;
use super::{App, Rendered, Reply, reply};

/// `/v1/plugins`: lists.
pub(crate) async fn collection(State(app): State<App>, request: Request) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reject::method());
    }
    match Query::of(request.uri()).get("type") {
        Some("csi") => list(&app, request.uri()).await,
        // Nothing is of another type, and nothing is listed without one.
        _ => Ok(reply::nothing(app.store())),
    }
}

/// `/v1/plugin/csi/:id`: reads. One more segment is not looked at.
pub(crate) async fn one(State(app): State<App>, request: Request) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reject::method());
    }
    match segments(request.uri(), "/v1/plugin/csi/")?.as_slice() {
        [id, ..] if id.is_empty() => Err(Reject::bad_request("missing plugin ID")),
        [id] | [id, _] => get(&app, request.uri(), id).await,
        _ => Err(Reject::resource()),
    }
}

async fn list(app: &App, uri: &Uri) -> Reply {
    let read = Read::of(uri)?;
    let listing = Listing::<PluginItem, String>::of(&read, "csi_plugins", &["prefix"])?;
    let prefix = read.query.text("prefix").unwrap_or_default();
    app.read(
        &read,
        |view| {
            let from = listing.from().map(String::as_str);
            let plugins = list_plugins(view, prefix, read.order, from)
                .map(|plugin| PluginItem::new(view, plugin));
            Ok(listing.page(plugins, |item| item, |item| &item.plugin().id))
        },
        |(items, next)| {
            let stubs: Vec<_> = items.iter().map(PluginItem::stub).collect();
            Rendered::page(&stubs, next, &read)
        },
    )
    .await
}

async fn get(app: &App, uri: &Uri, id: &str) -> Reply {
    let read = Read::of(uri)?;
    let query = |view: &_| {
        let plugin = ReadView::get::<CsiPlugins>(view, id)
            .ok_or_else(|| Reject::not_found("plugin not found"))?;
        Rendered::new(&PluginView::new(view, plugin, &read.namespace), &read)
    };
    app.read(&read, query, Ok).await
}
