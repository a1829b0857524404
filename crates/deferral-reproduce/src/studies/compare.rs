//! Methods on the same cases: what a comparison measures, by method and run.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use deferral_core::{Splitter, Stream};
use deferral_data::ReadOptions;
use deferral_data::text::WordVectors;
use deferral_eval::{
    Axis, Comparison, DecisionMaker, Division, Experiment, FeatureChoice, FeatureKind, Job, Method, Record, Source,
    audit, run_jobs,
};
use deferral_experts::{BiasedPanel, Moderation, ThreeClusters};
use serde::{Deserialize, Serialize};

use super::StudyError;
use crate::data::Data;
use crate::sample::Sample;

/// Methods on the same cases.
///
/// It measures, of each method in each test set: `accuracy`, `accuracy/GROUP`, `error`, `impact` (disparate impact),
/// `labels` (per case), `asked` and `asked/GROUP` (the share of cases about which somebody is asked), `alone`, and, where
/// cases are held out for validation, `validation-error` and `validation-impact`; `tested` and `trained` are numbers of cases. Of the first test set also, for every
/// expert, `weight/EXPERT`, and, with the empty method, `expert-accuracy/EXPERT` and `expert-accuracy/EXPERT/GROUP` on all
/// cases; `weight/model` is the weight of the classifier.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Compare {
    /// Where cases come from.
    pub cases: CasesFrom,
    /// Who the experts are, if not those of the cases.
    pub panel: Option<Panel>,
    /// The group attribute that results are shown by.
    pub group: Option<String>,
    /// Word vectors, a file of the data folder.
    pub vectors: Option<String>,
    /// The features that methods see which do not say.
    pub features: Option<FeatureKind>,
    /// Main directions kept, if not 100.
    pub dim: Option<usize>,
    /// How cases are divided.
    pub split: SplitBy,
    /// Settings for every method that has them.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Settings whose values are gone through, such as `gamma=0:0.5:0.05`.
    #[serde(default)]
    pub grid: Vec<String>,
    /// The methods.
    pub methods: Vec<String>,
}

/// Where cases come from.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum CasesFrom {
    /// A table.
    Table(Table),
    /// A file of learning to defer.
    Npz {
        /// The file, within the data folder.
        file: String,
        /// A simulated decision-maker beside the one of the file: `accurate`, `biased` or `inconsistent`. With the last
        /// one there is an attribute `reliable`: whether they can be relied on, `yes` or `no`.
        decision_maker: Option<DecisionMaker>,
    },
    /// Three generated clusters.
    Clusters(ThreeClusters),
    /// A generated moderation desk.
    Moderation(Moderation),
}

/// A table of cases, with a column an expert if `reading` says so.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Table {
    /// The file, within the data folder.
    pub file: String,
    /// How it is read.
    #[serde(default)]
    pub reading: ReadOptions,
    /// The folder of a dialect model, within the data folder: adds the attribute `dialect`.
    pub dialect: Option<String>,
}

/// Experts who are drawn anew in every repetition.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Panel {
    /// The group that most of them are biased against.
    pub biased_against: String,
    /// How many are.
    #[serde(default = "fifteen")]
    pub biased: usize,
    /// How many are biased the other way round.
    #[serde(default = "five")]
    pub flipped: usize,
}

fn fifteen() -> usize {
    15
}

fn five() -> usize {
    5
}

/// How cases are divided.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitBy {
    /// So large a share is tested, drawn anew in every repetition.
    Random(f64),
    /// So many folds, shuffled.
    Folds(usize),
    /// So many folds in the order of the file.
    Contiguous(usize),
    /// As the file divides them.
    Given,
}

impl SplitBy {
    fn division(self) -> Division {
        Division::By(match self {
            Self::Random(test) => Splitter::Random { test },
            Self::Folds(k) => Splitter::ShuffledFolds { k },
            Self::Contiguous(k) => Splitter::ContiguousFolds { k },
            Self::Given => return Division::Given,
        })
    }

    fn folds(self) -> usize {
        match self {
            Self::Random(_) | Self::Given => 1,
            Self::Folds(k) | Self::Contiguous(k) => k,
        }
    }
}

impl Compare {
    pub(super) fn check(&self) -> Result<(), String> {
        self.methods().map(|_| ()).map_err(|error| error.to_string())
    }

    pub(super) fn units(&self, repetitions: usize) -> usize {
        repetitions * self.split.folds()
    }

    /// The methods, also those of a grid.
    pub(crate) fn methods(&self) -> Result<Vec<Method>, StudyError> {
        let defaults: Vec<(String, String)> = self.settings.clone().into_iter().collect();
        let parse = |text: &String| Method::parse(text, &defaults, self.group.as_deref());
        let methods = self.methods.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let axes = self.grid.iter().map(|text| Axis::parse(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(if axes.is_empty() { methods } else { Axis::spread(&axes, &methods)? })
    }

    pub(super) fn run(&self, units: Range<usize>, seed: u64, data: &Data) -> Result<Vec<Sample>, StudyError> {
        let folds = self.split.folds();
        let jobs: Vec<Job> = units.map(|unit| Job { repetition: unit / folds, fold: unit % folds }).collect();
        let experiment = self.experiment(jobs.iter().map(|job| job.repetition + 1).max().unwrap_or(1), seed, data)?;
        let comparison = run_jobs(&experiment, &jobs, &|_, _| {})?;
        let mut samples = Vec::new();
        for record in &comparison.records {
            measure(&comparison, record, folds, &mut samples);
        }
        if jobs.contains(&Job { repetition: 0, fold: 0 }) {
            describe_experts(&experiment, &comparison, &mut samples)?;
        }
        Ok(samples)
    }

    /// Reads the data, so that units which run at the same time find them.
    pub(super) fn load(&self, data: &Data) -> Result<(), StudyError> {
        self.source(data)?;
        self.vectors(data)?;
        Ok(())
    }

    fn source(&self, data: &Data) -> Result<Source, StudyError> {
        Ok(match &self.cases {
            CasesFrom::Table(table) => Source::Table(data.table(table)?),
            CasesFrom::Npz { file, decision_maker } => {
                Source::Table(data.npz(file, *decision_maker, self.group.as_deref())?)
            }
            CasesFrom::Clusters(clusters) => Source::Clusters(*clusters),
            CasesFrom::Moderation(desk) => Source::Moderation(*desk),
        })
    }

    fn vectors(&self, data: &Data) -> Result<Option<Arc<WordVectors>>, StudyError> {
        self.vectors.as_deref().map(|file| data.vectors(file)).transpose()
    }

    fn experiment(&self, repetitions: usize, seed: u64, data: &Data) -> Result<Experiment, StudyError> {
        let (source, vectors) = (self.source(data)?, self.vectors(data)?);
        Ok(Experiment {
            panel: self.panel(&source)?,
            source,
            division: self.split.division(),
            repetitions,
            methods: self.methods()?,
            features: FeatureChoice { kind: self.features, vectors, dim: self.dim, ..FeatureChoice::default() },
            group: self.group.clone(),
            seed,
        })
    }

    fn panel(&self, source: &Source) -> Result<deferral_eval::Panel, StudyError> {
        let Some(Panel { biased_against, biased, flipped }) = &self.panel else {
            return Ok(deferral_eval::Panel::Recorded);
        };
        let Some(attribute) = self.group.clone() else {
            return Err("a panel that is biased against a group needs `group`, its attribute".into());
        };
        let classes = match source {
            Source::Table(records) => records.label_names.len(),
            Source::Clusters(_) | Source::Moderation(_) => 2,
        };
        let panel = BiasedPanel { biased: *biased, flipped: *flipped, classes, ..BiasedPanel::against(biased_against) };
        Ok(deferral_eval::Panel::Biased { panel, attribute })
    }
}

/// What came of one method on one test set.
fn measure(comparison: &Comparison, record: &Record, folds: usize, to: &mut Vec<Sample>) {
    let method = &comparison.methods[record.method];
    let run = record.repetition * folds + record.fold;
    let mut add = |measure: &str, value: Option<f64>| {
        to.push(Sample::new(method, measure, run, value));
    };
    let n = record.all.n.max(1) as f64;
    let cells = record.cells.all();
    add("accuracy", record.all.share());
    add("error", cells.error());
    add("labels", Some(record.labels_used as f64 / n));
    add("alone", Some(record.alone as f64 / n));
    add("asked", cells.asked());
    add("tested", Some(record.all.n as f64));
    add("trained", Some((comparison.cases.0 - record.all.n) as f64));
    for (at, (group, tally)) in comparison.groups.iter().zip(&record.by_group).enumerate() {
        add(&format!("accuracy/{group}"), tally.share());
        add(&format!("asked/{group}"), record.cells.of_group(at).asked());
    }
    if comparison.groups.len() > 1 {
        add("impact", Some(record.cells.disparate_impact()));
    }
    if let Some(validation) = &record.validation {
        add("validation-error", validation.all().error());
        add("validation-impact", Some(validation.disparate_impact()));
    }
    let names = comparison.experts.iter().map(String::as_str).chain(["model"]);
    for (expert, name) in record.experts.iter().zip(names) {
        add(&format!("weight/{name}"), Some(expert.weight));
    }
}

/// How accurate the experts of the first repetition are.
fn describe_experts(experiment: &Experiment, comparison: &Comparison, to: &mut Vec<Sample>) -> Result<(), StudyError> {
    let stream = Stream::new(experiment.seed).child("repetition").nth(0);
    let records: Arc<_> = experiment.source.draw(&experiment.panel, &stream)?;
    if records.decisions.is_empty() {
        return Ok(());
    }
    let audit = audit(&records, experiment.group.as_deref())?;
    let mut add = |measure: String, value: Option<f64>| {
        to.push(Sample::new("", measure, 0, value));
    };
    for expert in &audit.roster {
        let name = &expert.expert;
        add(format!("expert-accuracy/{name}"), expert.accuracy.value());
        for (group, measured) in comparison.groups.iter().zip(&expert.by_group) {
            add(format!("expert-accuracy/{name}/{group}"), measured.value());
        }
    }
    Ok(())
}
