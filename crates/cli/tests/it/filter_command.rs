//! `statehold filter` as a shell runs it.

use std::io::{BufRead as _, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Returns the exit status, standard output and standard error.
fn filter(expression: &str, input: &str) -> (i32, String, String) {
    run(&["filter", expression], input)
}

fn run(args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_statehold"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A bad expression is reported before any input is read, which breaks the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const LINES: &str = "{\"ID\": \"a\", \"Zones\": [\"us-1a\"]}\n{\"ID\": \"b\", \"Zones\": []}\n";

#[test]
fn matches_are_printed_one_per_line_and_exit_0() {
    let (status, output, error) = filter(r#""us-1a" in Zones"#, LINES);
    assert_eq!((status, &*output), (0, "{\"ID\":\"a\",\"Zones\":[\"us-1a\"]}\n"));
    assert_eq!(error, "");
    let array = format!("[{}]", LINES.trim().replace('\n', ",\n"));
    assert_eq!(filter(r#""us-1a" in Zones"#, &array), (status, output, error));
}

#[test]
fn no_match_exits_1() {
    assert_eq!(filter("ID == c", LINES), (1, String::new(), String::new()));
    assert_eq!(filter("ID == c", ""), (1, String::new(), String::new()));
}

#[test]
fn a_bad_expression_exits_2_with_a_caret() {
    let (status, output, error) = filter("ID == vol-1", LINES);
    assert_eq!((status, &*output), (2, ""));
    assert!(error.contains("  ID == vol-1\n") && error.contains('^'), "{error}");
}

#[test]
fn bad_input_exits_2_with_its_line_after_earlier_matches() {
    let (status, output, error) = filter("ID == a", "{\"ID\":\"a\"}\n\n{\"ID\":\n");
    assert_eq!((status, &*output), (2, "{\"ID\":\"a\"}\n"));
    assert!(error.contains("line 3: not JSON"), "{error}");
    let (status, _, error) = filter("ID == a", "[{\"ID\":\"a\"},\n{]");
    assert_eq!(status, 2);
    assert!(error.contains("line 2: not JSON"), "{error}");
}

#[test]
fn the_extended_dialect_needs_its_flag_which_errors_name() {
    let expression = "Size >= 10 # large ones";
    let input = "{\"Size\":9}\n{\"Size\":10}\n";
    let found = run(&["filter", "--extended", expression], input);
    assert_eq!(found, (0, "{\"Size\":10}\n".to_owned(), String::new()));
    let (status, _, error) = filter(expression, input);
    assert_eq!(status, 2);
    assert!(error.contains("xtended"), "{error}");
}

#[test]
fn any_layout_of_values_is_read_and_bad_ones_skip_on_demand() {
    let input = "\u{feff}{\n  \"n\": 18446744073709551617\n} {\"n\": null}\r\n{\"n\": tru}\r\n[{\"n\":18446744073709551616},\n7]\n";
    let skip = ["filter", "--on-error", "skip", "n == 18446744073709551617"];
    let (status, output, error) = run(&skip, input);
    assert_eq!((status, &*output), (0, "{\"n\":18446744073709551617}\n"));
    assert!(error.ends_with("skipped 2 values\n"), "{error}");
    let (status, output, error) = filter("n == 18446744073709551617", input);
    assert_eq!((status, &*output), (2, "{\"n\":18446744073709551617}\n"));
    assert!(error.contains("line 4: not JSON"), "{error}");
}

#[test]
fn non_json_input_is_skipped_to_the_end_of_its_line() {
    let input = "{\"n\":1}\nfoo {\"n\":7}\n{\"n\":2} and {\"n\":8}\none two three\n{\"n\":3}\n";
    let (status, output, error) = run(&["filter", "--on-error=skip", "n != 9"], input);
    assert_eq!((status, &*output), (0, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n"));
    assert!(error.ends_with("skipped 3 values\n"), "{error}");
}

#[test]
fn a_standard_error_that_is_not_read_changes_no_status() {
    for (args, expected) in [(["filter", "ID =="], 2), (["inspect", "no/such/directory"], 1)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let status = Command::new(env!("CARGO_BIN_EXE_statehold"))
            .args(args)
            .stdin(Stdio::null())
            .stderr(writer)
            .status();
        assert_eq!(status.unwrap().code(), Some(expected), "{args:?}");
    }
}

#[test]
fn a_scalar_outside_of_an_object_has_no_result() {
    // Null would match if it were a missing value.
    for scalar in ["7", "\"a\"", "true", "null", "-1.5e3"] {
        let input = format!("{{\"n\": 2}}\n{scalar}\n{{\"n\": 3}}\n");
        let (status, output, error) = filter("n != 1", &input);
        assert_eq!((status, &*output), (2, "{\"n\":2}\n"), "{scalar}");
        assert!(error.starts_with("statehold filter: line 2: not an object"), "{error}");
        let (status, output, error) = run(&["filter", "--on-error=skip", "n != 1"], &input);
        assert_eq!((status, &*output), (0, "{\"n\":2}\n{\"n\":3}\n"), "{scalar}");
        assert!(error.ends_with("skipped 1 value\n"), "{error}");
    }
    let (status, ..) = run(&["filter", "--on-error=skip", "n != 1"], "1 2 3");
    assert_eq!(status, 1);
}

#[test]
fn a_row_that_is_too_costly_is_skipped_or_stops_the_run() {
    let list = vec!["\"a\""; 100].join(",");
    let input = format!("{{\"l\":[]}}\n{{\"l\":[{list}]}}\n{{\"l\":[\"c\"]}}\n");
    let costly = "all l as x { all l as y { y != b } }";
    let (status, output, error) = run(&["filter", "--row-steps-max", "1000", costly], &input);
    assert_eq!((status, &*output), (2, "{\"l\":[]}\n"));
    assert!(error.contains("line 2") && error.contains("--row-steps-max"), "{error}");
    let skip = ["filter", "--row-steps-max", "1000", "--on-error", "skip", costly];
    let (status, output, error) = run(&skip, &input);
    assert_eq!((status, &*output), (0, "{\"l\":[]}\n{\"l\":[\"c\"]}\n"));
    assert!(error.ends_with("skipped 1 value\n"), "{error}");
    assert_eq!(run(&["filter", costly], &input).0, 0, "the default is larger");
}

#[test]
fn the_step_limit_ends_a_run_that_skips_errors_too() {
    let input = "{\"n\":1}\n".repeat(100);
    for on_error in ["stop", "skip"] {
        let args = ["filter", "--on-error", on_error, "--steps-max", "50", "n == 1"];
        let (status, output, error) = run(&args, &input);
        assert_eq!(status, 2);
        let printed = output.lines().count();
        assert!((1..=50).contains(&printed), "{printed}");
        let line = format!("line {}: these rows need more than 50 steps", printed + 1);
        assert!(error.contains(&line) && error.contains("--steps-max"), "{error}");
    }
    let all = run(&["filter", "n == 1"], &input).1;
    assert_eq!(all, input, "a run has no limit unless it is asked for");
}

#[test]
fn a_match_is_printed_before_the_next_row_of_a_live_stream() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_statehold"))
        .args(["filter", "a == 1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sent, received) = mpsc::channel();
    let reader = std::thread::spawn(move || sent.send(lines.next().unwrap().unwrap()));
    input.write_all(b"{\"a\":2}\n{\"a\":1}\n").unwrap();
    assert_eq!(received.recv_timeout(Duration::from_secs(60)).unwrap(), "{\"a\":1}");
    drop(input);
    reader.join().unwrap().unwrap();
    assert!(child.wait().unwrap().success());
}
