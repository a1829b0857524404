//! What the experts of a table are like.

use deferral_eval::{Advantage, audit};
use deferral_metrics::Spread;
use serde::{Deserialize, Serialize};

use super::{StudyError, Table};
use crate::data::Data;
use crate::sample::Sample;

/// What the experts of a table are like.
///
/// It measures, without any method: `posts`, `experts` (who labelled anything), `labels`, `labels-per-post`, `alpha`
/// (Krippendorff's), `majority` (accuracy, ties to the first label), `accuracy`, `accuracy-sd`, `accuracy-least`,
/// `accuracy-largest` over experts, `accuracy/GROUP` and `accuracy-sd/GROUP`, `better-on/GROUP`, `lead-on/GROUP` and
/// `lead-sd-on/GROUP` (how many experts are better on it than on the other, and by how much), and `equal`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Audit {
    /// The table, with a column an expert.
    pub table: Table,
    /// The group attribute.
    pub group: String,
}

impl Audit {
    pub(super) fn run(&self, data: &Data) -> Result<Vec<Sample>, StudyError> {
        let found = audit(&*data.table(&self.table)?, Some(&self.group))?;
        let mut samples = Vec::new();
        let mut add = |measure: &str, value: f64| {
            samples.push(Sample::new("", measure, 0, value));
        };
        let mean = |spread: Option<Spread>| spread.map_or(f64::NAN, |spread| spread.mean);
        let sd = |spread: Option<Spread>| spread.map_or(f64::NAN, |spread| spread.population_sd);
        add("posts", found.cases as f64);
        add("experts", found.active_experts as f64);
        add("labels", found.decisions as f64);
        add("labels-per-post", mean(found.per_case));
        add("alpha", found.alpha.value().unwrap_or(f64::NAN));
        add("majority", found.majority.value().unwrap_or(f64::NAN));
        add("accuracy", mean(found.accuracy));
        add("accuracy-sd", sd(found.accuracy));
        add("accuracy-least", found.accuracy.map_or(f64::NAN, |spread| spread.min));
        add("accuracy-largest", found.accuracy.map_or(f64::NAN, |spread| spread.max));
        for group in &found.by_group {
            add(&format!("accuracy/{}", group.group), mean(group.accuracy));
            add(&format!("accuracy-sd/{}", group.group), sd(group.accuracy));
        }
        for Advantage { first, second, better_on_first, better_on_second, equal, .. } in &found.advantages {
            for (group, better) in [(first, better_on_first), (second, better_on_second)] {
                add(&format!("better-on/{group}"), better.map_or(0.0, |spread| spread.n as f64));
                add(&format!("lead-on/{group}"), mean(*better));
                add(&format!("lead-sd-on/{group}"), sd(*better));
            }
            add("equal", *equal as f64);
        }
        Ok(samples)
    }
}
