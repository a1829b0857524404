//! Is routing worth it? What majority, Dawid-Skene, the best single worker and a router that cannot err make of the
//! labels there are.

use deferral_core::{CaseId, ExpertId};
use deferral_data::Records;
use serde::Serialize;

use crate::aggregators::NamedAggregator;
use crate::error::EvalError;
use crate::experiment::FeatureChoice;
use crate::label_curve::{CurvePlan, LabelCurve, label_curve};
use crate::table::Table;

/// Random labels a case at which votes are aggregated.
const LABELS: [Option<usize>; 5] = [Some(1), Some(2), Some(3), Some(5), None];
/// Draws of these labels.
const REPETITIONS: usize = 5;

/// One way of deciding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoutingRow {
    /// Which.
    pub rule: String,
    /// Labels that it uses for a case.
    pub labels_per_case: f64,
    /// Its accuracy on the cases with a gold label and a vote; in the mean over draws, where labels are drawn.
    pub accuracy: f64,
}

/// Ways of deciding, those that need no router first. Compares with the gold labels of the cases.
///
/// The best single worker is chosen for each case among those who labelled it, by their accuracy on all *other* cases.
/// The oracle router asks somebody who is right if there is anybody: no router can do better with one label a case.
///
/// # Errors
/// If there is no gold label.
pub fn routing(records: &Records, seed: u64) -> Result<Vec<RoutingRow>, EvalError> {
    let methods = ["majority", "dawid-skene"].map(|name| NamedAggregator::parse(name, None));
    let methods: Vec<NamedAggregator> =
        methods.into_iter().collect::<Result<_, _>>().map_err(|error| EvalError::Nothing(error.to_string()))?;
    let features = FeatureChoice::default();
    let plan = CurvePlan {
        methods: &methods,
        labels: &LABELS,
        repetitions: REPETITIONS,
        features: &features,
        attribute: None,
        seed,
    };
    let mut rows = of_curve(&label_curve(records, &plan)?);
    rows.push(RoutingRow {
        rule: "best single worker available".to_owned(),
        labels_per_case: 1.0,
        accuracy: best_available(records),
    });
    rows.push(RoutingRow { rule: "oracle router".to_owned(), labels_per_case: 1.0, accuracy: oracle(records) });
    Ok(rows)
}

fn of_curve(curve: &LabelCurve) -> Vec<RoutingRow> {
    let row = |method: usize| {
        curve.points.iter().filter_map(move |point| {
            let labels = point.k.map_or("all labels".to_owned(), |k| format!("{k} random labels"));
            Some(RoutingRow {
                rule: format!("{}, {labels}", curve.methods[method]),
                labels_per_case: point.labels_per_case,
                accuracy: point.accuracy[method]?.mean,
            })
        })
    };
    (0..curve.methods.len()).flat_map(row).collect()
}

/// The share of cases on which the rule is right, of those with a vote and a gold label.
fn share(records: &Records, right: impl Fn(usize, deferral_core::Label) -> bool) -> f64 {
    let known = |case: &usize| !records.decisions.of_case(CaseId::at(*case)).is_empty();
    let graded: Vec<bool> =
        (0..records.n()).filter(known).filter_map(|case| Some(right(case, records.labels[case]?))).collect();
    graded.iter().filter(|right| **right).count() as f64 / graded.len().max(1) as f64
}

fn best_available(records: &Records) -> f64 {
    let m = records.experts.len();
    let (mut right, mut graded) = (vec![0.0; m], vec![0.0; m]);
    for expert in 0..m {
        for (case, label) in records.decisions.of_expert(ExpertId::at(expert)).iter() {
            if let Some(truth) = records.labels[case.index()] {
                graded[expert] += 1.0;
                right[expert] += f64::from(u8::from(label == truth));
            }
        }
    }
    share(records, |case, truth| {
        // Everybody's record without this case; the first of equals.
        let record = |(expert, label): (ExpertId, deferral_core::Label)| {
            let own = f64::from(u8::from(label == truth));
            ((right[expert.index()] - own + 1.0) / (graded[expert.index()] - 1.0 + 2.0), label)
        };
        let votes = records.decisions.of_case(CaseId::at(case)).iter().map(record);
        let best = votes.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.is_some_and(|(_, label)| label == truth)
    })
}

fn oracle(records: &Records) -> f64 {
    share(records, |case, truth| records.decisions.of_case(CaseId::at(case)).labels.contains(&truth))
}

/// The rows as a table.
pub fn routing_table(rows: &[RoutingRow]) -> Table {
    let header = ["is routing worth it?", "labels/case", "accuracy"].map(str::to_owned).to_vec();
    let row = |row: &RoutingRow| {
        vec![row.rule.clone(), format!("{:.2}", row.labels_per_case), format!("{:.4}", row.accuracy)]
    };
    Table { header, rows: rows.iter().map(row).collect() }
}
