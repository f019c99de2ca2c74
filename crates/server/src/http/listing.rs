//! What every list has in common: the filter, the page, the token of the next one.

use statehold_filter::{Conjunct, Filter, Filterable};
use statehold_store::{Key, PAGE_SCANNED_MAX, PageToken, Ref, paginate, paginate_matching};

use super::params::Read;
use super::reject::Reject;

/// The conditions and the page of a listing of rows of type `T`, in the order of keys of type `K`.
pub(crate) struct Listing<T: Filterable, K: Key> {
    filter: Option<Filter<T>>,
    /// The key of the first row of the page.
    from: Option<K>,
    /// What a page token must have been made for.
    name: String,
    per_page: Option<usize>,
}

impl<T: Filterable, K: Key> Listing<T, K> {
    /// Reads the parameters; `selected_by` are those that a token is bound to, beside the namespace,
    /// the filter and the order.
    pub(crate) fn of(read: &Read, table: &str, selected_by: &[&str]) -> Result<Self, Reject> {
        let text = |name| read.query.text(name);
        let filter = text("filter")
            .map(Filter::compile)
            .transpose()
            .map_err(|error| Reject::bad_request(error.to_string()))?;
        let mut name = format!("{table}\0{}\0{:?}", read.namespace, read.order);
        for parameter in selected_by.iter().chain(&["filter"]) {
            name.push('\0');
            name.push_str(text(parameter).unwrap_or_default());
        }
        let from = text("next_token")
            .map(|token| PageToken::parse(&name, token))
            .transpose()
            .map_err(|error| Reject::bad_request(format!("invalid next_token: {error}")))?;
        Ok(Self { filter, from, name, per_page: read.per_page })
    }

    /// What every row satisfies that the filter matches, for the planner.
    pub(crate) fn conjuncts(&self) -> Vec<Conjunct> {
        self.filter.as_ref().map(Filter::conjuncts).unwrap_or_default()
    }

    /// The key of the first row of the page.
    pub(crate) fn from(&self) -> Option<&K> {
        self.from.as_ref()
    }

    /// Takes the page off `rows`, which begin at [`Listing::from`]; and the token of the next one.
    pub(crate) fn page<R>(
        &self,
        rows: impl Iterator<Item = R>,
        filtered: impl Fn(&R) -> &T,
        key: impl Fn(&R) -> Ref<'_, K>,
    ) -> (Vec<R>, Option<PageToken>) {
        let wanted =
            |row: &R| self.filter.as_ref().is_none_or(|filter| filter.matches(filtered(row)));
        let page = match self.per_page {
            Some(per_page) => paginate_matching(rows, per_page, PAGE_SCANNED_MAX, wanted),
            None => paginate(rows.filter(wanted), None),
        };
        let next = page.next.map(|row| PageToken::new::<K>(&self.name, key(&row)));
        (page.rows, next)
    }
}
