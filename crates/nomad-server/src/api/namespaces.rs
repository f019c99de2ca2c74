//! `/v1/namespaces` and `/v1/namespace/…`.

use statehold_filter::Filterable;
use statehold_nomad::{
    Namespace, NamespaceView, Namespaces, delete_namespace, input, upsert_namespace,
};
use statehold_store::{Entry, KeyRange, ReadView, Tracked, WriteTxn};

use crate::acl::access::{Capability, Rule};
use crate::api::Reply;
use crate::api::list::{List, ListQuery};
use crate::api::parameter::Parameter;
use crate::api::params::Read;
use crate::error::ApiError;
use crate::request::NomadRequest;

/// A namespace as filters see it.
#[derive(Debug, Filterable)]
#[filterable(rename_all = "PascalCase")]
#[filterable(computed(name = "CreateIndex", with = Self::create_index, ty = u64))]
#[filterable(computed(name = "ModifyIndex", with = Self::modify_index, ty = u64))]
pub(crate) struct NamespaceItem {
    #[filterable(flatten(deref))]
    row: Entry<Namespace>,
}

impl NamespaceItem {
    fn create_index(&self) -> u64 {
        self.row.create_index()
    }

    fn modify_index(&self) -> u64 {
        self.row.modify_index()
    }
}

/// `GET /v1/namespaces`, by name.
pub(crate) struct NamespaceList;

impl List for NamespaceList {
    const ID: &'static str = "listNamespaces";
    const SUMMARY: &'static str = "Lists namespaces, by name.";
    const RULE: Rule = Rule::Somewhere(Capability::ANY);
    const SELECTORS: &'static [Parameter] = &[Parameter::text("prefix", "A prefix of the name.")];

    type Key = String;
    type Item = NamespaceItem;
    type Stub<'i> = NamespaceView<'i>;

    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<String>,
    ) -> impl Iterator<Item = NamespaceItem> + 'v {
        let mut range = KeyRange::<String>::prefix(query.text("prefix"));
        if let Some(from) = query.from() {
            range = range.resume(from, query.order());
        }
        let rows = view.scan::<Namespaces>(&range, query.order());
        rows.map(|row| NamespaceItem { row: row.clone() })
    }

    fn key(item: &NamespaceItem) -> &str {
        &item.row.name
    }

    fn namespace(item: &NamespaceItem) -> Option<&str> {
        Some(&item.row.name)
    }

    fn stub(item: &NamespaceItem) -> NamespaceView<'_> {
        NamespaceView::new(&item.row)
    }
}

/// `GET /v1/namespace/:name`
// Nomad: command/agent/namespace_endpoint.go, HTTPServer.namespaceQuery, which has the capital letter of the message.
pub(crate) async fn get(call: NomadRequest) -> Reply {
    let read = Read::of(&call.query)?;
    call.app
        .object(&call, &read, |view, render| {
            let namespace = view
                .get::<Namespaces>(call.segment("namespace"))
                .ok_or_else(|| ApiError::not_found("Namespace not found"))?;
            render.json(&NamespaceView::new(namespace))
        })
        .await
}

/// `PUT /v1/namespace`, `PUT /v1/namespace/:name`: creates or updates a namespace.
// Nomad: command/agent/namespace_endpoint.go, HTTPServer.namespaceUpdate.
pub(crate) async fn put(mut call: NomadRequest) -> Reply {
    let name = call.segments.namespace().map(str::to_owned);
    let namespace = call.parse(|body| input::namespace_body(body, name.as_deref())).await?;
    call.app.write_silently(move |txn, _| Ok(upsert_namespace(txn, namespace)?)).await
}

/// `DELETE /v1/namespace/:name`
pub(crate) async fn delete(call: NomadRequest) -> Reply {
    let name = call.segment("namespace").to_owned();
    let write = move |txn: &mut WriteTxn<'_>, _| Ok(delete_namespace(txn, &name)?);
    call.app.write_silently(write).await
}
