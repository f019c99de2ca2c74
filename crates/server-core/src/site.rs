//! The host names of the server, and the rejection of requests that web pages of other origins send.
//!
//! A browser sends a page's requests to a loopback server too, with the operator's network position.
//! Two rules keep pages from using it, because neither a token nor a cookie protects an open server:
//!
//! - A write with a foreign `Origin`, or one that the browser marks as cross-site, is rejected.
//! - A `Host` that is not one of the server's names is rejected: a page whose own name resolves to 127.0.0.1
//!   (DNS rebinding) would otherwise have the same origin. etcd had both faults (CVE-2018-1098, CVE-2018-1099)
//!   and also rejects the second with 421 (etcd: `server/embed/serve.go`, `accessController.ServeHTTP`).
//!
//! The other rules are RFC 9112's: a request of HTTP/1.1 MUST have exactly one `Host` (section 3.2), and a
//! server rejects transfer codings that it does not decode (section 6.1). A port is digits, or empty for the
//! default (RFC 3986, section 3.2.3), and at most 65535.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};

use crate::edge_metrics::{EdgeMetrics, RefusalReason};
use crate::rejection::Rejection;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Maximum length of the path that a proxy prepends to links, in bytes.
const PREFIX_MAX: usize = 1024;

/// The host names of an API, and the base of its links. The default accepts any name.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// `--allowed-host`, in lower case; `*` allows any name.
    allowed: Vec<Box<str>>,
    /// Whether other names are rejected.
    restricted: bool,
    links: Links,
}

/// The base of the links in replies.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// `--public-url`.
    pub public_url: Option<PublicUrl>,
    /// `--trust-proxy-headers`.
    pub trust_proxy_headers: bool,
}

/// The URL of the server for its clients: `http://` or `https://`, an authority, and an optional path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// Without a trailing slash.
    url: Box<str>,
    authority: Authority,
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "wanted http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]";
        let url: Uri = text.parse().map_err(|_| WANTED)?;
        // A user name and password would be copied into every link.
        let authority = url.authority().filter(|authority| is_host_and_port(authority));
        let authority = authority.ok_or(WANTED)?.clone();
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.query().is_some() {
            return Err(WANTED);
        }
        Ok(Self { url: text.trim_end_matches('/').into(), authority })
    }
}

/// Parses a value of `--allowed-host`.
///
/// # Errors
/// The value has a port, a scheme or a pattern: it would never equal the name in a `Host`, and the operator would
/// notice the mistake only by rejected requests.
pub fn allowed_host(text: &str) -> Result<Box<str>, &'static str> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_name = || {
        let host = host_and_port(name);
        host.is_some_and(|host| host.as_str() == host.host()) && !name.contains('*')
    };
    if name == "*" || is_address(name) || is_name() {
        return Ok(name.into());
    }
    Err("wanted a host without a scheme and a port, or * for any")
}

impl Site {
    /// Creates the site of an API that listens on `address`.
    ///
    /// If `allowed` is empty, an API on a loopback address accepts `localhost` and IP addresses. An API on
    /// another address accepts any name, because the network chooses its names.
    pub fn new(address: SocketAddr, allowed: &[Box<str>], links: Links) -> Self {
        let restricted = address.ip().is_loopback() || !allowed.is_empty();
        let allowed = allowed.iter().map(|name| name.to_ascii_lowercase().into()).collect();
        Self { allowed, restricted, links }
    }

    /// Rejects a request that has no valid host, names a host that is not allowed, uses a transfer coding that
    /// the server does not decode, or writes on behalf of a web page of another origin.
    pub fn check(&self, request: &Request, metrics: &EdgeMetrics) -> Result<(), Rejection> {
        let headers = request.headers();
        let host = host_of(request.version(), request.uri(), headers)?;
        check_codings(headers)?;
        if host.as_ref().is_some_and(|host| !self.knows(host)) {
            metrics.refused(RefusalReason::Host);
            return Err(Rejection::new(
                StatusCode::MISDIRECTED_REQUEST,
                "this server is not known by the name in Host; use localhost or its address, or allow \
                 the name with --allowed-host",
            ));
        }
        if writes(request.method()) && self.is_foreign(headers, host.as_ref()) {
            metrics.refused(RefusalReason::Origin);
            return Err(Rejection::new(
                StatusCode::FORBIDDEN,
                "a web page from another origin may not write; if it is this server's own behind a \
                 proxy, set --public-url or --trust-proxy-headers",
            ));
        }
        Ok(())
    }

    /// Whether the host is one of the server's names.
    fn knows(&self, host: &Authority) -> bool {
        if !self.restricted {
            return true;
        }
        let name = host.host().trim_end_matches('.').to_ascii_lowercase();
        let public = self.links.public_url.as_ref();
        name == "localhost"
            || is_address(&name)
            || public.is_some_and(|url| url.authority.host().eq_ignore_ascii_case(&name))
            || self.allowed.iter().any(|allowed| matches!(&**allowed, "*") || **allowed == *name)
    }

    /// Whether a web page of another origin sent the request. Only browsers send the two headers.
    fn is_foreign(&self, headers: &HeaderMap, host: Option<&Authority>) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            // `same-site` means another port or another name of the same site.
            let mut sites = headers.get_all(FETCH_SITE).iter().map(HeaderValue::as_bytes);
            return !sites.all(|site| matches!(site, b"same-origin" | b"none"));
        };
        // A browser sends one. Of two, either may be forged.
        if origins.next().is_some() {
            return true;
        }
        // Pages in files and sandboxes have the origin `null`, whichever site they belong to.
        let Some((scheme, authority)) = origin.to_str().ok().and_then(origin_of) else {
            return true;
        };
        let same = |other: &Authority| is_same(&authority, other, &scheme);
        let forwarded = self.proxy_host(headers);
        let forwarded = forwarded.as_deref().and_then(host_and_port);
        !(host.is_some_and(same)
            || forwarded.is_some_and(|host| same(&host))
            || self.links.public_url.as_ref().is_some_and(|url| same(&url.authority)))
    }

    /// Returns the base of links for a client that sent these headers to a server at `address`.
    pub fn base(&self, headers: &HeaderMap, address: SocketAddr) -> String {
        if let Some(url) = &self.links.public_url {
            return url.url.to_string();
        }
        let proto = self.forwarded(headers, FORWARDED_PROTO).map(str::to_owned);
        let scheme = match proto.or_else(|| self.parameter(headers, "proto", End::Client)) {
            Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
            _ => "http",
        };
        let own = headers.get(header::HOST).and_then(|value| value.to_str().ok());
        let host = self.proxy_host(headers).or_else(|| own.map(str::to_owned));
        let prefix = self.forwarded(headers, FORWARDED_PREFIX).and_then(prefix_of).unwrap_or("");
        match host.filter(|host| host_and_port(host).is_some()) {
            Some(host) => format!("{scheme}://{host}{prefix}"),
            None => format!("{scheme}://{address}{prefix}"),
        }
    }

    /// Returns the host through which the client reached the proxy.
    fn proxy_host(&self, headers: &HeaderMap) -> Option<String> {
        let host = self.forwarded(headers, FORWARDED_HOST).map(str::to_owned);
        host.or_else(|| self.parameter(headers, "host", End::Client))
    }

    /// Returns the address of the client: the connection's, or the one that a trusted proxy reports.
    pub fn client(&self, headers: &HeaderMap, connection: IpAddr) -> IpAddr {
        // The trusted proxy appended the last address. The client may have forged those before it.
        let last = self
            .links
            .trust_proxy_headers
            .then(|| headers.get_all(FORWARDED_FOR).iter().next_back());
        let last = last.flatten().and_then(|value| value.to_str().ok());
        let last = last.and_then(|list| list.rsplit(',').next()?.trim().parse().ok());
        let node = || node_address(&self.parameter(headers, "for", End::Proxy)?);
        last.or_else(node).unwrap_or(connection)
    }

    /// Returns a parameter of `Forwarded` if proxies are trusted (RFC 7239, section 4), from the element at one
    /// end of the chain of proxies.
    ///
    /// `X-Forwarded-*` takes precedence, because most proxies set only those and forward a `Forwarded` that the
    /// client forged.
    fn parameter(&self, headers: &HeaderMap, name: &str, end: End) -> Option<String> {
        if !self.links.trust_proxy_headers {
            return None;
        }
        let mut values = headers.get_all(header::FORWARDED).iter();
        let element = match end {
            End::Client => unquoted_parts(values.next()?.to_str().ok()?, ',').next()?,
            End::Proxy => unquoted_parts(values.next_back()?.to_str().ok()?, ',').last()?,
        };
        let pair = unquoted_parts(element, ';').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })?;
        let text = match pair.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(quoted) => quoted.replace('\\', ""),
            None => pair.to_owned(),
        };
        (!text.is_empty()).then_some(text)
    }

    /// Returns the first element of a header if proxies are trusted: the one that the proxy of the client added.
    fn forwarded<'h>(&self, headers: &'h HeaderMap, name: HeaderName) -> Option<&'h str> {
        let value = self.links.trust_proxy_headers.then(|| headers.get(name)).flatten()?;
        let first = value.to_str().ok()?.split(',').next()?.trim();
        (!first.is_empty()).then_some(first)
    }
}

/// An end of the chain of proxies between a client and the server.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The proxy that the client connects to.
    Client,
    /// The proxy that connects to the server.
    Proxy,
}

/// Splits a header at each separator outside of quoted strings.
fn unquoted_parts(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        let literal = std::mem::take(&mut escaped);
        match c {
            '\\' if quoted && !literal => escaped = true,
            '"' if !literal => quoted = !quoted,
            _ => {}
        }
        c == separator && !quoted
    })
}

/// Parses the address of a node in `Forwarded`: `192.0.2.1`, `192.0.2.1:80`, `[2001:db8::1]` or the same with a port.
/// Returns `None` for an obfuscated identifier (RFC 7239, section 6.3).
fn node_address(node: &str) -> Option<IpAddr> {
    if let Some(rest) = node.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().map(IpAddr::V6).ok();
    }
    node.split(':').next()?.parse().ok()
}

/// Returns the path that a proxy prepends to links, without its trailing slash. Returns `None` for a string that is
/// not a path, because it could make links lead to other hosts.
fn prefix_of(text: &str) -> Option<&str> {
    let path = text.trim_end_matches('/');
    let is_path = path.starts_with('/')
        && !path.contains("//")
        && path.len() <= PREFIX_MAX
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte));
    is_path.then_some(path)
}

/// Returns the host of a request, or `None` for a request of HTTP/1.0 without one.
fn host_of(
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<Authority>, Rejection> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (first, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Rejection::bad_request("the request has more than one Host header"));
    }
    let Some(host) = first else {
        return match version {
            Version::HTTP_10 | Version::HTTP_09 => uri.authority().map(host_of_target).transpose(),
            _ => Err(Rejection::bad_request("the request has no Host header")),
        };
    };
    // RFC 9112, section 3.2.2: the host of an absolute target replaces that of the header.
    if let Some(authority) = uri.authority() {
        return host_of_target(authority).map(Some);
    }
    let host = host.to_str().ok().and_then(host_and_port);
    host.map(Some).ok_or_else(|| Rejection::bad_request("the Host header is not a host"))
}

/// Returns the host in the target of a request.
fn host_of_target(authority: &Authority) -> Result<Authority, Rejection> {
    let host = Some(authority).filter(|authority| is_host_and_port(authority));
    host.cloned()
        .ok_or_else(|| Rejection::bad_request("the host in the request's target is not a host"))
}

/// Parses `HOST[:PORT]`.
fn host_and_port(text: &str) -> Option<Authority> {
    text.parse().ok().filter(is_host_and_port)
}

/// Whether an authority is a host and an optional port, without a user. [`Authority`] itself accepts any string after
/// the colon.
fn is_host_and_port(authority: &Authority) -> bool {
    let host = authority.host();
    let Some(rest) = authority.as_str().strip_prefix(host).filter(|_| !host.is_empty()) else {
        return false;
    };
    let Some(port) = rest.strip_prefix(':') else { return rest.is_empty() };
    // The parser of integers would accept a plus sign as well.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    is_number && (port.is_empty() || port.parse::<u16>().is_ok())
}

/// Rejects transfer codings that the server does not decode.
fn check_codings(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut codings = headers
        .get_all(header::TRANSFER_ENCODING)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty());
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Rejection::by_caller(
            StatusCode::NOT_IMPLEMENTED,
            "the only transfer coding that is decoded is chunked, once",
        )),
    }
}

fn writes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_address(host: &str) -> bool {
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<IpAddr>().is_ok(),
    }
}

/// Returns the scheme and the authority of an origin, or `None` for `null` and for a string that is not an origin.
fn origin_of(text: &str) -> Option<(String, Authority)> {
    let (scheme, authority) = text.split_once("://")?;
    Some((scheme.to_ascii_lowercase(), host_and_port(authority)?))
}

/// Whether an origin's authority equals a host, with or without the default port.
fn is_same(origin: &Authority, host: &Authority, scheme: &str) -> bool {
    let default = match scheme {
        "https" => 443,
        _ => 80,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    origin.host().eq_ignore_ascii_case(host.host()) && port(origin) == port(host)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn site(address: &str, allowed: &[&str], links: Links) -> Site {
        let allowed: Vec<Box<str>> = allowed.iter().map(|name| (*name).into()).collect();
        Site::new(address.parse().unwrap(), &allowed, links)
    }

    fn check(site: &Site, method: &str, headers: &[(&str, &str)]) -> u16 {
        let request = Request::builder().method(method).uri("/v1/volumes");
        let request =
            headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let request = request.body(Body::empty()).unwrap();
        site.check(&request, &EdgeMetrics::default())
            .map_or_else(|reject| reject.status().as_u16(), |()| 200)
    }

    #[test]
    fn a_loopback_server_accepts_localhost_and_addresses() {
        let own = site("127.0.0.1:4646", &["Volumes.internal"], Links::default());
        for (host, status) in [
            ("localhost", 200),
            ("LOCALHOST:4646", 200),
            ("localhost.:4646", 200),
            ("127.0.0.1:4646", 200),
            ("[::1]:4646", 200),
            ("10.1.2.3", 200),
            ("volumes.internal:80", 200),
            ("evil.example", 421),
            ("localhost.evil.example", 421),
            ("127.0.0.1.evil.example", 421),
            ("", 400),
            ("a b", 400),
            ("user@localhost", 400),
            ("localhost:", 200),
            ("localhost:65535", 200),
            ("[::1]:", 200),
            ("localhost:abc", 400),
            ("localhost:65536", 400),
            ("localhost:+80", 400),
            ("localhost:-1", 400),
            ("[::1]:abc", 400),
            ("[::1]80", 400),
            (":80", 400),
        ] {
            assert_eq!(check(&own, "GET", &[("Host", host)]), status, "{host}");
        }
        let public = site("10.0.0.1:4646", &[], Links::default());
        assert_eq!(check(&public, "GET", &[("Host", "any.example")]), 200);
        let listed = site("10.0.0.1:4646", &["volumes.internal"], Links::default());
        assert_eq!(check(&listed, "GET", &[("Host", "any.example")]), 421);
        let any = site("127.0.0.1:4646", &["*"], Links::default());
        assert_eq!(check(&any, "GET", &[("Host", "any.example")]), 200);
    }

    #[test]
    fn pages_of_other_origins_cannot_write() {
        let own = site("127.0.0.1:4646", &[], Links::default());
        for (method, headers, status) in [
            ("POST", vec![], 200),
            ("POST", vec![("Origin", "http://localhost:4646")], 200),
            ("POST", vec![("Origin", "http://localhost:3000")], 403),
            ("PUT", vec![("Origin", "http://evil.example")], 403),
            ("DELETE", vec![("Origin", "null")], 403),
            ("POST", vec![("Sec-Fetch-Site", "cross-site")], 403),
            ("POST", vec![("Sec-Fetch-Site", "same-site")], 403),
            ("POST", vec![("Sec-Fetch-Site", "same-origin")], 200),
            ("POST", vec![("Sec-Fetch-Site", "none")], 200),
            ("GET", vec![("Origin", "http://evil.example")], 200),
            ("POST", vec![("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], 403),
            (
                "POST",
                vec![("Origin", "http://localhost:4646"), ("Origin", "http://evil.example")],
                403,
            ),
        ] {
            let headers: Vec<_> = [("Host", "localhost:4646")].into_iter().chain(headers).collect();
            assert_eq!(check(&own, method, &headers), status, "{method} {headers:?}");
        }
    }

    #[test]
    fn ports_in_targets_and_origins_are_numbers() {
        let any = site("127.0.0.1:4646", &["*"], Links::default());
        for (authority, status) in [("localhost:4646", 200), ("localhost:abc", 400)] {
            let uri =
                Uri::builder().scheme("http").authority(authority).path_and_query("/v1/volumes");
            let uri = uri.build().unwrap();
            let request = Request::builder().uri(uri).header("Host", "localhost:4646");
            let checked = any.check(&request.body(Body::empty()).unwrap(), &EdgeMetrics::default());
            let found = checked.map_or_else(|reject| reject.status().as_u16(), |()| 200);
            assert_eq!(found, status, "{authority}");
        }
        // An invalid port is not the default port.
        for origin in ["http://localhost:abc", "http://localhost:65616", "http://u@localhost"] {
            let headers = [("Host", "localhost"), ("Origin", origin)];
            assert_eq!(check(&any, "PUT", &headers), 403, "{origin}");
        }
    }

    #[test]
    fn allowed_hosts_have_neither_port_nor_scheme() {
        for (text, name) in
            [("*", "*"), ("a.example", "a.example"), ("a.example.", "a.example"), ("::1", "::1")]
        {
            assert_eq!(allowed_host(text).as_deref(), Ok(name));
        }
        for text in
            ["", "a.example:80", "a.example:", "http://a.example", "*.example", "u@a", "a b"]
        {
            assert!(allowed_host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_origin_equals_its_host_with_or_without_the_default_port() {
        let same = |origin: &str, host: &str| {
            let (scheme, origin) = origin_of(origin).unwrap();
            is_same(&origin, &host.parse().unwrap(), &scheme)
        };
        assert!(same("https://a.example", "a.example"));
        assert!(same("https://a.example", "A.example:443"));
        assert!(same("http://a.example:80", "a.example"));
        assert!(!same("https://a.example", "a.example:80"));
        assert!(!same("https://a.example", "b.example"));
    }

    #[test]
    fn proxy_headers_count_only_if_they_are_trusted() {
        let address = "127.0.0.1:8776".parse().unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "inner:1"),
            ("x-forwarded-host", "outer.example, inner:1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-for", "6.6.6.6, 10.0.0.9"),
        ] {
            headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        let connection = IpAddr::from([127, 0, 0, 1]);
        let plain = site("127.0.0.1:8776", &[], Links::default());
        assert_eq!(plain.base(&headers, address), "http://inner:1");
        assert_eq!(plain.client(&headers, connection), connection);
        let links = Links { trust_proxy_headers: true, public_url: None };
        let trusting = site("127.0.0.1:8776", &[], links);
        assert_eq!(trusting.base(&headers, address), "https://outer.example");
        assert_eq!(trusting.client(&headers, connection), IpAddr::from([10, 0, 0, 9]));
        let public_url = Some("https://cloud.example/volume/".parse().unwrap());
        let public = site("127.0.0.1:8776", &[], Links { trust_proxy_headers: true, public_url });
        assert_eq!(public.base(&headers, address), "https://cloud.example/volume");
        for bad in ["ftp://a", "a.example", "https://", "https://u@a", "https://a?b", "https://a:b"]
        {
            assert!(bad.parse::<PublicUrl>().is_err(), "{bad}");
        }
    }

    #[test]
    fn forwarded_header_and_prefix_of_a_trusted_proxy_count() {
        let address = "127.0.0.1:8776".parse().unwrap();
        let connection = IpAddr::from([127, 0, 0, 1]);
        let links = Links { trust_proxy_headers: true, public_url: None };
        let trusting = site("127.0.0.1:8776", &[], links);
        let plain = site("127.0.0.1:8776", &[], Links::default());
        let headers = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in [("host", "inner:1")].iter().chain(pairs) {
                headers.append(HeaderName::from_static(name), value.parse().unwrap());
            }
            headers
        };
        let quoted = r#"For="[2001:db8::1]:47";Proto=https;HOST="a.example:8443", for=10.0.0.9"#;
        let both = headers(&[("forwarded", quoted), ("x-forwarded-prefix", "/volume/")]);
        assert_eq!(trusting.base(&both, address), "https://a.example:8443/volume");
        assert_eq!(trusting.client(&both, connection), IpAddr::from([10, 0, 0, 9]));
        assert_eq!(plain.base(&both, address), "http://inner:1");
        assert_eq!(plain.client(&both, connection), connection);
        let six = headers(&[("forwarded", "for=1.2.3.4"), ("forwarded", r#"for="[::5]:1""#)]);
        assert_eq!(trusting.client(&six, connection), "::5".parse::<IpAddr>().unwrap());
        // Most proxies set these headers, and forward the client's `Forwarded`.
        let mixed = headers(&[
            ("forwarded", "for=6.6.6.6;host=evil.example;proto=http"),
            ("x-forwarded-for", "10.0.0.9"),
            ("x-forwarded-host", "a.example"),
            ("x-forwarded-proto", "https"),
        ]);
        assert_eq!(trusting.base(&mixed, address), "https://a.example");
        assert_eq!(trusting.client(&mixed, connection), IpAddr::from([10, 0, 0, 9]));
        for odd in ["//evil.example", "volume", "/a?b", "/a b", "/", "https://x", "/a//b"] {
            let odd = headers(&[("x-forwarded-prefix", odd)]);
            assert_eq!(trusting.base(&odd, address), "http://inner:1");
        }
        for odd in [r#"host="a b";proto=https"#, "host=", "host", ";;,", r#"for="_hidden""#, "\""] {
            let odd = headers(&[("forwarded", odd)]);
            let base = trusting.base(&odd, address);
            // An invalid host is replaced by the address that the server listens on.
            assert!(base.ends_with("://inner:1") || base == "https://127.0.0.1:8776", "{base}");
            assert_eq!(trusting.client(&odd, connection), connection);
        }
        let page = [
            ("Host", "localhost:8776"),
            ("Origin", "https://a.example"),
            ("Forwarded", "host=a.example;proto=https"),
        ];
        assert_eq!((check(&trusting, "POST", &page), check(&plain, "POST", &page)), (200, 403));
    }

    #[test]
    fn only_one_host_and_the_chunked_coding_are_accepted() {
        let own = site("127.0.0.1:4646", &[], Links::default());
        assert_eq!(check(&own, "GET", &[]), 400);
        assert_eq!(check(&own, "GET", &[("Host", "localhost"), ("Host", "localhost")]), 400);
        for (coding, status) in
            [("chunked", 200), ("Chunked", 200), ("gzip, chunked", 501), ("chunked, chunked", 501)]
        {
            let headers = [("Host", "localhost"), ("Transfer-Encoding", coding)];
            assert_eq!(check(&own, "PUT", &headers), status, "{coding}");
        }
    }
}
