//! The real binary in a folder of its own.

#![allow(dead_code, reason = "each file of tests uses a part of it")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder in which the program runs, so that messages name files without a folder.
pub(crate) struct Desk(TempDir);

/// A table of `n` rows under a header.
pub(crate) fn table(header: &str, n: usize, row: impl Fn(usize) -> String) -> String {
    let mut table = format!("{header}\n");
    for at in 0..n {
        table += &row(at);
        table.push('\n');
    }
    table
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with `n` generated posts (`posts.csv`) and decisions about them (`labels.csv`).
    pub(crate) fn with_posts(n: usize) -> Self {
        let desk = Self::new();
        desk.ok(&format!("simulate moderation --cases {n} --cases-out posts.csv --decisions-out labels.csv"));
        desk
    }

    /// A folder with a small table of cases (`cases.csv`: two numbers, a text, a group, a label) and the decisions of
    /// three people about them (`labels.csv`).
    pub(crate) fn with_cases() -> Self {
        let is_yes = |case: usize| case.is_multiple_of(3);
        let case = |case: usize| {
            let (yes, group) = (is_yes(case), ["north", "south"][case % 2]);
            let (a, text) = if yes { (2.5, "surely yes") } else { (-1.0, "rather no") };
            format!("t{case},{},{},{text},{group},{}", a + case as f64 / 50.0, case % 5, u8::from(yes))
        };
        let label = |at: usize| {
            let (case, (worker, wrong)) = (at / 3, [("ann", 5), ("bob", 4), ("cyd", 3)][at % 3]);
            format!("t{case},{worker},{}", u8::from(is_yes(case) != (case % wrong == 1)))
        };
        let desk = Self::new();
        desk.write("cases.csv", table("task,a,b,text,group,label", 24, case));
        desk.write("labels.csv", table("task,worker,label", 72, label));
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    /// All files with their content, the hidden ones too.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        files
            .map(|entry| entry.file_name().into_string().unwrap())
            .map(|name| (name.clone(), self.read(&name)))
            .collect()
    }

    /// The program in this folder, ready to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("deferral"));
        command.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program with the words of `line`; a word may be quoted, as in a shell.
    pub(crate) fn run(&self, line: &str) -> Run {
        let words = words(line);
        let output = self.command(&words.iter().map(String::as_str).collect::<Vec<_>>()).output().unwrap();
        let run = Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!run.err.contains("panicked"), "{line}\n{}", run.err);
        for text in [&run.out, &run.err] {
            assert!(!text.contains('\u{1b}'), "an escape code where nobody can see colours: {line}\n{text}");
        }
        run
    }

    /// Runs the program, which must succeed and say nothing on standard error; gives its output.
    pub(crate) fn ok(&self, line: &str) -> String {
        let run = self.run(line);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{line}\n{}", run.out);
        run.out
    }

    /// The same with its output parsed as JSON.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        let out = self.ok(line);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{line}: {e}\n{out}"))
    }

    /// Runs the program, which must fail with exit code 2 and a message that holds all `parts`, print nothing else, and
    /// leave the folder as it was. Gives the message.
    pub(crate) fn refuses(&self, line: &str, parts: &[&str]) -> String {
        let before = self.files();
        let run = self.run(line);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""), "{line}\n{}", run.err);
        for part in parts {
            assert!(run.err.contains(part), "{line}\nshould say: {part}\nsays: {}", run.err);
        }
        let after = self.files();
        assert!(before == after, "{line}\nthe folder held {:?}, now {:?}", before.keys(), after.keys());
        run.err
    }
}

/// Splits a line at white space outside quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (_, c) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
