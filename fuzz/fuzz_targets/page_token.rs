//! Any text is a page token or rejected; a decoded token encodes to the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statehold_store::{Key, PageToken, Ref};
use uuid::Uuid;

fn check<K: Key>(text: &str, borrow: impl for<'k> Fn(&'k K) -> Ref<'k, K>) {
    match PageToken::parse::<K>("volumes", text) {
        Ok(key) => {
            assert_eq!(PageToken::new::<K>("volumes", borrow(&key)).as_str(), text);
            assert!(PageToken::parse::<K>("plugins", text).is_err());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|text: &str| {
    check::<String>(text, |key| key);
    check::<(String, String)>(text, |key| (key.0.as_str(), key.1.as_str()));
    check::<(Uuid, u64)>(text, |key| *key);
    check::<Option<Vec<u8>>>(text, |key| key.as_deref());
});
