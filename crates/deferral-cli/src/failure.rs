//! What went wrong, as the user sees it: the message, the place in the file, the exit code.

use std::fmt;
use std::path::Path;

use deferral_core::files::FileError;
use deferral_data::TableError;
use deferral_eval::EvalError;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Why the program stops: with code 2 for what the user wrote or gave, with 1 for the rest.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage or input.
    Input(Box<dyn std::error::Error + Send + Sync>),
    /// The same, with a place in a table.
    Table(TableError),
    /// Anything else.
    Other(Box<dyn std::error::Error + Send + Sync>),
    /// Nobody reads our output any more.
    BrokenPipe,
}

impl Failure {
    /// A mistake in what the user wrote.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Input(message.into().into())
    }

    /// An error of a library about what the user gave.
    pub(crate) fn input(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Input(error.into())
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Input(_) | Self::Table(_) => 2,
            Self::Other(_) => 1,
            Self::BrokenPipe => 0,
        }
    }

    /// Prints the message to standard error, with a few lines of the file around the place where there is one.
    #[expect(clippy::print_stderr, reason = "this is where errors are printed")]
    pub(crate) fn print(self) {
        match self {
            Self::BrokenPipe => {}
            Self::Input(error) | Self::Other(error) => eprintln!("{:?}", miette::Report::new(Plain(error))),
            Self::Table(error) => eprintln!("{:?}", miette::Report::new(Located::new(&error))),
        }
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Table(error) => Self::Table(error),
            EvalError::File(_) | EvalError::Figure(_) => Self::Other(error.into()),
            _ => Self::Input(error.into()),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::Other(error.into())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::Other(error.into()) }
    }
}

#[derive(Debug)]
struct Plain(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Plain {}
impl Diagnostic for Plain {}

/// A table error with the line it is about.
#[derive(Debug)]
struct Located {
    message: String,
    source: Option<NamedSource<String>>,
    span: Option<(usize, usize)>,
}

impl Located {
    fn new(error: &TableError) -> Self {
        let message = error.to_string();
        let found = error.place().and_then(|place| Some((place, line_of(&place.file, place.row?)?)));
        let Some((place, (line, row))) = found else { return Self { message, source: None, span: None } };
        let span = (0, line.trim_end().len());
        let name = format!("{} row {row}", place.file.display());
        Self { message, source: Some(NamedSource::new(name, line)), span: Some(span) }
    }
}

/// Line `row` (from 1) of a file, cut to a length that can be shown.
fn line_of(path: &Path, row: u64) -> Option<(String, u64)> {
    use std::io::BufRead;
    const SHOWN: usize = 200;
    let file = std::io::BufReader::new(std::fs::File::open(path).ok()?);
    let line = file.split(b'\n').nth(usize::try_from(row.checked_sub(1)?).ok()?)?.ok()?;
    let line = String::from_utf8_lossy(&line);
    let cut: String = line.trim_end().chars().take(SHOWN).collect();
    (!cut.is_empty()).then_some((cut, row))
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Located {}

impl Diagnostic for Located {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (start, length) = self.span?;
        Some(Box::new(std::iter::once(LabeledSpan::new(Some("here".to_owned()), start, length))))
    }
}
