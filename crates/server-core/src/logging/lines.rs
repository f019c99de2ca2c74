//! The queue of log lines to standard error, for which no request waits.
//!
//! A dedicated thread writes the lines. If the reader of standard error is slower than the server logs, lines wait in a
//! queue of bounded size, and further ones are dropped and counted: an unread pipe MUST NOT block requests.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Maximum bytes of queued lines.
const QUEUE_BYTES_MAX: usize = 4 << 20;

/// Maximum time that the end of the process waits for lines to be written.
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(1);

/// A line, or a request to signal that all lines before it are written.
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

#[derive(Debug, Default)]
struct Counts {
    /// Bytes of queued lines.
    queued: AtomicUsize,
    /// Dropped lines.
    dropped: AtomicU64,
}

/// Queues lines for a thread that writes them.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    to: Sender<Message>,
    counts: Arc<Counts>,
}

impl Lines {
    /// Starts the thread that writes to `out`.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (to, from) = channel();
        let counts = Arc::new(Counts::default());
        let shared = Arc::clone(&counts);
        thread::Builder::new()
            .name("statehold-log".to_owned())
            .spawn(move || write(&from, out, &shared))?;
        Ok(Self { to, counts })
    }

    /// Returns the number of lines that were dropped because the queue was full.
    pub(crate) fn dropped(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed)
    }

    /// Waits until the lines so far are written, at most for [`FLUSH_WAIT_MAX`] because their reader may have stopped.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.to.send(Message::Flush(done)).is_ok() {
            // A line that is not written in time is lost with the process.
            let _ = written.recv_timeout(FLUSH_WAIT_MAX);
        }
    }

    fn push(&self, line: Vec<u8>) {
        let len = line.len();
        // Counted before it is queued, so that concurrent callers can't exceed the maximum together.
        let before = self.counts.queued.fetch_add(len, Ordering::Relaxed);
        if before + len > QUEUE_BYTES_MAX || self.to.send(Message::Line(line)).is_err() {
            self.counts.queued.fetch_sub(len, Ordering::Relaxed);
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(from: &Receiver<Message>, mut out: impl Write, counts: &Counts) {
    let mut reported = 0;
    for message in from {
        match message {
            Message::Line(line) => {
                // An error means that standard error is closed, and there is no other place to report it.
                let _ = out.write_all(&line);
                counts.queued.fetch_sub(line.len(), Ordering::Relaxed);
            }
            Message::Flush(done) => {
                let _ = out.flush();
                let _ = done.send(());
            }
        }
        // Reported once the reader reads again, in the place of the missing lines.
        let dropped = counts.dropped.load(Ordering::Relaxed);
        if dropped > reported {
            let lost = dropped - reported;
            let _ =
                writeln!(out, "statehold: {lost} log lines dropped: standard error was not read");
            reported = dropped;
        }
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = Line<'l>;

    fn make_writer(&'l self) -> Line<'l> {
        Line { lines: self, bytes: Vec::new() }
    }
}

/// A line that is being formatted. It is queued as a whole on drop.
pub(crate) struct Line<'l> {
    lines: &'l Lines,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // Queued as a whole, because the formatter writes in pieces and those of several threads would mix.
        if !self.bytes.is_empty() {
            self.lines.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accepts a write only after a message, so that a test controls its speed.
    struct Slow(Receiver<()>, Sender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stopped_reader_delays_no_line_and_sees_the_dropped_count() {
        let ((go, wait), (to, from)) = (channel(), channel());
        let lines = Lines::start(Slow(wait, to)).unwrap();
        let line = vec![b'x'; QUEUE_BYTES_MAX / 4];
        for _ in 0..7 {
            lines.make_writer().write_all(&line).unwrap();
        }
        assert_eq!(lines.dropped(), 3);
        drop(go);
        lines.flush();
        let written: Vec<u8> = from.try_iter().flatten().collect();
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.matches('x').count(), QUEUE_BYTES_MAX);
        assert!(text.contains("3 log lines dropped"), "{text}");
        lines.make_writer().write_all(b"later\n").unwrap();
        lines.flush();
        assert_eq!(from.try_iter().flatten().collect::<Vec<u8>>(), b"later\n");
    }
}
