//! List endpoints: a declaration for each, and the engine that serves all of them.
//!
//! A [`List`] declares the rows and their order, the parameters that select rows, the row as filters see it, and the
//! row as replies show it. Paging, filters, page tokens, blocking, `reverse`, permissions, streaming and the OpenAPI
//! document follow from the declaration; no handler repeats any of them.
//!
//! ```text
//! pub(crate) struct Nodes;
//!
//! impl List for Nodes {
//!     const ID: &'static str = "listNodes";
//!     const SUMMARY: &'static str = "Lists nodes.";
//!     const RULE: Rule = Rule::Node(Level::Read);
//!     const SELECTORS: &'static [Parameter] =
//!         &[Parameter::even_hex("prefix", "A prefix of the ID.")];
//!     type Key = Uuid;
//!     type Item = NodeItem;
//!     type Stub<'i> = NodeStub<'i>;
//!
//!     fn rows<'v>(view: &'v Tracked, query: &'v ListQuery<Uuid>) -> impl Iterator<Item = NodeItem> {
//!         list_nodes(view, query.hex("prefix"), query.order(), query.from()).map(NodeItem::new)
//!     }
//!     fn key(item: &NodeItem) -> Uuid { item.id() }
//!     fn stub(item: &NodeItem) -> NodeStub<'_> { item.stub() }
//! }
//! ```
//!
//! The table of routes then has `list::<Nodes>()`, with `.of_type("host")` where `type=` selects one of several lists
//! of a path.

use serde::Serialize;
use statehold_filter::{Conjunct, Filter, Filterable, Kind as FieldKind, Schema};
use statehold_store::{HexPrefix, Key, Order, PAGE_SCANNED_MAX, PageToken, Ref, Snapshot, Tracked};

use crate::acl::access::{Access, Rule};
use crate::api::parameter::{BLOCKING, COMMON, Kind, NAMESPACE, PAGING, Parameter};
use crate::api::params::Read;
use crate::api::reply::Meta;
use crate::api::route::{Answer, Operation, Verb};
use crate::api::{Reply, stream};
use crate::error::ApiError;
use crate::request::NomadRequest;
use crate::state::PARKED_BYTES;
use statehold_server_core::meter::{Meter, STEPS_PER_CHECK};
use statehold_server_core::state::ServerState;
use statehold_server_core::turns::Urgency;

/// Maximum number of rows that are kept between reading and sending; later rows are read again for each chunk. A chunk
/// has more rows only if they are very short.
const KEPT_ROWS: usize = 1_024;

/// Maximum number of rows of a page that is read without a turn: moving the thread's other tasks away would cost more
/// than the read.
const SHORT_PAGE_ROWS: usize = 100;

/// Maximum length of a filter without patterns that is compiled without a turn.
const SHORT_FILTER: usize = 256;

/// A list endpoint.
pub(crate) trait List: Send + Sync + 'static {
    /// The operation ID in the OpenAPI document. Page tokens are bound to it.
    const ID: &'static str;
    /// The summary, one sentence.
    const SUMMARY: &'static str;
    /// The permission of the list. Rows of namespaces for which the caller lacks it are left out.
    const RULE: Rule;
    /// The parameters that select rows, beside the namespace and the filter. Page tokens are bound to their values.
    const SELECTORS: &'static [Parameter];
    /// All parameters: the selectors, and those of every list.
    const PARAMETERS: &'static [&'static [Parameter]] =
        &[Self::SELECTORS, NAMESPACE, PAGING, BLOCKING, COMMON];

    /// The key that orders rows.
    type Key: Key + Send + Sync;
    /// A row as filters see it, with values computed from other rows. It MUST own its values.
    type Item: Filterable + Send + 'static;
    /// A row as replies show it.
    type Stub<'i>: Serialize;

    /// Returns the requested rows in the requested order, starting at [`ListQuery::from`]. Every input of a row MUST
    /// be read through `view`, because a blocking query waits for changes of exactly those reads.
    fn rows<'v>(
        view: &'v Tracked,
        query: &'v ListQuery<Self::Key>,
    ) -> impl Iterator<Item = Self::Item> + 'v;

    /// Returns the key of an item.
    fn key(item: &Self::Item) -> Ref<'_, Self::Key>;

    /// Returns the namespace of an item; `None` if such rows have no namespace.
    fn namespace(item: &Self::Item) -> Option<&str> {
        let _ = item;
        None
    }

    /// Adds to a selected item the values that replies show but the filter does not use. Reading them for each row of
    /// the table would cost more than the list itself.
    fn complete(view: &Tracked, query: &ListQuery<Self::Key>, item: Self::Item) -> Self::Item {
        let _ = (view, query);
        item
    }

    /// Returns an item as replies show it.
    fn stub(item: &Self::Item) -> Self::Stub<'_>;
}

/// Returns the operation that serves a list.
pub(crate) const fn list<L: List>() -> Operation {
    let operation = Operation::new(&[Verb::Get], L::ID, L::RULE, |call| Box::pin(serve::<L>(call)));
    operation
        .summary(L::SUMMARY)
        .parameters(L::PARAMETERS)
        .blocks()
        .answer(Answer::List(fields::<L>))
}

/// Returns the fields that filters of the list can use.
fn fields<L: List>() -> Option<&'static Schema> {
    FieldKind::schema(L::Item::KIND)
}

/// The parameters of a list request, for [`List::rows`].
#[derive(Debug)]
pub(crate) struct ListQuery<K> {
    read: Read,
    selectors: &'static [Parameter],
    prefixes: Vec<(&'static str, HexPrefix)>,
    conjuncts: Vec<Conjunct>,
    /// The fields of a row that the filter reads.
    fields: Vec<Box<str>>,
    from: Option<K>,
}

impl<K> ListQuery<K> {
    /// Returns the namespace, or `*`.
    pub(crate) fn namespace(&self) -> &str {
        &self.read.namespace
    }

    /// Returns the value of a declared parameter; empty if it is absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        debug_assert!(self.selectors.iter().any(|declared| declared.name == name), "{name}");
        self.read.query.text(name).unwrap_or_default()
    }

    /// Returns the value of a declared parameter of hex digits.
    pub(crate) fn hex(&self, name: &str) -> Option<&HexPrefix> {
        self.prefixes.iter().find(|(found, _)| *found == name).map(|(_, prefix)| prefix)
    }

    /// Returns the direction.
    pub(crate) fn order(&self) -> Order {
        self.read.order
    }

    /// Returns conditions that every row satisfies which the filter matches, for the planner of the domain.
    pub(crate) fn conjuncts(&self) -> &[Conjunct] {
        &self.conjuncts
    }

    /// Returns whether the filter reads one of these fields of a row.
    pub(crate) fn reads(&self, fields: &[&str]) -> bool {
        self.fields.iter().any(|read| fields.contains(&&**read))
    }

    /// Returns the key at which the page starts, or `None` for the first page. Its row may have been deleted.
    pub(crate) fn from(&self) -> Option<&K> {
        self.from.as_ref()
    }
}

/// A request for a list.
pub(crate) struct ListRequest<L: List> {
    query: ListQuery<L::Key>,
    filter: Option<Filter<L::Item>>,
    /// The scope of page tokens: a token MUST have been created for an equal one.
    name: String,
    access: Access,
}

/// The rows of a reply, or the first of them, and the start of the next page.
pub(crate) struct ListPage<L: List> {
    pub(crate) items: Vec<L::Item>,
    pub(crate) rest: Option<RemainingRows<L::Key>>,
    /// The snapshot that the rows were read from.
    pub(crate) view: Snapshot,
    next: Option<PageToken>,
}

/// The rows of a reply that are read again when the client takes them.
pub(crate) struct RemainingRows<K> {
    /// The key of the first one.
    pub(crate) from: K,
    /// Their number.
    pub(crate) rows: usize,
}

impl<L: List> ListRequest<L> {
    fn of(call: &NomadRequest) -> Result<Self, ApiError> {
        let read = Read::of(&call.query)?;
        let text = |name| read.query.text(name);
        let filter = text("filter")
            .map(|expression| call.app.filters().compile(expression))
            .transpose()
            .map_err(|error| ApiError::bad_request(error.to_string()))?;
        let mut name = format!("{}\0{}\0{:?}", L::ID, read.namespace, read.order);
        let mut prefixes = Vec::new();
        for parameter in L::SELECTORS {
            let value = text(parameter.name).unwrap_or_default();
            name.push('\0');
            name.push_str(value);
            if parameter.kind == Kind::EvenHex && !value.is_empty() {
                let prefix = HexPrefix::parse_even(value).map_err(|error| {
                    ApiError::bad_request(format!("invalid {}: {error}", parameter.name))
                })?;
                prefixes.push((parameter.name, prefix));
            }
        }
        name.push('\0');
        name.push_str(text("filter").unwrap_or_default());
        let from = text("next_token")
            .map(|token| PageToken::parse(&name, token))
            .transpose()
            .map_err(|error| ApiError::bad_request(format!("invalid next_token: {error}")))?;
        let conjuncts = filter.as_ref().map(Filter::conjuncts).unwrap_or_default();
        let fields = filter.iter().flat_map(Filter::selectors).map(first_field).collect();
        let query = ListQuery { read, selectors: L::SELECTORS, prefixes, conjuncts, fields, from };
        Ok(Self { query, filter, name, access: call.access.clone() })
    }

    /// Returns whether rows may be skipped, so that any number may be read for each one of the reply.
    pub(crate) fn leaves_out(&self) -> bool {
        self.filter.is_some() || !self.access.is_unlimited()
    }

    /// Returns whether the page has few rows and none is skipped.
    fn is_short(&self) -> bool {
        self.query.read.per_page.is_some_and(|rows| rows <= SHORT_PAGE_ROWS)
            && !self.leaves_out()
            && L::SELECTORS.iter().all(|parameter| self.query.text(parameter.name).is_empty())
    }

    /// Returns the bytes that the request holds while it waits.
    fn bytes(&self) -> usize {
        // The scope, the conjuncts and the fields repeat the filter's text.
        let filter = self.filter.as_ref();
        let filter = filter.map_or(0, |filter| filter.bytes_estimated() + 3 * filter.text().len());
        PARKED_BYTES + self.query.read.query.bytes() + self.name.len() + filter
    }

    /// Reads a page, or the complete list. Rows that the caller may not see are omitted, and no page token names one.
    ///
    /// All rows share one evaluation budget. A page that exceeds it is rejected as a whole, because a list without some
    /// of its rows looks complete. For the same reason a long list is read to its end here, although most of it is read
    /// again when the client takes it: its index and its rejections come before its first byte.
    fn page(&self, view: &Tracked, meter: &mut Meter) -> Result<ListPage<L>, ApiError> {
        let (limit, scanned_max) = match self.query.read.per_page {
            Some(per_page) => (per_page, PAGE_SCANNED_MAX),
            None => (usize::MAX, usize::MAX),
        };
        let (mut items, mut rest): (_, Option<RemainingRows<L::Key>>) = (Vec::new(), None);
        let (mut taken, mut scanned) = (0, 0);
        let mut next = None;
        for item in L::rows(view, &self.query) {
            meter.row(self.steps())?;
            if !self.sees(&item) {
                continue;
            }
            // A selective filter could scan the table for one page: the client gets a token and continues.
            if taken == limit || scanned == scanned_max {
                next = Some(PageToken::new::<L::Key>(&self.name, L::key(&item)));
                break;
            }
            scanned += 1;
            if !self.matches(&item, meter)? {
                continue;
            }
            taken += 1;
            // Rows of the rest, too: a blocking query waits for changes of everything that it shows.
            let item = L::complete(view, &self.query, item);
            match &mut rest {
                Some(rest) => rest.rows += 1,
                None if items.len() < KEPT_ROWS => items.push(item),
                none => *none = Some(RemainingRows { from: self.owned_key(&item)?, rows: 1 }),
            }
        }
        Ok(ListPage { items, rest, view: view.snapshot(), next })
    }

    /// Passes rows of `view` to `write`, starting at `rest`, until it returns `false`. Returns the new rest, which
    /// begins with the row of that call, or `None` after the last row.
    pub(crate) fn resume(
        &mut self,
        view: &Snapshot,
        rest: RemainingRows<L::Key>,
        meter: &mut Meter,
        mut write: impl FnMut(&L::Item) -> Result<bool, ApiError>,
    ) -> Result<Option<RemainingRows<L::Key>>, ApiError> {
        let mut left = rest.rows;
        self.query.from = Some(rest.from);
        let view = view.tracked();
        for item in L::rows(&view, &self.query) {
            meter.row(self.steps())?;
            if !self.sees(&item) || !self.matches(&item, meter)? {
                continue;
            }
            if left == 0 {
                break;
            }
            let item = L::complete(&view, &self.query, item);
            if !write(&item)? {
                return Ok(Some(RemainingRows { from: self.owned_key(&item)?, rows: left }));
            }
            left -= 1;
        }
        Ok(None)
    }

    /// Returns an owned copy of an item's key.
    pub(crate) fn owned_key(&self, item: &L::Item) -> Result<L::Key, ApiError> {
        let token = PageToken::new::<L::Key>(&self.name, L::key(item));
        PageToken::parse(&self.name, token.as_str()).map_err(|error| ApiError::internal(&error))
    }

    fn sees(&self, item: &L::Item) -> bool {
        L::namespace(item).is_none_or(|namespace| self.access.sees(&L::RULE, namespace))
    }

    /// Returns the steps that the meter counts for a row. With a filter each row is worth a check of the clock, because
    /// it may take as long as thousands without one.
    fn steps(&self) -> u64 {
        if self.filter.is_some() { STEPS_PER_CHECK } else { 0 }
    }

    fn matches(&self, item: &L::Item, meter: &mut Meter) -> Result<bool, ApiError> {
        let Some(filter) = &self.filter else { return Ok(true) };
        match filter.matches_within(item, meter.budget()) {
            Ok(matches) => Ok(matches),
            Err(error) if error.is_too_costly() => Err(meter.too_costly(&error).into()),
            // A row for which the filter has no result does not match.
            Err(_) => Ok(false),
        }
    }
}

/// Returns whether compiling a filter may take milliseconds: a pattern compiles to a table of states.
fn is_slow(filter: &str) -> bool {
    filter.len() > SHORT_FILTER || filter.contains("matches")
}

/// Returns the first field of a selector, in any of its notations.
fn first_field(selector: &str) -> Box<str> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut parts = selector.split(|letter| !is_part(letter));
    parts.find(|part| !part.is_empty()).unwrap_or_default().into()
}

/// Serves a list request.
async fn serve<L: List>(call: NomadRequest) -> Reply {
    let request = if is_slow(call.query.text("filter").unwrap_or_default()) {
        let turn = call.app.turn(Urgency::Now).await?;
        let (request, meter) =
            ServerState::compute(call.app.meter(), turn, |_| ListRequest::<L>::of(&call));
        call.app.requester().note_waited(&meter);
        request?
    } else {
        ListRequest::<L>::of(&call)?
    };
    // A short page runs without a turn, because it costs less than the wait for one.
    let (read, bytes) = (&request.query.read, request.bytes());
    let page = |view: &Tracked, meter: &mut Meter| request.page(view, meter);
    let answer = if request.is_short() {
        call.app.read_few(read, call.client, bytes, page).await?
    } else {
        call.app.read(read, call.client, bytes, page).await?
    };
    let ListPage { next, .. } = &answer.value;
    let meta = Meta { index: answer.index, next_token: next.clone() };
    stream::reply::<L>(answer.value, request, &call, &meta)
}
