//! What of a data set is there, and what to do about the rest.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use super::digest::Hasher;
use super::{DataFile, DataSet, Sha256};

/// What stands in the place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The pinned file.
    Present,
    /// A file of which no size and digest are known: it is taken as it is.
    Unpinned,
    /// The file itself is missing, the one that does in its place is there.
    Instead,
    /// Nothing.
    Missing,
    /// A file that is too short: a download that stopped.
    Partial {
        /// Its bytes.
        size: u64,
        /// The bytes it should have.
        expected: u64,
    },
    /// A file that is too long.
    Larger {
        /// Its bytes.
        size: u64,
        /// The bytes it should have.
        expected: u64,
    },
    /// A file of the right size and another content.
    Altered {
        /// The digest it should have.
        expected: Sha256,
        /// The digest it has.
        found: Sha256,
    },
    /// Something that cannot be read as a file.
    Unreadable {
        /// Why.
        why: String,
    },
}

impl State {
    /// Whether there is a file to work with.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::Present | Self::Unpinned | Self::Instead)
    }
}

/// A file that cannot be worked with. As text: the file, what is wrong with it and what to do.
///
/// It names the file by its path within the folder of the data, so that the text is the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The data set.
    pub set: String,
    /// The file, within the folder of the data.
    pub path: String,
    /// What stands in its place; never a usable state.
    pub state: State,
    /// What to do by hand to get the file, for one without an address.
    pub manual: Option<String>,
}

impl DataFile {
    /// What stands in its place in a folder of data. A file of the right size is read through, in pieces.
    pub fn state(&self, folder: &Path) -> State {
        let state = self.own_state(folder);
        let instead = self.instead.as_ref().is_some_and(|other| folder.join(other).is_file());
        if state == State::Missing && instead { State::Instead } else { state }
    }

    fn own_state(&self, folder: &Path) -> State {
        let place = self.place(folder);
        let size = match place.metadata() {
            Ok(found) if found.is_file() => found.len(),
            Ok(_) => return State::Unreadable { why: "it is not a file".to_owned() },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return State::Missing,
            Err(error) => return State::Unreadable { why: error.to_string() },
        };
        let Some(pin) = self.pin else { return State::Unpinned };
        if size < pin.size {
            return State::Partial { size, expected: pin.size };
        }
        if size > pin.size {
            return State::Larger { size, expected: pin.size };
        }
        match digest_of(&place) {
            Ok(found) if found == pin.sha256 => State::Present,
            Ok(found) => State::Altered { expected: pin.sha256, found },
            Err(error) => State::Unreadable { why: error.to_string() },
        }
    }
}

impl DataSet {
    /// What stands in the place of each of its files, in order. Files of the right size are read through.
    pub fn states(&self, folder: &Path) -> Vec<State> {
        self.files.iter().map(|file| file.state(folder)).collect()
    }

    /// What is wrong with its files in a folder of data; empty if every one can be worked with.
    pub fn problems(&self, folder: &Path) -> Vec<Problem> {
        let found = self.files.iter().map(|file| (file, file.state(folder)));
        found.filter(|(_, state)| !state.is_usable()).map(|(file, state)| self.problem(file, state)).collect()
    }

    /// What is wrong with its files, a sentence each; those that come by hand in the same way share one.
    pub fn told(&self, folder: &Path) -> Vec<String> {
        let problems = self.problems(folder);
        let by_hand = |problem: &&Problem| problem.state == State::Missing && problem.manual.is_some();
        let (missing, mut told): (Vec<&Problem>, Vec<&Problem>) = problems.iter().partition(by_hand);
        let [first, .., last] = missing[..] else {
            told.extend(missing);
            return told.into_iter().map(ToString::to_string).collect();
        };
        let paths: Vec<&str> = missing[..missing.len() - 1].iter().map(|problem| problem.path.as_str()).collect();
        let step = first.manual.as_deref().unwrap_or_default();
        let together = format!("{} and {} are missing and come by hand: {step}", paths.join(", "), last.path);
        told.into_iter().map(ToString::to_string).chain([together]).collect()
    }

    /// A digest of what is there: of the paths and contents of its files, as they are, in order. It changes when any of
    /// them does, so it can stand for the data set in the key of a cache. Whether the files are the right ones is for
    /// [`DataSet::problems`] to say.
    ///
    /// # Errors
    /// [`Problem`] for the first file that is missing or cannot be read.
    pub fn digest(&self, folder: &Path) -> Result<Sha256, Box<Problem>> {
        let mut whole = Hasher::default();
        for file in &self.files {
            let content = digest_of(&file.resolve(folder)).map_err(|error| {
                let missing = error.kind() == io::ErrorKind::NotFound;
                let why = error.to_string();
                Box::new(self.problem(file, if missing { State::Missing } else { State::Unreadable { why } }))
            })?;
            whole.update(file.path.as_bytes());
            whole.update(&[0]);
            whole.update(&content.0);
        }
        Ok(whole.finish())
    }

    /// What to say of one of its files.
    pub(crate) fn problem(&self, file: &DataFile, state: State) -> Problem {
        let manual = if file.url.is_some() { None } else { self.manual.clone() };
        Problem { set: self.name.clone(), path: file.path.clone(), state, manual }
    }
}

fn digest_of(path: &Path) -> io::Result<Sha256> {
    Sha256::of(&mut File::open(path)?)
}

impl Problem {
    /// How one gets the file.
    fn step(&self) -> String {
        match &self.manual {
            Some(step) => step.clone(),
            None => format!("run `cargo xtask fetch {}`", self.set),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, step) = (&self.path, self.step());
        match &self.state {
            State::Present | State::Unpinned | State::Instead => write!(f, "{path} is there"),
            State::Missing if self.manual.is_some() => write!(f, "{path} is missing and comes by hand: {step}"),
            State::Missing => write!(f, "{path} is missing: {step}"),
            State::Partial { size, expected } => {
                write!(f, "{path} has {size} bytes of {expected}: a download that stopped; delete it and {step}")
            }
            State::Larger { size, expected } => {
                write!(f, "{path} has {size} bytes instead of {expected}: it is another file; move it away and {step}")
            }
            State::Altered { expected, found } => write!(
                f,
                "{path} has the right size but the sha256 {found} instead of {expected}: it was changed; move it away \
                 and {step}"
            ),
            State::Unreadable { why } => {
                write!(f, "{path} cannot be read ({why}): make it readable, or move it away and {step}")
            }
        }
    }
}

impl std::error::Error for Problem {}
