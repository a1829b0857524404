//! Standard input as batches of events that are recorded together.

use std::collections::HashSet;
use std::io::{BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use deferral_allocation::Event;

/// Events that wait for the disk together at most.
const MOST_TOGETHER: usize = 4096;
/// The longest line that is read.
const LONGEST_LINE: u64 = 1 << 20;

/// A line: an event, or why it is none.
pub(super) type Line = Result<Event, String>;

/// Lines as they come.
pub(super) struct Input {
    lines: Receiver<Line>,
    /// The line that ended the last batch before it.
    held: Option<Line>,
}

impl Input {
    /// Reads and parses standard input beside the loop, so that lines gather while the disk is busy.
    pub(super) fn stdin() -> Self {
        let (sender, lines) = sync_channel(MOST_TOGETHER);
        std::thread::spawn(move || forward(&mut std::io::stdin().lock(), &sender));
        Self { lines, held: None }
    }

    /// The lines that are there, waiting for the first; whether the input has ended. Without a line when the time is
    /// over.
    ///
    /// A batch whose answers were lost is sent again as a whole, and must then change nothing. So nobody's standing is
    /// changed twice in one: somebody who joined and left would join again.
    pub(super) fn gather(&mut self, patience: Option<Duration>) -> (Vec<Line>, bool) {
        let mut line = match self.first(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return (Vec::new(), false),
            Err(RecvTimeoutError::Disconnected) => return (Vec::new(), true),
        };
        let (mut batch, mut changed) = (Vec::new(), HashSet::new());
        while batch.len() < MOST_TOGETHER {
            if let Some(worker) = whose_standing(&line)
                && !changed.insert(worker.to_owned())
            {
                self.held = Some(line);
                return (batch, false);
            }
            batch.push(line);
            line = match self.lines.try_recv() {
                Ok(line) => line,
                Err(TryRecvError::Empty) => return (batch, false),
                Err(TryRecvError::Disconnected) => return (batch, true),
            };
        }
        self.held = Some(line);
        (batch, false)
    }

    fn first(&mut self, patience: Option<Duration>) -> Result<Line, RecvTimeoutError> {
        match (self.held.take(), patience) {
            (Some(line), _) => Ok(line),
            (None, Some(patience)) => self.lines.recv_timeout(patience),
            (None, None) => self.lines.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }
}

/// Who joins, leaves, or can do more or less.
fn whose_standing(line: &Line) -> Option<&str> {
    match line {
        Ok(Event::Join { worker, .. } | Event::Leave { worker, .. } | Event::Capacity { worker, .. }) => Some(worker),
        _ => None,
    }
}

/// Sends every line that is not blank, until the input ends, cannot be read, or nobody listens.
fn forward(input: &mut impl BufRead, sender: &SyncSender<Line>) {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let is_cut = line.len() as u64 == LONGEST_LINE && !line.ends_with(b"\n");
        let event = match read {
            Ok(0) => return,
            Ok(_) if is_cut => Err(format!("line {number}: longer than {LONGEST_LINE} bytes")),
            Ok(_) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Ok(_) => parsed(number, &line),
            Err(error) => {
                // Nobody may be listening; there is no next line either way.
                let _ = sender.send(Err(format!("line {number}: cannot be read: {error}; nothing after it is read")));
                return;
            }
        };
        // What is left of a line that is too long is passed over. If that cannot be read, neither can the next line.
        if sender.send(event).is_err() || (is_cut && input.skip_until(b'\n').is_err()) {
            return;
        }
    }
}

fn parsed(number: u64, line: &[u8]) -> Line {
    serde_json::from_slice(line).map_err(|error| {
        // A line is the parser's whole text, so its own number is always 1.
        let reason = error.to_string().replace(" at line 1 column ", " at character ");
        format!("line {number}: {reason}; write one event a line")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The batches of a text whose lines are all there from the start.
    fn batches(text: &str) -> Vec<Vec<Line>> {
        let (sender, lines) = sync_channel(2 * MOST_TOGETHER);
        forward(&mut text.as_bytes(), &sender);
        drop(sender);
        let mut input = Input { lines, held: None };
        let mut batches = Vec::new();
        loop {
            let (batch, is_last) = input.gather(None);
            batches.push(batch);
            if is_last {
                return batches;
            }
        }
    }

    fn sizes(text: &str) -> Vec<usize> {
        batches(text).iter().map(Vec::len).collect()
    }

    #[test]
    fn nobodys_standing_changes_twice_in_a_batch() {
        let joins = |worker: &str| format!("{{\"event\":\"annotator.join\",\"worker\":\"{worker}\"}}\n");
        let leaves = |worker: &str| format!("{{\"event\":\"annotator.leave\",\"worker\":\"{worker}\"}}\n");
        let capacity = |worker: &str| format!("{{\"event\":\"capacity\",\"worker\":\"{worker}\",\"capacity\":2}}\n");
        let task = "{\"event\":\"task\",\"task\":\"t\"}\n";
        assert_eq!(sizes(&[&joins("ann"), &joins("bob"), task, &capacity("cyd")].concat()), [4]);
        assert_eq!(sizes(&[&joins("ann"), task, &leaves("ann"), &joins("bob"), task].concat()), [2, 3]);
        let toggled = [joins("ann"), leaves("ann"), joins("ann"), capacity("ann"), capacity("ann")].concat();
        assert_eq!(sizes(&toggled), [1; 5]);
        // The held line is the first of the next batch: the order stays.
        let flat: Vec<Line> = batches(&toggled).into_iter().flatten().collect();
        assert!(matches!(flat[..3], [Ok(Event::Join { .. }), Ok(Event::Leave { .. }), Ok(Event::Join { .. })]));
    }

    #[test]
    fn a_batch_has_an_end() {
        let text = "{\"event\":\"task\",\"task\":\"t\"}\n".repeat(MOST_TOGETHER + 3);
        assert_eq!(sizes(&text), [MOST_TOGETHER, 3]);
    }

    #[test]
    fn what_is_no_event_has_its_line_and_the_rest_goes_on() {
        let time = "{\"event\":\"time\",\"at\":1}";
        let long = " ".repeat(LONGEST_LINE as usize + 9);
        let lines = batches(&format!("{time}\n\n  \nno\n{long}\n{time}")).concat();
        let expected = [
            Ok(Event::Time { at: 1.0 }),
            Err("line 4: expected ident at character 2; write one event a line".to_owned()),
            Err("line 5: longer than 1048576 bytes".to_owned()),
            Ok(Event::Time { at: 1.0 }),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_input_that_cannot_be_read_ends() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
                Err(std::io::Error::other("the cable is cut"))
            }
        }
        let (sender, lines) = sync_channel(9);
        forward(&mut std::io::BufReader::new(Broken), &sender);
        drop(sender);
        let lines: Vec<Line> = lines.iter().collect();
        assert_eq!(lines, [Err("line 1: cannot be read: the cable is cut; nothing after it is read".to_owned())]);
    }
}
