//! The data that studies read: each file once, whoever asks for it first.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use deferral_core::{GroupAttribute, Stream};
use deferral_data::numpy::read_learning_to_defer;
use deferral_data::text::WordVectors;
use deferral_data::{DialectModel, MissingRating, Records, read_cases, read_rater_pools};
use deferral_eval::closed_loop::LoopData;
use deferral_eval::{DecisionMaker, reliable, with_decision_makers};

use crate::catalogue::Catalogue;
use crate::studies::{StudyError, Table};

/// The data folder, and what was read of it.
#[derive(Debug)]
pub struct Data {
    folder: PathBuf,
    catalogue: Catalogue,
    records: Mutex<HashMap<String, Arc<Records>>>,
    vectors: Mutex<HashMap<String, Arc<WordVectors>>>,
    ratings: Mutex<HashMap<String, Arc<LoopData>>>,
}

impl Data {
    /// Data from a folder, which is laid out as the catalogue says. Nothing is read yet.
    pub fn new(folder: &Path, catalogue: &Catalogue) -> Self {
        let catalogue = catalogue.clone();
        let folder = folder.to_owned();
        Self { folder, catalogue, records: Mutex::default(), vectors: Mutex::default(), ratings: Mutex::default() }
    }

    /// Where a file is; another may stand in its place.
    fn place(&self, file: &str) -> PathBuf {
        let known = self.catalogue.sets.iter().find_map(|set| set.file(file));
        known.map_or_else(|| self.folder.join(file), |known| known.resolve(&self.folder))
    }

    /// A table of cases and, where it is wide, decisions.
    pub(crate) fn table(&self, table: &Table) -> Result<Arc<Records>, StudyError> {
        once(&self.records, &format!("{table:?}"), || self.read_table(table))
    }

    /// A file of learning to defer.
    pub(crate) fn npz(
        &self,
        file: &str,
        maker: Option<DecisionMaker>,
        group: Option<&str>,
    ) -> Result<Arc<Records>, StudyError> {
        once(&self.records, &format!("{file} {maker:?} {group:?}"), || {
            let records = read_learning_to_defer(&self.place(file))?;
            let Some(maker) = maker else { return Ok(records) };
            // They are those of the data, not of a run: the same for every seed.
            let stream = Stream::new(0).child("decision-makers");
            let group = group.filter(|group| records.groups.iter().any(|known| known.name == *group));
            let mut records = with_decision_makers(records, &[maker], group, &stream)?;
            if maker == DecisionMaker::Inconsistent {
                let reliable = reliable(&records)?;
                records.groups.push(GroupAttribute::from_values("reliable", reliable.into_iter().map(yes_or_no)));
            }
            Ok(records)
        })
    }

    /// A file of word vectors.
    pub(crate) fn vectors(&self, file: &str) -> Result<Arc<WordVectors>, StudyError> {
        once(&self.vectors, file, || Ok(WordVectors::read(&self.place(file))?))
    }

    /// Comments and their ratings; a rating that is missing is no vote.
    pub(crate) fn ratings(
        &self,
        ratings: &str,
        comments: &str,
        vectors: Option<&str>,
    ) -> Result<Arc<LoopData>, StudyError> {
        once(&self.ratings, &format!("{ratings} {comments} {vectors:?}"), || {
            let vectors = vectors.map(|file| self.vectors(file)).transpose()?;
            let (ratings, comments) = (self.place(ratings), self.place(comments));
            let pools = read_rater_pools(&ratings, &comments, MissingRating::NoVote)?;
            Ok(LoopData::of_rater_pools(pools, vectors.as_deref())?)
        })
    }

    fn read_table(&self, table: &Table) -> Result<Records, StudyError> {
        let path = self.place(&table.file);
        let mut records = match table.reading.wide {
            Some(_) => Records::from_wide(&path, &table.reading)?,
            None => Records::without_decisions(read_cases(&path, &table.reading)?)?,
        };
        if let Some(folder) = &table.dialect {
            let folder = self.folder.join(folder);
            let model = DialectModel::read(&folder.join("model_count_table.txt"), &folder.join("model_vocab.txt"))?;
            let Some(texts) = &records.inputs.text else {
                return Err(format!("{} has no texts to infer dialects from; name their column", table.file).into());
            };
            let groups = model.groups(texts);
            records.groups.push(groups);
        }
        Ok(records)
    }
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// What `key` stands for. It is read without holding the lock, so that reading may use the pool that others wait in.
fn once<T>(
    cache: &Mutex<HashMap<String, Arc<T>>>,
    key: &str,
    read: impl FnOnce() -> Result<T, StudyError>,
) -> Result<Arc<T>, StudyError> {
    let known = || cache.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(there) = known().get(key) {
        return Ok(Arc::clone(there));
    }
    let there = Arc::new(read()?);
    Ok(Arc::clone(known().entry(key.to_owned()).or_insert(there)))
}
