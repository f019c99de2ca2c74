//! Any bytes are a key of a shape or rejected; a decoded key encodes to the same bytes.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use statehold_store::{Desc, Key, PageToken, Ref};
use uuid::Uuid;

/// Encodes through a token, whose last bytes are the key's.
fn encoded<K: Key>(key: Ref<'_, K>) -> Vec<u8> {
    let token = URL_SAFE_NO_PAD.decode(PageToken::new::<K>("", key).as_str()).expect("base64");
    token[5..].to_vec()
}

fn check<K: Key>(bytes: &[u8], borrow: impl for<'k> Fn(&'k K) -> Ref<'k, K>) {
    let mut rest = bytes;
    let Some(key) = K::decode(&mut rest) else { return };
    let own = &bytes[..bytes.len() - rest.len()];
    assert_eq!(encoded::<K>(borrow(&key)), own);
}

type Wide = (String, Desc<u64>, Option<Vec<u8>>, (bool, Uuid));

fuzz_target!(|data: &[u8]| {
    check::<String>(data, |key| key);
    check::<Vec<u8>>(data, |key| key);
    check::<bool>(data, |key| *key);
    check::<u8>(data, |key| *key);
    check::<u64>(data, |key| *key);
    check::<u128>(data, |key| *key);
    check::<i32>(data, |key| *key);
    check::<i128>(data, |key| *key);
    check::<Uuid>(data, |key| *key);
    check::<Option<String>>(data, |key| key.as_deref());
    check::<Desc<String>>(data, |key| Desc(key.0.as_str()));
    check::<(String, String)>(data, |key| (key.0.as_str(), key.1.as_str()));
    check::<Wide>(data, |key| (key.0.as_str(), key.1, key.2.as_deref(), key.3));
});
