//! Where the cases and the decisions of an experiment come from.

use std::sync::Arc;

use deferral_core::{Columns, Dataset, Features, Names, Stream};
use deferral_data::{Inputs, JoinReport, Numeric, Records};
use deferral_experts::{BiasedPanel, GeneratedCases, Moderation, ThreeClusters, boxed, panel};

use crate::error::EvalError;

/// The cases of an experiment: a table, the same in every repetition, or a generator that draws anew for each.
#[derive(Debug, Clone)]
pub enum Source {
    /// Cases and decisions from files.
    Table(Arc<Records>),
    /// The three clusters of Keswani et al. 2021, section 3.1.
    Clusters(ThreeClusters),
    /// The generated moderation desk.
    Moderation(Moderation),
}

/// The experts of an experiment.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Panel {
    /// Those who made the decisions of the source.
    #[default]
    Recorded,
    /// Experts drawn anew in each repetition, each biased for or against a group of the named attribute; they decide
    /// every case.
    Biased {
        /// How they are drawn.
        panel: BiasedPanel,
        /// The group attribute.
        attribute: String,
    },
}

impl Source {
    /// Number of cases.
    pub fn n(&self) -> usize {
        match self {
            Self::Table(records) => records.n(),
            Self::Clusters(clusters) => clusters.cases,
            Self::Moderation(desk) => desk.cases,
        }
    }

    /// Whether every repetition has cases of its own.
    pub fn is_drawn_anew(&self) -> bool {
        !matches!(self, Self::Table(_))
    }

    /// The records of one repetition.
    ///
    /// # Errors
    /// If a generator's parameters are out of range.
    pub fn draw(&self, panel: &Panel, stream: &Stream) -> Result<Arc<Records>, EvalError> {
        let records = match self {
            Self::Table(records) => Arc::clone(records),
            Self::Clusters(clusters) => Arc::new(from_dataset(&clusters.generate(&stream.child("cases"))?)?),
            Self::Moderation(desk) => Arc::new(from_generated(desk.generate(&stream.child("cases"))?)?),
        };
        match panel {
            Panel::Recorded => Ok(records),
            Panel::Biased { panel, attribute } => Ok(Arc::new(with_panel(&records, panel, attribute, stream)?)),
        }
    }
}

/// The same cases, labelled by a freshly drawn panel.
fn with_panel(records: &Records, biased: &BiasedPanel, attribute: &str, stream: &Stream) -> Result<Records, EvalError> {
    let bare =
        Records { decisions: deferral_core::Decisions::none(records.n(), 0), experts: Names::new(), ..records.clone() };
    let data = bare.dataset(Features::none(records.n()))?;
    let experts = biased.draw(data.cases().group(attribute)?, &stream.child("experts"))?;
    let names = Names::numbered("expert-", experts.len());
    let decisions = panel(&boxed(experts), data.cases(), Some(attribute), &stream.child("votes"))?;
    Ok(Records { decisions, experts: names, prices: None, ..bare })
}

/// Generated posts as if they had been read from files.
///
/// # Errors
/// If the parts do not fit together.
pub fn from_generated(desk: GeneratedCases) -> Result<Records, EvalError> {
    let inputs = Inputs::new(desk.ids.len(), Some(desk.text), None)?;
    Ok(Records {
        ids: desk.ids,
        inputs,
        labels: desk.labels.into_iter().map(Some).collect(),
        label_names: desk.label_names,
        groups: desk.groups,
        decisions: desk.decisions,
        experts: desk.experts,
        prices: Some(desk.costs),
        parts: None,
        unseen: None,
        report: JoinReport::default(),
    })
}

/// A data set with dense features as if it had been read from files.
fn from_dataset(data: &Dataset) -> Result<Records, EvalError> {
    let cases = data.cases();
    let values = cases.features().as_dense().cloned().unwrap_or_else(|| Columns::zeros(0, data.n()));
    let names = (0..values.rows()).map(|i| format!("x{i}")).collect();
    Ok(Records {
        ids: cases.ids().clone(),
        inputs: Inputs::new(data.n(), None, Some(Numeric { names, values }))?,
        labels: cases.labels().to_vec(),
        label_names: data.label_names().clone(),
        groups: cases.groups().to_vec(),
        decisions: data.decisions().clone(),
        experts: data.experts().clone(),
        prices: None,
        parts: None,
        unseen: None,
        report: JoinReport::default(),
    })
}
