//! The catalogue as text for people.

use std::path::Path;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::NOTHING};

use super::{Catalogue, DataFile, DataSet, State};

/// One row a file: data set, file, size in bytes, licence, and what stands in its place in a folder of data.
///
/// ```
/// use std::path::Path;
/// use deferral_reproduce::catalogue::{Catalogue, list};
/// let text = list(&Catalogue { sets: vec![] }, Path::new("data"));
/// assert_eq!(text.trim_end(), " data set  file  bytes  state  licence");
/// ```
pub fn list(catalogue: &Catalogue, folder: &Path) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["data set", "file", "bytes", "state", "licence"]);
    for set in &catalogue.sets {
        for file in &set.files {
            let size = file.pin.map_or_else(|| "-".to_owned(), |pin| pin.size.to_string());
            table.add_row([&set.name, &file.path, &size, &in_words(file, &file.state(folder)), &set.licence]);
        }
    }
    if let Some(sizes) = table.column_mut(2) {
        sizes.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A state in a few words.
fn in_words(file: &DataFile, state: &State) -> String {
    match state {
        State::Present => "there".to_owned(),
        State::Unpinned => "there, not verified".to_owned(),
        State::Instead => format!("{} instead", file.instead.as_deref().unwrap_or_default()),
        State::Missing if file.url.is_none() => "missing, by hand".to_owned(),
        State::Missing => "missing".to_owned(),
        State::Partial { size, .. } => format!("only {size} bytes"),
        State::Larger { size, .. } => format!("{size} bytes, too many"),
        State::Altered { .. } => "altered".to_owned(),
        State::Unreadable { .. } => "unreadable".to_owned(),
    }
}

/// Everything about a data set: origin, licence, citation, and each file with its size, digest and address.
pub fn describe(set: &DataSet) -> String {
    let mut text = format!(
        "{}: {}\n  origin   {}\n  licence  {}\n  cite     {}\n",
        set.name, set.title, set.origin, set.licence, set.citation
    );
    for file in &set.files {
        text += &format!("  file     {}\n", file.path);
        match file.pin {
            Some(pin) => text += &format!("           {} bytes, sha256 {}\n", pin.size, pin.sha256),
            None => text += "           size and sha256 not known: taken as it is\n",
        }
        match (&file.url, &file.instead) {
            (Some(url), _) => text += &format!("           {url}\n"),
            (None, Some(other)) => text += &format!("           by hand; {other} does as well\n"),
            (None, None) => text += "           by hand\n",
        }
    }
    if let Some(step) = &set.manual {
        text += &format!("  by hand  {step}\n");
    }
    text
}
