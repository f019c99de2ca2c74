//! `/v1/namespaces` and `/v1/namespace/…`.

use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use statehold_store::{Entry, KeyRange, ReadView, WriteTxn};
use statehold_volumes::{
    Namespace, NamespaceView, Namespaces, delete_namespace, input, upsert_namespace,
};

use super::listing::Listing;
use super::params::Read;
use super::reject::Reject;
use super::reply::{self, Meta};
use super::{App, Rendered, Reply};

/// `/v1/namespaces`: lists.
pub(crate) async fn collection(State(app): State<App>, request: Request) -> Reply {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(Reject::method());
    }
    let read = Read::of(request.uri())?;
    let listing = Listing::<Namespace, String>::of(&read, "namespaces", &["prefix"])?;
    let prefix = read.query.text("prefix").unwrap_or_default();
    app.read(
        &read,
        |view| {
            let mut range = KeyRange::<String>::prefix(prefix);
            if let Some(from) = listing.from() {
                range = range.resume(from, read.order);
            }
            let rows = view.scan::<Namespaces>(&range, read.order).cloned();
            Ok(listing.page(rows, |row: &Entry<Namespace>| row, |row| &row.name))
        },
        |(rows, next)| {
            let views: Vec<_> = rows.iter().map(NamespaceView::new).collect();
            Rendered::page(&views, next, &read)
        },
    )
    .await
}

/// `/v1/namespace`: creates or changes the namespace that the body names.
pub(crate) async fn unnamed(State(app): State<App>, request: Request) -> Reply {
    match *request.method() {
        Method::PUT | Method::POST => put(&app, None, request).await,
        _ => Err(Reject::method()),
    }
}

/// `/v1/namespace/:name`: reads, creates, changes or deletes.
pub(crate) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
    request: Request,
) -> Reply {
    match *request.method() {
        Method::GET | Method::HEAD => get(&app, request.uri(), &name).await,
        Method::PUT | Method::POST => put(&app, Some(&name), request).await,
        Method::DELETE => {
            let write = move |txn: &mut WriteTxn<'_>, _| Ok(delete_namespace(txn, &name)?);
            let ((), index) = app.write(write, |_, ()| Ok(())).await?;
            Ok(reply::empty(&Meta::at(index)))
        }
        _ => Err(Reject::method()),
    }
}

async fn get(app: &App, uri: &Uri, name: &str) -> Reply {
    let read = Read::of(uri)?;
    let query = |view: &_| {
        let namespace = ReadView::get::<Namespaces>(view, name)
            .ok_or_else(|| Reject::not_found("Namespace not found"))?;
        Rendered::new(&NamespaceView::new(namespace), &read)
    };
    app.read(&read, query, Ok).await
}

async fn put(app: &App, name: Option<&str>, request: Request) -> Reply {
    let namespace = input::namespace_body(&app.body(request.into_body()).await?, name)?;
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(upsert_namespace(txn, namespace)?);
    let ((), index) = app.write(write, |_, ()| Ok(())).await?;
    Ok(reply::empty(&Meta::at(index)))
}
