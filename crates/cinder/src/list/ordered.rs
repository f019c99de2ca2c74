//! The indexes that serve the orders of lists.
//!
//! Lists by name, size, status and creation are read in the order of an index, so that a page costs
//! only its own rows. Lists by other keys are sorted on request: they are rare, and each index
//! costs every write of a row a descent, and every row some 80 bytes, twice: for one project and
//! for all.

use statehold_store::{KeyRange, Order, ReadView, Scan};
use uuid::Uuid;

use super::{ListResource, PageStart};

/// Returns the rows of a project, or of all projects, in order of creation.
pub(super) fn by_creation<'v, T: ListResource>(
    view: &'v impl ReadView,
    start: PageStart<'_, T>,
    order: Order,
) -> Scan<'v, T> {
    if let (Some(project), Some(index)) = (start.project, T::BY_PROJECT) {
        let mut range = KeyRange::<(String, i64, Uuid)>::starting_with(project);
        if let Some(from) = start.from {
            range = range.resume((project, from.created_at(), from.id()), order);
        }
        return view.scan_by(index, &range, order);
    }
    let mut range = KeyRange::<(i64, Uuid)>::all();
    if let Some(from) = start.from {
        range = range.resume((from.created_at(), from.id()), order);
    }
    view.scan_by(T::BY_CREATED, &range, order)
}

/// Returns the number of rows of a project, or of all projects.
///
/// Cost: two descents of an index.
pub(super) fn count_rows<T: ListResource>(view: &impl ReadView, project: Option<&str>) -> usize {
    match (project, T::BY_PROJECT) {
        (Some(project), Some(index)) => {
            view.count_by(index, &KeyRange::<(String, i64, Uuid)>::starting_with(project))
        }
        _ => view.count_by(T::BY_CREATED, &KeyRange::all()),
    }
}

/// Implements the methods of [`ListResource`] that read indexes. Each line states a key, the index
/// of one project, the index of all, and the value of a row in their keys.
macro_rules! indexed {
    ($($key:literal => ($by_project:ident, $by_all:ident, |$row:ident| $value:expr),)*) => {
        fn ordered<'v>(
            view: &'v impl statehold_store::ReadView,
            key: &str,
            start: crate::list::PageStart<'_, Self>,
            order: statehold_store::Order,
        ) -> Option<statehold_store::Scan<'v, Self>> {
            Some(match key {
                "created_at" => crate::list::ordered::by_creation(view, start, order),
                $($key => {
                    let value = |$row: &Self| $value;
                    match start.project {
                        Some(project) => {
                            let mut range = Self::$by_project.starting_with(project);
                            if let Some(from) = start.from {
                                let key = (project, value(from), from.created_at, from.id);
                                range = range.resume(key, order);
                            }
                            view.scan_by(&Self::$by_project, &range, order)
                        }
                        None => {
                            let mut range = Self::$by_all.all();
                            if let Some(from) = start.from {
                                range = range.resume((value(from), from.created_at, from.id), order);
                            }
                            view.scan_by(&Self::$by_all, &range, order)
                        }
                    }
                })*
                _ => return None,
            })
        }

        fn of_status<'v>(
            view: &'v impl statehold_store::ReadView,
            status: &str,
            start: crate::list::PageStart<'_, Self>,
            order: statehold_store::Order,
        ) -> Option<statehold_store::Scan<'v, Self>> {
            Some(match start.project {
                Some(project) => {
                    let mut range = Self::BY_PROJECT_STATUS.starting_with((project, status));
                    if let Some(from) = start.from {
                        range = range.resume((project, status, from.created_at, from.id), order);
                    }
                    view.scan_by(&Self::BY_PROJECT_STATUS, &range, order)
                }
                None => {
                    let mut range = Self::BY_STATUS.starting_with(status);
                    if let Some(from) = start.from {
                        range = range.resume((status, from.created_at, from.id), order);
                    }
                    view.scan_by(&Self::BY_STATUS, &range, order)
                }
            })
        }

        fn count_status(
            view: &impl statehold_store::ReadView,
            status: &str,
            project: Option<&str>,
        ) -> usize {
            match project {
                Some(project) => {
                    let range = Self::BY_PROJECT_STATUS.starting_with((project, status));
                    view.count_by(&Self::BY_PROJECT_STATUS, &range)
                }
                None => view.count_by(&Self::BY_STATUS, &Self::BY_STATUS.starting_with(status)),
            }
        }
    };
}

pub(super) use indexed;
