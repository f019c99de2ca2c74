//! `/v1/namespaces` and `/v1/namespace/…`.

use axum::extract::{Path, Request, State};
use axum::http::{Method, Uri};
use statehold_store::{KeyRange, ReadView, WriteTxn};
use statehold_volumes::{NamespaceView, Namespaces, delete_namespace, input, upsert_namespace};

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
    let prefix = read.query.text("prefix").unwrap_or_default();
    app.read(&read, |view| {
        let range = KeyRange::<String>::prefix(prefix);
        let namespaces = view.scan::<Namespaces>(&range, read.order).map(NamespaceView::new);
        Rendered::new(&namespaces.collect::<Vec<_>>(), &read)
    })
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
            let ((), index) = app.write(write, |_, _, ()| Ok(())).await?;
            Ok(reply::empty(&Meta::at(index)))
        }
        _ => Err(Reject::method()),
    }
}

async fn get(app: &App, uri: &Uri, name: &str) -> Reply {
    let read = Read::of(uri)?;
    app.read(&read, |view| {
        let namespace =
            view.get::<Namespaces>(name).ok_or_else(|| Reject::not_found("Namespace not found"))?;
        Rendered::new(&NamespaceView::new(namespace), &read)
    })
    .await
}

async fn put(app: &App, name: Option<&str>, request: Request) -> Reply {
    let namespace = input::namespace_body(&app.body(request.into_body()).await?, name)?;
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(upsert_namespace(txn, namespace)?);
    let ((), index) = app.write(write, |_, _, ()| Ok(())).await?;
    Ok(reply::empty(&Meta::at(index)))
}
