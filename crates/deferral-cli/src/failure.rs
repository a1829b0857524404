//! What went wrong, as the user sees it: the message, the place in the file, the exit code.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use deferral_core::artifact::ArtifactError;
use deferral_core::files::FileError;
use deferral_data::{Role, TableError};
use deferral_eval::EvalError;
use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteHandlerOpts, MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

/// Why the program stops: with code 2 for what the user wrote or gave, with 1 for the rest.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage or input.
    Input(Box<dyn std::error::Error + Send + Sync>),
    /// The same, with a place in a table, and what the command line can do about it.
    Table(TableError, Option<&'static str>),
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
            Self::Input(_) | Self::Table(..) => 2,
            Self::Other(_) => 1,
            Self::BrokenPipe => 0,
        }
    }

    /// Prints the message to standard error, with the line of the file that it is about where there is one.
    pub(crate) fn print(self) {
        // A message stays on one line: whoever searches a log for it should find it. Fails only if there is a hook.
        let _ = miette::set_hook(Box::new(|_| Box::new(MietteHandlerOpts::new().wrap_lines(false).build())));
        let report = match self {
            Self::BrokenPipe => return,
            Self::Input(error) | Self::Other(error) => miette::Report::new(Plain(error)),
            Self::Table(error, help) => miette::Report::new(Located::new(&error, help)),
        };
        // If nobody listens there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{report:?}");
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        let help = match &error {
            TableError::Write(_) => return Self::Other(error.into()),
            TableError::UnknownTask { .. } => Some("--unknown-tasks drop leaves such decisions out and counts them"),
            TableError::UnknownColumn { role: Role::Group, .. } => {
                Some("--group NAME reads the column NAME of the cases")
            }
            _ => None,
        };
        Self::Table(error, help)
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        match error {
            EvalError::Table(error) => error.into(),
            EvalError::Artifact(ArtifactError::File(error)) if error.action == "write" => error.into(),
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
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Other(format!("cannot write to standard output: {error}").into()),
        }
    }
}

#[derive(Debug)]
struct Plain(Box<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible(&self.0.to_string()))
    }
}

impl std::error::Error for Plain {}
impl Diagnostic for Plain {}

/// The text without control characters, which would act on the terminal.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() && !matches!(c, '\t' | '\n') { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

/// A table error with the line it is about.
#[derive(Debug)]
struct Located {
    message: String,
    line: Option<Line>,
    help: Option<&'static str>,
}

impl Located {
    fn new(error: &TableError, help: Option<&'static str>) -> Self {
        let line = error.place().and_then(|place| Line::of(&place.file, place.row?));
        Self { message: visible(&error.to_string()), line, help }
    }
}

/// One line of a file, shown with its own number.
#[derive(Debug)]
struct Line {
    file: String,
    before: usize,
    text: String,
}

impl Line {
    /// Line `row` (from 1) of a file, cut to a length that can be shown.
    fn of(path: &Path, row: u64) -> Option<Self> {
        const SHOWN: usize = 200;
        let before = usize::try_from(row.checked_sub(1)?).ok()?;
        let line = BufReader::new(File::open(path).ok()?).split(b'\n').nth(before)?.ok()?;
        let text: String = visible(String::from_utf8_lossy(&line).trim_end()).chars().take(SHOWN).collect();
        let file = path.display().to_string();
        (!text.is_empty()).then_some(Self { file, before, text })
    }

    fn span(&self) -> SourceSpan {
        (0, self.text.len()).into()
    }
}

impl SourceCode for Line {
    fn read_span<'a>(
        &'a self,
        _: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (file, text) = (self.file.clone(), self.text.as_bytes());
        Ok(Box::new(MietteSpanContents::new_named(file, text, self.span(), self.before, 0, 1)))
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Located {}

impl Diagnostic for Located {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.line.as_ref().map(|line| line as &dyn SourceCode)
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        self.help.map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.line.as_ref()?.span();
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(Some("here".to_owned()), span))))
    }
}
