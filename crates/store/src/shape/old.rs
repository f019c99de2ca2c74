//! The recorded shapes of a table's versions, for the types that its migrations read and for rows that show more
//! of its own type.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use super::{Compared, Shape, Versions, compare, compare_read};

/// The recorded shapes of a table by version.
#[derive(Debug, Default)]
pub(crate) struct OldShapes(BTreeMap<u16, OldShape>);

/// The recorded shape of one version.
#[derive(Debug)]
pub(crate) struct OldShape {
    text: Arc<str>,
    /// The types that were compared and do not differ: a migration reads each row as the same one.
    agreed: Mutex<Vec<TypeId>>,
    /// The gains of the table's own shape that were compared and do not differ.
    compared: AtomicUsize,
}

/// How a type differs from the rows that it is to read.
pub(crate) struct Differing {
    pub(crate) difference: Box<str>,
    pub(crate) was: Box<str>,
    pub(crate) is: Box<str>,
}

impl OldShapes {
    /// For rows whose recorded shapes are not known.
    pub(crate) const NONE: &'static Self = &Self(BTreeMap::new());

    pub(crate) fn of(versions: &Versions) -> Self {
        let shape = |(version, text): (u16, &str)| {
            let (agreed, compared) = Default::default();
            (version, OldShape { text: text.into(), agreed, compared })
        };
        Self(versions.iter().map(shape).collect())
    }

    pub(crate) fn get(&self, version: u16) -> Option<&OldShape> {
        self.0.get(&version)
    }
}

impl OldShape {
    /// Compares the shape of the table's own type, of which a row may have shown a part since the open.
    ///
    /// Cost: a few loads, except after a row that showed a part.
    pub(crate) fn check_own(&self, shape: &Shape) -> Result<(), Differing> {
        let gains = shape.gains();
        if self.compared.load(Ordering::Relaxed) == gains {
            return Ok(());
        }
        let is = shape.latest().text();
        if let Compared::Differs(difference) = compare(&self.text, &is) {
            return Err(Differing {
                difference: difference.into(),
                was: (*self.text).into(),
                is: is.into(),
            });
        }
        self.compared.store(gains, Ordering::Relaxed);
        Ok(())
    }

    /// Compares the type that a row is read as.
    ///
    /// Cost: a look-up, except for the first row.
    pub(crate) fn check<R: DeserializeOwned + 'static>(&self) -> Result<(), Differing> {
        let id = TypeId::of::<R>();
        if self.agreed.lock().contains(&id) {
            return Ok(());
        }
        // A type that can never be read fails by itself.
        let Ok(shape) = Shape::of::<R>() else { return Ok(()) };
        let is = shape.latest().text();
        if let Compared::Differs(difference) = compare_read(&self.text, &is) {
            return Err(Differing {
                difference: difference.into(),
                was: (*self.text).into(),
                is: is.into(),
            });
        }
        // Shapes of other forms can't be compared: as at the open of a directory.
        self.agreed.lock().push(id);
        Ok(())
    }
}
