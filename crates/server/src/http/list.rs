//! Lists: one declaration for each, and everything that all of them do.
//!
//! A [`List`] says what is listed, in which order, which parameters select, what filters see and
//! what is shown. From that follow paging, filters, page tokens, watches, `reverse`, what a token's
//! holder may see, streaming, and the OpenAPI document; no handler repeats any of it.
//!
//! ```text
//! pub(crate) struct Nodes;
//!
//! impl List for Nodes {
//!     const ID: &'static str = "listNodes";
//!     const SUMMARY: &'static str = "Lists nodes.";
//!     const RULE: Rule = Rule::Node(Level::Read);
//!     const SELECTORS: &'static [Parameter] =
//!         &[Parameter::even_hex("prefix", "What the ID starts with.")];
//!     type Key = Uuid;
//!     type Item = NodeItem;
//!     type Stub<'i> = NodeStub<'i>;
//!
//!     fn rows<'v>(view: &'v Tracked, asked: &'v Asked<Uuid>) -> impl Iterator<Item = NodeItem> {
//!         list_nodes(view, asked.hex("prefix"), asked.order(), asked.from()).map(NodeItem::new)
//!     }
//!     fn key(item: &NodeItem) -> Uuid { item.id() }
//!     fn stub(item: &NodeItem) -> NodeStub<'_> { item.stub() }
//! }
//! ```
//!
//! and in the table of routes `list::<Nodes>()`, with `.of_type("host")` where `type=` tells lists of
//! one path apart.

use std::cell::OnceCell;

use serde::Serialize;
use statehold_filter::{Conjunct, Filter, Filterable, Kind as FieldKind, Schema};
use statehold_store::{
    HexPrefix, Key, Order, PAGE_SCANNED_MAX, PageToken, Ref, Tracked, paginate, paginate_matching,
};

use super::access::Rule;
use super::call::Call;
use super::parameter::{BLOCKING, COMMON, Kind, NAMESPACE, PAGING, Parameter};
use super::params::Read;
use super::reject::Reject;
use super::reply::Meta;
use super::route::{Answer, Operation, Verb};
use super::{Reply, stream};

/// A list endpoint.
pub(crate) trait List: Send + Sync + 'static {
    /// What the endpoint is called in the OpenAPI document. A page token is bound to it.
    const ID: &'static str;
    /// What it does, a sentence.
    const SUMMARY: &'static str;
    /// What a caller must be allowed. Rows of a namespace in which he isn't are left out.
    const RULE: Rule;
    /// The parameters that select rows, beside the namespace and the filter. A page token is bound to
    /// their values.
    const SELECTORS: &'static [Parameter];
    /// All parameters, of which those that lists have in common follow from this trait.
    const PARAMETERS: &'static [&'static [Parameter]] =
        &[Self::SELECTORS, NAMESPACE, PAGING, BLOCKING, COMMON];

    /// What rows are ordered by.
    type Key: Key + Send + Sync;
    /// A row with what follows from others: what filters see. It must own what it needs, and be small:
    /// those of a list are kept until they are sent.
    type Item: Filterable + Send + 'static;
    /// What is shown of a row.
    type Stub<'i>: Serialize;

    /// The rows that are asked for, in the order that is asked for, from [`Asked::from`] on. All that
    /// the rows depend on has to be read through `view`: that is what a blocking query waits on.
    fn rows<'v>(
        view: &'v Tracked,
        asked: &'v Asked<Self::Key>,
    ) -> impl Iterator<Item = Self::Item> + 'v;

    /// Where an item stands in the order.
    fn key(item: &Self::Item) -> Ref<'_, Self::Key>;

    /// The namespace of an item; `None` when such rows are in no namespace.
    fn namespace(item: &Self::Item) -> Option<&str> {
        let _ = item;
        None
    }

    /// What is shown of an item.
    fn stub(item: &Self::Item) -> Self::Stub<'_>;
}

/// The operation that serves a list.
pub(crate) const fn list<L: List>() -> Operation {
    let operation = Operation::new(&[Verb::Get], L::ID, L::RULE, |call| Box::pin(serve::<L>(call)));
    operation
        .summary(L::SUMMARY)
        .parameters(L::PARAMETERS)
        .blocks()
        .answer(Answer::List(fields::<L>))
}

/// The fields that a filter of the list can ask for.
fn fields<L: List>() -> Option<&'static Schema> {
    FieldKind::schema(L::Item::KIND)
}

/// What a request asks of a list.
#[derive(Debug)]
pub(crate) struct Asked<K> {
    read: Read,
    selectors: &'static [Parameter],
    prefixes: Vec<(&'static str, HexPrefix)>,
    conjuncts: Vec<Conjunct>,
    filter_selectors: Vec<String>,
    from: Option<K>,
}

impl<K> Asked<K> {
    /// The namespace, or `*`.
    pub(crate) fn namespace(&self) -> &str {
        &self.read.namespace
    }

    /// The value of a declared parameter, empty when it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        debug_assert!(self.selectors.iter().any(|declared| declared.name == name), "{name}");
        self.read.query.text(name).unwrap_or_default()
    }

    /// The value of a declared parameter of hex digits.
    pub(crate) fn hex(&self, name: &str) -> Option<&HexPrefix> {
        self.prefixes.iter().find(|(found, _)| *found == name).map(|(_, prefix)| prefix)
    }

    /// In which direction.
    pub(crate) fn order(&self) -> Order {
        self.read.order
    }

    /// What every row satisfies that the filter matches, for a planner.
    pub(crate) fn conjuncts(&self) -> &[Conjunct] {
        &self.conjuncts
    }

    /// Whether the filter may read the field or what is in it.
    pub(crate) fn filters_by(&self, field: &str) -> bool {
        self.filter_selectors.iter().any(|selector| selector.contains(field))
    }

    /// The key to begin at, unless at the first one. There may be no such row any more.
    pub(crate) fn from(&self) -> Option<&K> {
        self.from.as_ref()
    }
}

/// A request for a list.
struct Listing<L: List> {
    asked: Asked<L::Key>,
    filter: Option<Filter<L::Item>>,
    /// What a page token must have been made for.
    name: String,
}

/// The rows of an answer, and where the next page begins.
struct Page<L: List> {
    items: Vec<L::Item>,
    next: Option<PageToken>,
}

impl<L: List> Listing<L> {
    fn of(call: &Call) -> Result<Self, Reject> {
        let read = Read::of(&call.query)?;
        let text = |name| read.query.text(name);
        let filter = text("filter")
            .map(Filter::compile)
            .transpose()
            .map_err(|error| Reject::bad_request(error.to_string()))?;
        let mut name = format!("{}\0{}\0{:?}", L::ID, read.namespace, read.order);
        let mut prefixes = Vec::new();
        for parameter in L::SELECTORS {
            let value = text(parameter.name).unwrap_or_default();
            name.push('\0');
            name.push_str(value);
            if parameter.kind == Kind::EvenHex && !value.is_empty() {
                let prefix = HexPrefix::parse_even(value).map_err(|error| {
                    Reject::bad_request(format!("invalid {}: {error}", parameter.name))
                })?;
                prefixes.push((parameter.name, prefix));
            }
        }
        name.push('\0');
        name.push_str(text("filter").unwrap_or_default());
        let from = text("next_token")
            .map(|token| PageToken::parse(&name, token))
            .transpose()
            .map_err(|error| Reject::bad_request(format!("invalid next_token: {error}")))?;
        let conjuncts = filter.as_ref().map(Filter::conjuncts).unwrap_or_default();
        let filter_selectors =
            filter.iter().flat_map(Filter::selectors).map(str::to_owned).collect();
        let asked =
            Asked { read, selectors: L::SELECTORS, prefixes, conjuncts, filter_selectors, from };
        Ok(Self { asked, filter, name })
    }

    /// Takes a page off the list, or all of it. Rows that the caller may not see are as if they
    /// weren't there: no token tells of them either.
    ///
    /// All rows share one budget of evaluation. A page that passes it is refused as a whole, because a
    /// list that lacks rows looks complete.
    fn page(&self, view: &Tracked, call: &Call) -> Result<Page<L>, Reject> {
        let seen = |item: &L::Item| {
            L::namespace(item).is_none_or(|namespace| call.access.sees(&L::RULE, namespace))
        };
        let mut budget = self.filter.as_ref().map(Filter::budget).unwrap_or_default();
        let too_costly = OnceCell::new();
        // No further row is read once one was too costly.
        let rows = L::rows(view, &self.asked).take_while(|_| too_costly.get().is_none());
        let rows = rows.filter(seen);
        let wanted = |item: &L::Item| {
            let Some(filter) = &self.filter else { return true };
            filter.matches_within(item, &mut budget).unwrap_or_else(|error| {
                if error.is_too_costly() {
                    too_costly.get_or_init(|| error);
                }
                // A row without an answer does not match.
                false
            })
        };
        let page = match self.asked.read.per_page {
            Some(per_page) => paginate_matching(rows, per_page, PAGE_SCANNED_MAX, wanted),
            None => paginate(rows.filter(wanted), None),
        };
        if let Some(error) = too_costly.get() {
            return Err(Reject::bad_request(error.to_string()));
        }
        let next = page.next.map(|item| PageToken::new::<L::Key>(&self.name, L::key(&item)));
        Ok(Page { items: page.rows, next })
    }
}

/// Answers a request for a list.
async fn serve<L: List>(call: Call) -> Reply {
    let listing = Listing::<L>::of(&call)?;
    let read = &listing.asked.read;
    let answer = call.app.read(read, call.client, |view| listing.page(view, &call)).await?;
    let Page { items, next } = answer.value;
    let meta = Meta { index: answer.index, next_token: next };
    stream::reply::<L>(items, call.query.pretty(), &meta)
}
