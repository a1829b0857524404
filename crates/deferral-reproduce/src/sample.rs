//! What jobs find: numbers by method, measure and run.

use std::collections::BTreeMap;

use deferral_metrics::{Spread, median};
use serde::{Deserialize, Serialize};

use crate::experiment::Statistic;

/// One number.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Sample {
    /// The method as the study names it; empty where there is none.
    pub method: String,
    /// What was measured, such as `accuracy/AAE`.
    pub measure: String,
    /// Of which run: repetition and fold, or trial, counted through.
    pub run: usize,
    /// The number; none where it does not exist.
    pub value: Option<f64>,
}

impl Sample {
    /// A number of a method; what is not finite does not exist.
    pub fn new(method: &str, measure: impl Into<String>, run: usize, value: impl Into<Option<f64>>) -> Self {
        let value = value.into().filter(|value: &f64| value.is_finite());
        Self { method: method.to_owned(), measure: measure.into(), run, value }
    }
}

/// The numbers of a measure of a method, each with its run.
type Series = Vec<(usize, Option<f64>)>;

/// All numbers of a study, by method and measure, in the order of the runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Results {
    /// Methods in the order in which they came.
    methods: Vec<String>,
    /// The methods as the study lists them, before a grid gives them settings.
    listed: Vec<String>,
    series: BTreeMap<(String, String), Series>,
}

impl Results {
    /// Puts together what jobs found, in whatever order.
    pub fn of(samples: impl IntoIterator<Item = Sample>) -> Self {
        let mut results = Self::default();
        for Sample { method, measure, run, value } in samples {
            if !results.methods.contains(&method) {
                results.methods.push(method.clone());
            }
            results.series.entry((method, measure)).or_default().push((run, value));
        }
        for series in results.series.values_mut() {
            series.sort_by_key(|(run, _)| *run);
        }
        results
    }

    /// The methods that anything was measured of, in the order of the study.
    pub fn methods(&self) -> &[String] {
        &self.methods
    }

    /// The same figures, knowing the methods as the study lists them.
    #[must_use]
    pub fn listing(self, listed: &[String]) -> Self {
        Self { listed: listed.to_vec(), ..self }
    }

    /// The methods of a family: `name` with the settings of a grid. What the study lists by a longer name, such as
    /// `name:told=oracle`, is a family of its own.
    pub fn family<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a String> {
        let longer = |method: &str| {
            let others = self.listed.iter().filter(|other| other.len() > name.len());
            others.into_iter().any(|other| is_of(method, other))
        };
        self.methods.iter().filter(move |method| is_of(method, name) && !longer(method))
    }

    /// The values of a measure of a method, in the order of the runs, not finite where there is none; empty if it was not
    /// measured.
    pub fn values(&self, method: &str, measure: &str) -> Vec<f64> {
        let series = self.series.get(&(method.to_owned(), measure.to_owned()));
        series.map_or_else(Vec::new, |series| series.iter().map(|(_, value)| value.unwrap_or(f64::NAN)).collect())
    }

    /// The spread of a measure over runs, if it was measured.
    pub fn spread(&self, method: &str, measure: &str) -> Option<Spread> {
        Spread::of(&self.values(method, measure))
    }

    /// A statistic of a measure over runs, if it was measured.
    pub fn statistic(&self, method: &str, measure: &str, statistic: Statistic) -> Option<f64> {
        let spread = self.spread(method, measure)?;
        match statistic {
            Statistic::Mean => Some(spread.mean),
            Statistic::Least => Some(spread.min),
            Statistic::Largest => Some(spread.max),
            Statistic::Median => median(&self.values(method, measure)),
        }
    }

    /// The measures of a method that begin with `prefix`, without it.
    pub fn measures<'a>(&'a self, method: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.series.keys().filter(move |(of, _)| of == method).filter_map(move |(_, name)| name.strip_prefix(prefix))
    }

    /// Number of runs of a method: the longest series.
    pub fn runs(&self, method: &str) -> usize {
        self.series.iter().filter(|((of, _), _)| of == method).map(|(_, series)| series.len()).max().unwrap_or(0)
    }
}

/// Whether a method is `name`, or `name` with further settings.
fn is_of(method: &str, name: &str) -> bool {
    method.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ',']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(method: &str, run: usize, value: f64) -> Sample {
        Sample::new(method, "accuracy", run, value)
    }

    #[test]
    fn the_order_of_jobs_does_not_matter() {
        let samples = [sample("a", 0, 0.1), sample("a", 1, 0.4), sample("a", 2, 0.4), sample("a:k=1", 0, 0.9)];
        let forwards = Results::of(samples.clone());
        let reordered = [samples[2].clone(), samples[1].clone(), samples[3].clone(), samples[0].clone()];
        assert_eq!(forwards.values("a", "accuracy"), Results::of(reordered).values("a", "accuracy"));
        assert_eq!(forwards.statistic("a", "accuracy", Statistic::Median), Some(0.4));
        assert_eq!(forwards.statistic("a", "accuracy", Statistic::Least), Some(0.1));
        assert_eq!(forwards.statistic("a", "error", Statistic::Mean), None);
        assert_eq!(forwards.family("a").count(), 2);
        assert_eq!(forwards.runs("a"), 3);
        let apart = forwards.listing(&["a".to_owned(), "a:k=1".to_owned()]);
        assert_eq!((apart.family("a").count(), apart.family("a:k=1").count()), (1, 1));
    }

    #[test]
    fn what_does_not_exist_survives_being_written() {
        let missing = sample("a", 0, f64::NAN);
        assert_eq!(missing.value, None);
        let text = serde_json::to_string(&missing).unwrap();
        assert!(text.contains("null"), "{text}");
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), missing);
        assert!(Results::of([missing]).values("a", "accuracy")[0].is_nan());
    }
}
