use axum::http::{HeaderValue, Method};

use crate::acl::access::Rule;
use crate::acl::*;
use crate::api::route::Route;
use crate::api::routes::ROUTES;

const FILE: &str = r#"
[[token]]
name = "root"
sha256 = "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2" # root
management = true

[[token]]
name = "ci"
sha256 = "DIGEST"
expires = 2027-01-31T12:00:00Z
policies = ["read", "no-secrets"]

[policy.read]
plugin = "read"
node = "write"
namespace."team-*".capabilities = ["csi-read-volume", "csi-list-volume"]
namespace."team-b".capabilities = ["csi-list-volume"]

[policy.no-secrets]
namespace."team-secret".capabilities = ["deny"]
"#;

const READ: Rule = Rule::Namespace(&[Capability::CsiReadVolume]);
const LIST: Rule = Rule::Namespace(&[Capability::CsiListVolume]);

/// The digest of the token `ci`.
const DIGEST: &str = "1b158839f8aa339e89bb50b1603e90ec68e0fd5565fe10a7cb32729fddf7070a";

fn acl() -> Acl {
    Acl::parse(&FILE.replace("DIGEST", DIGEST)).unwrap()
}

fn access(name: &'static str, value: &str) -> Result<Access, String> {
    let mut headers = HeaderMap::new();
    headers.insert(name, HeaderValue::from_str(value).unwrap());
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let access = acl().access(&mut headers, now).map_err(|reject| reject.message().to_owned());
    assert!(headers.is_empty(), "the token is still in the headers");
    access
}

#[test]
fn either_header_carries_the_token() {
    for (name, value) in [
        ("x-nomad-token", "root"),
        ("authorization", "Bearer root"),
        ("authorization", "bearer  root "),
    ] {
        let access = access(name, value).unwrap();
        assert!(access.demand(&Rule::Management, "default").is_ok(), "{name}: {value}");
    }
    for (name, value) in [("x-nomad-token", ""), ("authorization", "Basic root")] {
        assert!(matches!(access(name, value), Ok(Access::Anonymous)), "{name}: {value}");
    }
    assert_eq!(access("x-nomad-token", "nope").unwrap_err(), "ACL token not found");
}

#[test]
fn a_token_that_expired_is_refused() {
    let mut headers = HeaderMap::new();
    headers.insert(TOKEN, HeaderValue::from_static("ci"));
    let then = "2027-01-31T12:00:00Z".parse().unwrap();
    assert_eq!(acl().access(&mut headers, then).unwrap_err().message(), "ACL token expired");
}

#[test]
fn the_closest_pattern_counts_and_deny_overrides_policies() {
    let access = access("x-nomad-token", "ci").unwrap();
    let may = |rule: &Rule, namespace: &str| access.demand(rule, namespace).is_ok();
    assert!(may(&READ, "team-a") && may(&LIST, "team-b"));
    assert!(!may(&READ, "team-b"), "a name matches more closely than a pattern");
    assert!(!may(&READ, "team-secret") && !may(&READ, "default"));
    assert!(may(&READ, "*"), "rows are filtered one by one");
    assert!(access.sees(&READ, "team-a") && !access.sees(&READ, "team-b"));
    assert!(may(&Rule::Plugin(Level::List), "") && may(&Rule::Node(Level::Read), ""));
    assert!(!may(&Rule::Operator(Level::Read), "") && !may(&Rule::Management, ""));
    assert!(!may(&Rule::All(&[Rule::Plugin(Level::Read), Rule::Management]), ""));
}

#[test]
fn an_invalid_file_is_rejected_with_its_line() {
    let sound = "[[token]]\nname = \"a\"\nmanagement = true\n";
    let digest = format!("sha256 = \"{}\"\n", "0".repeat(64));
    for (text, line, remedy) in [
        (format!("{sound}sha256 = \"12\"\n"), 4, "printf %s TOKEN | sha256sum"),
        (format!("{sound}{digest}policies = [\"x\"]\n"), 5, "add [policy.x]"),
        (format!("{sound}{digest}expires = 2027-01-31\n"), 5, "2027-01-31T12:00:00Z"),
        (format!("{sound}{digest}secret = 1\n"), 5, "unknown field `secret`"),
        ("[policy.a]\nplugin = \"write\"\n".into(), 2, "deny, list, read"),
        ("[policy.a]\nplugin = \"all\"\n".into(), 2, "unknown variant `all`"),
        ("\n[policy.a.namespace.\"a*b\"]\ncapabilities = []\n".into(), 2, "team-*"),
        ("[policy.a.namespace.a]\ncapabilities = [\"fly\"]\n".into(), 2, "unknown variant `fly`"),
        ("[[token]\n".into(), 1, ""),
    ] {
        let fault = Acl::parse(&text).unwrap_err();
        assert!(fault.reason.contains(remedy), "{text}: {}", fault.reason);
        let found = text[..fault.at].matches('\n').count() + 1;
        assert_eq!(found, line, "{text}: {}", fault.reason);
    }
}

#[test]
fn debug_output_has_no_token_and_no_digest() {
    let printed = format!("{:?}", acl());
    assert!(printed.contains("root") && !printed.contains("4813") && !printed.contains("72, 19"));
}

#[test]
fn a_caller_without_a_token_is_denied_every_operation() {
    for route in ROUTES {
        for operation in route.operations {
            let refused = Access::Anonymous.demand(&operation.rule, "default").is_err();
            let shows_nothing = matches!(operation.rule, Rule::Rows(_))
                && !Access::Anonymous.sees(&operation.rule, "default");
            assert!(refused || shows_nothing, "{} at {}", operation.id, route.path);
            assert!(Access::Open.demand(&operation.rule, "default").is_ok());
        }
    }
    assert!(Route::find(&Method::GET, "/statehold/v1/status").unwrap().is_some());
}
