//! `reproduce fetch`.

use std::process::ExitCode;

use anyhow::Result;
use deferral_reproduce::catalogue::{Catalogue, describe, list};
use deferral_reproduce::error::ReproduceError;
use deferral_reproduce::fetch::{Event, Http, fetch};

use crate::{FetchArgs, say};

/// Fetches data sets, or lists them.
pub(crate) fn fetch_sets(args: &FetchArgs) -> Result<ExitCode> {
    let catalogue = Catalogue::read(&args.folders.catalogue())?;
    let folder = args.folders.data(args.data.as_deref());
    if args.list {
        say(&list(&catalogue, &folder));
        for name in &args.names {
            let set = catalogue.get(name).ok_or_else(|| unknown(&catalogue, name))?;
            say(&describe(set));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<&str> = args.names.iter().map(String::as_str).collect();
    let summary =
        fetch(&catalogue, &names, &folder, &Http::default(), &mut |event: &Event<'_>| say(&event.to_string()))?;
    say(&format!(
        "{} fetched, {} already there, {} to be got by hand; the data are in {}",
        summary.fetched.len(),
        summary.already_there.len(),
        summary.by_hand.len(),
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn unknown(catalogue: &Catalogue, name: &str) -> ReproduceError {
    ReproduceError::Unknown { kind: "data set", name: name.to_owned(), known: catalogue.names().join(", ") }
}
