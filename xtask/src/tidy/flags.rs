//! The flags of the program: pages name no other ones, leave none out, and repeat their defaults.

use std::collections::BTreeMap;

use super::Finding;
use super::pages;
use super::tree::Tree;

/// Flags of other programs that pages and examples name: cargo, curl, rustc, systemd's and those of users.
const FOREIGN: [&str; 29] = [
    "all",
    "all-targets",
    "bench",
    "cfg",
    "check",
    "data",
    "data-urlencode",
    "example",
    "features",
    "help",
    "home-dir",
    "lib",
    "locked",
    "manifest-path",
    "name",
    "nocapture",
    "now",
    "offline",
    "open",
    "path",
    "profile",
    "quiet",
    "release",
    "shell",
    "show-output",
    "system",
    "target-dir",
    "test",
    "workspace",
];

/// The start of the flags of OpenStack's command line.
const OPENSTACK: &str = "os-";

/// A flag, and where it is declared.
#[derive(Debug)]
struct Flag {
    path: String,
    line: usize,
    name: String,
    default: Option<String>,
}

/// Returns a finding for each flag or default that the pages and the sources do not share.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let flags = declared(tree);
    let mut findings = Vec::new();
    let pages: Vec<_> = tree
        .with_extension("md")
        .filter(|file| file.path == "README.md" || file.path.starts_with("docs/"))
        .collect();
    let mut named: Vec<&str> = Vec::new();
    for page in &pages {
        // Code between fences counts here: most flags stand in examples.
        for (at, line) in page.text.lines().enumerate() {
            for name in flags_in(line) {
                let is_own = flags.iter().any(|flag| flag.name == name);
                if !is_own && !FOREIGN.contains(&name) && !name.starts_with(OPENSTACK) {
                    let message = format!("`--{name}` is no flag of the program");
                    findings.push(Finding::new(&page.path, at + 1, message));
                }
                named.push(name);
            }
        }
    }
    for flag in flags.iter().filter(|flag| !named.contains(&flag.name.as_str())) {
        let message = format!("`--{}` is in no page of docs and not in README.md", flag.name);
        findings.push(Finding::new(&flag.path, flag.line, message));
    }
    let constants = constants(tree);
    for page in &pages {
        for line in pages::lines(&page.text).filter(|line| line.text.starts_with("| `--")) {
            let mut cells = line.text.split('|').skip(1);
            let names = cells.next().unwrap_or_default();
            let defaults = cells.next().unwrap_or_default().split(',').map(str::trim);
            for (name, documented) in flags_in(names).zip(defaults) {
                let Some(flag) = flags.iter().find(|flag| flag.name == name) else { continue };
                // A default that the program computes can't be compared.
                let Some(own) = flag.default.as_deref() else { continue };
                let own = evaluate(own, &constants);
                if !own.is_some_and(|own| spellings(&own).contains(&documented.to_owned())) {
                    let default = flag.default.as_deref().unwrap_or_default();
                    let message = format!(
                        "the default of `--{name}` is `{default}` in {}, not {documented}",
                        flag.path
                    );
                    findings.push(Finding::new(&page.path, line.number, message));
                }
            }
        }
    }
    findings
}

/// Returns the long flags in a line, without their hyphens.
fn flags_in(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("--").filter_map(move |(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(at + 2..)?;
        let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        let name = after.get(..end.unwrap_or(after.len()))?.trim_end_matches('-');
        // `a--b` and `---` are no flags.
        let begins = before.is_none_or(|c| !c.is_alphanumeric() && c != '-');
        (begins && name.starts_with(|c: char| c.is_ascii_lowercase())).then_some(name)
    })
}

/// Returns the flags that sources declare by `#[arg(long, ..)]` at a field.
fn declared(tree: &Tree) -> Vec<Flag> {
    let mut found = Vec::new();
    for file in tree.sources().filter(|file| file.text.contains("#[arg(")) {
        for (start, _) in file.text.match_indices("#[arg(") {
            let Some(after) = file.text.get(start..) else { continue };
            let Some((attribute, field)) = after.split_once(")]\n") else { continue };
            // Arguments without a name have no flag.
            if !attribute.contains("long") {
                continue;
            }
            let field = field.trim_start().trim_start_matches("pub(crate) ");
            let field = field.trim_start_matches("pub ");
            let Some((field, _)) = field.split_once(':') else { continue };
            let line = file.text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            let name = field.replace('_', "-");
            found.push(Flag { path: file.path.clone(), line, name, default: default(attribute) });
        }
    }
    found
}

/// Returns the default in an attribute: a text without quotes, or an expression.
fn default(attribute: &str) -> Option<String> {
    if let Some((_, after)) = attribute.split_once("default_value = \"") {
        return after.split('"').next().map(str::to_owned);
    }
    let (_, after) = attribute.split_once("default_value_t = ")?;
    let end = after.find([',', '\n']).unwrap_or(after.len());
    after.get(..end).map(|text| text.trim().to_owned())
}

/// Returns the integer constants of all sources, by name.
fn constants(tree: &Tree) -> BTreeMap<&str, u64> {
    let mut found = BTreeMap::new();
    for file in tree.sources() {
        for line in file.text.lines() {
            let Some((_, after)) = line.split_once("const ") else { continue };
            let Some((name, rest)) = after.split_once(": ") else { continue };
            let Some((_, value)) = rest.split_once(" = ") else { continue };
            if let Some(value) = integer(value.trim_end_matches(';')) {
                found.insert(name, value);
            }
        }
    }
    found
}

/// Returns a default with its constant replaced by the value.
fn evaluate(default: &str, constants: &BTreeMap<&str, u64>) -> Option<String> {
    let name = default.rsplit("::").next().unwrap_or(default);
    let is_constant = name.starts_with(|c: char| c.is_ascii_uppercase());
    if is_constant { constants.get(name).map(u64::to_string) } else { Some(default.to_owned()) }
}

/// Returns the value of `1_000`, `4 << 20` or `64 * 1024`.
fn integer(text: &str) -> Option<u64> {
    let plain = |text: &str| text.trim().replace('_', "").parse::<u64>().ok();
    if let Some((value, shift)) = text.split_once("<<") {
        return plain(value)?.checked_shl(u32::try_from(plain(shift)?).ok()?);
    }
    text.split('*').map(plain).try_fold(1_u64, |product, factor| product.checked_mul(factor?))
}

/// Returns the ways that a page may write a default.
fn spellings(default: &str) -> Vec<String> {
    let mut found = vec![default.to_owned(), format!("`{default}`")];
    if let Ok(value) = default.parse::<u64>() {
        for (shift, unit) in [(10, "KiB"), (20, "MiB"), (30, "GiB")] {
            if value > 0 && value.trailing_zeros() >= shift {
                found.push(format!("{} {unit}", value >> shift));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "const BODY_MAX_DEFAULT: usize = 4 << 20;\n\
        #[arg(long, value_name = \"BYTES\", default_value_t = BODY_MAX_DEFAULT)]\n\
        pub(crate) body_max: usize,\n\
        #[arg(long, default_value = \"60s\")]\npub(crate) body_wait_max: Duration,\n\
        #[arg(long)]\npub(crate) acl: Option<PathBuf>,\n";

    fn found(page: &str) -> Vec<String> {
        let tree = Tree::of(&[("crates/a/src/cli.rs", SOURCE), ("docs/http.md", page)]);
        check(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_of_sources_and_pages_are_compared() {
        let page =
            "| `--body-max`, `--body-wait-max` | 4 MiB, 60s | a body |\n`cargo test --release`\n";
        assert_eq!(
            found(page),
            ["crates/a/src/cli.rs:6: `--acl` is in no page of docs and not in README.md"]
        );
        let found =
            found("| `--body-max` | 8 MiB | |\n`--acl FILE`, `--body-wait-max`, `--gone`\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/http.md:2: `--gone` is no flag"));
        assert!(found[1].starts_with("docs/http.md:1: the default of `--body-max`"));
    }

    #[test]
    fn values_of_constants_are_computed() {
        assert_eq!(integer("256 << 20"), Some(268_435_456));
        assert_eq!(integer("10_000"), Some(10_000));
        assert_eq!(integer("64 * 1024"), Some(65_536));
        assert_eq!(integer("f(1)"), None);
    }
}
