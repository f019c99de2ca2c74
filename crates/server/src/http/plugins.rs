//! `/v1/plugins` and `/v1/plugin/csi/…`.

use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use statehold_filter::Filter;
use statehold_store::{PageToken, ReadView, paginate};
use statehold_volumes::{CsiPlugins, PluginItem, PluginView, list_plugins};

use super::params::{Query, Read};
use super::reject::Reject;
use super::reply;
use super::{App, Rendered, Reply};

/// `/v1/plugins`: lists.
pub(crate) async fn collection(State(app): State<App>, request: Request) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reject::method());
    }
    match Query::of(request.uri()).get("type") {
        Some("csi") => list(&app, request.uri()).await,
        // Nothing is of another type, and nothing is listed without one.
        _ => Ok(reply::bare_json_body(b"[]".to_vec())),
    }
}

/// `/v1/plugin/csi/:id`: reads. One more segment is not looked at.
pub(crate) async fn one(
    State(app): State<App>,
    Path(rest): Path<String>,
    request: Request,
) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reject::method());
    }
    let mut segments = rest.split('/');
    let id = segments.next().unwrap_or_default();
    if segments.nth(1).is_some() {
        return Err(Reject::resource());
    }
    get(&app, request.uri(), id).await
}

/// `/v1/plugin/csi/`: names no plugin.
pub(crate) async fn unnamed() -> Reject {
    Reject::bad_request("missing plugin ID")
}

async fn list(app: &App, uri: &Uri) -> Reply {
    let read = Read::of(uri)?;
    let text = |name| read.query.text(name).unwrap_or_default();
    let filter: Option<Filter<PluginItem>> = read
        .query
        .text("filter")
        .map(Filter::compile)
        .transpose()
        .map_err(|error| Reject::bad_request(error.to_string()))?;
    let reverse = if read.query.get("reverse") == Some("true") { "reverse" } else { "" };
    let name = ["csi_plugins", text("prefix"), text("filter"), reverse].join("\0");
    let from = read
        .query
        .text("next_token")
        .map(|token| PageToken::parse::<String>(&name, token))
        .transpose()
        .map_err(|error| Reject::bad_request(format!("invalid next_token: {error}")))?;
    app.read(&read, |view| {
        let plugins = list_plugins(view, text("prefix"), read.order, from.as_deref())
            .map(|plugin| PluginItem::new(view, plugin))
            .filter(|item| filter.as_ref().is_none_or(|filter| filter.matches(item)));
        let page = paginate(plugins, read.per_page);
        let next = page.next.map(|item| PageToken::new::<String>(&name, &item.plugin().id));
        let stubs: Vec<_> = page.rows.iter().map(PluginItem::stub).collect();
        Rendered::page(&stubs, next, &read)
    })
    .await
}

async fn get(app: &App, uri: &Uri, id: &str) -> Reply {
    let read = Read::of(uri)?;
    app.read(&read, |view| {
        let plugin =
            view.get::<CsiPlugins>(id).ok_or_else(|| Reject::not_found("plugin not found"))?;
        Rendered::new(&PluginView::new(view, plugin, &read.namespace), &read)
    })
    .await
}
