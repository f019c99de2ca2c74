//! Pages of a filtered listing, with writes between them.

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::common::{Names, put_name, schema};
use proptest::prelude::*;
use statehold_store::{KeyRange, Order, PageToken, ReadView, Store, TokenError, paginate_matching};

const LISTING: &str = "names\0ascending\0with an a";

fn write(store: &Store, puts: &[String], deletes: &[String]) {
    let mut txn = store.begin_write().unwrap();
    for name in puts {
        put_name(&mut txn, name);
    }
    for name in deletes {
        txn.delete::<Names>(name).unwrap();
    }
    txn.commit().unwrap();
}

fn names(max: usize) -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("[abc]{1,3}", 0..max)
}

proptest! {
    #[test]
    fn writes_between_pages_neither_repeat_nor_skip_a_stable_row(
        first in names(40),
        between in proptest::collection::vec((names(4), names(4)), 0..40),
        per_page in 1usize..5,
        scanned_max in 1usize..8,
        descending in any::<bool>(),
    ) {
        let store = Store::in_memory(&schema());
        write(&store, &first, &[]);
        let order = if descending { Order::Descending } else { Order::Ascending };
        let mut throughout: BTreeSet<String> =
            first.into_iter().filter(|name| name.contains('a')).collect();
        let (mut listed, mut token): (Vec<String>, Option<PageToken>) = (Vec::new(), None);
        let mut between = between.into_iter();
        loop {
            let view = store.snapshot();
            let mut range = KeyRange::<String>::all();
            if let Some(token) = &token {
                let from = PageToken::parse::<String>(LISTING, token.as_str()).unwrap();
                range = range.resume(&from, order);
            }
            let asked = Cell::new(0);
            let rows = view.scan::<Names>(&range, order);
            let page = paginate_matching(rows, per_page, scanned_max, |name| {
                asked.set(asked.get() + 1);
                name.contains('a')
            });
            prop_assert!(page.rows.len() <= per_page && asked.get() <= scanned_max);
            listed.extend(page.rows.iter().map(|name| name.to_string()));
            let Some(next) = page.next else { break };
            token = Some(PageToken::new::<String>(LISTING, next));
            if let Some((puts, deletes)) = between.next() {
                write(&store, &puts, &deletes);
                throughout.retain(|name| !deletes.contains(name));
            }
        }
        let in_order = |pair: &[String]| match order {
            Order::Ascending => pair[0] < pair[1],
            Order::Descending => pair[0] > pair[1],
        };
        prop_assert!(listed.windows(2).all(in_order), "{listed:?} repeats or goes back");
        let listed: BTreeSet<String> = listed.into_iter().collect();
        prop_assert!(listed.is_superset(&throughout), "{listed:?} skips some of {throughout:?}");
    }
}

#[test]
fn a_token_of_another_order_or_filter_is_refused() {
    let token = PageToken::new::<String>(LISTING, "b");
    for other in ["names\0descending\0with an a", "names\0ascending\0with a b"] {
        let refused = PageToken::parse::<String>(other, token.as_str());
        assert_eq!(refused, Err(TokenError::OtherListing));
    }
}
